"""What every script shares: a quiet start and errors without tracebacks."""

import errno
import os
import sys

from qmia_tf.errors import InputError

USER_OS_ERRORS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
)


def quiet_tensorflow():
    """Keeps TensorFlow's start-up messages off the terminal.

    Works only before TensorFlow is imported. What the user has set in the
    environment is left as it is.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def run(main):
    """Runs main(argv) as an absl program.

    Exit status: 0 when main returns, 2 for an InputError or a file-system
    error that a user can mend (printed on one line), 130 after Ctrl-C. Any
    other exception is a defect and keeps its traceback.

    Args:
        main: callable that takes the arguments absl's flags left over.
    """
    from absl import app

    quiet_tensorflow()
    app.run(lambda argv: _guarded(main, argv))


def _guarded(main, argv):
    if len(argv) > 1:
        _stop(f"unexpected argument {argv[1]!r}: every option is a --flag")
    try:
        main(argv)
    except InputError as error:
        _stop(str(error))
    except OSError as error:
        if error.errno not in USER_OS_ERRORS:
            raise
        where = f" ({error.filename})" if error.filename else ""
        _stop(f"{error.strerror}{where}")
    except KeyboardInterrupt:
        print("stopped; run the same command to go on", file=sys.stderr)
        sys.exit(130)


def _stop(message):
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)
