"""The flags of limits, for CI pipelines, and the exit status by them."""

import sys

from absl import flags

from qmia_tf.programs import flag_help
from qmia_tf.programs.flag_values import value


def define_flags():
    """Flags that make a program end with status 1, for CI pipelines.

    Each may be given once: of two limits the first would not be looked at.
    """
    with flag_help.group("Limits, for CI"):
        flags.DEFINE_string(
            "fail_if_auc_above",
            None,
            "exit status 1 if the strongest attack on an artefact has an AUC "
            "whose interval lies above this, such as 0.6; 0.5: if any leak is "
            "found",
            allow_overwrite=False,
        )
        flags.DEFINE_string(
            "fail_if_tpr_above",
            None,
            "RATE@FPR, such as 0.05@0.01: likewise for its TPR at 1 % FPR; "
            "FPR is one of 0.1, 0.01, 0.001, 0.0001",
            allow_overwrite=False,
        )
        flags.DEFINE_string(
            "fail_if_cannot_detect",
            None,
            "exit status 3 if a leak of this AUC, such as 0.55, would have "
            "been missed more often than in one audit of five",
            allow_overwrite=False,
        )


def limits():
    """Returns the limits of gates.judge that flags give.

    Raises: InputError if one is not a limit; so read them before the work.
    """
    names = ("auc_above", "tpr_above", "cannot_detect")
    texts = [value(f"fail_if_{name}") for name in names]
    if not any(texts):
        return dict.fromkeys(names)
    from qmia_tf.auditing import leak_limits

    readers = (
        leak_limits.parse_auc,
        leak_limits.parse_tpr,
        leak_limits.parse_detectable,
    )
    read_limits = [
        read(text) for read, text in zip(readers, texts, strict=True)
    ]
    return dict(zip(names, read_limits, strict=True))


def end_program(judged):
    """Exits with status 1 or 3 if a limit failed or was not judged.

    Each limit has a line: on stdout if it passed, else on stderr.

    Args:
        judged: list of GateResult.
    """
    from qmia_tf.report import gates

    for result in judged:
        stream = sys.stdout if result.outcome == gates.PASSED else sys.stderr
        print(
            f"{result.outcome}: {result.target}: {result.limit}: "
            f"{result.measured}",
            file=stream,
        )
    if gates.status(judged):
        sys.exit(gates.status(judged))
