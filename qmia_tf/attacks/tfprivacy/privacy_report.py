"""Runs tensorflow-privacy's run_attacks on the outputs of one target."""

import contextlib
import dataclasses
import warnings
from collections.abc import Callable

import numpy as np

from qmia_tf import files, plot_settings, terminal
from qmia_tf.attacks.entropy import modified_entropies
from qmia_tf.attacks.losses import losses
from qmia_tf.attacks.tfprivacy import (
    ATTACKS,
    LEAST_TO_TRAIN,
    UNTRAINED,
    Settings,
    module_loader,
)
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs
from qmia_tf.statistics.auc import hanley_mcneil
from qmia_tf.statistics.intervals import Estimate

MOST_CLASSES = 1000


@dataclasses.dataclass(frozen=True)
class Row:
    """One attack on one slice of the records.

    Attributes:
        attack: tensorflow-privacy's name of the attack.
        slice: "Entire dataset", "CLASS=3" or "CORRECTLY_CLASSIFIED=True".
        members: how many members the attack was evaluated on; of the records
            given to a trained attacker, a quarter.
        nonmembers: likewise.
        auc: with the interval of Hanley and McNeil.
        advantage: the largest |TPR - FPR|, chosen in-sample.
    """

    attack: str
    slice: str
    members: int
    nonmembers: int
    auc: Estimate
    advantage: float


@dataclasses.dataclass(frozen=True)
class TfPrivacyAudit:
    """What tensorflow-privacy found in one target's outputs.

    Attributes:
        version: of tensorflow-privacy.
        trained_records: how many records the trained attackers were given.
        rows: one an attack and slice; slices with too few members or
            nonmembers are absent.
        summary: tensorflow-privacy's own summary.
    """

    version: str
    trained_records: int
    rows: list[Row]
    summary: str


def run(
    outputs: Outputs,
    *,
    settings: Settings | None = None,
    seed: int = 0,
    folder=None,
    progress: Callable[[str], None] | None = None,
) -> TfPrivacyAudit:
    """Runs tensorflow-privacy's run_attacks.

    Args:
        outputs: of one target.
        settings: the defaults if None.
        seed: NumPy's global generator is seeded with it for the time of each
            attack and then put back.
        folder: where to write TARGET.csv (its data frame), TARGET.txt (its
            summary), TARGET.png (its plot of the ROC curve of the attack
            with the highest AUC on all records) and TARGET-losses.png (its
            histograms of the losses); None writes nothing.
        progress: takes a line of text.
    Raises: InputError if tensorflow-privacy 0.7.3 is not installed, or not
        one of the attacks has enough records.
    """
    settings = settings or Settings()
    tfp = module_loader.load()
    some = outputs.take(subsample(outputs, settings.trained_records, seed=seed))
    attack_results = []
    for name in settings.attacks:
        sample = outputs if name in UNTRAINED else some
        if progress:
            progress(
                f"{outputs.target}: tensorflow-privacy {name} on "
                f"{sample.labels.size} records"
            )
        with terminal.working(f"{outputs.target}: tensorflow-privacy {name}"):
            attack_results += _attack(tfp, sample, name, settings, seed)
    if not attack_results:
        raise InputError(
            f"{outputs.target}: too few records for the attacks "
            f"{', '.join(settings.attacks)} of tensorflow-privacy, which need "
            f"{LEAST_TO_TRAIN} members and {LEAST_TO_TRAIN} nonmembers: query "
            "more records or choose threshold"
        )
    results = _results(tfp, attack_results)
    summary = results.summary(by_slices=True)
    if folder is not None:
        with (
            plot_settings.plain(),
            terminal.working(f"{outputs.target}: drawing tensorflow-privacy's"),
        ):
            _save(tfp, outputs, results, summary, f"{folder}/{outputs.target}")
    return TfPrivacyAudit(
        version=module_loader.VERSION,
        trained_records=some.labels.size,
        rows=[_row(result) for result in attack_results],
        summary=summary,
    )


def subsample(outputs: Outputs, records: int, *, seed: int) -> np.ndarray:
    """Draws records so that members and classes keep their shares.

    Sorted by membership and class and in random order within these, every
    n-th record is taken.

    Returns: int64 [min(N, records)], ascending, distinct.
    """
    size = outputs.labels.size
    count = min(size, records)
    shuffled = np.random.default_rng(seed).random(size)
    order = np.lexsort((shuffled, outputs.labels, outputs.members))
    every = ((np.arange(count) + 0.5) * size / count).astype(np.int64)
    return np.sort(order[every])


def members_positive(fpr, tpr) -> tuple[np.ndarray, np.ndarray]:
    """Turns a ROC curve with nonmembers positive into members positive.

    fpr' = 1 - tpr, tpr' = 1 - fpr, in the opposite order.

    Args:
        fpr: float [K], rising; share of members above the threshold on loss.
        tpr: float [K], rising; share of nonmembers above it.
    Returns: fpr' and tpr', float64 [K], rising.
    """
    return 1 - np.asarray(tpr)[::-1], 1 - np.asarray(fpr)[::-1]


def _attack(tfp, outputs, name, settings, seed):
    structures = tfp.data_structures
    sliced = name in settings.sliced
    slices = structures.SlicingSpec(
        entire_dataset=True,
        by_class=sliced and outputs.classes <= MOST_CLASSES,
        by_classification_correctness=sliced,
    )
    state = np.random.SeedSequence([seed, ATTACKS.index(name)])
    with _seeded(int(state.generate_state(1)[0])):
        return tfp.membership_inference_attack.run_attacks(
            _input(structures, outputs),
            slices,
            (structures.AttackType(name),),
            min_num_samples=1 if name in UNTRAINED else LEAST_TO_TRAIN,
        ).single_attack_results


def _input(structures, outputs):
    values = {
        "probs": outputs.probabilities,
        "labels": outputs.labels,
        "loss": losses(outputs),
        "entropy": modified_entropies(outputs),
    }
    members = outputs.members
    return structures.AttackInputData(
        **{f"{name}_train": value[members] for name, value in values.items()},
        **{f"{name}_test": value[~members] for name, value in values.items()},
    )


@contextlib.contextmanager
def _seeded(seed):
    import joblib

    before = np.random.get_state()
    np.random.seed(seed)
    try:
        with (
            warnings.catch_warnings(),
            joblib.parallel_config(backend="sequential"),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(before)


def _row(result):
    members, nonmembers = result.data_size
    if result.attack_type.is_trained_attack:
        # It splits m + m records 3:1, stratified, the smaller part rounded up.
        evaluated = -(-(members + nonmembers) // 4)
        members, nonmembers = evaluated - evaluated // 2, evaluated // 2
    return Row(
        attack=str(result.attack_type),
        slice=str(result.slice_spec),
        members=int(members),
        nonmembers=int(nonmembers),
        auc=hanley_mcneil(min(result.get_auc(), 1.0), members, nonmembers),
        advantage=float(result.get_attacker_advantage()),
    )


def _results(tfp, attack_results):
    class Results(tfp.data_structures.AttackResults):
        def get_result_with_max_auc(self):
            return max(self.single_attack_results, key=lambda r: r.get_auc())

        def _group_results_by_slice(self):
            groups = super()._group_results_by_slice()
            return {
                name: Results(group.single_attack_results)
                for name, group in groups.items()
            }

    return Results(attack_results)


def _save(tfp, outputs, results, summary, path):
    """Writes tensorflow-privacy's data frame, summary and plots."""
    table = results.calculate_pd_dataframe().to_csv(index=False)
    files.write_bytes(f"{path}.csv", table.encode())
    files.write_bytes(f"{path}.txt", f"{summary}\n".encode())
    loss, plots = losses(outputs), tfp.plotting
    best = max(
        results.single_attack_results,
        key=lambda x: (x.slice_spec.entire_dataset, x.get_auc()),
    )
    curve = members_positive(best.roc_curve.fpr, best.roc_curve.tpr)
    for figure, title, file in (
        (
            plots.plot_curve_with_area(*curve, "FPR", "TPR"),
            str(best.attack_type),
            f"{path}.png",
        ),
        (
            plots.plot_histograms(
                loss[outputs.members], loss[~outputs.members], xlabel="loss"
            ),
            "train are members, test nonmembers",
            f"{path}-losses.png",
        ),
    ):
        figure.axes[0].set_title(f"{outputs.target}: {title}")
        with files.atomic(file) as temporary:
            plots.save_plot(figure, temporary)
