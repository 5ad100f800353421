"""Which of tensorflow-privacy's attacks are run; imports nothing heavy."""

import dataclasses

from qmia_tf.errors import InputError

UNTRAINED = ("threshold", "threshold-entropy")
ATTACKS = (*UNTRAINED, "lr", "knn", "mlp", "rf")
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
