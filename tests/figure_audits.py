"""Audits that have everything a figure may draw, made in memory."""

import base64
import dataclasses
import functools
import io

import matplotlib.image
import numpy as np
import synthetic_audits
from report_runs import configuration

from qmia_tf.auditing.class_audits import ClassAudit
from qmia_tf.auditing.form_leaks import FormLeak
from qmia_tf.auditing.risky_members import RiskyMember
from qmia_tf.deploy.parity.mismatches import (
    Parity,
    ParityComparison,
    ParityStage,
)
from qmia_tf.outputs import output_forms
from qmia_tf.report import run_list
from qmia_tf.statistics.intervals import Estimate, clopper_pearson
from qmia_tf.statistics.low_fpr_rates import RocBand
from qmia_tf.statistics.score_counts import Histogram

FULL = (32, 32)
EIGHT = [FULL, (16, 16), (16, 4), (8, 8), (4, 4), (2, 2), (1, 1), (4, 4)]
FILES = (
    "keras",
    "float32",
    "float16",
    "dynamic",
    "int8_ptq",
    "int8",
    "int8_io",
    "tfmot_int8",
)
NAMES = ("airplane", "automobile", "bird", "cat", "deer")


def runs(count, *, files=("keras", "int8"), dataset="cifar10"):
    """Runs of the first `count` widths of EIGHT, files of each."""
    audits = [
        audit_of(n, bits, files, dataset)
        for n, bits in enumerate(EIGHT[:count])
    ]
    return run_list.sort_runs(audits)


@functools.cache
def audit_of(place, bits, files=("keras", "int8"), dataset="cifar10"):
    """The audit of one run; the more bits the more it gives away."""
    name = f"{dataset}_w{bits[0]}a{bits[1]}_seed{place}"
    targets = [_target(n, name_, bits) for n, name_ in enumerate(files)]
    return synthetic_audits.result(
        *targets, name=name, config=configuration(dataset, bits)
    )


def _target(place, name, bits):
    leak = 0.4 + 0.3 * np.log2(min(bits))
    target = synthetic_audits.target(
        name,
        records=80,
        seed=min(bits) + bits[0],
        gain=(2.5 + leak, 2.5),
        size_bytes=int(3e6 if "int8" not in name else 8e5) + 1000 * place,
    )
    attacks = [
        dataclasses.replace(
            attack, histogram=_histogram(attack, leak), roc=_roc(attack, leak)
        )
        for attack in target.attacks
    ]
    keras = name == "keras"
    return dataclasses.replace(
        target,
        kind="keras" if keras else "tflite",
        kernel_set="keras" if keras else "default",
        sha256=f"{name}{bits}",
        latency_ms=(1.5 if keras else 0.04) * (1 + 0.1 * place),
        latency_threads=2,
        attacks=attacks,
        per_class=[_class(n, leak) for n in range(len(NAMES))],
        parity=_parity() if name == "int8" else None,
        risky_members=[_risky_member(n) for n in range(24)] if keras else [],
        forms=[
            _form(n, form, leak) for n, form in enumerate(output_forms.FORMS)
        ],
    )


def _histogram(attack, leak):
    if attack.held_out is None:
        return None
    edges = np.linspace(-4, 10, 41)
    middles = (edges[1:] + edges[:-1]) / 2
    inside = np.exp(-((middles - 2 - leak) ** 2) / 6)
    outside = np.exp(-((middles - 2) ** 2) / 6)
    return Histogram(
        edges.tolist(),
        (400 * inside).astype(int).tolist(),
        (400 * outside).astype(int).tolist(),
    )


def _roc(attack, leak):
    if attack.held_out is None:
        return None
    rates = np.geomspace(1e-3, 1, 19)
    tpr = rates ** (1 / (1 + 0.3 * leak))
    low, high = tpr / 1.5, np.minimum(tpr * 1.4, 1)
    return RocBand(*(x.tolist() for x in (rates, tpr, low, high)))


def _class(label, leak):
    auc = 0.5 + 0.04 * leak + 0.02 * label
    return ClassAudit(
        label=label,
        name=NAMES[label],
        members=60,
        nonmembers=60,
        accuracy_members=clopper_pearson(58 - label, 60),
        accuracy_nonmembers=clopper_pearson(52 - label, 60),
        auc=Estimate(auc, auc - 0.08, auc + 0.08),
    )


def _form(place, form, leak):
    auc = 0.5 + 0.02 * leak * (place + 1)
    change = 0.02 * leak * (place - output_forms.FORMS.index(output_forms.FULL))
    hidden = form == output_forms.LABEL
    return FormLeak(
        form=form,
        attack="gap" if hidden else "margin",
        attacks=1 if hidden else 9,
        auc=Estimate(auc, auc - 0.02, auc + 0.02),
        tpr_at_fpr=[],
        change=None
        if form == output_forms.FULL
        else Estimate(change, change, change),
        accuracy=clopper_pearson(70, 80),
        calibration_error=None if hidden else 0.05,
        log_loss=None if hidden else 0.5,
    )


def _parity():
    def comparison(against, kernels, mismatches):
        stages = [
            ParityStage(f"layer_{n}", 40_960, n * mismatches, int(n > 0))
            for n in range(9)
        ]
        return ParityComparison(
            against=against,
            kernels=kernels,
            num_threads=int(bool(kernels)),
            batch_size=64,
            records=100,
            codes=9 * 40_960,
            mismatches=36 * mismatches,
            largest=1,
            labels_differ=0,
            largest_probability=0.0,
            stages=stages,
        )

    return Parity(
        promised=True,
        kept=True,
        verdict="no code differs under the default kernels",
        float_layers=["logits"],
        rounded_layers=[],
        comparisons=[
            comparison("keras", "", 7),
            comparison("tflite", "default", 0),
            comparison("tflite", "reference", 3),
        ],
    )


def _risky_member(place):
    value = 0.9 - 0.01 * place
    return RiskyMember(
        record_id=100 + place,
        label=place % len(NAMES),
        predicted=0 if place % 7 == 3 else place % len(NAMES),
        score=9.0 - 0.1 * place,
        rank=160.0 - place,
        probability=Estimate(value, value - 0.1, min(value + 0.08, 1.0)),
        picture=_picture(place),
    )


@functools.cache
def _picture(place):
    pixels = np.random.default_rng(place).integers(0, 256, (8, 8, 3))
    file = io.BytesIO()
    matplotlib.image.imsave(file, pixels.astype(np.uint8), format="png")
    return base64.b64encode(file.getvalue()).decode()
