"""Chooses the dates of a backtest: those asked for, a series, or those that were published."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from optdist.config.dates import SnapshotsConfig, step_of
from optdist.errors import ConfigError
from optdist.layout import ScoresFolder
from pipelines.backtest.results import PUBLISHED

_MONTH = 28  # the fewest days from one published date to the next with `--every month`


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Args:
        dates: single dates.
        first: the first date of a range.
        last: the last one.
        every: from one date to the next.
        by: who scored the dates: `published`, `trained`, a version or an alias.
        models: more scorers, to be compared.
    """

    dates: Sequence[dt.date] = ()
    first: dt.date | None = None
    last: dt.date | None = None
    every: str | None = None
    by: str = PUBLISHED
    models: Sequence[str] = ()

    @property
    def asks_for_dates(self) -> bool:
        """Whether some dates are asked for, and not whatever has been published."""
        return bool(self.dates or self.first or self.last)

    def check(self) -> None:
        """Refuse options that do not go together.

        Raises:
            ConfigError: naming them.
        """
        if self.dates and (self.first or self.last or self.every):
            raise ConfigError("Give either --run-date or a range (--from, --to, --every).")
        if self.first and self.last and self.last < self.first:
            raise ConfigError(f"--to {self.last} is before --from {self.first}.")
        if self.by != PUBLISHED and not self.dates and not (self.first and self.every):
            raise ConfigError(
                f"--by {self.by} needs dates: --run-date, once or more, or --from and --every."
            )
        if self.every:
            first = self.first or dt.date(2000, 1, 1)
            try:
                series_of(first, self.every, first)
            except ValidationError as error:
                reason = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ConfigError(f"--every {self.every} cannot be used: {reason}.") from error


def choose_dates(
    request: Request, scores: ScoresFolder, last: dt.date | None, most: int
) -> list[dt.date]:
    """The dates to measure, in order; none where none is asked for and nothing was published.

    Args:
        request: what is asked for.
        scores: the published dates.
        last: the last date whose labels are mature; None: not known.
        most: how many published dates are taken where no date is asked for.

    Raises:
        ConfigError: no date is in the range that is asked for.
    """
    if request.dates:
        return sorted(set(request.dates))
    dates: list[dt.date] = []
    if request.by == PUBLISHED:
        dates = [date for date in published_dates(scores) if _inside(date, request)]
        if request.every:
            dates = thinned(dates, request.every)
        if not request.asks_for_dates:
            mature = [date for date in dates if last is None or date <= last]
            late = [date for date in dates if date not in mature]
            dates = mature[-most:] + late
    elif request.first and request.every:  # as `check` requires
        end = request.last or last or dt.datetime.now(dt.UTC).date()
        dates = series_of(request.first, request.every, end)
    if not dates and request.asks_for_dates:
        raise ConfigError(
            f"There is no date to measure: {_listed(scores)}. --by trained measures models that "
            f"are trained as of past dates, --by champion the champion of now."
        )
    return dates


def series_of(first: dt.date, every: str, last: dt.date) -> list[dt.date]:
    """Dates an interval apart; a series of months from the last day of one has that of each.

    Args:
        first: the first date.
        every: such as `month`.
        last: the last possible date.

    Raises:
        ValidationError: the interval cannot be read, or has no such day in each month.
    """
    day = dt.timedelta((first + dt.timedelta(1)).day == 1)  # the next day begins each month
    series = SnapshotsConfig(start=first + day, end=max(first, last) + day, every=every)
    return [date - day for date in series.days(last + day) if date - day <= last]


def published_dates(scores: ScoresFolder) -> list[dt.date]:
    """The dates that have been published, in order."""
    dates = []
    for folder in scores.dates():
        try:
            dates.append(dt.date.fromisoformat(folder.name.partition("=")[2]))
        except ValueError:  # a folder that is not the job's
            continue
    return sorted(dates)


def thinned(dates: Sequence[dt.date], every: str) -> list[dt.date]:
    """Dates that lie at least an interval apart, counted back from the newest.

    Args:
        dates: in order.
        every: such as `week`; a month counts as 28 days.
    """
    days, months = step_of(every)
    gap = days + months * _MONTH
    kept: list[dt.date] = []
    for date in reversed(dates):
        if not kept or (kept[-1] - date).days >= gap:
            kept.append(date)
    return kept[::-1]


def _inside(date: dt.date, request: Request) -> bool:
    return (request.first or date) <= date <= (request.last or date)


def _listed(scores: ScoresFolder) -> str:
    dates = published_dates(scores)
    if not dates:
        return f"nothing has been published in {scores.path}"
    return f"{len(dates)} dates of {dates[0]} to {dates[-1]} have been published"
