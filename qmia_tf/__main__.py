"""`python -m qmia_tf COMMAND` is `qmia COMMAND`."""

from qmia_tf import cli

if __name__ == "__main__":
    cli.main()
