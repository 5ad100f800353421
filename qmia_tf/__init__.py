"""Membership-inference audits of quantized Keras and TFLite models.

Importing the package imports neither TensorFlow nor anything else that is
slow; each module imports what it needs. docs/architecture.md is the map.
"""

__version__ = "0.1.0"

# What the package gives by its own name -> the module that holds it, imported
# when it is first asked for.
_FROM = {
    "Grid": "qmia_tf.experiments.run_grid",
    "audit": "qmia_tf.experiments.model_audit",
    "compare": "qmia_tf.experiments.run_comparison",
    "load_audit": "qmia_tf.report.reported_audit",
    "load_runs": "qmia_tf.report.audited_runs",
    "quantize_model": "qmia_tf.qat",
    "references": "qmia_tf.experiments.own_references",
    "sweep": "qmia_tf.experiments.run_sweep",
}


def __getattr__(name):
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    try:
        module = importlib.import_module(_FROM[name])
    except ModuleNotFoundError as error:
        from qmia_tf import extras

        raise (extras.of_import(error, f"qmia_tf.{name}") or error) from error
    return getattr(module, name)


def __dir__():
    return sorted([*globals(), *_FROM])
