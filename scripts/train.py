"""`qmia train` in a checkout: qmia_tf/programs/train.py."""

from qmia_tf.programs import program

if __name__ == "__main__":
    program.run("train")
