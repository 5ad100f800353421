"""Outputs in a file that is read whenever they are needed, and not kept."""

import dataclasses
import pathlib
from collections.abc import Callable

from qmia_tf import files
from qmia_tf.errors import InputError
from qmia_tf.outputs import Outputs


@dataclasses.dataclass(frozen=True, eq=False)
class UnreadOutputs:
    """One of many files of outputs, which together may not fit in memory.

    Attributes:
        path: the file.
        target: the name of its target, as of Outputs.
        sha256: of the file when it was checked.
        read: gives its outputs.
    """

    path: pathlib.Path
    target: str
    sha256: str
    read: Callable[[], Outputs]

    @classmethod
    def checked(
        cls, path: pathlib.Path, read: Callable[[], Outputs]
    ) -> "UnreadOutputs":
        """Reads the file once, so that an error in it shows soon.

        Raises: InputError as read.
        """
        target = read().target
        return cls(path, target, files.sha256(path), read)

    def load(self) -> Outputs:
        """Reads the outputs.

        Raises: InputError if the file is not the one that was checked.
        """
        outputs = self.read().renamed(self.target)
        if files.sha256(self.path) != self.sha256:
            raise InputError(
                f"{self.path} was changed during the audit: run the same "
                "command again"
            )
        return outputs

    def renamed(self, target: str) -> "UnreadOutputs":
        """Returns the same outputs under another name of the target."""
        return dataclasses.replace(self, target=target)

    def changed(self, change: Callable[[Outputs], Outputs]) -> "UnreadOutputs":
        """Returns outputs of the same file that are changed when read."""
        return dataclasses.replace(self, read=lambda: change(self.read()))
