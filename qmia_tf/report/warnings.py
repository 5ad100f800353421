"""Warnings about audited runs whose numbers mislead or do not compare."""

from qmia_tf import onednn
from qmia_tf.auditing import member_accuracy, verdict
from qmia_tf.auditing.target_result import TargetAudit
from qmia_tf.report.run_list import SHARED, Run, full_precision_sibling, title
from qmia_tf.run_dir import COMPUTED, TRAINED

PROSE = ("name", "stated", "notes", "dataset")


def warnings(compared: list[Run], *, max_drop=5.0) -> list[str]:
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
        sentences += _different_records(run)
    for dataset in dict.fromkeys(run.dataset for run in compared):
        same = [run for run in compared if run.dataset == dataset]
        sentences += _different_settings(same)
    return sentences


def guessing(targets: list[TargetAudit]) -> dict[str, float]:
    """Targets that have not learned, with their nonmember accuracy."""
    accuracies = {}
    for target in targets:
        if verdict.not_learned(target):
            accuracies[target.target] = target.accuracy_nonmembers.value
    return accuracies


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
        shares = {name: f"{100 * right:.1f} %" for name, right in weak.items()}
        yield (
            f"{run.label}: hardly better than guessing ({chance:.1f} %) on "
            f"nonmembers: {listed(shares)}; the audit of a network that did "
            "not learn says nothing about privacy"
        )
    if behind:
        yield (
            f"{run.label}: points less accurate on nonmembers than full "
            f"precision ({full_run.name}): {listed(behind)}; a network that "
            "learned less also memorized less, so smaller leaks here say "
            "nothing about its bits"
        )


def listed(values) -> str:
    """Names and their values; names that share a value stand together."""
    names = {}
    for name, value in values.items():
        names.setdefault(value, []).append(name)
    return ", ".join(f"{', '.join(names[value])} {value}" for value in names)


def _different_records(run):
    if len({target.records_sha256 for target in run.audit.targets}) > 1:
        yield (
            f"{run.name}: its targets were queried about different records, so "
            "their numbers differ by chance as well"
        )


def _different_settings(same):
    """Compares the settings of runs on one data set."""
    paths = [*SHARED, "model.stem", "model.width"]
    ours = not any(run.own for run in same)
    if not ours:
        # Training and split of these models are unknown.
        paths = ["dataset.fingerprint"]
    computed = [run.setting(COMPUTED) for run in same]
    # Older runs did not store it.
    if ours and all(map(onednn.is_record, computed)):
        paths += [f"{COMPUTED}.{key}" for key in computed[0]]
    for run in same if ours else ():
        recipe = run.setting("recipe") or {}
        paths += [f"recipe.{key}" for key in recipe if key not in PROSE]
    # Settings that divide the runs in the same way share a sentence.
    parted = {}
    for path in dict.fromkeys(paths):
        values = [_shown(run.setting(path)) for run in same]
        groups = tuple(values.index(value) for value in values)
        parted.setdefault(groups, []).append((path, values))
    name = title(same[0].dataset)
    for groups, settings in parted.items():
        firsts = sorted(set(groups))
        if len(firsts) == 1:
            continue
        differences = ", ".join(
            f"{path} {' / '.join(values[first] for first in firsts)}"
            for path, values in settings
        )
        members = " / ".join(
            ", ".join(
                run.name
                for run, group in zip(same, groups, strict=True)
                if group == first
            )
            for first in firsts
        )
        yield f"{name}: the runs do not share {differences} ({members})"
    trained = [run for run in same if not run.own]
    if len(trained) > 1 and not any(run.full_precision for run in trained):
        yield f"{name}: no full-precision run to compare with"


def _shown(value):
    text = str(value)
    return text if len(text) <= 16 else f"{text[:12]}..."
