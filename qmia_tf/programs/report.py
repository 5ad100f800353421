"""Compares audited runs on a page, in tables and in figures.

    qmia report --run_dirs=runs/full,runs/w4a4 --out=report
    qmia report --run_dirs=runs/full --out=report --format=csv,json

Reads audit.json of each run, which qmia attack and qmia audit make. Prints

- the verdict in words, of several runs a line an artefact;
- the paper's tables 1 and 2;
- one row an artefact: what it is, what it gives away, and its change against
  the full-precision Keras model;
- how far outputs of artefacts agree;
- warnings where numbers do not compare.

Writes report.txt, and what --format names:

- html is one page with everything in it, to open, print or send;
- summary is the page's answer for programs: summary.json, junit.xml for a
  pipeline, summary.md for a pull request;
- png and svg are figures; csv, latex and parquet are tables;
- md and json are the whole.

Takes some seconds a data set, most of them for figures.
"""

from absl import flags

from qmia_tf.programs import checkout, flag_values
from qmia_tf.run_dir import require_audit

FLAGS = flags.FLAGS


def define_flags():
    """Defines the flags."""
    flags.DEFINE_list("run_dirs", [], "run directories")
    flags.DEFINE_string("out", None, "where to write")
    flags.DEFINE_list(
        "format",
        ["html", "summary", "png", "svg", "csv", "latex"],
        "what to write beside report.txt: any of html, summary, png, svg, csv, "
        "latex, md, json, parquet (the tables of csv; needs pyarrow)",
    )
    flags.DEFINE_string(
        "name", None, "what the report is called; default: the audit's name"
    )
    flags.DEFINE_float(
        "max_drop",
        5.0,
        "points of nonmember accuracy that a model may be below its "
        "full-precision sibling without a warning",
    )


def main(argv):
    """Writes the report and prints its tables."""
    del argv
    run_dirs, out = map(flag_values.required, ("run_dirs", "out"))
    from qmia_tf.report import report_formats

    report_formats.check(FLAGS.format)
    for run_dir in run_dirs:
        require_audit(run_dir)
    from qmia_tf.report import make_report

    paper = checkout.load_if_there("paper.paper_numbers")
    paths = make_report(
        run_dirs,
        out,
        name=FLAGS.name,
        max_drop=FLAGS.max_drop,
        formats=FLAGS.format,
        published=paper and paper.PAPER,
    )
    print(paths[0].read_text())
    print(f"{len(paths)} files in {out}:")
    for path in paths:
        print(f"  {path.name}")
