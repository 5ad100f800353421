"""audit.json of earlier versions, as the present one would have said it."""

NEW_IN_2 = {
    "audit": {"agreements": [], "left_out": []},
    "target": {
        "outputs": None,
        "latency_ms": None,
        "latency_threads": None,
        "tied_answers": None,
    },
    "attack": {"verdicts": None},
}
NEW_IN_3 = {
    "audit": {"joints": [], "references": [], "duplicates": None},
    "target": {"attacks_left_out": [], "strongest": None},
    "attack": {
        "needs": [],
        "excluded": 0,
        "least_false_positive_rate": None,
        "tpr_at_fpr": [],
        "cross_fitted": None,
        "by_class": None,
        "epsilon": None,
        "excess": None,
        "records_sha256": None,
    },
}
NEW_IN_4 = {
    # Some audits of version 3 have a control, some not.
    "audit": {"control": None},
    "target": {"per_class": [], "parity": None, "exposed": []},
    "attack": {"histogram": None, "roc": None},
}
NEW_IN_5 = {
    "audit": {"calibration": None},
    "target": {"onednn": None},
    "attack": {},
}
NEW_IN_6 = {
    "audit": {"repeats": None, "comparison": None, "gates": []},
    "target": {"leak": None},
    "attack": {},
    "control": {
        "null_auc": None,
        "p_value": None,
        "classes_p_value": None,
        "permutations": None,
    },
}
NEW = {2: NEW_IN_2, 3: NEW_IN_3, 4: NEW_IN_4, 5: NEW_IN_5, 6: NEW_IN_6}


def upgraded(found: dict) -> dict:
    """Adds what earlier versions did not have, as not known.

    Args:
        found: an audit of version 1 to 6, perhaps damaged; what is of
            another type than expected stays for the decoder to refuse.
    Returns: a dict of version 6.
    """
    for version, added in NEW.items():
        if found["schema_version"] < version:
            found = {
                **added["audit"],
                **found,
                "targets": _each(found.get("targets"), _target, added),
                "schema_version": version,
            }
            control = found.get("control")
            if isinstance(control, dict):
                found["control"] = {**added.get("control", {}), **control}
    return found


def _target(target, added):
    attacks = _each(target.get("attacks"), _attack, added, target)
    return {**added["target"], **target, "attacks": attacks}


def _attack(attack, added, target):
    if added is NEW_IN_3:
        counts = {name: target.get(name) for name in ("members", "nonmembers")}
        attack = {**counts, **attack}
        held_out = attack.get("held_out")
        if isinstance(held_out, dict) and isinstance(
            held_out.get("point"), dict
        ):
            point = _point(held_out["point"])
            attack["held_out"] = {**held_out, "point": point}
        attack["points"] = _each(attack.get("points"), _point)
        attack["curve"] = _curve(attack.get("curve"), counts)
    return {**added["attack"], **attack}


def _point(point):
    """Adds what follows from the counts and the balanced accuracy."""
    try:
        members, nonmembers = point["members"], point["nonmembers"]
        right = point["true_positives"] + nonmembers - point["false_positives"]
        accuracy = right / (members + nonmembers)
        advantage = {
            end: 2 * value - 1
            for end, value in point["balanced_accuracy"].items()
        }
    except (KeyError, TypeError, AttributeError, ArithmeticError):
        return point
    unknown = {"value": accuracy, "low": None, "high": None}
    return {"accuracy": unknown, "advantage": advantage, **point}


def _curve(curve, counts):
    """Gives counts instead of the rates that follow from them."""
    try:
        columns = {
            "true_positives": ("recall", counts["members"]),
            "false_positives": ("false_positive_rate", counts["nonmembers"]),
        }
        found = {
            name: [round(rate * total) for rate in curve[rates]]
            for name, (rates, total) in columns.items()
        }
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return curve
    kept = ("distinct_thresholds", "threshold")
    return {
        **counts,
        **{name: curve[name] for name in kept if name in curve},
        **found,
    }


def _each(things, change, *arguments):
    if not isinstance(things, list):
        return things
    return [change(x, *arguments) if isinstance(x, dict) else x for x in things]
