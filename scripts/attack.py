"""`qmia attack` in a checkout: qmia_tf/programs/attack.py."""

from qmia_tf.programs import program

if __name__ == "__main__":
    program.run("attack")
