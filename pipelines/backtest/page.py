"""Puts the page of a backtest together, section by section."""

from __future__ import annotations

from collections.abc import Iterator

from optdist.config.metrics import METRICS
from pipelines.backtest import drawing
from pipelines.backtest.page_of_targeting import percent, targeting, trials
from pipelines.backtest.results import (
    IN,
    OUT,
    PUBLISHED,
    TRAINED,
    UNKNOWN,
    Backtest,
    DateResult,
    Group,
    Scorer,
)
from pipelines.rendering import Block, Heading, Picture, Table, Text, Warnings, to_page

_BY = {
    PUBLISHED: "The scores that were published",
    TRAINED: "Scores of models that were trained as of each date, which saw nothing after it",
}


def draw_page(backtest: Backtest) -> str:
    """The page as HTML, which contains its figures.

    Args:
        backtest: all figures.
    """
    return to_page(content(backtest))


def content(backtest: Backtest) -> Iterator[Block]:
    """The blocks of all sections.

    Args:
        backtest: all figures.
    """
    yield from _head(backtest)
    yield from _over_time(backtest)
    yield from _scorers(backtest)
    yield from _calibration(backtest)
    yield from _segments(backtest)
    yield from targeting(backtest)
    yield from trials(backtest)


def _head(backtest: Backtest) -> Iterator[Block]:
    yield Heading(1, f"Backtest: {backtest.dataset}")
    about = f"{backtest.description}. " if backtest.description else ""
    by = _BY.get(backtest.by, f"Scores by {backtest.by} of {backtest.model_name}")
    until = f" The data are whole until {backtest.data_until}." if backtest.data_until else ""
    yield Text(f"{about}{by}, against what customers then spent.{until}")
    if backtest.alarms:
        yield Warnings([f"**Alarm.** {reason}" for reason in backtest.alarms])
    elif backtest.limits:
        rules = [f"{METRICS[name].title} {rule}" for name, rule in backtest.limits.items()]
        yield Text(f"No alarm. The rule: {'; '.join(rules)}.")
    else:
        yield Text("No alarm rule is set (`backtest.alarms`).")
    others = [d for d in backtest.dates if d.alarms and d.run_date not in backtest.alarming]
    if others:
        yield Text(
            f"Also outside the rule, of dates that raise no alarm any more: "
            f"{'; '.join(f'{d.run_date}: {a}' for d in others for a in d.alarms)}."
        )
    samples = {scorer.sample for date in backtest.dates for scorer in date.scorers}
    notes = []
    if IN in samples:
        notes.append(
            "**In sample**: a model that has learned from events after the date has seen some of "
            "these labels, and looks better than it would have been. Its figures on customers of "
            "the test split stand next to them."
        )
    if UNKNOWN in samples:
        notes.append(
            "**Not known**: nothing says until when the version learned (an older optdist trained "
            "it, and its features are gone), so its figures may be in sample."
        )
    if notes:
        yield Warnings(notes)
    if backtest.skipped:
        yield Heading(2, "Not measured")
        rows = [[one.run_date, one.what, one.reason] for one in backtest.skipped]
        yield Table(["date", "scores", "why"], rows, texts=[2])


def _over_time(backtest: Backtest) -> Iterator[Block]:
    yield Heading(2, "By score date")
    figure = drawing.over_time(backtest)
    text = (
        "Metrics by score date. Dashed red: the alarm rule; circled: outside of it. A filled point "
        "is out of sample, a hollow one is not. Thin bars: 90% of resamples of the customers."
    )
    yield Picture("over_time", text, figure, drawing.WIDTH)
    header = ["date", "labels", "scored", "measured", "value 0", "realised", "predicted", "ratio"]
    rows = []
    for date in backtest.dates:
        spread = date.main.intervals.get("total_ratio")
        ratio = date.main.predicted / date.realised if date.realised else None
        rows.append(
            [
                date.run_date,
                date.window,
                f"{date.rows.scored:,}",
                f"{date.rows.measured:,}",
                percent(date.rows.zeros / max(date.rows.measured, 1)),
                f"{date.realised:,.0f}",
                f"{date.main.predicted:,.0f}",
                ""
                if ratio is None
                else f"{ratio:.3f}"
                + (f" ({spread.low:.3f} to {spread.high:.3f})" if spread else ""),
            ]
        )
    yield Table(header, rows)
    notes = [[date.run_date, note] for date in backtest.dates for note in _notes(date)]
    if notes:
        yield Table(["date", "rows"], notes, texts=[1])


def _notes(date: DateResult) -> Iterator[str]:
    """What became of rows that are not measured."""
    rows = date.rows
    if rows.ended:
        yield (
            f"Of {rows.ended:,} rows the label window had ended by the date, so that training may "
            f"know their labels; they are not measured."
        )
    if rows.refunded:
        yield (
            f"{rows.refunded:,} rows have a value below 0, which training quarantines "
            f"(`source.label_floor`); they are not measured."
        )
    if rows.unlabelled:
        yield f"{rows.unlabelled:,} rows have no label in the table; they are not measured."
    if rows.unknown:
        yield f"The events of now do not have {rows.unknown:,} of the customers."
    if rows.drawn < rows.measured:
        yield (
            f"Metrics are of {rows.drawn:,} rows, of customers drawn by a hash "
            f"(`backtest.max_rows`); totals are of all."
        )
    for scorer in date.scorers:
        if scorer.missing:
            yield f"{scorer.title} has no score of {scorer.missing:,} rows: they count as 0."


def _scorers(backtest: Backtest) -> Iterator[Block]:
    yield Heading(2, "Metrics")
    names = [
        name
        for name in METRICS
        if any(name in s.metrics for date in backtest.dates for s in date.scorers)
    ]
    header = ["date", "scores", "sample", "learned until", *(METRICS[n].heading for n in names)]
    rows = []
    for date in backtest.dates:
        for scorer in date.scorers:
            until = scorer.learned_until or "?"
            rows.append(
                [date.run_date, scorer.title, scorer.sample, until, *_values(scorer.metrics, names)]
            )
            if scorer.sample != OUT and scorer.held_out:
                held = f"its {scorer.held_out_rows:,} rows of test customers"
                rows.append(
                    [date.run_date, scorer.title, held, until, *_values(scorer.held_out, names)]
                )
    yield Table(header, rows)
    yield Text(
        "Coverage is the share of realised values inside the interval, coverage(+) inside the one "
        "given a purchase, of rows with a positive value."
    )
    levels = sorted({level for date in backtest.dates for level in date.main.quantiles}, key=float)
    if levels:
        shares = [
            [d.run_date, *(_share(d.main, level) for level in levels)] for d in backtest.dates
        ]
        yield Table(["share at or below", *(f"q{float(x):.1%}" for x in levels)], shares)
        yield Text(
            "Share of realised values at or below each quantile. Where many spend nothing, low "
            "quantiles are 0 and hold more than their level."
        )


def _values(metrics: dict[str, float], names: list[str]) -> list[str]:
    return [METRICS[name].text(metrics[name]) if name in metrics else "" for name in names]


def _share(scorer: Scorer, level: str) -> str:
    return percent(scorer.quantiles[level]) if level in scorer.quantiles else ""


def _calibration(backtest: Backtest) -> Iterator[Block]:
    yield Heading(2, "Calibration by decile")
    newest = backtest.dates[-1]
    text = f"Mean predicted and realised value by tenth of the customers, {newest.run_date}."
    yield Picture("deciles", text, drawing.deciles(newest), drawing.WIDTH)
    count = max(len(date.deciles) for date in backtest.dates)
    rows = [
        [str(i + 1), *(_ratio(d.deciles[i]) if i < len(d.deciles) else "" for d in backtest.dates)]
        for i in range(count)
    ]
    yield Table(["predicted / realised", *(d.run_date for d in backtest.dates)], rows)
    yield Text("1 are the tenth with the highest predictions. In brackets: 90% of resamples.")


def _ratio(group: Group) -> str:
    if group.ratio is None:
        return "-" if not group.realised else f"{group.predicted / group.realised:.2f}"
    return f"{group.ratio.value:.2f} ({group.ratio.low:.2f} to {group.ratio.high:.2f})"


def _segments(backtest: Backtest) -> Iterator[Block]:
    columns = list(dict.fromkeys(name for date in backtest.dates for name in date.segments))
    for column in columns:
        yield Heading(2, f"Calibration by {column}")
        rows = [
            [
                date.run_date,
                group.name,
                f"{group.rows:,}",
                f"{group.predicted:,.0f}",
                f"{group.realised:,.0f}",
                _ratio(group),
            ]
            for date in backtest.dates
            for group in date.segments.get(column, [])
        ]
        yield Table(["date", column, "rows", "predicted", "realised", "predicted / realised"], rows)
