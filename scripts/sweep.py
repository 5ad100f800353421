"""`qmia sweep` in a checkout: qmia_tf/programs/sweep.py."""

from qmia_tf.programs import program

if __name__ == "__main__":
    program.run("sweep")
