"""What can be wrong before TensorFlow is started: values of flags, paths.

The library checks all of it again where it is used; here it costs a moment
instead of the seconds that TensorFlow takes to start.
"""

import contextlib
import pathlib

from qmia_tf import files
from qmia_tf.data import loaders
from qmia_tf.errors import InputError
from qmia_tf.programs.flag_values import value
from qmia_tf.run_dir import RunDir


def dataset(name):
    """Checks that a data set is there.

    Args:
        name: as of loaders.load.
    Raises: InputError if it is not.
    """
    loaders.check(name, data_dir=value("data_dir"), download=value("download"))


@contextlib.contextmanager
def named_by_run(name):
    """Says of a data set that is gone that a run's config.json names it.

    Args:
        name: of the data set; None if no run names it.
    """
    try:
        yield
    except InputError as error:
        if name is None or loaders.is_published(name):
            raise
        if pathlib.Path(name).expanduser().exists():
            raise
        raise InputError(
            f"{error}: config.json of the run names it (dataset.name): put "
            "the data back there, or write its new place into config.json"
        ) from error


def run(run_dir, *, is_trained=True, with_data=True) -> dict:
    """Checks that a run is there.

    Args:
        run_dir: path.
        is_trained: whether its model has to be there.
        with_data: whether its data set has to be there.
    Returns: its configuration.
    Raises: InputError that says what is missing.
    """
    from qmia_tf.experiments import configuration

    config = configuration.read(run_dir)
    if is_trained:
        RunDir(run_dir).require_model()
    if with_data:
        name = config["dataset"]["name"]
        with named_by_run(name):
            dataset(name)
    return config


def tensorboard_every():
    """Gives the argument of training_run.train_run of that name.

    Raises: InputError if the tensorboard package is missing, or the number
        is below 1.
    """
    from qmia_tf.training import tensorboard_events

    if not value("tensorboard"):
        return 0
    tensorboard_events.require()
    if value("tensorboard_every") < 1:
        raise InputError(
            "--tensorboard_every must be >= 1, got "
            f"{value('tensorboard_every')}"
        )
    return value("tensorboard_every")


def runs_or_outputs(paths):
    """Checks that run directories or files of outputs are there.

    Args:
        paths: of them, or of folders of run directories.
    Raises: InputError for the first that is not.
    """
    from qmia_tf.experiments import reference_outputs

    for path in reference_outputs.expanded(paths):
        if path.suffix == ".npz":
            require_outputs(path)
        else:
            run(path, is_trained=False, with_data=False)


def require_outputs(path):
    """Raises InputError unless a file of outputs is there."""
    if not pathlib.Path(path).is_file():
        raise InputError(f"{path}: no such file of outputs")


def audited(models, members, nonmembers, calibration, **about_models):
    """Checks what an audit of models that somebody brings is given.

    Args:
        models: paths.
        members, nonmembers: paths of records or outputs, or None.
        calibration: path of records, or None.
        **about_models: arguments of listing.options_by_model.
    Raises: InputError if something is missing, or not possible.
    """
    from qmia_tf.experiments import audit_sources
    from qmia_tf.targets import listing

    for path in models:
        listing.require_there(path)
    if models:
        listing.options_by_model(count=len(models), **about_models)
    place = {name: value(name) for name in ("data_dir", "download")}
    for source in filter(None, (members, nonmembers, calibration)):
        if source.endswith(".csv"):
            files.require_readable(source)
        else:
            loaders.check_side(source, **place)
    audit_sources.are_outputs(listing.name_targets(models), members, nonmembers)
