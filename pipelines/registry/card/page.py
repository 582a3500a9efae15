"""Puts a model card together, section by section."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from optdist.config import Config
from optdist.config.metrics import METRICS
from optdist.data.feature_table import EVERY_SPLIT, FeatureTable
from optdist.tracking.lineage import describe_table
from optdist.training import TrainingResult
from pipelines.registry.card import drawing
from pipelines.registry.card.rows import HeldOut
from pipelines.registry.card.statistics import (
    Group,
    by_date,
    by_network,
    calibration_error,
    tenths,
)
from pipelines.registry.rule import Decision
from pipelines.rendering import Block, Heading, Picture, Table, Text, Warnings, to_page

NONE = "-"


@dataclass(frozen=True)
class Card:
    """What a card is made of.

    Args:
        model: the registered model's name.
        version: its version.
        about: lineage, name -> value.
        config: of the run.
        table: its features.
        result: what the run achieved.
        rows: the held-out rows by split.
        decision: of the promotion, when the card was made.
    """

    model: str
    version: str
    about: Mapping[str, str]
    config: Config
    table: FeatureTable
    result: TrainingResult
    rows: Mapping[str, HeldOut]
    decision: Decision


def draw_card(card: Card) -> str:
    """The card as HTML."""
    return to_page(content(card))


def content(card: Card) -> Iterator[Block]:
    """The blocks of all sections."""
    yield from _head(card)
    yield from _use(card)
    yield from _metrics(card)
    yield from _over_time(card)
    yield from _calibration(card)
    yield from _networks(card)
    yield from _data(card)
    yield from _model(card)


def _head(card: Card) -> Iterator[Block]:
    yield Heading(1, f"Model card: {card.model} version {card.version}")
    dataset = card.config.dataset
    yield Text(f"{dataset.description or dataset.name}. {_label(card)}")
    verdict = f"**Promotion:** {card.decision.reason}."
    yield Text(verdict) if card.decision.promoted else Warnings([verdict])
    gates = [
        [
            gate.title,
            "not measured" if gate.value is None else f"{gate.value:,.4g}",
            gate.limits,
            "passed" if gate.passed else "**failed**",
        ]
        for gate in card.decision.gates
    ]
    if gates:
        yield Table(["gate", "value", "required", ""], gates)
    yield Text(
        "This is the decision after training; `jobs/promote.py --explain` says which version is "
        "champion now, since when and why."
    )


def _label(card: Card) -> str:
    """What is predicted, in words."""
    source = card.config.dataset.source
    if source.label_days is None:
        return "The label is a column of the table."
    first, last = source.label_days
    return (
        f"It predicts what an entity ({', '.join(card.config.dataset.id)}) spends from day {first} "
        f"to day {last} after {source.cut}, both included."
    )


def _use(card: Card) -> Iterator[Block]:
    yield Heading(2, "Intended use and limits")
    manifest, test = card.table.manifest, card.result.test_metrics
    yield Text(
        "To rank entities by the value that they will have, to budget for groups of them, and to "
        "forecast totals. It is not made to decide about one person: a single prediction is a mean "
        "of a wide distribution."
    )
    limits = list(_limits(card))
    if manifest.last_event:
        limits.insert(0, f"It has seen no event after {manifest.last_event}.")
    if "coverage" in test:
        width = test.get("interval_width", float("nan"))
        limits.append(
            f"Its interval contains {test['coverage']:.1%} of the test labels and is {width:,.4g} "
            f"wide on average, in currency."
        )
    yield Text(" ".join(limits))


def _limits(card: Card) -> Iterator[str]:
    """Sentences about what the measurements do not show."""
    counts, late = card.table.manifest.counts, card.result.out_of_time_metrics
    positives = counts.get("test_positive", 0)
    if positives < 500:
        yield (
            f"**Only {positives:,} test rows have a positive label,** so figures of the test split "
            f"are uncertain."
        )
    if not late:
        yield (
            "There is no out-of-time figure: test rows are other entities at the dates of training "
            "(`split.by: time` holds out the newest dates)."
        )
        return
    test = card.result.test_metrics
    ratio, gini = late["total_ratio"], late["normalized_gini"]
    yield (
        f"On the newest dates, of which no label was seen in training, Norm-GINI is {gini:.3f} "
        f"(test: {test['normalized_gini']:.3f}) and the predicted total {ratio:.2f} times the "
        f"actual one (test: {test['total_ratio']:.2f})."
    )


def _metrics(card: Card) -> Iterator[Block]:
    yield Heading(2, "Metrics")
    result = card.result
    by_split = {
        "validation": result.validation_metrics,
        "test": result.test_metrics,
        "out of time": result.out_of_time_metrics,
    }
    by_split = {name: metrics for name, metrics in by_split.items() if metrics}
    rows = [
        [
            metric.heading,
            *(metric.text(m[name]) if name in m else NONE for m in by_split.values()),
        ]
        for name, metric in METRICS.items()
        if any(name in metrics for metrics in by_split.values())
    ]
    yield Table(["metric", *by_split], rows)
    test = result.test_metrics
    yield Text(
        f"For comparison, the MAE of predictions that are the same for everyone, on the test rows: "
        f"always zero {test['mae_zero']:.3f}, the mean {test['mae_mean']:.3f}, the median "
        f"{test['mae_median']:.3f}. Rule of inference: {result.inference}."
    )


def _over_time(card: Card) -> Iterator[Block]:
    dates = {split: by_date(rows) for split, rows in card.rows.items()}
    dates = {split: groups for split, groups in dates.items() if groups}
    if not dates:
        return
    yield Heading(2, "Metrics over time")
    figure = drawing.over_time(dates)
    yield Picture("time", "By date of the sample.", figure, drawing.WIDTH)
    rows = [
        [group.name, split.replace("_", " "), *_cells(group), _text(group.gini)]
        for split, groups in dates.items()
        for group in groups
    ]
    yield Table(["date", "split", *_COLUMNS, "Norm-GINI"], rows)


def _calibration(card: Card) -> Iterator[Block]:
    yield Heading(2, "Calibration")
    groups = {split: tenths(rows) for split, rows in card.rows.items()}
    text = "Tenths of the rows by prediction; bars are 90% intervals of the mean label."
    yield Picture("reliability", text, drawing.reliability(groups), drawing.WIDTH)
    for split, parts in groups.items():
        yield Text(
            f"Split {split.replace('_', ' ')}: tenths are off by {calibration_error(parts):.1%} of "
            f"the total value."
        )
        rows = [
            [group.name, *_cells(group), f"{group.low:,.4g} to {group.high:,.4g}"]
            for group in parts
        ]
        yield Table(["tenth, highest first", *_COLUMNS, "90% of the mean label"], rows)
    fitted = card.result.calibration[card.result.inference]
    level = (
        f"; intervals promise {fitted.coverage:.0%}" if card.rows["test"].low is not None else ""
    )
    yield Text(
        f"Fitted after training: predictions are scaled by {fitted.scale:.4g}, so that the totals "
        f"of training and validation rows agree{level}."
    )


_COLUMNS = ["rows", "positive", "mean label", "mean prediction", "ratio", "coverage"]


def _cells(group: Group) -> list[str]:
    return [
        f"{group.rows:,}",
        f"{group.positive_share:.1%}",
        f"{group.actual:,.4g}",
        f"{group.predicted:,.4g}",
        _text(group.ratio),
        NONE if group.coverage is None else f"{group.coverage:.1%}",
    ]


def _text(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def _networks(card: Card) -> Iterator[Block]:
    groups = by_network(card.rows["test"])
    if not groups:
        return
    yield Heading(2, "Which network predicts whom")
    total = sum(group.rows for group in groups)
    yield Picture("networks", "Test rows by selected SDN.", drawing.shares(groups), drawing.WIDTH)
    rows = [[group.name, f"{group.rows / total:.1%}", *_cells(group)] for group in groups]
    yield Table(["network", "share", *_COLUMNS], rows)


def _data(card: Card) -> Iterator[Block]:
    yield Heading(2, "Data")
    manifest = card.table.manifest
    counts = manifest.counts
    rows = [
        [
            split.replace("_", " "),
            f"{counts[split]:,}",
            f"{counts.get(f'{split}_positive', 0) / max(counts[split], 1):.1%}",
        ]
        for split in EVERY_SPLIT
        if split in counts
    ]
    yield Table(["split", "rows", "positive"], rows)
    facts = {
        "feature table": manifest.fingerprint,
        "as of": manifest.as_of,
        "newest event": manifest.last_event,
        "out of time from": manifest.out_of_time_from,
        "in the gap before": _count(counts, "gap"),
        "label window not ended": _count(counts, "incomplete"),
        "quarantined rows": _count(counts, "quarantined"),
    }
    yield Table(["fact", "value"], [[k, v] for k, v in facts.items() if v], texts=[1])
    tables = (manifest.written.get("dataset") or {}).get("source", {}).get("tables", {})
    sources = [
        [name, ", ".join(f"{k} {v}" for k, v in _place(table, manifest.versions.get(name)))]
        for name, table in tables.items()
    ]
    if sources:
        yield Table(["raw table", "where"], sources, texts=[1])
    if manifest.warnings:
        yield Warnings([f"**Possible leak.** {text}" for text in manifest.warnings])


def _place(table: Mapping[str, object], version: int | None) -> list[tuple[str, object]]:
    return list(describe_table(table, version).items())


def _count(counts: Mapping[str, int], name: str) -> str:
    return f"{counts[name]:,}" if name in counts else ""


def _model(card: Card) -> Iterator[Block]:
    yield Heading(2, "Model and lineage")
    result, schema = card.result, card.table.schema
    facts = {
        "model": card.config.model.name,
        "parameters": f"{result.parameters:,}",
        "epochs": f"{result.epochs}, of which {result.best_epoch} was best",
        "training": f"{result.seconds:,.0f} s on {result.ranks} ranks",
        "seed": str(card.config.training.seed),
        "categories": _names([feature.name for feature in schema.categorical]),
        "numbers": _names([feature.name for feature in schema.numeric]),
        **card.about,
    }
    yield Table(["fact", "value"], [[k, v] for k, v in facts.items()], texts=[1])


def _names(names: Sequence[str]) -> str:
    return f"{len(names)}: {', '.join(names)}" if names else "none"
