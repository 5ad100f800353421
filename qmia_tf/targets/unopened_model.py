"""A target, of a run or of a user, before it is opened; and its kind."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any

from qmia_tf import targets

# In Outputs.info: what the members had to say, by option -> the evidence.
MEASURED = "measured"


@dataclasses.dataclass(frozen=True)
class TargetKind:
    """A kind of what a user may give as a target.

    Attributes:
        fits: whether something, a path or an object, is of this kind.
        kernel_set: what computes its outputs.
        open_model: of (what fits, Opening); TensorFlow or LiteRT is loaded
            then. Raises InputError if it cannot be run, or does not say what
            has to be known.
        has_signatures: whether a file of this kind may have several.
        uses_litert: whether it runs on LiteRT's threads.
        facts: gives sha256 and size_bytes of a path.
        warning: what the user is told of a path, with {} for it.
        module: of EXTRAS, without which it cannot be opened.
    """

    fits: Callable[[object], bool]
    kernel_set: str
    open_model: Callable[..., targets.Target]
    has_signatures: bool = False
    uses_litert: bool = False
    facts: Callable[[pathlib.Path], dict] = targets.file_facts
    warning: str = ""
    module: str | None = None


@dataclasses.dataclass
class UnopenedModel:
    """One target, of a run or of a user, not opened yet.

    Attributes:
        name: the target's, and of outputs/NAME.npz.
        source: pathlib.Path, model of Keras 3 or tf_keras, or callable.
        kernel_set: what computes its outputs; None of saved outputs.
        opener: makes the target; TensorFlow or LiteRT is loaded then. None
            of saved outputs.
        options: what the user said of it, which its outputs depend on.
        threads: of LiteRT; None elsewhere.
        outputs: "probabilities" or "logits", what a run says that the file
            ends in; None of a user's.
        exported: sha256 of a run's .tflite file as it was exported; None of
            others.
        warning: what the user should know before it is opened.
        read_facts: gives sha256 and size_bytes of a path.
    """

    name: str
    source: Any
    kernel_set: str | None
    opener: Callable[[], targets.Target] | None
    options: dict = dataclasses.field(default_factory=dict)
    threads: int | None = None
    outputs: str | None = None
    exported: str | None = None
    warning: str = ""
    read_facts: Callable[[pathlib.Path], dict] = targets.file_facts
    _opened: targets.Target | None = None
    _measured: dict = dataclasses.field(default_factory=dict)

    @property
    def is_saved(self) -> bool:
        """Whether it is a file of outputs, of which nothing can be asked."""
        return self.kernel_set is None

    @property
    def is_of_run(self) -> bool:
        """Whether it takes a run's records: uint8 images, as pixels / 255."""
        return self.outputs is not None

    @functools.cached_property
    def source_facts(self) -> dict:
        """The sha256 and size_bytes of a file; None of what is in memory."""
        if isinstance(self.source, pathlib.Path):
            return self.read_facts(self.source)
        return {"sha256": None, "size_bytes": None}

    @property
    def facts(self) -> dict:
        """What stored outputs must say of their target to be its.

        A sha256 of None is never the same.
        """
        return {
            "sha256": self.source_facts["sha256"],
            "kernel_set": self.kernel_set,
            **self.options,
        }

    def open(self) -> targets.Target:
        """Opens it, once."""
        if self._opened is None:
            self._opened = self.opener()
            self._opened.info.update(self.source_facts, **self.facts)
            self._opened.take_measured(self._measured)
        return self._opened

    def take_measured(self, info: dict) -> None:
        """Opens it from now on as stored outputs say that the members said."""
        self._measured = {
            name: info[name] for name in info.get(MEASURED, {}) if name in info
        }

    def close(self) -> None:
        """Forgets the opened model, to make room for the next."""
        if self._opened is not None:
            self._opened.close()
        self._opened = None
