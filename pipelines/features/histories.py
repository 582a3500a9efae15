"""What is known of a key's past: aggregates over windows of days before a sample's cut."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from optdist.config.history import HistoryConfig
from pipelines.sources.columns import DAY, column, explain_errors, require

_WINDOW, _DAYS_BEFORE = "history_window", "days_before"


def with_history(
    samples: DataFrame, events: DataFrame, cuts: DataFrame, history: HistoryConfig, cut: str
) -> DataFrame:
    """Add the history's features, each in each of its windows, named feature_suffix.

    They are computed once per distinct (key, cut), from one pass over the key's events: an event
    goes to every window that it lies in. A window without events gets what the aggregates give on
    no rows: 0 for a count, null for a minimum.

    Args:
        samples: at least the key and the column `cut`.
        events: good events with `event_day`.
        cuts: the samples' keys and cuts (the same rows as `samples`, before they had features).
        history: the key, its windows and SQL aggregates.
        cut: the column with the day before which events are seen.
    """
    by = [*history.key, cut]
    keys = [column(name) for name in by]
    require(cuts, history.key, "history key")
    spans = history.spans()
    seen = _before(events, cuts.select(*keys).distinct(), history, cut)
    inside = [F.when(_within(span), F.lit(suffix)) for suffix, span in spans.items()]
    seen = seen.withColumn(_WINDOW, F.explode(F.array_compact(F.array(*inside))))
    with explain_errors("history", seen):
        aggregates = [F.expr(sql).alias(name) for name, sql in history.features.items()]
        long = seen.groupBy(*keys, _WINDOW).agg(*aggregates)
        nothing = seen.limit(0).agg(*aggregates).first()
    wide = []
    for suffix in spans:
        of_window = F.col(_WINDOW) == suffix
        wide.append(F.max(of_window).alias(_known(suffix)))
        for name in history.features:
            value = F.first(F.when(of_window, F.col(name)), ignorenulls=True)
            wide.append(value.alias(f"{name}_{suffix}"))
    samples = samples.join(long.groupBy(*keys).agg(*wide), on=by, how="left")
    filled = {}
    for suffix in spans:
        for name in history.features:
            feature = f"{name}_{suffix}"
            empty = F.lit(nothing[name]).cast(long.schema[name].dataType)
            filled[feature] = F.when(F.col(_known(suffix)), F.col(feature)).otherwise(empty)
    return samples.withColumns(filled).drop(*[_known(suffix) for suffix in spans])


def _before(events: DataFrame, cuts: DataFrame, history: HistoryConfig, cut: str) -> DataFrame:
    """Each cut's events of its key, as far back as the widest window."""
    days = Window.partitionBy(*map(column, history.key)).orderBy(DAY)
    gap = F.datediff(DAY, F.lag(DAY).over(days))  # 0 for the second event of a day
    dated = events.withColumn("days_since_previous", F.when(gap > 0, gap))
    ends = [high for _, high in history.spans().values()]
    furthest = None if None in ends else max(high for high in ends if high)
    seen = dated.join(cuts, on=history.key, how="inner")
    seen = seen.withColumn(_DAYS_BEFORE, F.datediff(cut, DAY))
    return seen.where(_within((1, furthest)))


def _within(span: tuple[int, int | None]) -> F.Column:
    first, last = span
    days = F.col(_DAYS_BEFORE)
    return days >= first if last is None else days.between(first, last)


def _known(suffix: str) -> str:
    return f"history_{suffix}_is_known"
