"""What attacks and the blind baseline know of records without any model."""

import numpy as np

from qmia_tf.data.image_features import image_features
from qmia_tf.data.records import Records

# A linear model of more features than that learns nothing from some records.
MOST_FEATURES = 256


def of_records(records: Records) -> np.ndarray | None:
    """Describes records: images by image_features, others by their numbers.

    Returns: float64 [N, F]; None if there are more than MOST_FEATURES.
    """
    if records.is_images:
        return image_features(records.values)
    rows = records.values.reshape(len(records.values), -1)
    if rows.shape[1] > MOST_FEATURES:
        return None
    return rows.astype(np.float64)
