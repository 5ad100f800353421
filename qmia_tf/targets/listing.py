"""Models that a user gives: named, and listed before they are opened.

A new kind of target is a module with a TargetKind and its line in KINDS; the
last line is tried first.
"""

import pathlib
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

from qmia_tf import extras
from qmia_tf.data.pixels import AUTO
from qmia_tf.data.value_ranges import RecordNumbers
from qmia_tf.deploy.tflite.isolation import BY_SIZES, Limits
from qmia_tf.errors import InputError, option
from qmia_tf.files import is_path
from qmia_tf.models import keras_calls
from qmia_tf.outputs import validation
from qmia_tf.registry import Registry
from qmia_tf.targets.model_options import ModelOptions, Opening
from qmia_tf.targets.unopened_model import UnopenedModel

KINDS = Registry(
    "target kind",
    {
        name: f"qmia_tf.targets.{name}:KIND"
        for name in (
            "function_target",
            "tflite_facts",
            "saved_model",
            "signature_runner",
            "keras_models",
        )
    },
)
FORMATS = (
    "a .keras or .h5 file, a SavedModel directory, a .tflite file, or an .npz "
    "or .csv file of outputs"
)
OUTPUT_FILES = (".npz", ".csv")
# Version of the preprocessing: outputs of an earlier one are queried again.
PREPROCESSING = 2


def is_saved_outputs(target: object) -> bool:
    """Whether a target is a file of outputs rather than a model."""
    return is_path(target) and pathlib.Path(target).suffix in OUTPUT_FILES


def name_targets(given: object) -> dict[str, object]:
    """Gives each target a name that is safe in a file name.

    Args:
        given: a target, a list of them, or a dict name -> target.
    Returns: by name; files that share a stem go by their whole names.
    Raises: InputError if a name of the dict is not safe, or one path is
        given twice.
    """
    if isinstance(given, Mapping):
        for name in given:
            if _safe(name) != name:
                raise InputError(
                    f"target name {name!r} must be of letters, digits, '.', "
                    "'_' and '-'"
                )
        return dict(given)
    listed = list(given) if isinstance(given, (list, tuple)) else [given]
    paths = [str(source) for source in listed if is_path(source)]
    repeated = [path for path in paths if paths.count(path) > 1]
    if repeated:
        raise InputError(f"target {repeated[0]} is given twice")
    names = [_name(source) for source in listed]
    by_name = {}
    for target, name in zip(listed, names, strict=True):
        if names.count(name) > 1 and is_path(target):
            name = _safe(pathlib.Path(target).name)
        free, count = name, 1
        while free in by_name:
            count += 1
            free = f"{name}.{count}"
        by_name[free] = target
    return by_name


def options_by_model(
    input_range: Any,
    outputs: Any,
    count: int,
    *,
    signature: Any = None,
) -> list[ModelOptions]:
    """Gives each of `count` models the options that the user gave.

    Args:
        input_range: as outputs and signature one for all models, or a list
            with one a model; "auto" leaves it to the model. See ModelOptions.
    Raises: InputError if a list has another length.
    """
    columns = []
    for name, given in (
        ("input_range", input_range),
        ("outputs", outputs),
        ("signature", signature),
    ):
        values = [given] if _is_for_all(given) else list(given) or [AUTO]
        if len(values) == 1:
            values = values * count
        if len(values) != count:
            raise InputError(
                f"{option(name)} has {len(values)} values for {count} models: "
                f"give one for all, or one a model ({AUTO!r} for what is not "
                "to be said)"
            )
        columns.append(values)
    return [ModelOptions(*values) for values in zip(*columns, strict=True)]


def is_auto(given: Any) -> bool:
    """Whether an option of audit leaves everything to the models."""
    values = [given] if _is_for_all(given) else given
    return all(
        value is None or (isinstance(value, str) and value == AUTO)
        for value in values
    )


def _is_for_all(given):
    """Whether an option is one value: text, None or two numbers."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        return True
    ends = list(given)
    return len(ends) == 2 and all(isinstance(end, Real) for end in ends)


def list_model(
    name: str,
    source: Any,
    options: ModelOptions,
    *,
    numbers: RecordNumbers,
    num_threads: int = 2,
    file_limits: Limits = BY_SIZES,
) -> UnopenedModel:
    """Lists a model; nothing is loaded yet.

    Args:
        name: the target's.
        source: path of a .keras or .h5 file, a SavedModel directory, a
            .tflite file or a file of outputs; a model of Keras 3 or
            tf_keras, or a method of it such as model.predict; or a callable:
            records [B, ...] -> [B, C].
        options: what the user says of it.
        numbers: of the records.
        num_threads: of LiteRT, 1 or more.
        file_limits: what a .tflite file may take.
    Raises: InputError if it is none of these, or needs a package that is not
        installed.
    """
    if is_saved_outputs(source):
        return UnopenedModel(name, pathlib.Path(source), None, None)
    opening = Opening(name, options, numbers, num_threads, file_limits)
    if is_path(source):
        source = pathlib.Path(source).expanduser()
    kinds = reversed(list(KINDS))
    kind = next((kind for kind in kinds if kind.fits(source)), None)
    if kind is None:
        raise _unknown(source)
    if options.signature and not (kind.has_signatures and is_path(source)):
        raise InputError(
            f"target {name!r} has no signatures, only .tflite files and "
            "SavedModels have: leave out "
            f"{option('signature', options.signature)} (for one of several "
            f"models: {AUTO!r})"
        )
    if kind.module is not None:
        extras.require(kind.module, f"target {name!r}")
    return UnopenedModel(
        name,
        source,
        kind.kernel_set,
        lambda: kind.open_model(source, opening),
        options={
            "input_range_flag": options.input_range,
            "outputs_flag": options.outputs,
            "signature_flag": options.signature,
            "preprocessing": PREPROCESSING,
        },
        threads=num_threads if kind.uses_litert else None,
        read_facts=kind.facts,
        warning=kind.warning.format(source) if is_path(source) else "",
    )


def require_there(source: str | pathlib.Path) -> None:
    """Raises InputError unless there is a file or folder of that name."""
    path = pathlib.Path(source).expanduser()
    if not path.exists():
        raise _unknown(path)


def _unknown(source):
    if not is_path(source):
        return InputError(
            f"a target must be {FORMATS}, a Keras model or a function, got "
            f"{type(source).__name__}"
        )
    if not source.exists():
        return InputError(f"there is no model {source}: give {FORMATS}")
    return InputError(f"{source} is not {FORMATS}")


def _name(target):
    if is_path(target):
        path = pathlib.Path(target)
        return _safe(path.name if path.is_dir() else path.stem)
    known = keras_calls.model_of(target)
    target = target if known is None else known
    return _safe(
        getattr(target, "__name__", None) or getattr(target, "name", "")
    )


def _safe(name):
    name = validation.safe_name(name, "model")
    return "model" if name == "lambda" else name
