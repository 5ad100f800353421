"""`qmia parity` in a checkout: qmia_tf/programs/parity.py."""

from qmia_tf.programs import program

if __name__ == "__main__":
    program.run("parity")
