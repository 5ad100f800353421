"""`qmia edge` in a checkout: qmia_tf/programs/evaluate_edge.py."""

from qmia_tf.programs import program

if __name__ == "__main__":
    program.run("evaluate_edge")
