"""Warnings about audited runs whose numbers mislead or do not compare."""

from qmia_tf.auditing import member_accuracy, verdict
from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report.phrases import share_values
from qmia_tf.report.run_list import SHARED, Run, full_precision_sibling
from qmia_tf.report.words import say
from qmia_tf.run_dir import COMPUTED, TRAINED

PROSE = ("name", "stated", "notes", "dataset", "processor")


def warnings(compared: list[Run], *, max_drop: float = 5.0) -> list[str]:
    """Why the numbers of these runs mislead or do not compare.

    Args:
        compared: the runs.
        max_drop: by how many points of nonmember accuracy a model may be
            below its full-precision sibling.
    Returns: sentences, possibly none.
    """
    sentences = []
    for run in compared:
        sentences += _not_learned(run, compared, max_drop)
        worse = member_accuracy.sentence(run.audit.targets)
        sentences += [f"{run.label}: {worse}"] if worse else []
        used = run.audit.calibration
        if used is not None and used.warning:
            sentences.append(f"{run.label}: {used.warning}")
        sentences += _other_bits(run)
        if len({target.records_sha256 for target in run.audit.targets}) > 1:
            sentences.append(say("warnings", "different_records", run))
    for dataset in dict.fromkeys(run.dataset for run in compared):
        same = [run for run in compared if run.dataset == dataset]
        sentences += _different_settings(same)
        trained = [run for run in same if run.is_trained]
        if len(trained) > 1 and not any(x.full_precision for x in trained):
            sentences.append(
                say("warnings", "no_full_precision", same[0].title)
            )
    return sentences


def guessing(targets: list[TargetAudit]) -> dict[str, str]:
    """Targets that have not learned, with their accuracy on nonmembers."""
    return {
        target.target: f"{100 * target.accuracy_nonmembers.value:.1f} %"
        for target in targets
        if verdict.not_learned(target)
    }


def _not_learned(run, compared, max_drop):
    full_run = (
        run if run.full_precision else full_precision_sibling(run, compared)
    )
    weak, behind = guessing(run.audit.targets), {}
    for target in run.audit.targets:
        if target.target not in weak and full_run is not None:
            model = full_run.target(TRAINED) or full_run.audit.targets[0]
            right = target.accuracy_nonmembers.value
            drop = 100 * (model.accuracy_nonmembers.value - right)
            if drop > max_drop:
                behind[target.target] = f"{drop:.1f}"
    if weak:
        chance = 100 / run.audit.targets[0].classes
        yield say("warnings", "not_learned", run, chance, share_values(weak))
    if behind:
        drops = share_values(behind)
        yield say("warnings", "less_accurate", run, full_run, drops)


def _other_bits(run):
    """Says that the attacks with references had none of the run's bits."""
    own = "w{}a{}".format(*run.bits)
    others = {
        bits
        for target in run.audit.targets
        if target.references is not None
        for bits in target.references.bits
        if run.is_trained and bits != own
    }
    if others:
        yield say("warnings", "other_bits", run, own, sorted(others))


def _different_settings(same):
    """Compares what all runs on one data set say of their settings."""
    # Settings that divide the runs in the same way share a sentence.
    parted = {}
    for path in _compared_paths(same):
        values = [_shown(run.setting(path)) for run in same]
        groups = tuple(values.index(value) for value in values)
        parted.setdefault(groups, []).append((path, values))
    for groups, settings in parted.items():
        firsts = sorted(set(groups))
        if len(firsts) == 1:
            continue
        members = [
            [
                run.name
                for run, group in zip(same, groups, strict=True)
                if group == first
            ]
            for first in firsts
        ]
        yield say(
            "warnings",
            "different_settings",
            same[0].title,
            [
                (path, [values[first] for first in firsts])
                for path, values in settings
            ],
            members,
        )


def _compared_paths(same):
    """Of each part of the configuration, where every run has that part."""
    configs = [run.audit.config for run in same]
    paths = [
        path
        for path in (*SHARED, "model.stem", "model.width")
        if all(_states(config, path) for config in configs)
    ]
    for part in (COMPUTED, "recipe"):
        if all(isinstance(config.get(part), dict) for config in configs):
            keys = (key for config in configs for key in config[part])
            paths += [f"{part}.{key}" for key in keys if key not in PROSE]
    return list(dict.fromkeys(paths))


def _states(config, path):
    part, _, key = path.partition(".")
    return key in (config.get(part) or {})


def _shown(value):
    text = str(value)
    return text if len(text) <= 16 else f"{text[:12]}..."
