"""The outputs of the reference models of a run; see reference_models."""

import collections
import functools
import pathlib

from qmia_tf import outputs
from qmia_tf.auditing.auxiliary import ReferenceModels
from qmia_tf.errors import InputError
from qmia_tf.experiments import configuration
from qmia_tf.outputs import Outputs, inside
from qmia_tf.outputs.unread_outputs import UnreadOutputs
from qmia_tf.run_dir import TRAINED, RunDir

UNKNOWN = "unknown_bits"
Sets = tuple[tuple[ReferenceModels, tuple[Outputs, ...]], ...]


def of_run(run_dir) -> list[pathlib.Path]:
    """Lists a run's own reference runs that have been queried."""
    return of_folder(RunDir(run_dir).references)


def of_folder(folder: pathlib.Path) -> list[pathlib.Path]:
    """Lists the reference runs in a folder that have been queried."""
    return sorted(
        path.parent.parent for path in folder.glob(f"*/outputs/{TRAINED}.npz")
    )


def expanded(paths) -> list[pathlib.Path]:
    """Puts reference runs in the place of folders of them."""
    listed = []
    for path in map(pathlib.Path, paths):
        is_folder = path.is_dir() and not RunDir(path).config.exists()
        listed += (is_folder and of_folder(path)) or [path]
    return listed


class RunReferences:
    """The reference models of a run; the files of each are checked once.

    Args:
        run_dir: the run directory.
        paths: as load takes them, or folders of run directories; None takes
            the run's own.
        mismatched: the same of models of other bits than the run's.
        fingerprint: of the run's data set.
    Raises: InputError as load, or if mismatched ones have the run's bits.
    """

    def __init__(
        self, run_dir, paths=None, *, mismatched=None, fingerprint: str
    ):
        self._fingerprint, self._loaded = fingerprint, {}
        self._paths = of_run(run_dir) if paths is None else expanded(paths)
        if mismatched is None:
            folders = RunDir(run_dir).mismatched_references().values()
            mismatched = [path for x in folders for path in of_folder(x)]
        self._mismatched = _by_bits(expanded(mismatched))
        own = bits_of(run_dir)
        if own is not None and own in self._mismatched:
            raise InputError(
                f"{self._mismatched[own][0]} is not mismatched: it has the "
                f"bits of {run_dir}, {own}"
            )
        for listed in (self._paths, *self._mismatched.values()):
            self._of(listed, TRAINED)

    def of(self, outputs: Outputs) -> tuple[UnreadOutputs, ...]:
        """Gives the outputs of the models that compare with a target."""
        return self._of(self._paths, outputs.target)[1]

    def kind_of(self, outputs: Outputs) -> ReferenceModels:
        """Says which models those are."""
        return self._of(self._paths, outputs.target)[0]

    def mismatched_of(self, outputs: Outputs) -> Sets:
        """Gives the same of each kind of mismatched references."""
        return tuple(
            self._of(paths, name)
            for paths in self._mismatched.values()
            for name in _alike(paths, outputs)
        )

    def inside_of(self, outputs: Outputs) -> tuple[UnreadOutputs, ...] | str:
        """Gives what the holder of these models computes: of exact logits.

        Returns: outputs alike, or why what lies inside is not known.
        """
        name = target_name(self._paths, outputs.target)
        found = [inside_file(path, name) for path in self._paths]
        return exact_of(found, self.of(outputs))

    def _of(self, paths, target):
        name = target_name(paths, target)
        key = (*paths, name)
        if key not in self._loaded:
            loaded = load(paths, name, fingerprint=self._fingerprint)
            known = sorted({*map(bits_of, paths)} - {None})
            if paths is not self._paths:
                # The run's own may have the same names.
                folder = known[0] if known else UNKNOWN
                loaded = tuple(
                    x.renamed(f"{folder}.{x.target}") for x in loaded
                )
            # A file may hold the outputs of any target.
            source = (
                name if any(pathlib.Path(x).is_dir() for x in paths) else None
            )
            kind = ReferenceModels(len(loaded), len(loaded), known, source)
            self._loaded[key] = kind, loaded
        return self._loaded[key]


def bits_of(path) -> str | None:
    """Names the bits of a run's model; None where no config.json says it."""
    if not RunDir(path).config.is_file():
        return None
    model = configuration.read(path)["model"]
    return f"w{model['weight_bits']}a{model['activation_bits']}"


def _by_bits(paths):
    """Paths by bits; files under None."""
    listed = {}
    for path in paths:
        listed.setdefault(bits_of(path), []).append(path)
    return listed


def _alike(paths, outputs):
    """Names the targets of mismatched references to compare a target with.

    Its own name, if they have it; of a file, each of their .tflite files, if
    they have some; else their Keras models.
    """
    name = target_name(paths, outputs.target)
    if name != TRAINED or outputs.info.get("kind") != "tflite":
        return [name]
    names = [
        {file.stem for file in RunDir(path).artifacts.glob("*.tflite")}
        for path in paths
    ]
    files = set.intersection(*names) if names else set()
    return [x for x in sorted(files) if target_name(paths, x) == x] or [name]


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
