"""What every program shares: errors without tracebacks, an exit status.

Exit status of every program:

    0    done; --help too
    1    done, and what was found is beyond a limit: --fail_if_auc_above or
         --fail_if_tpr_above (audit.py, attack.py), codes that differ
         (parity.py), files that are not what they were (make_tflite_models.py
         --check); what was found is on stderr
    2    nothing, or not all, was done: a flag, file or value that cannot be
         used; the last line on stderr begins with "error:" and says what to do
    3    done, but a limit could not be judged: too few records, a check that
         failed, or a leak of --fail_if_cannot_detect that would have been
         missed
    70   a defect of the program, which leaves a traceback
    130  stopped with Ctrl-C; the same command goes on

Results go to stdout, bars and errors to stderr.
--quiet leaves out bars and lines of progress, and nothing else. Without it,
what takes longer than two seconds says so: with a bar in terminals, else with
a line on stderr now and then.
"""

import errno
import importlib
import os
import sys
import traceback
import types

from qmia_tf import extras, onednn, terminal
from qmia_tf.errors import InputError, options_as_flags

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
USER_OS_ERRORS = (
    *NO_SPACE,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
)


def load(name) -> types.ModuleType:
    """Imports a program of this package; that defines no flag.

    Args:
        name: of its module, such as "audit".
    """
    return importlib.import_module(f"qmia_tf.programs.{name}")


def run(program, argv=None):
    """Runs a program as an absl program.

    An InputError, or a file-system error that a user can mend, is printed on
    one line. Any other exception is a defect and keeps its traceback. The
    exit status is as above.

    Args:
        program: a module with main(argv), and define_flags() if it has flags,
            or the name of one of this package.
        argv: the command: what the program is called, and its flags; None
            takes sys.argv.
    """
    from absl import app

    open_closed_streams()
    if isinstance(program, str):
        program = load(program)
    app.run(
        lambda left: guarded(program.main, left),
        argv=argv,
        flags_parser=lambda argv: parse(program, argv),
    )


def parse(program, argv) -> list[str]:
    """Defines a program's flags and reads them.

    Ends the process for --help, and with status 2 for a wrong flag.

    Args:
        program: module, as of run.
        argv: as of run.
    Returns: what is no flag, the program's name first.
    """
    from absl import flags

    from qmia_tf.programs import flag_help

    flag_help.define(program)
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        # "flag --count=x: ..." and "Unknown command line flag 'coumt'. ...".
        stop(f"{error} (--help lists the flags)")
    # Of --help, whose reader (`| head`) may have seen enough.
    except SystemExit:
        _require_results()
        raise
    except BrokenPipeError:
        _require_results()
        sys.exit(0)
    except OSError as error:
        stop(f"cannot write to stdout: {error.strerror}")


def guarded(main, argv):
    """Runs main(argv); errors and exit status are as above."""
    from absl import flags, logging

    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    is_silent = flags.FLAGS["verbosity"].value < logging.WARNING
    if is_silent or ("quiet" in flags.FLAGS and flags.FLAGS["quiet"].value):
        terminal.be_quiet()
    # Before anything that the program calls can import TensorFlow.
    onednn.prefer()
    if len(argv) > 1:
        stop(f"unexpected argument {argv[1]!r}: every option is a --flag")
    try:
        with options_as_flags():
            main(argv)
        sys.stdout.flush()
    except SystemExit:
        _require_results()
        raise
    except InputError as error:
        stop(str(error))
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; nothing is wrong.
        _require_results()
    except OSError as error:
        _require_results()
        if error.errno not in USER_OS_ERRORS:
            _end_as_defect()
        where = error.filename
        if where is None and error.errno in NO_SPACE:
            where = "stdout, or a temporary file"
        stop(f"{error.strerror} ({where})" if where else error.strerror)
    except KeyboardInterrupt:
        print("stopped; run the same command to go on", file=sys.stderr)
        sys.exit(130)
    except ModuleNotFoundError as error:
        missing = extras.of_import(error, "this command")
        if missing is None:
            _end_as_defect()
        stop(str(missing))
    except Exception:
        _end_as_defect()


def open_closed_streams():
    """Turns streams that are closed (`>&-`) into ones that swallow.

    Else the next file that is opened would be taken for stdout.
    """
    while True:
        opened = os.open(os.devnull, os.O_RDWR)
        if opened > 2:
            os.close(opened)
            break
        os.set_inheritable(opened, True)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))


def _require_results():
    """Ends the program if what it printed has no place, as on a full disk."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # What is still in the buffer would fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            stop(
                f"cannot write to stdout: {error.strerror}: give it another "
                "place and run the same command again"
            )


def _end_as_defect():
    # Python's own status, 1, is that of a limit.
    traceback.print_exc()
    sys.exit(70)


def stop(message):
    """Ends the process with one line on stderr and status 2."""
    line = " ".join(part.strip() for part in message.splitlines())
    print(f"error: {line}", file=sys.stderr)
    sys.exit(2)
