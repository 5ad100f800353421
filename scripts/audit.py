"""`qmia audit` in a checkout: qmia_tf/programs/audit.py."""

from qmia_tf.programs import program

if __name__ == "__main__":
    program.run("audit")
