"""Writes the part of the page that describes each feature, and numbers in few digits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipelines.monitoring.data_report.statistics import DataReport, FeatureStatistics
from pipelines.rendering import Block, Heading, Table, Text


def features(report: DataReport) -> Iterator[Block]:
    """Tables of numbers and of categories."""
    yield Heading(2, "Features")
    yield Text(
        "Shares are of all rows of training / validation / test. Unseen: categories that the "
        "vocabulary does not have (in training: rare ones). Out of range: numbers below or above "
        "all of training's. Outliers: numbers more than three interquartile ranges beyond the "
        "quartiles, after the log where there is one."
    )
    numbers = [f for f in report.features if f.is_number]
    categories = [f for f in report.features if not f.is_number]
    if numbers:
        levels = {"0": "least", "0.25": "25%", "0.5": "median", "0.75": "75%", "1": "largest"}
        header = ["number", "type", *levels.values(), "missing", "out of range", "outliers"]
        rows = [
            [
                f"{feature.name}",
                _type(feature),
                *(number(feature.quantiles.get(level)) for level in levels),
                shares(feature.missing),
                shares(feature.out_of_range),
                shares(feature.outliers),
                *_ranking(feature),
            ]
            for feature in numbers
        ]
        yield Table([*header, "AUC", "Norm-GINI"], rows)
    if categories:
        header = ["category", "type", "vocabulary", "missing", "unseen", "AUC", "Norm-GINI"]
        rows = [
            [
                feature.name,
                _type(feature),
                f"{feature.vocabulary:,}",
                shares(feature.missing),
                shares(feature.unknown),
                *_ranking(feature),
                ", ".join(f"{text}: {count:,}" for text, count in feature.common.items()),
            ]
            for feature in categories
        ]
        yield Table([*header, "most frequent in training"], rows, texts=[7])


def _type(feature: FeatureStatistics) -> str:
    return f"{feature.type} (of text)" if feature.read_as else feature.type


def _ranking(feature: FeatureStatistics) -> list[str]:
    return ["" if v is None else f"{v:.3f}" for v in (feature.auc, feature.gini)]


def number(value: float | None) -> str:
    """A number in few digits."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def shares(values: Mapping[str, float]) -> str:
    """The shares of the splits in one cell; 0 where all are."""
    texts = [
        "0" if not value else "< 0.1%" if value < 0.001 else f"{value:.1%}"
        for value in values.values()
    ]
    return texts[0] if len(set(texts)) == 1 else " / ".join(texts)
