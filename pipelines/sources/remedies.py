"""Says what reads the values of quarantined rows, where their notation is recognised."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from optdist.config.source import SourceConfig
from optdist.config.transactions import TransactionsSourceConfig
from pipelines.sources.columns import IS_RAGGED, LABEL, REASON
from pipelines.sources.date_hints import suggest_timestamps
from pipelines.sources.hints import Suggest, keeping_readable, remedy, suggest_amounts

EXAMPLES = 1000  # values that the driver looks at; the message shows the shape of one
_THOUSANDS = re.compile(r"(?<![9.])9{1,3}(,999)+(\.9+)?(?![9.])")
_UNQUOTED = (
    "Amounts with a thousands separator outside of quotes, such as `{}`, make such lines: export "
    "the file with quotes around them, or without the separator."
)


@dataclass(frozen=True)
class _Place:
    """Where the values of a reason are."""

    key: str  # in the quarantined row
    name: str  # of the raw column
    suggest: Suggest


def suggest_remedies(
    quarantined: DataFrame, reasons: Iterable[tuple[str, str | None]], source: SourceConfig
) -> str:
    """What to set so that the quarantined values are read; "" where nothing is recognised.

    Args:
        quarantined: the rows of `quarantine_rows`.
        reasons: each reason with the shape of an example.
        source: what the columns are for.
    """
    return " ".join(dict.fromkeys(_sentences(quarantined, reasons, source)))


def _sentences(
    quarantined: DataFrame, reasons: Iterable[tuple[str, str | None]], source: SourceConfig
) -> Iterator[str]:
    for reason, example in reasons:
        split = _THOUSANDS.search(example or "") if reason == IS_RAGGED else None
        if split:
            yield _UNQUOTED.format(split[0])
        place = _place(reason, source)
        if place:
            texts = _texts(quarantined, reason, place.key)
            if texts and place.suggest(place.name, texts):
                yield remedy(place.name, texts, place.suggest)


def _place(reason: str, source: SourceConfig) -> _Place | None:
    if isinstance(source, TransactionsSourceConfig):
        day = _Place(source.timestamp, source.timestamp, keeping_readable(suggest_timestamps))
        known = {
            "unparsable amount": _Place(source.amount, source.amount, suggest_amounts),
            "unparsable timestamp": day,
            "timestamp in the future": day,
        }
        if reason in known:
            return known[reason]
    if reason == f"unparsable {LABEL}" and source.label_columns:
        return _Place(LABEL, source.label_columns[0], suggest_amounts)
    kind, _, name = reason.partition(" ")
    if kind != "unparsable":
        return None
    declared = {c.lower(): t for table in source.tables.values() for c, t in table.types.items()}
    dated = declared.get(name.lower()) in {"date", "timestamp"}
    return _Place(name, name, keeping_readable(suggest_timestamps) if dated else suggest_amounts)


def _texts(quarantined: DataFrame, reason: str, key: str) -> list[str]:
    values = F.from_json("row", "map<string,string>").getItem(key)
    rows = quarantined.where(F.col(REASON) == reason).select(values.alias("text"))
    return [row[0] for row in rows.where(F.trim("text") != "").limit(EXAMPLES).collect()]
