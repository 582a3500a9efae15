"""Sends a rank's signs of life to the process that started it: a byte now and then, in a pipe.

A thread sends `ALIVE` once a second, which a stopped process cannot. `beat` sends `PROGRESS`, which
a rank that waits for another one does not. A process that nobody listens to sends nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

ALIVE, PROGRESS = b".", b"+"
_INTERVAL_SECONDS = 1.0
_ORPHANED = 70  # exit code of a rank whose starter is gone


class Pulse:
    """The sending end of the pipe."""

    def __init__(self) -> None:
        """Send nothing yet."""
        self._descriptor: int | None = None
        self._last, self._busy = 0.0, 0

    def start(self, descriptor: int) -> None:
        """Send `ALIVE` from now on.

        Args:
            descriptor: the pipe's end; once nobody reads the other one, this process ends.
        """
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        threading.Thread(target=self._run, name="pulse", daemon=True).start()

    def beat(self) -> None:
        """Send `PROGRESS`, at most once a second."""
        now = time.monotonic()
        if self._descriptor is not None and now - self._last >= _INTERVAL_SECONDS:
            self._last = now
            self._send(PROGRESS)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Send `PROGRESS` while the block runs, which must not wait for another rank."""
        self._busy += 1
        try:
            self.beat()
            yield
        finally:
            self._busy -= 1

    def _run(self) -> None:
        while True:
            self._send(PROGRESS if self._busy else ALIVE)
            time.sleep(_INTERVAL_SECONDS)

    def _send(self, sign: bytes) -> None:
        if self._descriptor is None:
            return
        try:
            os.write(self._descriptor, sign)
        except BlockingIOError:
            pass  # the pipe is full of signs that nobody has read yet
        except BrokenPipeError:
            os._exit(_ORPHANED)


_OWN = Pulse()  # of this process
start, beat, working = _OWN.start, _OWN.beat, _OWN.working
