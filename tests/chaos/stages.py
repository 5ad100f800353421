"""The stages that are killed: programs on small models, one after another.

Each runs in a folder of its own, in which all paths are relative, so that two
folders hold the same names. Its network has two blocks.
"""

import dataclasses
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A program of scripts/ with a network of two blocks.
SHORT = """
import runpy, sys
from qmia_tf import quiet
quiet.start_tensorflow()
import tiny_models
sys.argv = sys.argv[1:]
with tiny_models.short_resnet():
    runpy.run_path(sys.argv[0], run_name="__main__")
"""
RECORDS = 200


@dataclasses.dataclass(frozen=True)
class Stage:
    """One program.

    Attributes:
        program: its name in scripts/.
        flags: its flags.
        needs: the stages before it.
        timed: patterns of files that show times, which are not compared.
        is_light: it builds no model.
    """

    program: str
    flags: tuple[str, ...]
    needs: tuple[str, ...] = ()
    timed: tuple[str, ...] = ()
    is_light: bool = False

    @property
    def command(self) -> list[str]:
        """What is run."""
        start = [] if self.is_light else ["-c", SHORT]
        script = ROOT / "scripts" / f"{self.program}.py"
        return [sys.executable, *start, str(script), *self.flags]


# In the order in which they are run.
STAGES = {
    "train": Stage(
        "train",
        (
            *("--run_dir=run", "--dataset=digits", "--recipe=digits"),
            *("--width=4", "--epochs=6", "--keep_every=2"),
            *("--weight_bits=4", "--activation_bits=4"),
        ),
    ),
    "export": Stage(
        "export",
        ("--run_dir=run", "--schemes=float32,int8"),
        needs=("train",),
    ),
    "references": Stage(
        "train_references", ("--run_dir=run", "--count=2"), needs=("train",)
    ),
    "attack": Stage(
        "attack",
        (
            *("--run_dir=run", "--label_only_records=50"),
            "--tfprivacy=threshold",
        ),
        needs=("train", "export", "references"),
    ),
    "report": Stage(
        "report",
        ("--run_dirs=run", "--out=report"),
        needs=("train", "export", "references", "attack"),
        is_light=True,
    ),
    "audit": Stage(
        "audit",
        (
            *("--model=run/artifacts/float32.tflite", "--input_range=0..1"),
            "--out=audit",
            *("--members=members.npz", "--nonmembers=nonmembers.npz"),
            *("--label_only_records=50", "--tfprivacy=off"),
        ),
        needs=("train", "export"),
        timed=("audit/report/*",),
        is_light=True,
    ),
    "reproduce": Stage(
        "reproduce",
        (
            *("--dataset=digits", "--quick", "--seeds=0", "--out=paper"),
            *("--regimes=plain", "--models=w32a32"),
        ),
        timed=("**/timing.json", "**/report.*", "**/tables/times.*"),
    ),
}


def with_needed(names) -> list[str]:
    """The stages and those that they need, in order."""
    wanted = set(names)
    for name in names:
        wanted.update(STAGES[name].needs)
    return [name for name in STAGES if name in wanted]


def prepare(folder: pathlib.Path) -> None:
    """Makes what is there before all stages: records to audit."""
    from qmia_tf.data import loaders

    folder.mkdir(parents=True)
    digits = loaders.load("digits")
    for number, name in enumerate(("members", "nonmembers")):
        part = slice(number * RECORDS, (number + 1) * RECORDS)
        np.savez(
            folder / f"{name}.npz",
            images=digits.images[part],
            labels=digits.labels[part],
        )
