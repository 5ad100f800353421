"""A signature of an interpreter in memory, opened as a target.

What interpreter.get_signature_runner(NAME) gives, of ai_edge_litert or of
tf.lite. It is called as it is, so its ops are not known.
"""

import contextlib

from qmia_tf.deploy.tflite import ports
from qmia_tf.errors import InputError
from qmia_tf.targets import Target, range_choice
from qmia_tf.targets.model_options import PROBABILITIES
from qmia_tf.targets.tflite_facts import port_facts

KERNELS = "interpreter"
DETAILS = ("get_input_details", "get_output_details")


def is_signature_runner(target) -> bool:
    """Whether something is a signature runner."""
    return callable(target) and all(
        callable(getattr(target, name, None)) for name in DETAILS
    )


class RunnerTarget(Target):
    """A signature runner of one input and one output.

    Args:
        runner: SignatureRunner.
        name: the target's.
        outputs: "probabilities" or "logits".
        choose: gives the range_choice.Choice of an input's ports.Port.
    Raises: InputError if it has other inputs or outputs.
    """

    def __init__(self, runner, *, name, outputs, choose):
        self._source = f"target {name!r}"
        details = runner.get_input_details()
        self._keyword, details = _only("input", details, self._source)
        self._input = ports.input_port(details, self._source)
        details = runner.get_output_details()
        _, details = _only("output", details, self._source)
        self._output = ports.output_port(details, self._source)
        choice = choose(self._input)
        batch, *shape = self._input.shape
        super().__init__(
            {
                "target": name,
                "kind": "tflite",
                "kernel_set": KERNELS,
                "outputs": outputs,
                "probability_step": self._output.step,
                "input_range": choice.input_range,
            },
            shape=tuple(shape),
            choice=choice,
            batch_size=batch if batch > 0 else 100,
            fill="always" if batch > 0 else "never",
        )
        self._runner = runner

    def prepare(self, records, preprocessing=None):
        """See Target; numbers of the input's type."""
        return self._input.encode(super().prepare(records, preprocessing))

    def predict_batch(self, values):
        """See Target.

        Raises: InputError if the interpreter cannot compute it.
        """
        try:
            _reset(getattr(self._runner, "_interpreter", None))
            (rows,) = self._runner(**{self._keyword: values}).values()
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise InputError(
                f"{self._source} fails on {len(values)} records: {reason}"
            ) from error
        return self._output.dequantize(rows)


def open_model(runner, *, name, options, numbers) -> RunnerTarget:
    """Opens a signature runner.

    It is taken to output probabilities, unless the user says otherwise.

    Args:
        runner: SignatureRunner of one input and one output.
        name: the target's.
        options: model_options.ModelOptions.
        numbers: value_ranges.RecordNumbers of the records.
    Raises: InputError if it has other inputs or outputs, or does not say
        what has to be known.
    """
    return RunnerTarget(
        runner,
        name=name,
        outputs=options.outputs or PROBABILITIES,
        choose=lambda port: range_choice.choose(
            numbers, port_facts(port), options.input_range, name=name
        ),
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
