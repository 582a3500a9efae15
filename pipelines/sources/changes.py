"""Says that a table which is joined as it is now may change over time."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, TimestampNTZType, TimestampType

from optdist.config.tables import JoinConfig
from optdist.log import LOG
from pipelines.sources.columns import column, is_text

_ROWS = 1000  # that are looked at for days written as text
_DAY = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}.*)?$"


def find_days(other: DataFrame, keys: Sequence[str]) -> list[str]:
    """The columns of a table with days or moments, of text too where it is written as YYYY-MM-DD.

    Args:
        other: the table to join.
        keys: its keys, which are left out.
    """
    names = [name for name in other.columns if name not in keys]
    kinds = (DateType, TimestampType, TimestampNTZType)
    days = {name for name in names if isinstance(other.schema[name].dataType, kinds)}
    texts = [name for name in names if is_text(other, name)]
    if texts:
        row = other.select(*map(column, texts)).limit(_ROWS).agg(*map(_all_days, texts)).collect()
        days |= {name for name, only_days in zip(texts, row[0], strict=True) if only_days}
    return [name for name in names if name in days]


def note_of_changes(join: JoinConfig, days: Sequence[str]) -> str | None:
    """What a plain join of a table with days hides, printed; None where the table has no day.

    Args:
        join: the join.
        days: the columns of its table with days.
    """
    if not days:
        return None
    names, several = " or ".join(days), "say" if len(days) > 1 else "says"
    seen = (
        "the aggregates see all of its rows, also those from after a sample's cut"
        if join.aggregate
        else "it is read as it is now, also where it changed after a sample's cut"
    )
    note = f"{seen}; if {names} {several} when a row became known, set joins[].valid_from"
    sentence = f"join with {join.table}: {note}"
    LOG.warning(sentence) if join.aggregate else LOG.info(f"  {sentence}")
    return note


def _all_days(name: str) -> Column:
    text = F.trim(column(name))
    given = F.count_if(text != "")
    return (given > 0) & (F.count_if(text.rlike(_DAY)) == given)
