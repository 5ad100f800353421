"""The outputs of the reference models of a run; see reference_models."""

import collections
import functools
import pathlib

from qmia_tf import outputs
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs, inside
from qmia_tf.outputs.unread_outputs import UnreadOutputs
from qmia_tf.run_dir import TRAINED, RunDir

FOLDER = "references"


def of_run(run_dir) -> list[pathlib.Path]:
    """Lists a run's own reference runs that have been queried."""
    return sorted(
        path.parent.parent
        for path in pathlib.Path(run_dir).glob(
            f"{FOLDER}/*/outputs/{TRAINED}.npz"
        )
    )


class RunReferences:
    """The reference models of a run; the files of each are checked once.

    Args:
        run_dir: the run directory.
        paths: as load takes them; None takes the run's own.
        fingerprint: of the run's data set.
    Raises: InputError as load.
    """

    def __init__(self, run_dir, paths=None, *, fingerprint: str):
        self._paths = of_run(run_dir) if paths is None else paths
        self._fingerprint, self._loaded = fingerprint, {}
        self._of(TRAINED)

    def of(self, outputs: Outputs) -> tuple[UnreadOutputs, ...]:
        """Gives the outputs of the models that compare with a target."""
        return self._of(outputs.target)

    def inside_of(self, outputs: Outputs) -> tuple[UnreadOutputs, ...] | str:
        """Gives what the holder of these models computes: of exact logits.

        Returns: outputs alike, or why what lies inside is not known.
        """
        name = target_name(self._paths, outputs.target)
        found = [inside_file(path, name) for path in self._paths]
        return exact_of(found, self.of(outputs))

    def _of(self, target):
        name = target_name(self._paths, target)
        if name not in self._loaded:
            self._loaded[name] = load(
                self._paths, name, fingerprint=self._fingerprint
            )
        return self._loaded[name]


def load(paths, target, *, fingerprint) -> tuple[UnreadOutputs, ...]:
    """Checks the files of outputs of the reference models, one at a time.

    Args:
        paths: run directories, or .npz files of outputs whose members are the
            records that trained the model.
        target: that they are references for; a reference run's own target of
            that name is taken if every one has it, its Keras model otherwise.
    Returns: each under a name of its own.
    Raises: InputError if one is missing, damaged, about other data or given
        twice.
    """
    paths = [pathlib.Path(path) for path in paths]
    for path, count in collections.Counter(p.resolve() for p in paths).items():
        if count > 1:
            raise InputError(f"{path} is given {count} times as a reference")
    source = target_name(paths, target)
    references, counts = [], collections.Counter()
    for path in paths:
        file = _of(path, source) if path.is_dir() else path
        stem = path.name if path.is_dir() else path.stem
        read = functools.partial(_read, file, stem, fingerprint=fingerprint)
        reference = UnreadOutputs.checked(file, read)
        name = reference.target
        counts[name] += 1
        # Runs of other seeds often have the name of this one.
        if counts[name] > 1:
            reference = reference.renamed(f"{name}.{counts[name]}")
        references.append(reference)
    return tuple(references)


def exact_of(
    files: list[pathlib.Path], references: tuple[UnreadOutputs, ...]
) -> tuple[UnreadOutputs, ...] | str:
    """Gives what the holders of reference models compute: of exact logits.

    Args:
        files: inside/TARGET.npz of each.
    Returns: outputs alike, or why what lies inside of one is not known.
    """
    exact = []
    for file, reference in zip(files, references, strict=True):
        try:
            read = functools.partial(_exact, file, reference)
            exact.append(UnreadOutputs.checked(file, read))
        except InputError as error:
            return f"of {reference.target}: {error}"
    return tuple(exact)


def inside_file(path: pathlib.Path, name: str) -> pathlib.Path:
    """Where what lies inside of a reference is: of a run, or beside a file."""
    path = pathlib.Path(path)
    if path.is_dir():
        return RunDir(path).inside_of(name)
    return RunDir(path.parent).inside_of(path.stem)


def _read(file, stem, *, fingerprint):
    reference = outputs.load(file)
    actual = reference.info.get("fingerprint")
    if actual is not None and actual != fingerprint:
        raise InputError(
            f"{file}: the reference is about data with fingerprint "
            f"{actual[:12]}, the run about {fingerprint[:12]}"
        )
    return reference.renamed(f"{stem}.{reference.target}")


def _exact(file, reference):
    """What the holder of one reference model computes."""
    return inside.exact_outputs(file, reference.load())


def target_name(paths, target: str) -> str:
    """Names the target of reference runs to compare a target with.

    Returns: its name if every run has such a target, else the Keras model's.
    """
    folders = [path for path in map(pathlib.Path, paths) if path.is_dir()]
    alike = all(_of(folder, target).is_file() for folder in folders)
    return target if alike else TRAINED


def _of(folder, target):
    return RunDir(folder).outputs_of(target)
