"""Says what a job does, as text or as one JSON object a line; warnings and errors go to stderr.

    LOG.info("building features")
    LOG.warning("the join found no partner for 3 rows")

Where nothing else is set up, `LOG` prints text, also in a notebook.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

LOG = logging.getLogger("optdist")
Format = Literal["text", "json"]

_context: dict[str, str] = {}  # of this process, which runs one job
_OWN = {"optdist"}


class _Streams(logging.Handler):
    """Writes to the stdout and stderr of the moment, which a caller may have redirected."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        stream = sys.stderr if record.levelno >= logging.WARNING else sys.stdout
        try:
            stream.write(self.format(record) + "\n")
            stream.flush()
        except Exception:  # as every handler of `logging`: a lost line does not stop a job
            self.handleError(record)


class _Text(logging.Formatter):
    """A line as a terminal shows it."""

    def format(self, record: logging.LogRecord) -> str:
        """The message; a warning says that it is one."""
        message = super().format(record)
        return f"  WARNING: {message}" if record.levelno == logging.WARNING else message


class _Json(logging.Formatter):
    """A JSON object with time, level, job, run, date and message."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        when = dt.datetime.fromtimestamp(record.created, dt.UTC)
        line: dict[str, Any] = {
            "timestamp": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "job": _context.get("job"),
            "run": _context.get("run"),
            "date": _context.get("date"),
            "message": super().format(record).strip(),
        }
        if record.name not in _OWN:
            line["logger"] = record.name
        return json.dumps(line, ensure_ascii=False)


_HANDLER = _Streams()
_HANDLER.setFormatter(_Text())
LOG.setLevel(logging.INFO)
LOG.propagate = False
LOG.addHandler(_HANDLER)


def write_logs_as(form: Format) -> None:
    """Choose the form of the lines; as JSON, also of those that libraries log or warn.

    Args:
        form: `text` or `json`.
    """
    _HANDLER.setFormatter(_Json() if form == "json" else _Text())
    if form == "json":
        logging.captureWarnings(True)
        root = logging.getLogger()
        root.handlers[:] = [_HANDLER]
        root.setLevel(logging.WARNING)


def is_json() -> bool:
    """Whether lines are JSON, so that nothing else may be printed, such as a progress bar."""
    return isinstance(_HANDLER.formatter, _Json)


def describe_lines(**context: str) -> None:
    """Say which job and run the lines of this process are of.

    Args:
        context: `job`, `run` or `date`.
    """
    _context.update(context)


@contextmanager
def lines_of_date(date: dt.date) -> Iterator[None]:
    """Say that the lines of the block are of a scoring date."""
    before = _context.get("date")
    _context["date"] = date.isoformat()
    try:
        yield
    finally:
        if before is None:
            del _context["date"]
        else:
            _context["date"] = before


@contextmanager
def captured_lines() -> Iterator[list[logging.LogRecord]]:
    """Keep the block's lines in a list instead of writing them."""
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    before = LOG.handlers[:]
    LOG.handlers[:] = [Keep()]
    try:
        yield records
    finally:
        LOG.handlers[:] = before
