"""`qmia export` in a checkout: qmia_tf/programs/export.py."""

from qmia_tf.programs import program

if __name__ == "__main__":
    program.run("export")
