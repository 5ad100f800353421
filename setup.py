"""Installs qmia_tf: `pip install .` from a checkout.

The core audits .tflite files and saved outputs; docs/install.md says what
each extra adds. constraints.txt is one tested set for Python 3.11 to 3.13;
the bounds here are what the code itself needs; their lower ends were tried
on Python 3.11. Bounds of what the code does not import are there for pip: each
leaves it one release to look at, where it would go through many.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent

CORE = [
    "ai-edge-litert>=2.1,<3",
    "numpy>=2,<3",
    "scipy>=1.14,<2",
    "pandas>=2.2,<4",
    "matplotlib>=3.9,<4",
    "jinja2>=3.1,<4",
    "pillow>=11",
    "msgspec>=0.19",
    "filelock>=4.3,<5",
    "threadpoolctl>=3.1",
    "absl-py>=1.4,<3",
    "tqdm>=4.66",
]
TRAIN = [
    "tensorflow>=2.21,<2.22",
    "keras>=3.12,<4",
    "h5py>=3.11",
    # Opens what Keras 2 saved.
    "tf-keras>=2.21,<2.22",
    # The digits.
    "scikit-learn>=1.6,<2",
    # Its loky runs the executor "process".
    "joblib>=1.4",
]
DATASETS = [
    "tensorflow-datasets>=4.9.10,<4.10",
    # Prepares data with importlib_resources, which it does not ask for.
    "importlib_resources>=6",
    "etils>=1.9.1",
    "tensorflow-metadata>=1.17",
    "requests>=2.32",
]
TFDS = [*TRAIN, *DATASETS]
# Quantization-aware training baseline: tf_keras models beside Keras 3.
TFMOT = [
    *TRAIN,
    "tensorflow-model-optimization>=0.8.1,<0.9",
    # It stops below absl-py 2, and pip should know before it chooses one.
    "absl-py>=1.4,<2",
    "dm-tree>=0.1.9,<0.2",
]
TFPRIVACY = [
    # The last release with membership-inference reports that resolves on
    # Python 3.12 and later.
    "tensorflow-privacy==0.7.3",
    *DATASETS,
    "dm-tree>=0.1.9,<0.2",
    "tensorflow-estimator>=2.15,<2.16",
    "tensorflow-probability>=0.25,<0.26",
    "scikit-learn>=1.6,<2",
    "joblib>=1.4",
]
# What --tensorboard writes its events with.
TENSORBOARD = [*TRAIN, "tensorboard>=2.20,<2.22"]
# The executor "ray"; not in [all], for it is of use on a cluster alone.
RAY = [*TRAIN, "ray>=2.45,<3"]
PARQUET = ["pyarrow>=17"]
ALL = [*TFDS, *TFMOT, *TFPRIVACY, *TENSORBOARD, *PARQUET]

EXTRAS = {
    "train": TRAIN,
    "tfds": TFDS,
    "tfmot": TFMOT,
    "tfprivacy": TFPRIVACY,
    "tensorboard": TENSORBOARD,
    "parquet": PARQUET,
    "ray": RAY,
    "all": ALL,
    # The site of docs/.
    "docs": ["mkdocs-material>=9.5,<10"],
    "test": [
        *ALL,
        "hypothesis>=6.150",
        "ipykernel>=6.29",
        "jsonschema>=4.23",
        "mypy>=2.4,<2.5",
        "nbclient>=0.10",
        "nbformat>=5.10",
        "pytest>=8.3",
        "pytest-xdist>=3.6",
        "ruff>=0.17,<0.18",
        # What scripts/setup_venv.sh installs with.
        "uv>=0.9,<1",
        # Opens the report in Chromium, where that is installed.
        "selenium>=4.27",
    ],
}
EXTRAS = {name: list(dict.fromkeys(needs)) for name, needs in EXTRAS.items()}


def version():
    """Reads __version__ without importing the package."""
    text = (HERE / "qmia_tf" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)[1]


setup(
    name="qmia_tf",
    version=version(),
    description=(
        "Membership-inference audits of quantized Keras and TFLite models"
    ),
    license="Apache-2.0",
    license_files=["LICENSE"],
    packages=find_packages(include=["qmia_tf", "qmia_tf.*"]),
    package_data={
        "qmia_tf": ["py.typed"],
        "qmia_tf.programs": ["demo_files/*"],
        "qmia_tf.report.html": ["*.jinja", "*.css", "*.toml"],
        "qmia_tf.report.words": ["*.jinja", "*.toml"],
    },
    entry_points={"console_scripts": ["qmia = qmia_tf.cli:main"]},
    python_requires=">=3.11,<3.14",
    install_requires=CORE,
    extras_require=EXTRAS,
)
