"""Carries rank 0's progress to the process that launched it: a file with one JSON event a line."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from optdist.log import LOG

Event = dict[str, Any]  # {"event": "step" | "epoch" | "resume" | "restart" | ...}
OnEvent = Callable[[Event], None]
_POLL_SECONDS = 0.3


class EventWriter:
    """Appends events to a file, steps at most twice a second."""

    def __init__(self, path: str | Path) -> None:
        """Open `path` for appending."""
        self.file = Path(path).open("a", buffering=1)  # noqa: SIM115 - closed by __exit__
        self.last = 0.0

    def __call__(self, event: Event) -> None:
        """Write one event."""
        now = time.monotonic()
        if event["event"] == "step" and now - self.last < 0.5:
            return
        self.last = now
        self.file.write(json.dumps(event) + "\n")

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.file.close()


class EventReader:
    """Reads the events that were appended since the last call."""

    def __init__(self, path: Path) -> None:
        """Start at the file's beginning; the file need not exist yet."""
        self.path, self.position = path, 0

    def new(self) -> Iterator[Event]:
        """Yield the whole lines that came since."""
        if not self.path.exists():
            return
        with self.path.open() as file:
            file.seek(self.position)
            while (line := file.readline()).endswith("\n"):
                self.position = file.tell()
                yield json.loads(line)


def tolerate_errors(on_event: OnEvent) -> OnEvent:
    """Wrap `on_event` so that its errors do not stop training; the first one is printed."""
    failed = False

    def call(event: Event) -> None:
        nonlocal failed
        try:
            on_event(event)
        except Exception as error:  # its text may contain the password of a store's URI
            if not failed:
                LOG.warning(
                    f"progress was not logged ({type(error).__name__}). Training "
                    f"continues; what is missing is logged at its end."
                )
            failed = True

    return call


@contextmanager
def following(path: Path, on_event: OnEvent) -> Iterator[None]:
    """Pass on the events that are written to `path` while the block runs."""
    reader, call, done = EventReader(path), tolerate_errors(on_event), threading.Event()

    def pass_on() -> None:
        for event in reader.new():
            call(event)

    def follow() -> None:
        while not done.wait(_POLL_SECONDS):
            pass_on()
        pass_on()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
