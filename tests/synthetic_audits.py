"""Audits of synthetic outputs, made in memory."""

import dataclasses
import functools

import synthetic_outputs

from qmia_tf.auditing import audit, audit_result

OWN = {
    "schema_version": 1,
    "kind": "own",
    "dataset": {"name": "scans", "fingerprint": "e" * 64},
    "split": {},
    "models": [],
}


@functools.cache
def target(name="keras", *, records=100, seed=0, audit_seed=0, **options):
    """The audit of one target: of so many members and nonmembers."""
    outputs = synthetic_outputs.outputs(
        records, records, target=name, seed=seed, **options
    )
    return audit.audit(outputs, seed=audit_seed)


def with_leak(target, **changes):
    """The target audit whose leak test found something else."""
    leak = dataclasses.replace(target.leak, **changes)
    return dataclasses.replace(target, leak=leak)


def changed(thing, **values):
    """The audit with other values, by paths: attacks__gap__excess=..."""
    for path, value in values.items():
        name, _, rest = path.partition("__")
        if isinstance(thing, list):
            thing = [
                changed(x, **{rest: value}) if _name(x) == name else x
                for x in thing
            ]
        else:
            if rest:
                value = changed(getattr(thing, name), **{rest: value})
            thing = dataclasses.replace(thing, **{name: value})
    return thing


def _name(thing):
    return getattr(thing, "name", None) or thing.target


def result(*targets, **changes) -> audit_result.AuditResult:
    """An audit of these targets; of one Keras model if there are none."""
    fields = {
        "schema_version": audit_result.SCHEMA_VERSION,
        "name": "scans",
        "config": OWN,
        "fingerprint": "e" * 64,
        "split": {},
        "seed": 0,
        "attack_options": {},
        "level": 0.95,
        "versions": {},
        "targets": list(targets) or [target()],
        "agreements": [],
        "left_out": [],
        "joint_attacks": [],
        "references": [],
        "duplicates": None,
        "blind_baseline": None,
        "calibration": None,
        "repeated_records": None,
        "comparison": None,
        "gates": [],
    }
    return audit_result.AuditResult(**{**fields, **changes})
