"""Scores several dates in one session: each has an outcome of its own, and one that fails is left.

Published dates are skipped, or scored again with the model and the input that they have kept.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from optdist.config.secrets import hide_secrets
from optdist.errors import BusyError, ConfigError, DiskError, OptDistError, StoreError
from optdist.layout import ScoresFolder
from optdist.log import LOG, lines_of_date
from pipelines.running.failures import BUG, explain
from pipelines.running.stopping import Stopped
from pipelines.scoring.manifest import HorizonScores, ScoresManifest, read_manifest

# From the least to the worst: what a retry may mend, what one date has, what all dates share.
_SEVERITY = [0, BusyError.exit_code, 4, 3, 6, 8, ConfigError.exit_code, 7, 9, BUG]
_SHARED = {ConfigError.exit_code, StoreError.exit_code, DiskError.exit_code}


class DateOutcome(BaseModel):
    """What became of one date."""

    run_date: dt.date
    status: Literal["published", "skipped", "failed", "not tried"]
    exit_code: int = 0
    error: str | None = None
    checks: list[str] = []
    path: str | None = None
    rows: int | None = None
    total_predicted: float | None = None
    model_version: str | None = None
    horizons: list[HorizonScores] = []
    checksum: str | None = None
    replaced: str | None = None  # the checksum of other rows that were published before
    seconds: float = 0.0


class DatesError(OptDistError):
    """Dates that were not published; the exit code is that of the worst."""

    def __init__(self, outcomes: Sequence[DateOutcome]) -> None:
        """Name the dates and keep every outcome for the result file."""
        bad = [outcome for outcome in outcomes if outcome.status in {"failed", "not tried"}]
        days = ", ".join(str(outcome.run_date) for outcome in bad[:5])
        more = f" and {len(bad) - 5} more" if bad[5:] else ""
        super().__init__(
            f"{len(bad)} of {len(outcomes)} dates were not published: {days}{more}. The others "
            f"are; the same command tries these again."
        )
        self.exit_code = max((outcome.exit_code for outcome in bad), key=_severity)
        self.reasons = [reason for outcome in bad for reason in outcome.checks]
        self.facts = facts_of(outcomes)

    def with_text(self, change: Callable[[str], str]) -> DatesError:
        """The same error, which has no text of others."""
        return self


def dates_between(first: dt.date, last: dt.date, every: int = 1) -> list[dt.date]:
    """The days from `first` to `last`, both included where the steps meet it.

    Args:
        first: the first day.
        last: the last day, not before `first`.
        every: days from one to the next, >= 1.
    """
    return [first + dt.timedelta(days) for days in range(0, (last - first).days + 1, every)]


def score_dates(
    dates: Sequence[dt.date],
    score: Callable[[dt.date], ScoresManifest],
    scores: ScoresFolder,
    written: dict[str, object],
    *,
    skip_published: bool,
) -> list[DateOutcome]:
    """Score dates one after the other; whatever stops one, the others are scored.

    Only what all dates share, such as a full disk, ends the job where it stops two in a row.

    Args:
        dates: in their order.
        score: scores and publishes one date.
        scores: the data set's scores.
        written: the configuration as written, which names the secrets.
        skip_published: leave published dates as they are.
    """
    outcomes: list[DateOutcome] = []
    for date in dates:
        last = [outcome.exit_code for outcome in outcomes[-2:]]
        if len(last) == 2 and last[0] == last[1] and last[0] in _SHARED:
            code, reason = last[0], "not tried, for the two dates before it failed of the same"
            outcomes.append(
                DateOutcome(run_date=date, status="not tried", exit_code=code, error=reason)
            )
            continue
        started = time.monotonic()
        with lines_of_date(date):
            try:
                outcome = _one_date(date, score, scores, skip_published=skip_published)
            except Stopped as stopped:
                stopped.facts = facts_of(outcomes)
                raise
            except Exception as error:  # the next date may be fine
                outcome = _failed(date, error, scores.path, written)
        outcomes.append(outcome.model_copy(update={"seconds": _since(started)}))
    return outcomes


def _one_date(
    date: dt.date,
    score: Callable[[dt.date], ScoresManifest],
    scores: ScoresFolder,
    *,
    skip_published: bool,
) -> DateOutcome:
    published = read_manifest(scores.date(date)) if skip_published else None
    if published:
        LOG.info(f"{date} is published already: skipped (--rerun scores it again)")
        return outcome_of(published, "skipped")
    return outcome_of(score(date), "published")


def outcome_of(
    manifest: ScoresManifest, status: Literal["published", "skipped"] = "published"
) -> DateOutcome:
    """The outcome of a date that is published."""
    return DateOutcome(
        run_date=dt.date.fromisoformat(manifest.run_date),
        status=status,
        path=manifest.path,
        rows=manifest.rows,
        total_predicted=manifest.total_predicted,
        model_version=manifest.model_version,
        horizons=manifest.horizons,
        checksum=manifest.checksum or None,
        replaced=manifest.replaced or None,
        seconds=manifest.seconds or 0.0,
    )


def _failed(date: dt.date, error: Exception, root: Path, written: dict[str, object]) -> DateOutcome:
    failure = explain(error, root)
    LOG.error(hide_secrets(f"{date}: {failure.message}", written))
    return DateOutcome(
        run_date=date,
        status="failed",
        exit_code=failure.exit_code,
        error=hide_secrets(failure.summary, written),
        checks=[hide_secrets(reason, written) for reason in failure.checks],
    )


def facts_of(outcomes: Sequence[DateOutcome]) -> dict[str, object]:
    """What a job's result file has of the dates: each outcome, and how many of each kind."""
    kinds = ("published", "skipped", "failed", "not tried")
    counts = {kind.replace(" ", "_"): sum(o.status == kind for o in outcomes) for kind in kinds}
    return {**counts, "dates": [outcome.model_dump(mode="json") for outcome in outcomes]}


def _severity(code: int) -> int:
    return _SEVERITY.index(code) if code in _SEVERITY else len(_SEVERITY)


def _since(started: float) -> float:
    return round(time.monotonic() - started, 1)
