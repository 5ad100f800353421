"""A stranger's .tflite file: a target in a process of its own."""

import copy
import pathlib
from collections.abc import Callable
from typing import cast

import numpy as np

from qmia_tf.deploy.tflite.interpreter import Interpreter
from qmia_tf.deploy.tflite.isolated_inside import ObservedInterpreter
from qmia_tf.deploy.tflite.isolation import IsolatedInterpreter, Limits
from qmia_tf.deploy.timing import Timing
from qmia_tf.targets import Target
from qmia_tf.targets.tflite_target import TFLiteTarget


class IsolatedTFLiteTarget(TFLiteTarget):
    """TFLiteTarget, whose file cannot kill, hang or fill this process.

    Args:
        path: the .tflite file, or its IsolatedInterpreter.
        limits: what the file may take.
        num_threads, kernels, signature: of the interpreter.
        options: as of TFLiteTarget.
    Raises: InputError as TFLiteTarget; FileFailure, here and from each query,
        if the file is damaged, or its process dies or takes too much.
    """

    def __init__(
        self,
        path: pathlib.Path | IsolatedInterpreter,
        *,
        limits: Limits,
        num_threads: int = 2,
        kernels: str = "default",
        signature: str | None = None,
        **options,
    ):
        model = path
        if not isinstance(model, IsolatedInterpreter):
            model = IsolatedInterpreter(
                path,
                limits=limits,
                num_threads=num_threads,
                kernels=kernels,
                signature=signature,
            )
        self._process: IsolatedInterpreter = model
        # It answers as an Interpreter does.
        super().__init__(
            cast(Interpreter, model),
            kernels=kernels,
            signature=signature,
            **options,
        )

    def measure(self, records: np.ndarray) -> Timing:
        """See Target; inside of the process, without what passes to it."""
        records = self._require_records(records)
        return self._process.measure(self.prepare(records))

    def observed(self, sink: Callable) -> tuple[Target, dict]:
        """See Target; the copy of the file runs in another process."""
        model = self._process.reopened(ObservedInterpreter, sink)
        target = copy.copy(self)
        target.interpreter = target._process = model
        return target, model.layer

    def close(self) -> None:
        """See Target."""
        self._process.close()
