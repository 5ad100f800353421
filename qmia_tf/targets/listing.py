"""Models that a user gives: named, and listed before they are opened."""

import pathlib
from collections.abc import Iterable, Mapping
from numbers import Real

from qmia_tf.data.pixels import AUTO
from qmia_tf.deploy.tflite import model_file
from qmia_tf.errors import InputError
from qmia_tf.models import graph as graphs
from qmia_tf.models import keras_objects
from qmia_tf.outputs import KERAS, validation
from qmia_tf.targets import (
    function_target,
    input_forms,
    saved_model,
    signature_runner,
    tflite_facts,
)
from qmia_tf.targets.model_options import ModelOptions
from qmia_tf.targets.unopened_model import UnopenedModel

FORMATS = (
    "a .keras or .h5 file, a SavedModel directory, a .tflite file, or an .npz "
    "or .csv file of outputs"
)
OUTPUT_FILES = (".npz", ".csv")
KERAS_FILES = (".keras", ".h5", ".hdf5")
TFLITE_FILES = (".tflite", ".lite", ".task")
# Version of the preprocessing: outputs of an earlier one are queried again.
PREPROCESSING = 2


def is_path(source) -> bool:
    """Whether something is a path, not the thing itself."""
    return isinstance(source, (str, pathlib.Path))


def is_saved_outputs(target) -> bool:
    """Whether a target is a file of outputs rather than a model."""
    return is_path(target) and pathlib.Path(target).suffix in OUTPUT_FILES


def name_targets(given) -> dict[str, object]:
    """Gives each target a name that is safe in a file name.

    Args:
        given: a target, a list of them, or a dict name -> target.
    Returns: dict; files that share a stem go by their whole names.
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
    several = isinstance(given, (list, tuple))
    listed = list(given) if several else [given]
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
    input_range, outputs, count, *, signature=None
) -> list[ModelOptions]:
    """Gives each of `count` models the options that the user gave.

    Args:
        input_range: one for all models, or a list with one a model; "auto"
            means that the model says it. See ModelOptions.
        outputs: likewise.
        count: int.
        signature: likewise.
    Raises: InputError if a list has another length.
    """
    columns = []
    options = {
        "input_range": input_range,
        "outputs": outputs,
        "signature": signature,
    }
    for name, option in options.items():
        values = [option] if _is_for_all(option) else list(option) or [AUTO]
        if len(values) == 1:
            values = values * count
        if len(values) != count:
            raise InputError(
                f"--{name} has {len(values)} values for {count} models: give "
                f"one for all, or one a model ({AUTO!r}: it says it itself)"
            )
        columns.append(values)
    return [ModelOptions(*values) for values in zip(*columns, strict=True)]


def is_auto(option) -> bool:
    """Whether an option of audit leaves everything to the models."""
    values = [option] if _is_for_all(option) else option
    return all(
        value is None or (isinstance(value, str) and value == AUTO)
        for value in values
    )


def _is_for_all(option):
    """Whether an option is one value: text, None or two numbers."""
    if isinstance(option, str) or not isinstance(option, Iterable):
        return True
    ends = list(option)
    return len(ends) == 2 and all(isinstance(end, Real) for end in ends)


def list_model(
    name, source, options, *, numbers, num_threads=2
) -> UnopenedModel:
    """Lists a model; nothing is loaded yet.

    Args:
        name: the target's.
        source: path of a .keras or .h5 file, a SavedModel directory, a
            .tflite file or a file of outputs; a model of Keras 3 or
            tf_keras, or a method of it such as model.predict; or a callable:
            records [B, ...] -> [B, C].
        options: model_options.ModelOptions.
        numbers: value_ranges.RecordNumbers of the records.
        num_threads: int >= 1, of LiteRT.
    Raises: InputError if it is none of these.
    """
    if is_saved_outputs(source):
        return UnopenedModel(name, pathlib.Path(source), None, None)
    flags = {
        "input_range_flag": options.input_range,
        "outputs_flag": options.outputs,
        "signature_flag": options.signature,
        "preprocessing": PREPROCESSING,
    }

    def model(kernel_set, opener, *, source=source, threads=None):
        return UnopenedModel(
            name, source, kernel_set, opener, options=flags, threads=threads
        )

    common = {"name": name, "options": options, "numbers": numbers}
    _require_signatures(name, source, options)
    known = keras_objects.model_of(source)
    is_method = known is not None and source is not known
    if known is not None and (not is_method or graphs.has_graph(known)):
        return model(KERAS, lambda: _open_keras(known, **common))
    if signature_runner.is_signature_runner(source):
        return model(
            signature_runner.KERNELS,
            lambda: signature_runner.open_model(source, **common),
        )
    if saved_model.is_signature(source):
        return model(
            "tensorflow",
            lambda: saved_model.open_signature(source, **common),
        )
    if callable(source):
        facts = function_target.facts(is_method=is_method)
        if is_method and numbers.is_images:
            input_forms.choose_range(
                None, options.input_range, name=name, where=facts.where
            )
        return model(
            "callable",
            lambda: function_target.open_model(source, facts=facts, **common),
        )
    path = _existing(source)
    if path.suffix in KERAS_FILES and path.is_file():
        return model(KERAS, lambda: _open_keras(path, **common), source=path)
    if saved_model.is_saved_model(path):
        return model(
            "tensorflow",
            lambda: saved_model.open_model(path, **common),
            source=path,
        )
    if path.suffix in TFLITE_FILES or model_file.is_model_file(path):
        return model(
            tflite_facts.KERNELS,
            lambda: tflite_facts.open_model(
                path, num_threads=num_threads, **common
            ),
            source=path,
            threads=num_threads,
        )
    raise InputError(f"{path} is not {FORMATS}")


def _require_signatures(name, source, options):
    """Refuses the name of a signature for what has none."""
    if options.signature is None:
        return
    suffix = pathlib.Path(source).suffix if is_path(source) else None
    if suffix is None or suffix in KERAS_FILES:
        raise InputError(
            f"target {name!r} has no signatures, only .tflite files and "
            f"SavedModels have: leave out --signature={options.signature} (for "
            f"one of several models: {AUTO!r})"
        )


def _open_keras(source, **common):
    from qmia_tf.targets import keras_facts

    if isinstance(source, pathlib.Path):
        from qmia_tf.models import model_formats

        source = model_formats.load(source)
    return keras_facts.open_model(source, **common)


def _existing(source):
    if not is_path(source):
        raise InputError(
            f"a target must be {FORMATS}, a Keras model or a function, got "
            f"{type(source).__name__}"
        )
    path = pathlib.Path(source).expanduser()
    if not path.exists():
        raise InputError(f"there is no model {source}: give {FORMATS}")
    return path


def _name(target):
    if is_path(target):
        path = pathlib.Path(target)
        return _safe(path.name if path.is_dir() else path.stem)
    known = keras_objects.model_of(target)
    target = target if known is None else known
    return _safe(
        getattr(target, "__name__", None) or getattr(target, "name", "")
    )


def _safe(name):
    name = validation.safe_name(name, "model")
    return "model" if name == "lambda" else name
