"""Writes the schemas of audit.json and summary.json, and their tables.

    python tools/make_audit_docs.py

They follow from the dataclasses of qmia_tf.auditing.audit_result and of
qmia_tf.report.summary_files, and their docstrings. In docs/audit.md and
docs/report.md a table stands between <!-- fields: TYPE --> and <!-- end -->.
Takes seconds. tests/docs/docs_drawn_test.py compares.
"""

import inspect
import json
import pathlib
import re

import msgspec

from qmia_tf.auditing import audit_result
from qmia_tf.report import summary_files

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
# File -> its type, its version, and the page that explains it.
FILES = {
    "audit": (
        audit_result.AuditResult,
        audit_result.SCHEMA_VERSION,
        DOCS / "audit.md",
    ),
    "summary": (
        summary_files.Summary,
        summary_files.SCHEMA_VERSION,
        DOCS / "report.md",
    ),
}
FIELD = re.compile(r"^    (\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)
PLACE = re.compile(r"<!-- fields: (\w+) -->\n.*?<!-- end -->", re.DOTALL)
SIMPLE = {"integer": "int", "number": "float", "string": "text"}


def schema_path(name: str) -> pathlib.Path:
    """Where the schema of a file lies."""
    return DOCS / f"{name}.schema.json"


def schema(name: str) -> dict:
    """The JSON Schema of a file, draft 2020-12."""
    kind, number, _ = FILES[name]
    drawn = msgspec.json.schema(kind)
    for part, entries in drawn["$defs"].items():
        about, fields = described(entries.get("description", ""))
        entries["description"] = about
        for field, entry in entries["properties"].items():
            entry.pop("default", None)
            if part != "Estimate":
                text = fields[field]
                entries["properties"][field] = {"description": text, **entry}
        entries["required"] = [
            field
            for field in entries["properties"]
            if field not in audit_result.LATER
        ]
        entries["additionalProperties"] = False
    version = drawn["$defs"][kind.__name__]["properties"]["schema_version"]
    version.pop("type")
    version["const"] = number
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{name}.json of qmia_tf, schema_version {number}",
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


def page(name: str) -> str:
    """The page of a file with its tables made again."""
    kinds, text = schema(name)["$defs"], FILES[name][2].read_text()
    return PLACE.sub(lambda place: _table(place[1], kinds), text)


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
    """Writes the schemas and the pages."""
    for name, (_, _, place) in FILES.items():
        text = json.dumps(schema(name), indent=2) + "\n"
        schema_path(name).write_text(text)
        place.write_text(page(name))
        print(f"docs/{name}.schema.json and docs/{place.name} are written")


if __name__ == "__main__":
    main()
