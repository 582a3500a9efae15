"""Counts the gate's false alarms over the history of four data sets, date by date: docs/gate.md.

    . requirements/env.sh; .venv/bin/python benchmarks/quality/gate_history.py --data FOLDER

What the job computes of a date is computed here for all dates together, with its own functions:
samples of every date in one pass, profiles and scores by date, and events by day. A small ZILN
model, trained as of a date in the first half, predicts every later date; the gate's limits are the
defaults. Its events are those of the whole history up to the date.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from _gate_page import as_table, write_section
from _training import fit
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config import Config, GateConfig, ZilnConfig, load_config
from optdist.config.transactions import FirstPurchaseSourceConfig
from optdist.data.encoding import encode
from optdist.data.profile import DayCount, Profile, rounded_days
from optdist.data.profiling import Profiling, part_of
from optdist.data.schema import FeatureSchema
from optdist.files import uri
from optdist.models import build_model
from optdist.serving.package import Package
from pipelines.features.event_samples import with_attributes, with_features, with_label
from pipelines.features.fitting import fit_samples, mark_calendar
from pipelines.features.snapshots import known_at
from pipelines.monitoring import profiles
from pipelines.monitoring.data_report.periods import count_by_date
from pipelines.monitoring.gate.evaluate import Last, Subject, evaluate
from pipelines.monitoring.gate.findings import Finding, failed
from pipelines.monitoring.gate.scores import ScoreCounts, bin_of, count_bins, counts_of
from pipelines.prediction import predict
from pipelines.scoring.gate import SIZES
from pipelines.session import spark_session
from pipelines.sources.columns import column
from pipelines.sources.events import clean_events, first_days
from pipelines.sources.inference import infer_types, typed_dataset
from pipelines.sources.needs import calendar_columns

EPOCH, DAY = dt.date(1970, 1, 1), dt.timedelta(1)


@dataclass(frozen=True)
class History:
    """Which dates of a data set are scored, and until when its model knows the data."""

    name: str
    table: str
    file: str
    as_of: dt.date
    dates: list[dt.date]

    @property
    def overrides(self) -> list[str]:
        """Where its table is."""
        return [f"dataset.source.tables.{self.table}.path={self.file}"] if self.file else []


def every(first: str, last: str, days: int) -> list[dt.date]:
    """Dates from the first to the last, so many days apart."""
    start, end = map(dt.date.fromisoformat, (first, last))
    return [start + DAY * step for step in range(0, (end - start).days + 1, days)]


def months(first: int, last: int) -> list[dt.date]:
    """The last day of every month of some years."""
    starts = [dt.date(year, month, 1) for year in range(first, last + 1) for month in range(1, 13)]
    return [start - DAY for start in starts[1:]]


def histories(folder: Path) -> list[History]:
    """The four data sets."""
    return [
        History("online_retail", "invoices", f"{folder}/online_retail.csv.gz",
                dt.date(2011, 8, 31), every("2011-06-06", "2011-12-09", 6)),
        History("essec", "purchases", f"{folder}/essec_purchases.txt.gz",
                dt.date(2013, 12, 31), months(2010, 2014)),
        History("complete_journey", "transactions", "",
                dt.date(2017, 10, 31), every("2017-04-01", "2017-12-30", 1)),
        History("ta_feng", "sales", f"{folder}/ta_feng.csv.zip",
                dt.date(2001, 1, 31), every("2000-12-16", "2001-02-28", 1)),
    ]  # fmt: skip


def main() -> None:
    """Look at every data set, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the raw files")
    parser.add_argument("--root", type=Path, help="work folder to keep")
    options = parser.parse_args()
    root = options.root or Path(tempfile.mkdtemp())
    root.mkdir(parents=True, exist_ok=True)
    rows, alarms = [], []
    for history in histories(options.data):
        history = unpacked(history, root)
        config = load_config(history.name, "local", history.overrides)
        spark = spark_session(config.spark, "gate history")
        results = run(spark, config, history, root / history.name)
        wrong = {date: failed(findings) for date, findings in results.items()}
        with_alarm = [date for date, findings in wrong.items() if findings]
        checks = Counter(
            check for findings in wrong.values() for check in {f.check for f in findings}
        )
        comparisons = sum(map(len, results.values()))
        rows.append([
            history.name, f"{history.dates[0]} to {history.dates[-1]}", str(len(results)),
            f"{comparisons:,}", str(len(with_alarm)), f"{100 * len(with_alarm) / len(results):.1f}",
            ", ".join(f"`{name}` {count}" for name, count in checks.most_common()),
        ])  # fmt: skip
        for date in with_alarm:
            alarms += [f"{history.name} {date}: {finding}" for finding in wrong[date]]
        print(" | ".join(rows[-1]), flush=True)
        (root / "alarms.txt").write_text("\n".join(alarms))
    header = ["data set", "dates", "number", "comparisons", "with an alarm", "per 100 dates", "by"]
    write_section("history", as_table(header, rows))


def unpacked(history: History, root: Path) -> History:
    """The same with its file as Spark reads it."""
    if not history.file.endswith(".zip"):
        return history
    path = root / f"{history.name}.csv"
    if not path.exists():
        pd.read_csv(history.file, dtype=str).to_csv(path, index=False)
    return replace(history, file=str(path))


def run(
    spark: SparkSession, config: Config, history: History, folder: Path
) -> dict[dt.date, list[Finding]]:
    """The findings of every date."""
    dataset = typed_dataset(config.dataset, infer_types(spark, config.dataset))
    source, ids = dataset.source, dataset.id
    first_purchase = isinstance(source, FirstPurchaseSourceConfig)
    events = clean_events(spark, source, ids, until=history.dates[-1])
    days = rounded_days(profiles.count_days(events.good, events.own) or [])
    first = first_days(events.good, ids)
    if first_purchase:
        chosen = first
    else:
        trained = source.snapshots.days(history.as_of)
        chosen = known_at(first, sorted({*trained, *(date + DAY for date in history.dates)}))
    cuts = with_attributes(events.good, chosen, ids, source)
    samples, _ = with_features(events.good, cuts, source)
    samples = with_label(samples, events.good, chosen, ids, source)
    samples.write.mode("overwrite").parquet(uri(folder / "samples"))
    for frame in (events.seen,):
        frame.unpersist()
    samples = spark.read.parquet(uri(folder / "samples"))
    cut = F.col(source.cut)
    last_cut = history.as_of - DAY * source.label_days[1]
    known = samples.where(cut <= F.lit(last_cut))
    if first_purchase:
        known = known.where(cut >= F.lit(source.first_purchase.start))
    else:
        known = known.where(cut.isin(trained))
    known = known.withColumn("split", F.lit("train"))
    schema = fit_samples(known, dataset.features)
    schema = mark_calendar(schema, calendar_columns(spark, source))
    dated = count_by_date(known, source.cut)
    then = [day for day in days if day.day <= str(history.as_of)]
    training = profiles.measure_training(known, schema, dataset, dated, then)
    package, training = small_model(known, schema, training, folder)
    score = predict(samples, package, (), 10_000, keep=[*ids, source.cut])
    score.write.mode("overwrite").parquet(uri(folder / "scores"))
    scores = spark.read.parquet(uri(folder / "scores"))
    each = of_first_purchases if first_purchase else of_snapshots
    return {
        date: evaluate(Subject(date, now, counts, training, schema, last), GateConfig())
        for date, now, counts, last in each(
            samples, scores, schema, training, dataset, days, history
        )
    }


def small_model(
    known: DataFrame, schema: FeatureSchema, training: Profile, folder: Path
) -> tuple[Package, Profile]:
    """A small ZILN model of some training rows, and the profile with its predictions."""
    keras.utils.set_random_seed(1)
    rows = known.orderBy(F.rand(1)).limit(20_000).toPandas()
    columns = encode(rows, schema)
    numeric = [columns[name] for name in schema.numeric_columns]
    inputs = {
        "categorical": np.stack([columns[n] for n in schema.categorical_columns], axis=1),
        "numeric": np.stack(numeric, axis=1).astype(np.float32),
        "label": rows["label"].to_numpy(np.float32),
    }
    model = build_model(schema, ZilnConfig(), 1)
    fit(model, inputs, keras.optimizers.Adam(1e-3), 256, 3)
    package = Package.save(model, folder / "package")
    values = model.predict({k: inputs[k] for k in ("categorical", "numeric")}, verbose=0)
    return package, profiles.with_scores(training, np.asarray(values["predicted_cltv"]))


Dated = tuple[dt.date, Profile, ScoreCounts, Last | None]


def of_snapshots(
    samples: DataFrame,
    scores: DataFrame,
    schema: FeatureSchema,
    training: Profile,
    dataset: object,
    days: Sequence[DayCount],
    history: History,
) -> Iterator[Dated]:
    """Profiles and scores of every snapshot date, each with the date before."""
    ids, dates = dataset.id, history.dates
    starts = [(date + DAY - EPOCH).days for date in dates]
    cut = column(dataset.source.cut)
    samples = samples.where(cut.isin([date + DAY for date in dates]))
    cells = profiles.count_cells(samples, Profiling(schema, ids, dataset.source.cut, starts))
    places = F.array(*[F.lit(date + DAY) for date in dates])
    of_date = F.call_function("array_position", places, cut).cast("int")
    placed = scores.withColumn("place", of_date).where("place > 0")
    joined = counts_by_date(placed, ids)

    def look(place: int) -> tuple[Profile, ScoreCounts]:
        whole = part_of(cells, schema, [place], None)
        return profile_at(whole, [whole], days, dates[place]), joined[place + 1]

    yield from with_last(dates, look)


def with_last(
    dates: Sequence[dt.date], look: Callable[[int], tuple[Profile, ScoreCounts]]
) -> Iterator[Dated]:
    """Each date with the one before it, as the job would have published that.

    Args:
        dates: ascending.
        look: what is seen of a date, by its place.
    """
    last: Last | None = None
    sizes: list[tuple[dt.date, int]] = []
    for place, date in enumerate(dates):
        now, counts = look(place)
        yield date, now, counts, last
        sizes = [*sizes, (date, now.rows)][-SIZES:]
        last = Last(date, now, True, tuple(sizes))


def counts_by_date(placed: DataFrame, ids: Sequence[str]) -> dict[int, ScoreCounts]:
    """Each date's scores joined with those of the date before."""
    keys = [column(name).cast("string").alias(f"id_{i}") for i, name in enumerate(ids)]
    rows = placed.select(*keys, "place", F.col("predicted_cltv").cast("double").alias("score"))
    names = [f"id_{i}" for i in range(len(ids))]
    now = rows.groupBy(*names, "place").agg(
        F.max("score").alias("now"), F.count("*").alias("rows_now")
    )
    then = now.withColumn("place", F.col("place") + 1)
    then = then.withColumnsRenamed({"now": "then", "rows_now": "rows_then"})
    cells = count_bins(now.join(then, on=[*names, "place"], how="full_outer"), "place")
    return {int(p): counts_of(own, has_last=p > 1) for p, own in cells.groupby("place")}


def of_first_purchases(
    samples: DataFrame,
    scores: DataFrame,
    schema: FeatureSchema,
    training: Profile,
    dataset: object,
    days: Sequence[DayCount],
    history: History,
) -> Iterator[Dated]:
    """Profiles and scores of every date: whoever came by then, as they were at the first day."""
    dates, first_cut = history.dates, dt.date.fromisoformat(training.first_cut or "")
    edges = sorted({EPOCH, first_cut, *(date + DAY for date in dates)})
    starts = [(edge - EPOCH).days for edge in edges]
    cells = profiles.count_cells(samples, Profiling(schema, dataset.id, dataset.source.cut, starts))
    cut = column(dataset.source.cut)
    by_day = (
        scores.groupBy(cut.alias("day"), bin_of("predicted_cltv").alias("bin"))
        .agg(F.count("*").alias("rows"), F.sum("predicted_cltv").cast("double").alias("total"))
        .toPandas()
    )
    by_day["day"] = pd.to_datetime(by_day["day"]).dt.date

    def look(place: int) -> tuple[Profile, ScoreCounts]:
        date, before = dates[place], dates[place - 1] if place else None
        places = [i for i, edge in enumerate(edges) if edge <= date]
        whole = part_of(cells, schema, places, None)
        since = part_of(cells, schema, [i for i in places if edges[i] >= first_cut], None)
        return profile_at(whole, [since], days, date), cumulated(by_day, date, before)

    yield from with_last(dates, look)


def cumulated(by_day: pd.DataFrame, date: dt.date, before: dt.date | None) -> ScoreCounts:
    """The scores of a date and of the one before: of first purchases they stay as they are."""
    own = by_day[by_day["day"] <= date]
    old = own["day"] <= before if before else np.zeros(len(own), bool)
    cells = pd.DataFrame(
        {
            "bin_now": own["bin"],
            "bin_then": np.where(old, own["bin"], -1),
            "ids": own["rows"],
            "repeated": 0,
            "rows_now": own["rows"],
            "rows_then": np.where(old, own["rows"], 0),
            "now": own["total"],
            "then": np.where(old, own["total"], 0.0),
        }
    )
    cells = cells.groupby(["bin_now", "bin_then"], as_index=False).sum()
    return counts_of(cells, has_last=before is not None)


def profile_at(
    whole: object, periods: Sequence[object], days: Sequence[DayCount], date: dt.date
) -> Profile:
    """The profile of a date, with the events of its time."""
    known = [day for day in days if day.day <= str(date)]
    return Profile(
        rows=whole.rows,
        last_event=known[-1].day if known else None,
        whole=whole,
        periods=[part for part in periods if part.rows],
        days=known,
    )


if __name__ == "__main__":
    main()
