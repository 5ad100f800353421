"""Writes the schema of audit.json, and the tables of docs/audit.md.

    python tools/make_audit_docs.py

Both follow from the dataclasses of qmia_tf.auditing.audit_result and their
docstrings. In the page a table stands between <!-- fields: TYPE --> and
<!-- end -->. Takes seconds. tests/docs/docs_drawn_test.py compares.
"""

import inspect
import json
import pathlib
import re

import msgspec

from qmia_tf.auditing.audit_result import SCHEMA_VERSION, AuditResult

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
PAGE, SCHEMA = DOCS / "audit.md", DOCS / "audit.schema.json"
FIELD = re.compile(r"^    (\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)
PLACE = re.compile(r"<!-- fields: (\w+) -->\n.*?<!-- end -->", re.DOTALL)
SIMPLE = {"integer": "int", "number": "float", "string": "text"}


def schema() -> dict:
    """The JSON Schema of audit.json, draft 2020-12."""
    drawn = msgspec.json.schema(AuditResult)
    for name, kind in drawn["$defs"].items():
        about, fields = described(kind.get("description", ""))
        kind["description"] = about
        for field, entry in kind["properties"].items():
            entry.pop("default", None)
            if name != "Estimate":
                text = fields[field]
                kind["properties"][field] = {"description": text, **entry}
        kind["required"] = list(kind["properties"])
        kind["additionalProperties"] = False
    version = drawn["$defs"]["AuditResult"]["properties"]["schema_version"]
    version.pop("type")
    version["const"] = SCHEMA_VERSION
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"audit.json of qmia_tf, schema_version {SCHEMA_VERSION}",
        **drawn,
    }


def described(docstring: str) -> tuple[str, dict[str, str]]:
    """Splits a docstring: what the type is, and each of its fields."""
    about, _, attributes = inspect.cleandoc(docstring).partition("Attributes:")
    fields = {
        name: " ".join(text.split()).replace("None", "null")
        for name, text in FIELD.findall(attributes)
    }
    return " ".join(about.split()), fields


def page() -> str:
    """docs/audit.md with its tables made again."""
    kinds = schema()["$defs"]
    return PLACE.sub(lambda place: _table(place[1], kinds), PAGE.read_text())


def _table(name, kinds):
    rows = [
        f"| `{field}` | {_type(entry)} | {_meaning(entry)} |"
        for field, entry in kinds[name]["properties"].items()
    ]
    lines = ["| field | type | meaning |", "|---|---|---|", *rows]
    return "\n".join(
        [f"<!-- fields: {name} -->", "", *lines, "", "<!-- end -->"]
    )


def _type(entry):
    """What a field holds, in a word or two."""
    if "anyOf" in entry:
        kinds = [x for x in entry["anyOf"] if x.get("type") != "null"]
        return f"{_type(kinds[0])} or null"
    if "$ref" in entry:
        return entry["$ref"].rpartition("/")[2]
    if "enum" in entry:
        return ", ".join(f"`{value}`" for value in entry["enum"])
    if entry.get("type") == "array":
        return f"list of {_type(entry['items'])}"
    kind = entry.get("type", type(entry.get("const")).__name__)
    return SIMPLE.get(kind, kind)


def _meaning(entry):
    return entry.get("description", "").replace("|", "\\|").rstrip(".")


def main():
    """Writes both files."""
    SCHEMA.write_text(json.dumps(schema(), indent=2) + "\n")
    PAGE.write_text(page())
    print(f"docs/{SCHEMA.name} and docs/{PAGE.name} are written")


if __name__ == "__main__":
    main()
