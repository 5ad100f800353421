"""tensorflow-privacy's own membership-inference report, release 0.7.3.

The one package that touches tensorflow-privacy. Its membership-inference code
needs neither TensorFlow nor Keras, but the package around it imports the
removed tf.estimator, so its parts are loaded below a bare parent package.
What is done about the release's traps:

- It takes nonmembers as the positive class: members_positive converts.
- Its entropy attack knows only logits and, where rows of probabilities do
  not sum to one, applies softmax to them again; its loss is clipped at 1e-8.
  It is given losses and entropies from qmia_tf.attacks.losses.
- Nothing in it takes a seed, and its grid searches use every core, where a
  seed of NumPy's does not reach: they run in this process, seeded.
- Its summary stops with a TypeError when an AUC is below 0.4.
- Half of its random forest's grid has max_features="auto", which
  scikit-learn no longer has; the other half is searched.
"""

import importlib

from qmia_tf.attacks.tfprivacy.attack_settings import ATTACKS, Settings

__all__ = [
    "ATTACKS",
    "Row",
    "Settings",
    "TfPrivacyAudit",
    "members_positive",
    "run",
]

# Imported when first used, so that a program's --help, which names the
# attacks, does not wait for SciPy.
_FROM = {
    "Row": "privacy_report",
    "TfPrivacyAudit": "privacy_report",
    "members_positive": "privacy_files",
    "run": "privacy_report",
}


def __getattr__(name):
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_FROM[name]}")
    return getattr(module, name)
