"""Converts files of audits from before schema version 7.

    python tools/convert_audits.py PATH...

PATH is an audit.json, or a directory: in it and in all below, audit.json and
config.json, outputs/, and copies/, which becomes augmented_queries/. Files are
replaced; what is converted already stays. Numbers stay: fields and attacks get
their names of version 7, and what versions 4 and 5 did not have is null.
"""

import json
import pathlib
import sys

import numpy as np

from qmia_tf import files, typed_json
from qmia_tf.auditing.audit_result import (
    CONVERTIBLE,
    LATER,
    SCHEMA_VERSION,
    AuditResult,
)
from qmia_tf.errors import InputError

# Old -> new name of a field, by what holds it.
RENAMED = {
    "audit": {
        "control": "blind_baseline",
        "joints": "joint_attacks",
        "repeats": "repeated_records",
    },
    "targets": {"exposed": "risky_members", "tied_answers": "tied_outputs"},
    "attacks": {"verdicts": "membership_decisions"},
    "leak": {"answer": "verdict", "because": "reasons"},
    "blind_baseline": {"told_apart": "distinguishable"},
    "joint_attacks": {"alone": "single_auc", "together": "joint_auc"},
    "gates": {"found": "measured"},
    "models": {"pixels": "input_range"},
    "info": {"pixels": "input_range", "pixels_flag": "input_range_flag"},
}
# What earlier versions did not have; AuditResult orders the fields.
ADDED = {
    "audit": {
        "calibration": None,
        "repeated_records": None,
        "comparison": None,
        "gates": [],
        "attack_options": {},
    },
    "targets": {"onednn": None, "leak": None},
    "blind_baseline": dict.fromkeys(
        ("null_auc", "p_value", "classes_p_value", "permutations")
    ),
}
ATTACKS = {
    "correct_copies": "correct_augmentations",
    "agreeing_copies": "agreeing_augmentations",
}
NEEDS = {"copies": "augmented_labels", "noisy": "noisy_labels"}
TITLES = {
    "label-only, copies right": "label-only, correct augmentations",
    "label-only, copies alike": "label-only, agreeing augmentations",
}
WORDS = {**ATTACKS, **TITLES}


def converted(tree, name):
    """Gives fields and words of a JSON tree their new names.

    Args:
        tree: JSON types.
        name: of the field that holds it, a key of RENAMED for the root.
    """
    if isinstance(tree, list):
        return [converted(item, name) for item in tree]
    if not isinstance(tree, dict):
        words = NEEDS if name == "needs" else WORDS
        return words.get(tree, tree) if isinstance(tree, str) else tree
    renamed = RENAMED.get(name, {})
    fields = {renamed.get(key, key): value for key, value in tree.items()}
    fields = {key: converted(value, key) for key, value in fields.items()}
    return {**ADDED.get(name, {}), **fields}


def convert_audit(path):
    """Converts an audit.json.

    Raises: InputError if it is damaged or of another version.
    """
    stored = files.read_json(path)
    version = stored.get("schema_version") if isinstance(stored, dict) else None
    if version == SCHEMA_VERSION:
        return
    if version not in CONVERTIBLE:
        raise InputError(
            f"{path}: schema_version is {version!r}, not one of "
            f"{', '.join(map(str, CONVERTIBLE))}: attack the run again"
        )
    tree = {**converted(stored, "audit"), "schema_version": SCHEMA_VERSION}
    typed_json.decode(AuditResult, tree, source=str(path), later=LATER).save(
        path
    )


def convert_npz(path):
    """Converts the info of outputs, or of labels of augmented queries."""
    arrays = files.read_npz(path)
    try:
        old = json.loads(str(arrays["info"][()]))
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: info is missing or damaged") from error
    if not isinstance(old, dict):
        raise InputError(f"{path}: info is no JSON object")
    info = converted(old, "info")
    if info.get("plan", {}).get("kind") == "changes":
        info["plan"]["kind"] = "augmentations"
    if info != old:
        arrays["info"] = np.array(json.dumps(info, sort_keys=True))
        files.write_npz(path, **arrays)


def convert(path):
    """Converts a file, or all that lie below a directory."""
    path = pathlib.Path(path)
    if path.is_file():
        convert_audit(path)
        return
    if not path.is_dir():
        raise InputError(f"there is no {path}")
    for folder in sorted(path.rglob("copies")):
        place = folder.with_name("augmented_queries")
        if place.exists():
            raise InputError(f"{place} is there beside {folder}: remove one")
        folder.rename(place)
    for file in sorted(path.rglob("audit.json")):
        convert_audit(file)
    for file in sorted(path.rglob("config.json")):
        stored = files.read_json(file)
        config = converted(stored, "config")
        if config != stored:
            files.write_json(file, config)
    for folder in ("outputs", "augmented_queries"):
        for file in sorted(path.rglob(f"{folder}/**/*.npz")):
            convert_npz(file)


def main(paths):
    """Converts what the command line names."""
    if not paths:
        sys.exit(__doc__)
    try:
        for path in paths:
            convert(path)
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
