"""Writes what tensorflow-privacy has to say: data frame, summary, plots."""

import numpy as np

from qmia_tf import files
from qmia_tf.attacks.losses import losses


def save(tfp, outputs, results, folder):
    """Writes TARGET.csv, TARGET.txt, TARGET.png and TARGET-losses.png.

    Args:
        tfp: what loading.load() returned.
        outputs: Outputs of the target.
        results: tensorflow-privacy's AttackResults.
        folder: where; made if it is not there.
    """
    name = f"{folder}/{outputs.target}"
    table = results.calculate_pd_dataframe().to_csv(index=False)
    files.write_bytes(f"{name}.csv", table.encode())
    summary = results.summary(by_slices=True) + "\n"
    files.write_bytes(f"{name}.txt", summary.encode())
    loss = losses(outputs)
    histograms = tfp.plotting.plot_histograms(
        loss[outputs.members], loss[~outputs.members], xlabel="loss"
    )
    roc, title = _best_roc(tfp, results)
    _save_plot(tfp, roc, f"{outputs.target}: {title}", f"{name}.png")
    _save_plot(
        tfp,
        histograms,
        f"{outputs.target}: train are members, test nonmembers",
        f"{name}-losses.png",
    )


def members_positive(fpr, tpr):
    """Turns a ROC curve with nonmembers positive into members positive.

    fpr' = 1 - tpr, tpr' = 1 - fpr, in the opposite order.

    Args:
        fpr: float [K], rising; share of members above the threshold on loss.
        tpr: float [K], rising; share of nonmembers above it.
    Returns: fpr' and tpr', float64 [K], rising.
    """
    return 1 - np.asarray(tpr)[::-1], 1 - np.asarray(fpr)[::-1]


def _best_roc(tfp, results):
    whole = [
        result
        for result in results.single_attack_results
        if result.slice_spec.entire_dataset
    ]
    best = max(whole, key=lambda result: result.get_auc())
    fpr, tpr = members_positive(best.roc_curve.fpr, best.roc_curve.tpr)
    figure = tfp.plotting.plot_curve_with_area(fpr, tpr, "FPR", "TPR")
    return figure, str(best.attack_type)


def _save_plot(tfp, figure, title, path):
    figure.axes[0].set_title(title)
    with files.atomic(path) as temporary:
        tfp.plotting.save_plot(figure, temporary)
