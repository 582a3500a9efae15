"""Progress from rank 0 to the driver: one JSON line per event in a file that both can see."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm


class EventWriter:
    """Appends events to a file, steps at most twice a second."""

    def __init__(self, path: str | Path) -> None:
        """Open `path` for appending."""
        self.file = Path(path).open("a", buffering=1)  # noqa: SIM115 - closed by __exit__
        self.last = 0.0

    def __call__(self, event: dict[str, Any]) -> None:
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

    def new(self) -> Iterator[dict[str, Any]]:
        """Yield the whole lines that came since."""
        if not self.path.exists():
            return
        with self.path.open() as file:
            file.seek(self.position)
            while (line := file.readline()).endswith("\n"):
                self.position = file.tell()
                yield json.loads(line)


_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} steps [{elapsed}{postfix}]"


class ProgressBar:
    """A bar per epoch with loss and rows/s, then a line with the epoch's validation metrics."""

    def __init__(self) -> None:
        """Show nothing before the first event."""
        self.bar: tqdm | None = None

    def __call__(self, event: dict[str, Any]) -> None:
        """Show one event."""
        if event["event"] == "resume":
            tqdm.write(f"resuming after epoch {event['epoch']}")
        elif event["event"] == "step":
            self._step(event)
        elif event["event"] == "epoch":
            self._epoch(event)

    def close(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _step(self, event: dict[str, Any]) -> None:
        if self.bar is None:
            self.bar = tqdm(
                desc=f"epoch {event['epoch']}",
                total=event["steps"],
                leave=False,
                mininterval=0,
                bar_format=_BAR,
                disable=None,  # a log gets the lines of the epochs alone
            )
        self.bar.n = event["step"]
        self.bar.set_postfix_str(
            f"loss {event['loss']:.4f}, {event['rows_per_second']:,.0f} rows/s", refresh=True
        )

    def _epoch(self, event: dict[str, Any]) -> None:
        self.close()
        validation = event["validation"]
        shares = " ".join(f"{part:.0%}" for part in event["sdn_share"] or [])
        tqdm.write(
            f"epoch {event['epoch']:>3}/{event['epochs']}  loss {event['loss']:.4f}  "
            f"val Norm-GINI {validation['normalized_gini']:.4f}  "
            f"totals {validation['total_ratio']:.3f}  "
            f"{event['rows_per_second']:>8,.0f} rows/s"
            f"{'  rows per SDN ' + shares if shares else ''}"
            f"{_at_bounds(validation)}"
        )


def _at_bounds(validation: dict[str, float]) -> str:
    """The shares of rows at a bound of mu or sigma, where they are more than 1%."""
    return "".join(
        f"  {name} at a bound {share:.0%}"
        for name in ("mu", "sigma")
        if (share := validation.get(f"at_{name}_bound", 0.0)) > 0.01
    )
