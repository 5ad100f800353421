"""tensorflow-privacy's own membership-inference report, release 0.7.3.

The one package that touches tensorflow-privacy. Its membership-inference code
needs neither TensorFlow nor Keras, but the package around it imports the
removed tf.estimator, so its parts are loaded below a bare parent package.
What is done about the release's traps:

- It takes nonmembers as the positive class: members_positive converts.
- Its entropy attack knows only logits and, where rows of probabilities do
  not sum to one, applies softmax to them again; its loss is clipped at 1e-8.
  It is given losses and entropies from qmia_tf.attacks.
- Nothing in it takes a seed, and its grid searches use every core, where a
  seed of NumPy's does not reach: they run in this process, seeded.
- Its summary stops with a TypeError when an AUC is below 0.4.
- Half of its random forest's grid has max_features="auto", which
  scikit-learn no longer has; the other half is searched.
"""

import dataclasses
import importlib

from qmia_tf import extras, terminal
from qmia_tf.errors import InputError

UNTRAINED = ("threshold", "threshold-entropy")
TRAINED = ("lr", "knn", "mlp", "rf")
ATTACKS = (*UNTRAINED, *TRAINED)
# What an audit runs of them; "threshold" takes a second, "trained" minutes.
OFF, THRESHOLD, ALL = "off", "threshold", "trained"
KINDS = (OFF, THRESHOLD, ALL)
# Below 20 members or nonmembers a grid search has folds without either.
LEAST_TO_TRAIN = 20


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to run.

    Attributes:
        attacks: names from ATTACKS: by loss, by entropy, logistic
            regression, nearest neighbours, perceptron, random forest.
        sliced: those of them that also run by class and by correctness. A
            random forest takes about 30 s for 4,000 records and two minutes
            more for its slices; the others take seconds.
        trained_records: the most records given to the attackers that are
            trained; more are subsampled, stratified by membership and class.
    """

    attacks: tuple[str, ...] = ATTACKS
    sliced: tuple[str, ...] = (*UNTRAINED, "lr", "knn")
    trained_records: int = 4000

    def __post_init__(self):
        unknown = {*self.attacks, *self.sliced} - {*ATTACKS}
        if unknown or not self.attacks:
            raise InputError(
                f"attacks of tensorflow-privacy are {', '.join(ATTACKS)}; "
                f"got {', '.join(sorted(unknown)) or 'none'}"
            )
        if self.trained_records < 4 * LEAST_TO_TRAIN:
            raise InputError(
                f"trained_records must be {4 * LEAST_TO_TRAIN} or more, got "
                f"{self.trained_records}"
            )


def settings_of(choice) -> Settings | None:
    """Gives what to run.

    Args:
        choice: "off" or None; "threshold", UNTRAINED; "trained", all of
            ATTACKS; or Settings. "threshold" is left out, and a line says
            so, where tensorflow-privacy is not installed.
    Raises: InputError if it is none of these.
    """
    if choice is None or isinstance(choice, Settings):
        return choice
    if choice not in KINDS:
        raise InputError(
            f"tfprivacy is one of {', '.join(KINDS)}, or Settings; got "
            f"{choice!r}"
        )
    if choice == ALL:
        return Settings()
    if choice == OFF:
        return None
    if not extras.is_installed("tensorflow_privacy"):
        terminal.say(
            "tensorflow-privacy is not installed, its attacks are left out: "
            + extras.command("tfprivacy")
        )
        return None
    return Settings(attacks=UNTRAINED)


def __getattr__(name):
    # Imported when first used, so that a program's --help, which names the
    # attacks, does not wait for SciPy.
    if name not in ("Row", "TfPrivacyAudit", "members_positive", "run"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.privacy_report"), name)
