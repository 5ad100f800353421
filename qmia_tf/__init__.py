"""Membership-inference audits of quantized Keras and TFLite models.

Importing the package imports neither TensorFlow nor anything else that is
slow; each module imports what it needs. docs/architecture.md is the map.
"""

__version__ = "0.1.0"
