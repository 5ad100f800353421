"""`qmia risk` in a checkout: qmia_tf/programs/risk.py."""

from qmia_tf.programs import program

if __name__ == "__main__":
    program.run("risk")
