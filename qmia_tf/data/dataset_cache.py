"""The data set that jobs in a row share."""

from qmia_tf.data import loaders
from qmia_tf.data.dataset import Dataset


class DatasetCache:
    """Loads data sets, and keeps the last one.

    A pickled one is empty: each worker loads what its own jobs need.

    Args:
        data_dir: as of loaders.load.
        download: as of loaders.load.
        records: of each, how many, in their order; None takes all.
    """

    def __init__(
        self,
        *,
        data_dir: str | None = None,
        download: bool = False,
        records: int | None = None,
    ):
        self._place = {"data_dir": data_dir, "download": download}
        self._records = records
        self._key, self._dataset = None, None

    def check(self, name: str) -> None:
        """Checks that a data set is there; see loaders.check."""
        loaders.check(name, **self._place)

    def load(
        self,
        name: str,
        *,
        pool: str = "all",
        label_noise: float = 0.0,
        label_noise_seed: int = 0,
    ) -> Dataset:
        """Loads a data set, unless it is the last one; see loaders.load."""
        options = {
            "pool": pool,
            "label_noise": label_noise,
            "label_noise_seed": label_noise_seed,
        }
        key = name, *options.values()
        if key != self._key:
            # Not two of them in memory.
            self._key, self._dataset = None, None
            dataset = loaders.load(name, **options, **self._place)
            self._dataset = dataset.first(self._records)
            self._key = key
        return self._dataset

    def __getstate__(self):
        return {**self.__dict__, "_key": None, "_dataset": None}
