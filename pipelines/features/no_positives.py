"""Says why no label is positive."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from optdist.config import DatasetConfig
from optdist.config.transactions import TransactionsSourceConfig
from pipelines.sources.columns import DAY, column


def explain_no_positive(rows: int, dataset: DatasetConfig, events: DataFrame | None) -> str:
    """A sentence or two for samples none of which has a positive label.

    Args:
        rows: the number of samples, at least 1.
        dataset: what samples and labels are.
        events: good events of transactions with `event_day`; None: a table of samples.
    """
    none = f"None of the {rows:,} samples has a positive label, so there is nothing to learn."
    source = dataset.source
    if events is None or not isinstance(source, TransactionsSourceConfig):
        return f"{none} Check that the label's column has the value to predict."
    days = events.groupBy(*map(column, dataset.id)).agg((F.min(DAY) < F.max(DAY)).alias("again"))
    entities, back = days.agg(F.count("*"), F.count_if("again")).collect()[0]
    names = ", ".join(dataset.id)
    if not back:
        return (
            f"{none} Nobody came back: each of the {entities:,} values of {names} has events on "
            f"one day alone. Check that id names customers and not orders; with one-time buyers "
            f"alone no horizon and no date gives a positive label."
        )
    return (
        f"{none} {back:,} of the {entities:,} values of {names} came back on another day, none "
        f"with a positive sum in a label window of {source.horizon_days} days. Change "
        f"source.horizon_days or source.{source.chooser}, and look at the amounts."
    )
