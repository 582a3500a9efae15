"""Prints what a backtest has measured, and ends the job where a date raises an alarm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from optdist.config.metrics import METRICS
from optdist.errors import AlarmError
from optdist.layout import BacktestFolder
from pipelines.backtest.page_of_targeting import gain, percent
from pipelines.backtest.results import CHANCE, Backtest, DateResult

_COLUMNS = ("mae", "normalized_gini", "spearman", "total_ratio", "coverage")


def summary(backtest: Backtest) -> str:
    """Tables of metrics and of what targeting captures."""
    lines = ["", *_table(list(_metrics(backtest)))]
    targeted = [date for date in backtest.dates if date.targeting]
    if targeted:
        lines += ["", "targeting, an offline estimate: share of all that was then spent"]
        lines += [line for date in targeted for line in _table(list(_captured(date)))]
    tried = [date for date in backtest.dates if date.trials]
    if tried:
        lines += ["", "Table 4 as a simulation: gain in ROI, 90% of the splits"]
        lines += _table(list(_trials(tried)))
    lines += [f"not measured: {s.run_date} ({s.what}): {s.reason}" for s in backtest.skipped]
    return "\n".join(lines)


def facts(backtest: Backtest, folder: BacktestFolder) -> dict[str, Any]:
    """What the job's result file says.

    Args:
        backtest: all figures.
        folder: where they are.
    """
    return {
        "dataset": backtest.dataset,
        "by": backtest.by,
        "report": str(folder.page),
        "figures": str(folder.figures),
        "dates": {date.run_date: date.main.metrics for date in backtest.dates},
        "skipped": {one.run_date: one.reason for one in backtest.skipped},
        "alarm": bool(backtest.alarms),
        "failed_checks": backtest.alarms,
    }


def raise_alarms(backtest: Backtest, page: Path) -> None:
    """End the job where a date raises an alarm.

    Args:
        backtest: all figures.
        page: the report, for the message.

    Raises:
        AlarmError: naming every limit that a date is outside of.
    """
    if backtest.alarms:
        raise AlarmError(backtest.alarms, f"Everything is written; see {page}.")


def _metrics(backtest: Backtest) -> Iterator[list[str]]:
    yield ["date", "scores", "sample", "rows", *(METRICS[name].title for name in _COLUMNS)]
    for date in backtest.dates:
        for scorer in date.scorers:
            values = [
                METRICS[n].text(scorer.metrics[n]) if n in scorer.metrics else "" for n in _COLUMNS
            ]
            yield [date.run_date, scorer.title, scorer.sample, f"{date.rows.measured:,}", *values]


def _captured(date: DateResult) -> Iterator[list[str]]:
    names = list(date.targeting[0].by)
    yield [date.run_date, *names, "with hindsight"]
    for budget in date.targeting:
        shares = [budget.by[name].share for name in names]
        cells = [f"{percent(s.value)} ({percent(s.low)} to {percent(s.high)})" for s in shares]
        best = percent(budget.possible / max(date.realised, 1e-12))
        yield [f"{budget.customers:,} customers", *cells, best]


def _trials(dates: list[DateResult]) -> Iterator[list[str]]:
    days = sorted({trial.days for date in dates for trial in date.trials})
    yield ["campaign", "targets", "against", *(f"ROI-{number}" for number in days)]
    for date in dates:
        for customers, against in dict.fromkeys((t.customers, t.against) for t in date.trials):
            if against == CHANCE:  # the page has it
                continue
            same = {
                t.days: t for t in date.trials if (t.customers, t.against) == (customers, against)
            }
            cells = [gain(same[number].gain) if number in same else "" for number in days]
            yield [date.run_date, f"{customers:,}", against, *cells]


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(
            f"{cell:<{w}}" if i < 3 else f"{cell:>{w}}"
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
