"""Does faults to the daily job on Online Retail and writes which check stops each: docs/gate.md.

    . requirements/env.sh; .venv/bin/python benchmarks/quality/gate_faults.py --data FILE

One model is trained as of 2011-10-31 (a few epochs: the gate is measured, not the model), the day
2011-11-15 is scored, and then 2011-11-16 once with each fault, by the job's function in one JVM.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
from _gate_page import as_table, write_section
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config import Config, load_config
from optdist.errors import GateError, OptDistError
from optdist.files import uri
from optdist.tracking import Tracker
from pipelines.monitoring.gate.verdict import Accepting
from pipelines.scoring import pipeline
from pipelines.session import spark_session
from pipelines.training.pipeline import run_training

PUBLISHED = "**published**"
AS_OF, DAY, NEXT = dt.date(2011, 10, 31), dt.date(2011, 11, 15), dt.date(2011, 11, 16)
Raw = Callable[[pd.DataFrame], pd.DataFrame]
Kept = Callable[[DataFrame], DataFrame]


def scaled(name: str, factor: float, since: str = "") -> Raw:
    """A number of the raw table times a factor, from a day on."""

    def change(raw: pd.DataFrame) -> pd.DataFrame:
        value = pd.to_numeric(raw[name])
        return raw.assign(**{name: value.where(raw["day"] < since, value * factor).astype(str)})

    return change


def where(keep: Callable[[pd.DataFrame], pd.Series]) -> Raw:
    """The rows that a condition keeps."""
    return lambda raw: raw[keep(raw)]


def added(more: Callable[[pd.DataFrame], pd.DataFrame]) -> Raw:
    """More rows."""
    return lambda raw: pd.concat([raw, more(raw)])


def text(name: str, change: Callable[[pd.Series], pd.Series]) -> Raw:
    """A column of text, changed."""
    return lambda raw: raw.assign(**{name: change(raw[name])})


def shuffled(name: str) -> Raw:
    """A column in another order."""
    return lambda raw: raw.assign(**{name: raw[name].sample(frac=1, random_state=1).to_numpy()})


def shifted(raw: pd.DataFrame) -> pd.DataFrame:
    """All times a day early."""
    moment = pd.to_datetime(raw["InvoiceDate"], format="mixed") - pd.Timedelta(1, "D")
    return raw.assign(InvoiceDate=moment.dt.strftime("%Y-%m-%d %H:%M:%S"))


def month_for_day(raw: pd.DataFrame) -> pd.DataFrame:
    """Day and month change places wherever both can be months, and no day is in the future."""
    moment = pd.to_datetime(raw["InvoiceDate"], format="mixed")
    swap = moment.dt.day <= 12
    other = pd.to_datetime(
        {"year": moment.dt.year, "month": moment.dt.day.where(swap, 1), "day": moment.dt.month}
    )
    swap &= other <= pd.Timestamp(NEXT)
    return raw.assign(InvoiceDate=moment.where(~swap, other).dt.strftime("%Y-%m-%d %H:%M:%S"))


def some_in_pounds(raw: pd.DataFrame) -> pd.DataFrame:
    """The prices of a third of the lines in another currency."""
    price = pd.to_numeric(raw["UnitPrice"])
    mine = np.random.default_rng(0).random(len(raw)) < 1 / 3
    return raw.assign(UnitPrice=price.where(~mine, price * 1.17).round(2).astype(str))


def column_times(name: str, factor: float) -> Kept:
    """A feature of the samples times a factor."""
    return lambda rows: rows.withColumn(name, F.col(name) * factor)


def column_null(name: str) -> Kept:
    """A feature of the samples without a value."""
    return lambda rows: rows.withColumn(name, F.lit(None).cast(rows.schema[name].dataType))


def column_shuffled(*names: str) -> Kept:
    """Features of the samples in another order, each its own."""

    def change(rows: DataFrame) -> DataFrame:
        frame = rows.toPandas()
        for name in names:
            frame[name] = frame[name].sample(frac=1, random_state=1).to_numpy()
        return rows.sparkSession.createDataFrame(frame, rows.schema)

    return change


def customers(raw: pd.DataFrame, share: float) -> pd.Series:
    """The rows of a share of the customers."""
    names = raw["CustomerID"].dropna().drop_duplicates().sample(frac=share, random_state=1)
    return raw["CustomerID"].isin(names)


RAW: dict[str, Raw] = {
    "amounts in cents": scaled("UnitPrice", 100),
    "amounts in cents on the last day alone": scaled("UnitPrice", 100, str(NEXT)),
    "amounts in cents for the last week": scaled("UnitPrice", 100, "2011-11-10"),
    "amounts in thousands": scaled("UnitPrice", 0.001),
    "only the last day's rows": where(lambda raw: raw["day"] == str(NEXT)),
    "half of the customers": where(lambda raw: customers(raw, 0.5)),
    "every row twice": added(lambda raw: raw),
    "the last 60 days missing": where(lambda raw: raw["day"] < "2011-09-17"),
    "the last 60 days missing but for one fresh row": where(
        lambda raw: (raw["day"] < "2011-09-17") | (raw.index == raw.index.max())
    ),
    "all countries unknown": text("Country", lambda c: "country " + c),
    "a country (Germany) missing": where(lambda raw: raw["Country"] != "Germany"),
    "a country renamed": text("Country", lambda c: c.replace("Germany", "DE")),
    "times shifted by a day": shifted,
    "day and month swapped": month_for_day,
    "customer ids with a fraction (17850.5)": text("CustomerID", lambda c: c + ".5"),
    "customer ids with a prefix": text("CustomerID", lambda c: "C" + c),
    "customer ids with leading zeros": text("CustomerID", lambda c: "A00" + c),
    "sign of quantities flipped": scaled("Quantity", -1),
    "returns missing": where(lambda raw: pd.to_numeric(raw["Quantity"]) > 0),
    "prices shuffled": shuffled("UnitPrice"),
    "customers of lines shuffled": shuffled("CustomerID"),
    "a third of the prices in another currency": some_in_pounds,
    "July missing": where(lambda raw: ~raw["day"].str.startswith("2011-07")),
    "months cut after the 20th": where(lambda raw: raw["day"].str[8:].astype(int) <= 20),
    "last day loaded twice": added(lambda raw: raw[raw["day"] == str(NEXT)]),
    "last week loaded three times": added(
        lambda raw: pd.concat([raw[raw["day"] >= "2011-11-10"]] * 2)
    ),
    "a fifth of the customers a second time under other ids": added(
        lambda raw: raw[customers(raw, 0.2)].assign(CustomerID=lambda r: "9" + r["CustomerID"])
    ),
    "the day before again (no rows of the last day)": where(lambda raw: raw["day"] <= str(DAY)),
    "the hundred largest customers missing": where(
        lambda raw: ~raw["CustomerID"].isin(raw["CustomerID"].value_counts().index[:100])
    ),
    "prices of the last four weeks are 0": scaled("UnitPrice", 0, "2011-10-19"),
    "quantity and price swapped": lambda raw: raw.rename(
        columns={"Quantity": "UnitPrice", "UnitPrice": "Quantity"}
    ),
    "an empty delivery (a header alone)": lambda raw: raw.head(0),
}
KEPT: dict[str, Kept] = {
    "one feature (products_all) x 100": column_times("products_all", 100.0),
    "one feature (net_90d) x 100": column_times("net_90d", 100.0),
    "one feature (returned_30d) x 100": column_times("returned_30d", 100.0),
    "one feature (days_since_last_all) / 24": column_times("days_since_last_all", 1 / 24),
    "one column (net_all) null": column_null("net_all"),
    "one column (mean_gap_all) null": column_null("mean_gap_all"),
    "one column (country_all) null": column_null("country_all"),
    "ten columns shuffled": column_shuffled(
        "net_all", "bought_all", "net_90d", "invoices_all", "days_all", "net_per_day",
        "invoices_90d", "units_all", "lines_all", "days_since_last_all",
    ),
}  # fmt: skip


@contextmanager
def changed_samples(spark: SparkSession, config: Config, change: Kept) -> Iterator[None]:
    """The job reads samples as ever, and what it keeps of them is changed."""
    read = pipeline.read_samples

    def read_and_change(*args: object) -> object:
        kept = read(*args)
        folder = config.layout.scores.path / kept.folder
        rows = change(spark.read.parquet(uri(folder)))
        rows.write.parquet(uri(folder.with_name("changed")))
        shutil.rmtree(folder)
        folder.with_name("changed").rename(folder)
        return kept

    with mock.patch.object(pipeline, "read_samples", read_and_change):
        yield


def outcome(spark: SparkSession, config: Config, tracker: Tracker) -> tuple[str, str, str]:
    """What the job does with the date: in short, by which checks, and the first reason."""
    spark.catalog.clearCache()
    try:
        pipeline.score(spark, config, tracker, NEXT)
    except GateError as error:
        checks = ", ".join(f"`{reason.partition(':')[0]}`" for reason in error.reasons)
        return "stopped (4)", checks, error.reasons[0]
    except OptDistError as error:
        return f"refused ({error.exit_code})", type(error).__name__, str(error)
    return PUBLISHED, "", ""


def write_raw(raw: pd.DataFrame, path: Path) -> None:
    """Replace the table."""
    raw.drop(columns="day").astype(object).to_parquet(path, index=False)


def main() -> None:
    """Train, score the good date, do every fault, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Online Retail as CSV")
    parser.add_argument("--root", type=Path, help="work folder to keep")
    options = parser.parse_args()
    root = options.root or Path(tempfile.mkdtemp())
    table = root / "invoices.parquet"
    root.mkdir(parents=True, exist_ok=True)
    sections = [
        f"dataset.source.tables.invoices={{path: {table}, format: parquet}}",
        f"paths.root={root / 'artifacts'}",
        "training.epochs=4",
        "training.ranks=1",
        "promotion.gates={}",
    ]
    config = load_config("online_retail", "local", sections)
    spark, tracker = spark_session(config.spark, "gate faults"), Tracker(config)
    raw = pd.read_csv(options.data, dtype=str, encoding="latin1")
    raw["day"] = pd.to_datetime(raw["InvoiceDate"], format="mixed").dt.strftime("%Y-%m-%d")
    raw = raw[raw["day"] <= str(NEXT)].reset_index(drop=True)
    write_raw(raw[raw["day"] <= str(DAY)], table)
    if tracker.find("champion") is None:
        run_training(spark, config, AS_OF)
        tracker.set_alias("champion", tracker.resolve("challenger"))  # whatever its metrics are
    good = pipeline.score(spark, config, tracker, DAY)
    rows: list[list[str]] = []
    for name in ["none", *RAW, *KEPT]:
        started = time.monotonic()
        write_raw(RAW.get(name, lambda same: same)(raw), table)
        if name in KEPT:
            with changed_samples(spark, config, KEPT[name]):
                result = outcome(spark, config, tracker)
        else:
            result = outcome(spark, config, tracker)
        rows.append([name, *result[:2]])
        print(
            f"{name}: {' | '.join(result)[:300]} ({time.monotonic() - started:.0f} s)", flush=True
        )
        if result[0] == PUBLISHED:
            shutil.rmtree(config.layout.scores.date(NEXT))
        write_page(rows, good.rows)
    write_raw(raw, table)
    _accepts(spark, config, tracker)


def write_page(rows: Sequence[Sequence[str]], customers: int) -> None:
    """The outcomes so far; the first is without a fault."""
    stopped = sum(row[1] != PUBLISHED for row in rows[1:])
    write_section(
        "faults",
        [
            f"Online Retail, trained as of {AS_OF}, {DAY} published ({customers:,} customers), "
            f"then {NEXT} with each fault: {stopped} of {len(rows) - 1} stopped.",
            "",
            *as_table(["fault", "outcome (exit code)", "checks that failed"], rows),
        ],
    )


def _accepts(spark: SparkSession, config: Config, tracker: Tracker) -> None:
    """The date without a fault is published at the end."""
    again = pipeline.score(spark, config, tracker, NEXT, accepting=Accepting())
    assert again.gate is not None and not again.gate.accepted


if __name__ == "__main__":
    main()
