"""A signature of an interpreter in memory, opened as a target.

What interpreter.get_signature_runner(NAME) gives, of ai_edge_litert or of
tf.lite. It is called as it is, so its ops are not known.
"""

import contextlib

from qmia_tf.deploy.tflite import ports
from qmia_tf.errors import InputError
from qmia_tf.targets import input_forms, range_choice
from qmia_tf.targets.model_target import PROBABILITIES, ModelTarget
from qmia_tf.targets.tflite_target import encoded, port_facts

KERNELS = "interpreter"
DETAILS = ("get_input_details", "get_output_details")


def is_signature_runner(target) -> bool:
    """Whether something is a signature runner."""
    return callable(target) and all(
        callable(getattr(target, name, None)) for name in DETAILS
    )


def open_model(runner, *, name, options, numbers) -> ModelTarget:
    """Opens a signature runner.

    It is taken to output probabilities, unless the user says otherwise.

    Args:
        runner: SignatureRunner of one input and one output.
        name: the target's.
        options: model_target.ModelOptions.
        numbers: value_ranges.RecordNumbers of the records.
    Raises: InputError if it has other inputs or outputs, or does not say
        what has to be known.
    """
    source = f"target {name!r}"
    keyword, details = _only("input", runner.get_input_details(), source)
    input_port = ports.input_port(details, source)
    _, details = _only("output", runner.get_output_details(), source)
    output_port = ports.output_port(details, source)
    choice = range_choice.choose(
        numbers, port_facts(input_port), options.input_range, name=name
    )
    interpreter = getattr(runner, "_interpreter", None)

    def predict_batch(records):
        values = input_forms.reshape_records(
            records, input_port.shape[1:], name
        )
        values = encoded(values, input_port)
        try:
            _reset(interpreter)
            (rows,) = runner(**{keyword: values}).values()
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise InputError(
                f"{source} fails on {len(values)} records: {reason}"
            ) from error
        return output_port.dequantize(rows)

    fixed = input_port.shape[0] if input_port.shape[0] > 0 else None
    return ModelTarget(
        {
            "target": name,
            "kind": "tflite",
            "kernel_set": KERNELS,
            "outputs": options.outputs or PROBABILITIES,
            "probability_step": output_port.step,
            "pixels": choice.input_range,
        },
        predict_batch,
        choice=choice,
        batch_size=fixed or 100,
        is_fixed=fixed is not None,
    )


def _reset(interpreter):
    """Resets what LSTM, RNN and SVDF ops keep from call to call."""
    if interpreter is None:
        return
    # It fails where a graph was never prepared, and so has nothing to reset.
    # What is kept all the same shows when records are queried again.
    with contextlib.suppress(ValueError, RuntimeError):
        interpreter.reset_all_variables()


def _only(what, details, source):
    if len(details) != 1:
        raise InputError(
            f"{source} has {len(details)} {what}s ({', '.join(details)}); a "
            f"classifier with one {what} is needed"
        )
    return next(iter(details.items()))
