"""`qmia compare` in a checkout: qmia_tf/programs/compare.py."""

from qmia_tf.programs import program

if __name__ == "__main__":
    program.run("compare")
