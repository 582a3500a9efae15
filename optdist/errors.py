"""Defines the errors that a user can fix: each message says what was found and what to do.

A job that ends with one exits with the `exit_code` of its class: docs/operations.md has the list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self


class OptDistError(Exception):
    """Base of every error that a job prints as one line before it exits non-zero."""

    exit_code: int = 3
    facts: Mapping[str, Any] | None = None  # what the job made all the same, for its result file

    def with_text(self, change: Callable[[str], str]) -> Self:
        """The same error with its text changed."""
        return type(self)(change(str(self)))


class ConfigError(OptDistError):
    """A configuration that cannot be used; the message lists every problem found."""

    exit_code = 2


class DataError(OptDistError):
    """A table, file or split that is missing, damaged or too dirty to use."""

    exit_code = 3

    def followed_by(self, sentence: str) -> Self:
        """The same error with one more sentence at its end."""
        return type(self)(f"{self} {sentence}".strip())


class CheckError(DataError):
    """Data or scores that a check stops; the message has every check that failed."""

    def __init__(self, reasons: Sequence[str], otherwise: str) -> None:
        """Build the message.

        Args:
            reasons: why checks failed, each with the value found and the value allowed.
            otherwise: a sentence that says what did not happen, and what to do.
        """
        self.reasons, self.otherwise = list(reasons), otherwise
        super().__init__(f"{'; '.join(reasons)}. {otherwise}".strip())

    def with_text(self, change: Callable[[str], str]) -> Self:
        """The same error with its text changed."""
        return type(self)([change(reason) for reason in self.reasons], change(self.otherwise))

    def followed_by(self, sentence: str) -> Self:
        """The same error with one more sentence at its end."""
        return type(self)(self.reasons, f"{self.otherwise} {sentence}".strip())


class GateError(CheckError):
    """Scores that the gate keeps from being published; the last good ones stay."""

    exit_code = 4


class BusyError(OptDistError):
    """A folder that another job is working on."""

    exit_code = 5


class AlarmError(CheckError):
    """Past scores that turned out outside the limits of a backtest; its figures are written."""

    exit_code = 10


class TrainingError(OptDistError):
    """A training run that must not go on: ranks disagree, rows are missing, weights diverged."""

    exit_code = 6


class ModelError(OptDistError):
    """A model package or registry entry that is missing or does not fit the data."""

    exit_code = 8


class StoreError(ModelError):
    """The MLflow store or registry cannot be reached, read or written."""

    exit_code = 7


class DiskError(OptDistError):
    """No space to write, or no right to."""

    exit_code = 9
