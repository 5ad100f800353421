"""`qmia export_data` in a checkout: qmia_tf/programs/export_data.py."""

from qmia_tf.programs import program

if __name__ == "__main__":
    program.run("export_data")
