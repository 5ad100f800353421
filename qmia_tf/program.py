"""What every script shares: a quiet start, errors without tracebacks.

Exit status of every script:

    0    done; --help too
    1    done, and what was found is beyond a limit: --fail_if_auc_above or
         --fail_if_tpr_above (audit.py, attack.py), codes that differ
         (parity.py), files that are not what they were (make_tflite_models.py
         --check); what was found is on stderr
    2    nothing, or not all, was done: a flag, file or value that cannot be
         used; one line on stderr begins with "error:" and says what to do
    3    done, but a limit could not be judged: too few records, a check that
         failed, or a leak of --fail_if_cannot_detect that would have been
         missed
    70   a defect of the program, which leaves a traceback
    130  stopped with Ctrl-C; the same command goes on

Results go to stdout. Bars and errors go to stderr, bars only in terminals.
--verbosity=-2 leaves out bars and lines of progress, and nothing else.
"""

import contextlib
import errno
import os
import sys
import tempfile
import traceback

from qmia_tf import onednn
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


@contextlib.contextmanager
def without_messages(*, show_if_it_fails):
    """Turns away what libraries write to file descriptor 2 meanwhile.

    TensorFlow's C++ side writes there whatever its log levels say.

    Args:
        show_if_it_fails: writes it after all if the block raises.
    """
    with tempfile.TemporaryFile() as messages:
        terminal = os.dup(2)
        os.dup2(messages.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            if failed and show_if_it_fails:
                messages.seek(0)
                sys.stderr.write(messages.read().decode(errors="replace"))


def start_tensorflow():
    """Imports TensorFlow and finds its devices without start-up messages.

    If the import fails they are shown. oneDNN is asked for, see onednn.py.
    """
    onednn.prefer()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    from qmia_tf import messages

    with (
        messages.working("starting TensorFlow"),
        without_messages(show_if_it_fails=True),
    ):
        import tensorflow as tf

        tf.config.list_physical_devices()


def end_at_gates(result):
    """Ends the program by what limits said: status 1, 3 or on it goes.

    Each limit has a line: on stdout if it passed, else on stderr.

    Args:
        result: findings.AuditResult, with its gates.
    """
    from qmia_tf.report import gates

    for each in result.gates:
        stream = sys.stdout if each.outcome == gates.PASSED else sys.stderr
        print(
            f"{each.outcome}: {each.target}: {each.limit}: {each.found}",
            file=stream,
        )
    if gates.status(result.gates):
        sys.exit(gates.status(result.gates))


def run(main):
    """Runs main(argv) as an absl program.

    An InputError, or a file-system error that a user can mend, is printed on
    one line. Any other exception is a defect and keeps its traceback. The
    exit status is as above.

    Args:
        main: callable that takes the arguments absl's flags left over.
    """
    from absl import app

    app.run(lambda argv: _guarded(main, argv), flags_parser=_parse)


def _parse(argv):
    """Reads the flags; absl itself ends with status 1, help or mistake."""
    from absl import app, flags

    app.define_help_flags()
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        # "flag --count=x: ..." and "Unknown command line flag 'coumt'. ...".
        _stop(f"{error} (--help lists the flags)")
    except SystemExit:
        sys.exit(0)


def _guarded(main, argv):
    from absl import flags, logging

    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    # Before anything that the program calls can import TensorFlow.
    onednn.prefer()
    if len(argv) > 1:
        _stop(f"unexpected argument {argv[1]!r}: every option is a --flag")
    try:
        main(argv)
    except InputError as error:
        _stop(str(error))
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.errno not in USER_OS_ERRORS:
            _end_as_defect()
        where = f" ({error.filename})" if error.filename else ""
        _stop(f"{error.strerror}{where}")
    except KeyboardInterrupt:
        print("stopped; run the same command to go on", file=sys.stderr)
        sys.exit(130)
    except Exception:
        _end_as_defect()


def _end_as_defect():
    # Python's own status, 1, is that of a limit.
    traceback.print_exc()
    sys.exit(70)


def _stop(message):
    line = " ".join(part.strip() for part in message.splitlines())
    print(f"error: {line}", file=sys.stderr)
    sys.exit(2)
