"""Reads gradients through a .tflite file, once: inside/NAME.gradients.npz.

The file is made differentiable (deploy/differentiable/), so that nobody needs
the model it was made from. A killed process goes on where it was.
"""

import pathlib

import numpy as np

from qmia_tf import locks, terminal
from qmia_tf.data.batches import reshape_images
from qmia_tf.data.records import Records
from qmia_tf.deploy import differentiable
from qmia_tf.edge import resumable_queries
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs, inside, layer_gradients
from qmia_tf.outputs.kinds import LOGITS
from qmia_tf.outputs.layer_gradients import LayerGradients
from qmia_tf.outputs.logits import softmax
from qmia_tf.run_dir import RunDir
from qmia_tf.targets.tflite_target import TFLiteTarget
from qmia_tf.targets.unopened_model import UnopenedModel

# Where so many records have another class on top, it is another function.
MOST_OTHERS = 0.1


def read(
    model: UnopenedModel,
    model_outputs: Outputs,
    records: Records,
    *,
    run_dir: pathlib.Path,
) -> LayerGradients:
    """Gives the gradient norms of a target; inside/ keeps them.

    Args:
        model: that was queried.
        model_outputs: its outputs for the records, in their order.
        run_dir: where inside/ lies.
    Raises: InputError that says why there are none.
    """
    path = RunDir(run_dir).gradients_of(model.name)
    facts = {
        **model.facts,
        "fingerprint": records.fingerprint,
        inside.OUTPUTS: inside.outputs_sha256(model_outputs),
    }
    stored = _stored(path, facts)
    if stored is not None:
        return stored
    with locks.writing(path):
        stored = _stored(path, facts)
        if stored is None:
            stored = _computed(model, model_outputs, records, path, facts)
            stored.save(path)
            _partial(path).unlink(missing_ok=True)
    return stored


def _stored(path, facts):
    """The stored gradients, if they are of this very target."""
    if facts["sha256"] is None or not path.is_file():
        return None
    try:
        stored = layer_gradients.load(path)
    except InputError:
        # Damaged: it is made anew.
        return None
    same = all(stored.info.get(key) == value for key, value in facts.items())
    return stored if same else None


def _partial(path):
    return path.with_name(f"{path.stem}.partial.npz")


def _computed(model, model_outputs, records, path, facts):
    target = model.open()
    if not isinstance(target, TFLiteTarget):
        raise InputError(
            "gradients by layer are read of .tflite files only, not of a "
            f"{target.info.get('kind', 'target')}"
        )
    from qmia_tf.deploy.differentiable.gradient_norms import GradientNorms

    gives_logits = target.info["outputs"] == LOGITS
    with terminal.working(f"opening {model.name} for gradients"):
        network = differentiable.load(target.interpreter.path)
        norms = GradientNorms(network, logits=gives_logits)
    layers = len(norms.names)
    shape = target.interpreter.input.shape[1:]

    def compute(part):
        values = target.prepare(reshape_images(records.values[part], shape))
        rows, outputs = norms(values, records.labels[part])
        return np.hstack([rows, outputs])

    rows, _ = resumable_queries.compute_rows(
        compute,
        len(records.labels),
        width=layers + network.output.shape[-1],
        size=norms.batch_size,
        name=f"{model.name}, gradients",
        partial=_partial(path),
        key=facts,
    )
    wrong = ~np.isfinite(rows[:, :layers]).all(axis=1)
    if wrong.any():
        raise InputError(
            f"gradients of {wrong.sum()} of {len(rows)} records are not finite"
        )
    agreement = _agreement(rows[:, layers:], model_outputs, gives_logits)
    return LayerGradients(
        norms=np.ascontiguousarray(rows[:, :layers]),
        record_ids=records.record_ids.astype(np.int64),
        layers=tuple(norms.names),
        info={
            **facts,
            "apart": agreement.apart,
            "step": agreement.step,
            "largest": agreement.largest,
        },
    )


def _agreement(ours, model_outputs, gives_logits):
    """Compares the graph's outputs with those that were stored."""
    theirs = model_outputs.logits
    if theirs is None:
        theirs = model_outputs.probabilities
        ours = softmax(ours) if gives_logits else ours
    # Of two classes the file may give one number.
    theirs = theirs[:, -ours.shape[1] :]
    agreement = differentiable.compare(
        ours, theirs, step=model_outputs.probability_step
    )
    labels = ours.argmax(axis=1) != theirs.argmax(axis=1)
    if not np.isfinite(agreement.largest) or labels.mean() > MOST_OTHERS:
        raise InputError(
            "the graph that it was made differentiable by outputs something "
            f"else: another class for {labels.mean():.0%} of the records"
        )
    return agreement
