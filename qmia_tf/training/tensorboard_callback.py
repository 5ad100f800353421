"""A Keras callback: what a model gives away, epoch by epoch, in TensorBoard.

    callback = MembershipLog("logs", (x_train, y_train), (x_test, y_test))
    model.fit(x_train, y_train, epochs=20, callbacks=[callback])

and `tensorboard --logdir logs` shows it beside loss and accuracy.
"""

import os

import keras
import numpy as np
import tensorflow as tf

from qmia_tf.errors import InputError
from qmia_tf.layers import unsafe_layers
from qmia_tf.outputs import LEAST, logits
from qmia_tf.statistics import auc, held_out_thresholds, loss_traces
from qmia_tf.training import tensorboard_events

OUTPUTS = ("probabilities", "logits")


def membership_scalars(
    probabilities: np.ndarray,
    labels: np.ndarray,
    members: np.ndarray,
    *,
    seed: int = 0,
) -> dict[str, float]:
    """Measures how well members are distinguished from nonmembers, as scalars.

    accuracy_gap = accuracy_members - accuracy_nonmembers
    gap_attack = 1/2 + accuracy_gap / 2: "member" iff classified right
    confidence_auc, and confidence_held_out: balanced accuracy of "member iff
    the largest probability reaches a threshold" that was chosen on the other
    half of the records

    Args:
        probabilities: [N, C], rows sum to one.
        labels: int [N], in 0..C-1.
        members: bool [N], two or more True and two or more False.
        seed: of the halves.
    Returns: by tag; `interval/` are the ends of 95 % intervals over records.
    Source: Yeom et al., arXiv:1709.01604 (gap); Kowalski et al., ICIP 2022
        (confidence).
    """
    right = probabilities.argmax(axis=1) == labels
    confidence = probabilities.max(axis=1).astype(np.float64)
    inside = float(right[members].mean())
    outside = float(right[~members].mean())
    held_out = held_out_thresholds.hold_out(confidence, members, seed=seed)
    estimates = {
        "confidence_auc": auc.auc(confidence, members),
        "confidence_held_out": held_out.point.balanced_accuracy,
    }
    scalars = {
        "membership/accuracy_members": inside,
        "membership/accuracy_nonmembers": outside,
        "membership/accuracy_gap": inside - outside,
        "membership/gap_attack": 0.5 + (inside - outside) / 2,
    }
    for name, estimate in estimates.items():
        scalars[f"membership/{name}"] = estimate.value
        scalars[f"interval/{name}_low"] = estimate.low
        scalars[f"interval/{name}_high"] = estimate.high
    return scalars


class MembershipLog(keras.callbacks.Callback):
    """Logs training, and every so many epochs what the model gives away.

    Tags: `training/...` is what Keras hands to callbacks, every epoch;
    `membership/...` and `interval/...` as membership_scalars, every `every`
    epochs and at the last of those that fit was asked for; not where the
    model outputs NaN. The step is the number of epochs behind it. A training
    that goes on (fit's initial_epoch) goes on in the same log: what is there
    of later epochs is dropped, so give each training its folder.

    The losses of each measured epoch are kept in memory. From the fourth on
    `membership/loss_trace_auc` is logged as well: the AUC of LT-IQR, which
    only who trains the model can compute. It is not logged where a training
    goes on: the losses before are not known.

    Args:
        log_dir: folder of the event files.
        members: (x, y) of the records that are trained on, or some of them:
            x float or uint8 [N, ...] as the model takes them, y int [N] or
            [N, 1].
        nonmembers: others from the same source.
        every: epochs between two attacks, >= 1.
        outputs: what the model outputs: "probabilities" or "logits".
        batch_size: records a call, >= 1.
        seed: of the halves on which thresholds are chosen and judged.
    Raises: InputError if an argument cannot be used, or the tensorboard
        package is missing; during training, if the model's outputs are not
        what `outputs` says.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike,
        members: tuple,
        nonmembers: tuple,
        *,
        every: int = 1,
        outputs: str = "probabilities",
        batch_size: int = 500,
        seed: int = 0,
    ):
        super().__init__()
        tensorboard_events.require()
        _check(every, outputs, batch_size)
        self.log_dir, self.every, self.seed = log_dir, every, seed
        self.outputs, self.batch_size = outputs, batch_size
        self.members = _side(members, "members")
        self.nonmembers = _side(nonmembers, "nonmembers")
        self._log = self._predict = None
        self._losses: list[np.ndarray] = []
        self._is_whole = True

    def loss_trace_iqr(self) -> np.ndarray:
        """LT-IQR of each record, the members first, float64 [N].

        The interquartile range of its loss over the epochs that were measured
        since this process began to train. Members with the highest are those
        that attacks with reference models are likely to find.

        Raises: ValueError if fewer than four epochs were measured.
        """
        return loss_traces.interquartile_range(np.array(self._losses))

    def set_model(self, model):
        """Takes the model that is trained."""
        super().set_model(model)
        unsafe_layers.warn(model)
        self._predict = tf.function(
            lambda x: model(x, training=False), reduce_retracing=True
        )

    def on_epoch_begin(self, epoch, logs=None):
        """Opens the log with the first epoch, whose number tells its place."""
        if self._log is None:
            self._log = tensorboard_events.EventLog(self.log_dir, done=epoch)
            self._is_whole = epoch == 0

    def on_epoch_end(self, epoch, logs=None):
        """Writes the epoch."""
        step = epoch + 1
        scalars = {f"training/{k}": v for k, v in (logs or {}).items()}
        last = (self.params or {}).get("epochs")
        if step % self.every == 0 or step == last:
            scalars |= self._measure()
        self._log.write(step, scalars)

    def on_train_end(self, logs=None):
        """Closes the log."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _measure(self):
        sides = (self.members, self.nonmembers)
        outputs = np.concatenate([self._query(records) for records, _ in sides])
        if not np.isfinite(outputs).all():
            return {}
        as_logits = self.outputs == "logits"
        logits.check_kind(outputs, name="model", step=0, as_logits=as_logits)
        rows = logits.softmax(outputs) if as_logits else outputs
        labels = np.concatenate([labels for _, labels in sides])
        members = np.arange(len(outputs)) < len(self.members[1])
        right = rows[np.arange(len(rows)), labels].astype(np.float64)
        self._losses.append(-np.log(np.maximum(right, LEAST)))
        scalars = membership_scalars(rows, labels, members, seed=self.seed)
        if self._is_whole and len(self._losses) >= loss_traces.FEWEST:
            estimate = auc.auc(self.loss_trace_iqr(), members)
            scalars["membership/loss_trace_auc"] = estimate.value
            scalars["interval/loss_trace_auc_low"] = estimate.low
            scalars["interval/loss_trace_auc_high"] = estimate.high
        return scalars

    def _query(self, records):
        size = self.batch_size
        batches = (
            records[start : start + size]
            for start in range(0, len(records), size)
        )
        return np.concatenate([self._predict(x).numpy() for x in batches])


def _check(every, outputs, batch_size):
    for name, value in (("every", every), ("batch_size", batch_size)):
        if value < 1:
            raise InputError(f"{name} must be >= 1, got {value}")
    if outputs not in OUTPUTS:
        raise InputError(
            f"outputs must be one of {', '.join(OUTPUTS)}, got {outputs!r}"
        )


def _side(pair, name):
    """Gives (x [N, ...], int labels [N])."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise InputError(f"{name} must be a pair (x, y)")
    x, y = np.asarray(pair[0]), np.asarray(pair[1])
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or y.dtype.kind not in "iu" or len(x) != len(y):
        raise InputError(
            f"{name} must be a pair (x [N, ...], y [N] of class numbers), got "
            f"x {list(x.shape)} and y {y.dtype} {list(y.shape)}"
        )
    if len(y) < 2:
        raise InputError(f"{name} must be 2 records or more, got {len(y)}")
    return x, y
