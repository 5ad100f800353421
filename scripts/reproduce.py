"""Reproduces the paper, and tests its claim harder.

    python scripts/reproduce.py --dataset=all --seeds=0,1,2
    python scripts/reproduce.py --dataset=cifar10 --seeds=0 --plan
    python scripts/reproduce.py --dataset=digits --seeds=0 --quick
    python scripts/reproduce.py --only_report

Prints the plan: one line a run, what of it is done, what is to do and about
how long that takes. Then goes through the runs, OUT/DATASET/REGIME/MODEL-seedK,
one stage after another: train, export, parity, attack, and a sweep over kept
epochs for the leak at equal accuracy. Killed and started again it goes on.
The small files of each run go to --results, and tables/, figures/,
commands.md and the generated parts of --pages are made from them. The paper's
recipe where it speaks; a regime says what it leaves open (augmented or plain,
then perhaps -imagenet, -cifar, -sgd, -adam, -epochsN, -widthN, -batchN; and
choices: augmented with Adam, with twice the epochs, and with the other stem).
On two cores 10 to 25 minutes a model for training, as long again for what
follows; --quick takes a minute or two.
"""

from absl import flags

from qmia_tf import quiet
from qmia_tf.programs import checkout, options, program

DATASET = flags.DEFINE_list(
    "dataset", ["all"], "cifar10, fashion_mnist, all (both), or digits"
)
SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "also draw the members")
REGIMES = flags.DEFINE_list(
    "regimes", ["augmented", "plain"], "what the paper leaves open"
)
MODELS = flags.DEFINE_list(
    "models",
    [],
    "w32a32, w4a4, w16a4, w16a16, w2a2, w8a8, w32a32_clip; default: all of "
    "them for seed 0, for other seeds w32a32, w4a4 and w16a16",
)
STEM = flags.DEFINE_enum(
    "stem", None, ["imagenet", "cifar"], "added to every regime"
)
QUICK = flags.DEFINE_boolean(
    "quick", False, "few records, a narrow network and few epochs"
)
PLAN = flags.DEFINE_boolean("plan", False, "print the plan and stop")
ONLY_TRAINED = flags.DEFINE_boolean(
    "only_trained", False, "leave out runs that are not trained yet"
)
SKIP_STORED = flags.DEFINE_boolean(
    "skip_stored",
    False,
    "leave out runs whose results are complete, wherever they ran; others "
    "are compared with the stored results of full precision",
)
ONLY_REPORT = flags.DEFINE_boolean(
    "only_report", False, "tables, figures and page from stored results"
)
SWEEP = flags.DEFINE_integer(
    "sweep",
    None,
    "kept epochs of a full-precision run to query, at most; default: all",
    lower_bound=2,
)
OUT = flags.DEFINE_string(
    "out", None, "folder of the runs; default runs/paper, quick: runs/quick"
)
RESULTS = flags.DEFINE_string(
    "results", None, "default paper/results; quick: results below --out"
)
PAGES = flags.DEFINE_list(
    "pages",
    None,
    "Markdown files with generated parts; default docs/findings.md and "
    "docs/reproduction.md, quick: none",
)
REPORT = flags.DEFINE_boolean(
    "report", True, "make report.html of each data set and regime"
)
options.define_data_place()


def main(argv):
    """Reproduces as the flags say."""
    del argv
    seeds = options.integers("seeds", least=0)
    if not ONLY_REPORT.value:
        quiet.start_tensorflow()
    workflow = checkout.load(__file__, "paper.workflow")
    pages = ["docs/findings.md", "docs/reproduction.md"]
    usual = [] if QUICK.value else pages
    paths = workflow.reproduce(
        DATASET.value,
        seeds=seeds,
        regimes=REGIMES.value,
        models=MODELS.value,
        stem=STEM.value,
        quick=QUICK.value,
        plan=PLAN.value,
        only_trained=ONLY_TRAINED.value,
        skip_stored=SKIP_STORED.value,
        only_report=ONLY_REPORT.value,
        sweep=SWEEP.value,
        out=OUT.value,
        results=RESULTS.value,
        pages=usual if PAGES.value is None else PAGES.value,
        report=REPORT.value,
        data_dir=options.value("data_dir"),
        download=options.value("download"),
    )
    for path in paths:
        print(path)


if __name__ == "__main__":
    program.run(main)
