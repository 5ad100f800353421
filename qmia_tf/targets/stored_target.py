"""Outputs that were stored before, as a target. NumPy only."""

import copy

import numpy as np

from qmia_tf import outputs
from qmia_tf.errors import InputError


class SavedOutputs:
    """Outputs that were stored before, for example on a phone.

    Args:
        path: outputs/TARGET.npz; see outputs.Outputs.
    Raises: InputError if the file is damaged or something else.
    """

    def __init__(self, path):
        self.outputs = outputs.load(path)
        self.info = dict(self.outputs.info)

    def of_records(self, records):
        """Gives the same target with its outputs in another order.

        Args:
            records: int [N], indices into the data set, in the order in
                which their images will be queried.
        Raises: InputError if there is no output for one of them.
        """
        order = np.argsort(self.outputs.record_ids)
        stored = self.outputs.record_ids[order]
        places = np.searchsorted(stored, records).clip(max=len(stored) - 1)
        missing = np.asarray(records)[stored[places] != records]
        if missing.size:
            raise InputError(
                f"target {self.info['target']!r} has no saved output for "
                f"record {missing[0]} ({missing.size} such records)"
            )
        arranged = copy.copy(self)
        arranged.outputs = self.outputs.take(order[places])
        return arranged

    def predict(self, images, *, progress=False):
        """Gives the stored outputs, in their order; as many as images."""
        stored = self.outputs.probabilities
        if len(images) != len(stored):
            raise InputError(
                f"target {self.info['target']!r} has {len(stored)} saved "
                f"outputs, not {len(images)}"
            )
        return stored
