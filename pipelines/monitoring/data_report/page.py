"""Puts the page of a data report together, section by section."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from optdist.config.report import ReportConfig
from pipelines.monitoring.data_report import drawing
from pipelines.monitoring.data_report.audit import AUDIT, DRIFT, Flag, find_flags
from pipelines.monitoring.data_report.page_of_features import features, number
from pipelines.monitoring.data_report.page_of_reading import reading
from pipelines.monitoring.data_report.statistics import (
    DataReport,
    FeatureStatistics,
    SplitStatistics,
)
from pipelines.rendering import Block, Heading, Picture, Table, Text, Warnings, to_page


def draw_page(report: DataReport, limits: ReportConfig) -> str:
    """The page as HTML.

    Args:
        report: the statistics.
        limits: of the flags.
    """
    return to_page(content(report, find_flags(report, limits), limits))


def content(report: DataReport, flags: Sequence[Flag], limits: ReportConfig) -> Iterator[Block]:
    """The blocks of all sections.

    Args:
        report: the statistics.
        flags: of the report.
        limits: those behind the flags.
    """
    yield from _head(report, flags)
    yield from _labels(report)
    if report.periods:
        yield from _dates(report)
    yield from _audit(report, flags, limits)
    yield from features(report)
    yield from reading(report)
    if report.periods:
        yield from _drift(report, limits)


def _head(report: DataReport, flags: Sequence[Flag]) -> Iterator[Block]:
    yield Heading(1, f"Data report: {report.dataset}")
    about = f"{report.description}. " if report.description else ""
    until = f", as of {report.build.as_of}" if report.build.as_of else ""
    yield Text(f"{about}Feature table {report.fingerprint}{until}.")
    leaks = [str(flag) for flag in flags if flag.is_leak]
    if leaks:
        yield Warnings([f"**Possible leak.** {text}" for text in leaks])
    elif report.evidence:
        yield Text(f"The leak audit flags nothing, with too little evidence: {report.evidence}.")
    else:
        yield Text("The leak audit flags nothing.")
    others = [str(flag) for flag in flags if not flag.is_leak and flag.kind not in {DRIFT, AUDIT}]
    drifting = [flag.feature for flag in flags if flag.kind == DRIFT]
    if others:
        yield Text(f"Also worth a look: {'; '.join(others)}.")
    if drifting:
        yield Text(f"{len(drifting)} of {len(report.features)} features drift over the dates.")


def _labels(report: DataReport) -> Iterator[Block]:
    yield Heading(2, "Rows and labels")
    header = ["split", *_COUNTS]
    rows = [[name, *_counts(split)] for name, split in report.splits.items()]
    yield Table(header, rows)
    for title, field in (("all labels", "quantiles"), ("positive labels", "positive_quantiles")):
        quantiles = {name: getattr(split, field) for name, split in report.splits.items()}
        levels = list(next(iter(quantiles.values()), {}))
        names = ["largest" if float(level) == 1 else f"{float(level):.0%}" for level in levels]
        rows = [[n, *(number(q.get(level)) for level in levels)] for n, q in quantiles.items()]
        yield Table([f"quantiles of {title}", *names], rows)
    figure, text = drawing.label_histogram(report), "Labels by split, in currency."
    yield Picture("labels", text, figure, drawing.WIDTH)


_COUNTS = ["rows", "positive labels", "share", "sum of labels", "mean", "mean positive"]


def _in_short(split: SplitStatistics | None) -> str:
    return f"{split.rows:,} ({split.positive_share:.1%})" if split else "0"


def _counts(split: SplitStatistics) -> list[str]:
    return [
        f"{split.rows:,}",
        f"{split.positives:,}",
        f"{split.positive_share:.2%}",
        f"{split.total:,.0f}",
        number(split.mean),
        number(split.total / split.positives) if split.positives else "",
    ]


def _dates(report: DataReport) -> Iterator[Block]:
    yield Heading(2, "Rows and labels by date")
    figure = drawing.by_date(report)
    yield Picture("dates", "Rows and labels by date and split.", figure, drawing.WIDTH)
    splits = list(report.splits)
    rows = [
        [
            period.title,
            *_counts(period.all),
            *(_in_short(period.splits.get(name)) for name in splits),
        ]
        for period in report.periods
    ]
    yield Table([report.cut or "date", *_COUNTS, *splits], rows)
    yield Text("Of each split: its rows, and the share of positive labels.")


def _audit(report: DataReport, flags: Sequence[Flag], limits: ReportConfig) -> Iterator[Block]:
    yield Heading(2, "Leak audit")
    yield Text(
        f"Each feature alone orders the rows of {' and '.join(report.measured_on)} by what "
        f"training says of its value: AUC by the share of positive labels, Norm-GINI by the mean "
        f"label. As the values are scored on training and measured elsewhere, a feature of many "
        f"values does not look good by learning rows by heart. It is flagged from AUC "
        f"{limits.max_feature_auc:g} or Norm-GINI {limits.max_feature_gini:g} on, or where it "
        f"stands far above all others; and where more than {limits.max_category_share:.1%} of the "
        f"rows of one category have a positive label. A flag is no proof: ask whether the value "
        f"was known before the label's window began."
    )
    rows = [
        [flag.feature or "rows", flag.kind, "leak?" if flag.is_leak else "", flag.text]
        for flag in flags
        if flag.kind != DRIFT
    ]
    if rows:
        yield Table(["of", "kind", "", "what"], rows, texts=[3])
    measured = [f for f in report.features if f.auc is not None or f.gini is not None]
    if measured:
        names = [flag.feature for flag in flags if flag.is_leak and flag.feature]
        text = "What each feature alone says of the label; flagged ones in red."
        yield Picture("audit", text, drawing.audit(measured, names), drawing.WIDTH)
    same = report.duplicates
    yield Text(
        f"Duplicates across splits: {same.same_features:,} of {same.rows:,} validation and test "
        f"rows have the features of a training row; of {same.positives:,} with a positive label "
        f"{same.same_positives:,} have its label too."
    )
    yield Text(_not_seen(report))


def _not_seen(report: DataReport) -> str:
    """What the audit cannot find."""
    time = (
        "of dates among the features, dates and times as text, seconds or milliseconds since 1970 "
        "and YYYYMMDD are recognised, spreadsheets' serial days are not"
    )
    if report.cut:
        return (
            f"What was computed after the cut is found in expressions that look ahead (windows "
            f"over later rows, aggregates of the events by a join) and in values that are dates "
            f"after {report.cut}: {time}. A column that was overwritten later in the raw table "
            f"can only be found by its ranking."
        )
    return (
        "These samples have no date, so what was computed after the cut can only be found by "
        f"its ranking; {time}."
    )


def _drift(report: DataReport, limits: ReportConfig) -> Iterator[Block]:
    yield Heading(2, "Drift over the training dates")
    if len(report.periods) < 2:
        yield Text("The training samples are of one date.")
        return
    yield Text(
        f"The population stability index compares a feature's distribution at a date with that of "
        f"all training rows, less what chance alone gives; from {limits.max_drift:g} on the "
        f"feature counts as drifting. What counts everything since the first event drifts by its "
        f"nature."
    )
    text = "Stability index by date, of the features that drift most."
    yield Picture("drift", text, drawing.drift(report, limits.max_drift), drawing.WIDTH)
    drifting = sorted(report.features, key=lambda f: -max(f.drift, default=0.0))
    rows = [
        [f.name, number(f.drift[0]), number(f.drift[-1]), *_worst(f, report)]
        for f in drifting
        if max(f.drift, default=0.0) >= 0.1
    ]
    if rows:
        yield Table(["feature", "first date", "last date", "largest", "at"], rows)


def _worst(feature: FeatureStatistics, report: DataReport) -> list[str]:
    worst = max(feature.drift)
    return [number(worst), report.periods[feature.drift.index(worst)].title]
