"""`qmia quickstart` in a checkout: qmia_tf/programs/quickstart.py."""

from qmia_tf.programs import program

if __name__ == "__main__":
    program.run("quickstart")
