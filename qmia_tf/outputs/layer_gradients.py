"""How long the loss's gradient is at each layer, as a file of a run.

inside/TARGET.gradients.npz: norms by record and layer, and how near the graph
that they were computed on is to the file.
"""

import dataclasses
import json
import pathlib

import numpy as np

from qmia_tf import files
from qmia_tf.errors import InputError
from qmia_tf.outputs import validation
from qmia_tf.outputs.inside import places_of

REMEDY = "delete it, and it is made anew"


@dataclasses.dataclass(frozen=True, eq=False)
class LayerGradients:
    """Gradient norms of one target about N records.

    Attributes:
        norms: float32 [N, L], of the gradient of the loss at the weights and
            bias of each layer.
        record_ids: int64 [N].
        layers: names of the L layers, in the order in which they are run.
        info: of the graph beside the file: apart, the share of records with
            an output more than a step apart; step, and largest, the largest
            difference in steps. And what it was read from, as in
            Outputs.info.
    """

    norms: np.ndarray
    record_ids: np.ndarray
    layers: tuple[str, ...]
    info: dict

    def take(self, indices: np.ndarray) -> "LayerGradients":
        """Returns the gradients of some records: int or bool indices [M]."""
        return dataclasses.replace(
            self,
            norms=self.norms[indices],
            record_ids=self.record_ids[indices],
        )

    def of_records(self, record_ids: np.ndarray) -> "LayerGradients":
        """Returns the gradients of these records, int [M], in this order.

        Raises: InputError if one of them was not read.
        """
        return self.take(places_of(record_ids, self.record_ids))

    def total(self) -> np.ndarray:
        """The norm of the gradient at all layers together, float64 [N]."""
        return np.sqrt(np.square(self.norms.astype(np.float64)).sum(axis=1))

    def save(self, path: pathlib.Path) -> None:
        """Writes the .npz file, whole or not at all."""
        files.write_npz(
            path,
            norms=self.norms,
            record_ids=self.record_ids,
            layers=np.array(self.layers),
            info=json.dumps(self.info, sort_keys=True),
        )


def load(path: pathlib.Path) -> LayerGradients:
    """Reads inside/TARGET.gradients.npz.

    Raises: InputError if the file is missing, damaged or of another kind.
    """
    arrays = files.read_npz(path)
    kinds = {"norms": "f", "record_ids": "i", "layers": "U", "info": "U"}
    wrong = [
        name
        for name, kind in kinds.items()
        if name not in arrays or arrays[name].dtype.kind != kind
    ]
    if wrong:
        raise InputError(
            f"{path}: not a file of gradients: {', '.join(wrong)} missing or "
            f"of another type; {REMEDY}"
        )
    norms, record_ids = arrays["norms"], arrays["record_ids"]
    layers = tuple(map(str, arrays["layers"].ravel()))
    if norms.shape != (record_ids.size, len(layers)) or not (
        np.isfinite(norms).all() and np.all(norms >= 0)
    ):
        raise InputError(
            f"{path}: norms {list(norms.shape)} of {record_ids.size} records "
            f"and {len(layers)} layers, or not all of them 0 or more; {REMEDY}"
        )
    return LayerGradients(
        norms=norms,
        record_ids=record_ids.ravel(),
        layers=layers,
        info=validation.parse_info(arrays["info"], path),
    )
