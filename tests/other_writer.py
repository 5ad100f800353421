"""Another writer, as a second process would be, in a thread."""

import contextlib
import threading

from qmia_tf import locks


@contextlib.contextmanager
def writing(product):
    """Holds the lock of a product in another thread meanwhile."""
    held, done = threading.Event(), threading.Event()

    def hold():
        with locks.writing(product):
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        yield
    finally:
        done.set()
        thread.join()
