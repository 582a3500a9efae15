"""Collects what a dry run finds: a line for each check, all problems, and what the job takes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from logging import LogRecord
from typing import Any

from optdist.config.secrets import hide_secrets
from optdist.errors import OptDistError
from optdist.log import captured_lines
from pipelines.sources.formats.messages import SPARK_ERRORS, first_line
from pipelines.sources.formats.registry import explain_read_errors

OK, WARNING, PROBLEM, SKIPPED = "ok", "warning", "problem", "not checked"
_BULLET = "\n  - "


@dataclass(frozen=True)
class Line:
    """What one check has found, in a sentence."""

    check: str
    state: str
    sentence: str


@dataclass
class Attempt:
    """A check while it runs, and how it ended."""

    say: Callable[[str], None]
    failed: bool = False


@dataclass
class Report:
    """The lines of a dry run, and its estimates.

    Args:
        job: what would run.
    """

    job: str
    lines: list[Line] = field(default_factory=list)
    estimates: dict[str, str] = field(default_factory=dict)
    written: Mapping[str, Any] = field(default_factory=dict)  # the settings that name secrets

    @property
    def problems(self) -> list[Line]:
        """The lines that would stop the job."""
        return [line for line in self.lines if line.state == PROBLEM]

    def add(self, check: str, state: str, sentence: str) -> None:
        """Add a line.

        Args:
            check: what was looked at.
            state: `OK`, `WARNING`, `PROBLEM` or `SKIPPED`.
            sentence: what was found.
        """
        self.lines.append(Line(check, state, hide_secrets(sentence.strip(), self.written)))

    @contextmanager
    def check(self, name: str, otherwise: str = PROBLEM, about: str = "") -> Iterator[Attempt]:
        """Turn what a block raises, logs and says into lines; the dry run goes on.

        Args:
            name: what is looked at.
            otherwise: the state of what the block raises.
            about: put in front of what is found.
        """
        said: list[str] = []
        attempt = Attempt(said.append)
        records: list[LogRecord] = []
        try:
            with captured_lines() as records, explain_read_errors():
                yield attempt
        except OptDistError as error:
            attempt.failed = True
            self._add_error(name, otherwise, f"{about}{error}")
        except SPARK_ERRORS as error:
            attempt.failed = True
            self._add_error(name, otherwise, f"{about}{first_line(error)}")
        finally:
            for record in records:
                if record.levelno >= logging.WARNING:
                    self.add(name, WARNING, record.getMessage())
                else:
                    said += [line.strip() for line in record.getMessage().splitlines()]
        if not attempt.failed:
            for sentence in said or [""]:
                self.add(name, OK, f"{about}{sentence}" if sentence else "")

    def _add_error(self, name: str, state: str, text: str) -> None:
        """Add a line for an error, or for each of the problems that it lists."""
        title, *problems = text.split(_BULLET)
        for problem in problems or [title]:
            self.add(name, state, problem)

    def estimate(self, what: str, text: str) -> None:
        """Say what the job would take.

        Args:
            what: rows, disk or time.
            text: how much, and where the number comes from.
        """
        self.estimates[what] = text

    def __str__(self) -> str:
        """The table, the estimates, and how many problems there are."""
        widths = [max((len(c) for c in column), default=0) for column in self._columns()]
        rows = [
            f"  {line.check:<{widths[0]}}  {line.state:<{widths[1]}}  {line.sentence}".rstrip()
            for line in self.lines
        ]
        width = max((len(name) for name in self.estimates), default=0)
        estimates = [f"  {name:<{width}}  {text}" for name, text in self.estimates.items()]
        count = len(self.problems)
        end = (
            f"{count} problem{'s' if count > 1 else ''}: the job would stop"
            if count
            else ("no problem found")
        )
        parts = [f"dry run of {self.job}: nothing is written", *rows]
        parts += ["estimates", *estimates] if estimates else []
        return "\n".join([*parts, end])

    def _columns(self) -> tuple[list[str], list[str]]:
        return [line.check for line in self.lines], [line.state for line in self.lines]
