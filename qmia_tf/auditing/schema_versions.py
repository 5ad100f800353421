"""audit.json of versions 4 and 5, converted to version 6."""

# The first version that is read.
FIRST = 4
NEW = {
    5: {
        # Some audits of version 4 have a calibration, most not.
        "audit": {"calibration": None},
        "target": {"onednn": None},
        "control": {},
    },
    6: {
        "audit": {"repeats": None, "comparison": None, "gates": []},
        "target": {"leak": None},
        "control": {
            "null_auc": None,
            "p_value": None,
            "classes_p_value": None,
            "permutations": None,
        },
    },
}


def upgraded(stored: dict) -> dict:
    """Adds what earlier versions did not have, as not known.

    Args:
        stored: an audit of version 4 to 6, perhaps damaged; what is of
            another type than expected stays for the decoder to refuse.
    Returns: a dict of version 6.
    """
    for version, added in NEW.items():
        if stored["schema_version"] < version:
            stored = {
                **added["audit"],
                **stored,
                "schema_version": version,
                "targets": _targets(stored.get("targets"), added["target"]),
            }
            control = stored.get("control")
            if isinstance(control, dict):
                stored["control"] = {**added["control"], **control}
    return stored


def _targets(stored, added):
    if not isinstance(stored, list):
        return stored
    return [{**added, **x} if isinstance(x, dict) else x for x in stored]
