"""Writes the part of the page that says what targeting by a score would have captured."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.backtest import drawing
from pipelines.backtest.results import CHANCE, RULE, Backtest, Budget, DateResult, Interval, Trial
from pipelines.rendering import Block, Heading, Picture, Table, Text, Warnings

ESTIMATE = (
    "**An offline estimate, not an A/B test.** The value is what the chosen customers spent "
    "anyway: no campaign reached them, so that nothing is said of what a campaign would add. It "
    "compares how well scores find customers of value."
)


def targeting(backtest: Backtest) -> Iterator[Block]:
    """The value that the top customers of each score hold.

    Args:
        backtest: all figures.
    """
    dates = [date for date in backtest.dates if date.targeting]
    if not dates:
        return
    yield Heading(2, "Value of targeting")
    yield Warnings([ESTIMATE])
    newest = dates[-1]
    text = f"Share of all value that the targeted customers hold, {newest.run_date}."
    yield Picture("captured", text, drawing.captured(newest), drawing.WIDTH)
    for date in dates:
        names = list(date.targeting[0].by)
        header = [f"{date.run_date}: customers", *names, "with hindsight"]
        yield Table(header, [_captured(date, budget, names) for budget in date.targeting])
    rivals = list(dict.fromkeys(n for date in dates for n in list(date.targeting[0].by)[1:]))
    gains = [row for date in dates for row in _gains(date, rivals)]
    yield Table(["gain of the first score", "customers", *(f"over {n}" for n in rivals)], gains)
    yield Text(
        f"Value [currency], its share of all that was spent, and 90% of resamples of the "
        f"customers; gains are paired, on the same resamples. `{RULE}` orders customers by the "
        f"mean of their places in recency, frequency and past spend, as known before the labels; "
        f"`{CHANCE}` takes anybody; hindsight takes those who then spent most."
    )


def _captured(date: DateResult, budget: Budget, names: list[str]) -> list[str]:
    cells = [
        f"{budget.by[n].value.value:,.0f}, {percent(budget.by[n].share.value)} "
        f"({percent(budget.by[n].share.low)} to {percent(budget.by[n].share.high)})"
        for n in names
    ]
    best = percent(budget.possible / max(date.realised, 1e-12))
    return [f"{budget.customers:,}", *cells, f"{budget.possible:,.0f}, {best}"]


def _gains(date: DateResult, rivals: list[str]) -> Iterator[list[str]]:
    for budget in date.targeting:
        gains = [budget.by[name].gain if name in budget.by else None for name in rivals]
        cells = ["" if one is None else gain(one) for one in gains]
        yield [date.run_date, f"{budget.customers:,}", *cells]


def trials(backtest: Backtest) -> Iterator[Block]:
    """The simulation of Table 4.

    Args:
        backtest: all figures.
    """
    dates = [date for date in backtest.dates if date.trials]
    if not dates:
        return
    yield Heading(2, "Table 4 as a simulation")
    yield Warnings([ESTIMATE])
    yield Text(
        f"The paper's protocol (4.5) on past data: the customers of a date are split 50 to 50 at "
        f"random, {backtest.resamples} times. One half is ranked by the first score, the other by "
        f"the rival, both target the same number of customers, and the return is what these spent "
        f"within some days. As both pay the same, the ratio of returns is that of their ROI. In "
        f"brackets: 90% of the splits, about as an A/B test of this size would scatter; then the "
        f"share of splits that the first score wins."
    )
    days = sorted({trial.days for date in dates for trial in date.trials})
    header = ["campaign", "each group targets", "against", *(f"ROI-{number}" for number in days)]
    rows = []
    for date in dates:
        places = dict.fromkeys((trial.customers, trial.against) for trial in date.trials)
        for customers, against in places:
            by_days = {
                t.days: t for t in date.trials if (t.customers, t.against) == (customers, against)
            }
            cells = [_trial(by_days[number]) if number in by_days else "" for number in days]
            rows.append([date.run_date, f"{customers:,}", against, *cells])
    yield Table(header, rows)


def _trial(trial: Trial) -> str:
    return f"{gain(trial.gain)}, {percent(trial.wins)}"


def gain(interval: Interval) -> str:
    """A relative gain with its interval."""
    return f"{interval.value:+.1%} ({interval.low:+.1%} to {interval.high:+.1%})"


def percent(value: float) -> str:
    """A share in few digits."""
    return f"{value:.1%}"
