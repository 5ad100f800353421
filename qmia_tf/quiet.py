"""Keeps what TensorFlow's C++ side writes away from the terminal."""

import contextlib
import os
import sys
import tempfile

from qmia_tf import extras, onednn, terminal


@contextlib.contextmanager
def without_messages(*, show_if_it_fails):
    """Turns away what libraries write to file descriptor 2 meanwhile.

    TensorFlow's C++ side writes there whatever its log levels say.

    Args:
        show_if_it_fails: writes it after all if the block raises.
    """
    with tempfile.TemporaryFile() as written:
        terminal = os.dup(2)
        os.dup2(written.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            if failed and show_if_it_fails:
                written.seek(0)
                sys.stderr.write(written.read().decode(errors="replace"))


def start_tensorflow():
    """Imports TensorFlow and finds its devices without start-up messages.

    If the import fails they are shown. oneDNN is asked for, see onednn.py.
    What keras.json says of types and image formats does not count: a program's
    models are float32 and channels_last, as their files say.

    Raises: InputError if it is not installed.
    """
    extras.require("tensorflow", "this command")
    onednn.prefer()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with (
        terminal.working("starting TensorFlow"),
        without_messages(show_if_it_fails=True),
    ):
        import tensorflow as tf

        tf.config.list_physical_devices()
    # TensorFlow has imported it.
    keras = sys.modules.get("keras")
    if keras is not None:
        keras.config.set_floatx("float32")
        keras.config.set_image_data_format("channels_last")
