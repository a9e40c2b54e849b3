"""Ctrl-C during training ends the run between two batches."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import lightning as L


class Interruption(L.Callback):
    """Raises KeyboardInterrupt at the end of the batch during which Ctrl-C came.

    Raised anywhere else it could be lost in a callback from C code, or leave a lock of a library taken (Python's
    `Condition` does so between taking its lock and returning), and the end of the run would wait for that lock forever.
    """

    def __init__(self) -> None:
        self.came = False
        """Whether Ctrl-C came."""

    def on_train_batch_end(self, *_: Any) -> None:
        self._stop()

    def on_validation_batch_end(self, *_: Any) -> None:
        self._stop()

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Wait for Ctrl-C within the block; the second one is raised at once, and the handler before is put back.

        An error of the block after Ctrl-C is its consequence: Lightning turns the interrupt into SystemExit, and a data
        loader fails whose processes got the signal too.

        Raises:
            KeyboardInterrupt: at the end of the block at the latest, if Ctrl-C came.
        """
        if threading.current_thread() is not threading.main_thread():
            yield  # signals are handled in the main thread only
            return
        before = signal.signal(signal.SIGINT, self._note)
        try:
            yield
        except (Exception, SystemExit) as error:
            if self.came:
                raise KeyboardInterrupt from error
            raise
        finally:
            signal.signal(signal.SIGINT, before or signal.SIG_DFL)
        self._stop()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            signal.default_int_handler(number, frame)
        self.came = True

    def _stop(self) -> None:
        if self.came:
            raise KeyboardInterrupt
