"""What an attack is given about the records of one target."""

import dataclasses
from collections.abc import Callable

import numpy as np

from qmia_tf.outputs import Outputs
from qmia_tf.outputs.inside import Inside
from qmia_tf.outputs.layer_gradients import LayerGradients


@dataclasses.dataclass(frozen=True, eq=False)
class References:
    """How sure reference models are of the same records.

    A reference model is trained like the target, on other records of the
    same source. Where a record is neither inside nor outside of a model's
    training data (it was used for something else), the model is not
    used for it.

    Attributes:
        margins: float [K, N], log p_y - log(1 - p_y) that each of K models
            gives the true class; see attacks.margin.
        inside: bool [K, N], the record trained the model.
        outside: bool [K, N], it did not.
        tempered: temperature -> float [K, N], the margins of the softmax at
            that temperature; None if margins are all that is known.
    """

    margins: np.ndarray
    inside: np.ndarray
    outside: np.ndarray
    tempered: Callable[[float], np.ndarray] | None = None

    def margins_at(self, temperature: float) -> np.ndarray:
        """Returns the margins [K, N] of the softmax at a temperature.

        Raises: ValueError if the temperature is not 1 and margins are all
            that is known.
        """
        if temperature == 1:
            return self.margins
        if self.tempered is None:
            raise ValueError(
                "margins at a temperature need the references' outputs for "
                "every class"
            )
        return self.tempered(temperature)

    def first(self, count: int) -> "References":
        """Returns the first `count` models."""
        tempered = self.tempered
        return References(
            margins=self.margins[:count],
            inside=self.inside[:count],
            outside=self.outside[:count],
            tempered=tempered and (lambda t: tempered(t)[:count]),
        )

    def take(self, indices) -> "References":
        """Returns the references of some records: int or bool indices [M]."""
        tempered = self.tempered
        return References(
            margins=self.margins[:, indices],
            inside=self.inside[:, indices],
            outside=self.outside[:, indices],
            tempered=tempered and (lambda t: tempered(t)[:, indices]),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class AttackInputs:
    """Everything that an attack may use; what is not there is None.

    Attributes:
        outputs: of the target, in record order, N records.
        calibration: bool [N], the half that thresholds are chosen on and
            that attacks which learn may learn from, with its memberships.
        seed: of everything random in an attack.
        augmented_labels: int [N, Q], the target's labels for augmented
            queries of each record (attacks.augmented_queries), the original
            first; -1 in rows that were not queried.
        noisy_labels: int [N, Q], the same for queries with noise.
        references: of the N records.
        parent: outputs of the full-precision model, trained on the same
            members, for the N records.
        other_outputs: of other artefacts of the same training run.
        features: float [N, F], of the records themselves.
        inside: what the holder of the target reads about the N records.
        gradients: of the loss at every layer of the target.
        inside_references: what the holder of the reference models reads
            about them: margins of exact logits.
    """

    outputs: Outputs
    calibration: np.ndarray
    seed: int = 0
    augmented_labels: np.ndarray | None = None
    noisy_labels: np.ndarray | None = None
    references: References | None = None
    parent: Outputs | None = None
    other_outputs: tuple[Outputs, ...] = ()
    features: np.ndarray | None = None
    inside: Inside | None = None
    gradients: LayerGradients | None = None
    inside_references: References | None = None
