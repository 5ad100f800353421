"""`qmia demo` in a checkout: qmia_tf/programs/demo.py."""

from qmia_tf.programs import program

if __name__ == "__main__":
    program.run("demo")
