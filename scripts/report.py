"""`qmia report` in a checkout: qmia_tf/programs/report.py."""

from qmia_tf.programs import program

if __name__ == "__main__":
    program.run("report")
