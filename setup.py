"""Installs qmia_tf: `pip install -c constraints.txt -e .` from a checkout.

constraints.txt is the tested set for Python 3.11 to 3.13; the bounds here
are what the code itself needs; their lower ends were tried on Python 3.11.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent

REQUIRES = [
    "tensorflow>=2.21,<2.22",
    "keras>=3.12,<4",
    # Quantization-aware training baseline: tf_keras models beside Keras 3.
    "tensorflow-model-optimization>=0.8.1,<0.9",
    "tf-keras>=2.21,<2.22",
    # Prepares data with importlib_resources, which it does not ask for.
    "tensorflow-datasets>=4.9.10,<4.10",
    "importlib_resources>=6",
    "requests>=2.32",
    # The last release with membership-inference reports that resolves on
    # Python 3.12 and later; it does not ask for pandas.
    "tensorflow-privacy==0.7.3",
    "pandas>=2.2",
    "ai-edge-litert>=2.1,<3",
    "numpy>=2,<3",
    "scipy>=1.14",
    "scikit-learn>=1.6",
    "threadpoolctl>=3.1",
    "joblib>=1.4",
    "matplotlib>=3.9",
    "jinja2>=3.1",
    "filelock>=4.3,<5",
    "msgspec>=0.19",
    "pillow>=11",
    # tensorflow-model-optimization stops below absl-py 2.
    "absl-py>=1.4,<2",
    "tqdm>=4.66",
]

# What scripts/train.py --tensorboard writes its events with.
TENSORBOARD = ["tensorboard>=2.20,<2.22"]

EXTRAS = {
    "docs": ["mkdocs-material>=9.5,<10"],
    "tensorboard": TENSORBOARD,
    "test": [
        *TENSORBOARD,
        "hypothesis>=6.150",
        "ipykernel>=6.29",
        "jsonschema>=4.23",
        "mypy>=2.4,<2.5",
        "nbclient>=0.10",
        "nbformat>=5.10",
        "pytest>=8.3",
        "pytest-xdist>=3.6",
        "ruff>=0.17,<0.18",
        # Opens the report in Chromium, where that is installed.
        "selenium>=4.27",
    ],
}


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
        "qmia_tf.report.html": ["*.jinja", "*.css", "*.toml"],
        "qmia_tf.report.words": ["*.jinja"],
    },
    entry_points={"console_scripts": ["qmia = qmia_tf.cli:main"]},
    python_requires=">=3.11,<3.14",
    install_requires=REQUIRES,
    extras_require=EXTRAS,
)
