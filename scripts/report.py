"""Compares audited runs on a page, in tables and in figures.

    python scripts/report.py --run_dirs=runs/full,runs/w4a4 --out=report
    python scripts/report.py --run_dirs=runs/full --out=report --format=csv,json

Reads audit.json of each run (scripts/attack.py and scripts/audit.py make
it). Prints the verdict in words (of several runs a line an artefact); the
paper's tables 1 and 2; one row an artefact: what it is, what it gives away,
and its change against the full-precision Keras model; how far outputs
of artefacts agree; and warnings where numbers do not compare. Writes report.txt
and, as --format says: report.html, one page with everything in it, to open,
print or send; figures (png, svg); tables (csv, latex, parquet); the whole as
report.md and report.json (md, json). Takes some seconds a data set, most of
them for figures.
"""

from absl import flags

from qmia_tf.programs import checkout, program

RUN_DIRS = flags.DEFINE_list(
    "run_dirs", None, "Run directories, separated by commas.", required=True
)
OUT = flags.DEFINE_string("out", None, "Where to write.", required=True)
FORMAT = flags.DEFINE_list(
    "format",
    ["html", "png", "svg", "csv", "latex"],
    "What to write beside report.txt: any of html, png, svg, csv, latex, md, "
    "json, parquet (the tables of csv; needs pyarrow).",
)
MAX_DROP = flags.DEFINE_float(
    "max_drop",
    5.0,
    "Points of nonmember accuracy that a model may be below its "
    "full-precision sibling without a warning.",
)


def main(argv):
    """Writes the report and prints its tables."""
    del argv
    from qmia_tf.report import make_report

    paper = checkout.load_if_there(__file__, "paper.paper_numbers")
    paths = make_report(
        RUN_DIRS.value,
        OUT.value,
        max_drop=MAX_DROP.value,
        formats=FORMAT.value,
        published=paper and paper.PAPER,
    )
    print(paths[0].read_text())
    print(f"{len(paths)} files in {OUT.value}:")
    for path in paths:
        print(f"  {path.name}")


if __name__ == "__main__":
    program.run(main)
