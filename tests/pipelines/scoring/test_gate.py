"""Faults done to the daily job: the last good table stays, and the gate says which check failed."""

import datetime as dt
import os

import numpy as np
import pandas as pd
import pytest
from quick import settings_of
from registered import register, write_package
from shop import monthly, transactions

from optdist.errors import GateError
from optdist.tracking import CHAMPION, Tracker
from pipelines.features.build import build_features
from pipelines.monitoring.gate.verdict import Accepting
from pipelines.monitoring.profiles import read_profile, with_scores
from pipelines.prediction import predict
from pipelines.scoring.manifest import read_manifest
from pipelines.scoring.pipeline import score
from pipelines.training.guard import guard_training

DAY, NEXT = dt.date(2024, 10, 6), dt.date(2024, 10, 7)
pytestmark = pytest.mark.slow


def steady(customers=400, seed=3):
    """Purchases at a steady pace over 2024, so that a week is like the week before."""
    rng = np.random.default_rng(seed)
    base = transactions(customers, seed)[["customer", "segment"]].drop_duplicates("customer")
    rows = base.sample(14_000, replace=True, random_state=seed).reset_index(drop=True)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 281, len(rows)), "D")
    amount = np.round(rng.lognormal(2.5, 0.6, len(rows)), 2)
    rows = rows.assign(day=day.strftime("%Y-%m-%d"), amount=amount)
    return rows.sort_values("day", ignore_index=True)[["customer", "day", "amount", "segment"]]


@pytest.fixture(scope="module", autouse=True)
def quick(spark):
    with settings_of(spark):
        yield


@pytest.fixture(scope="module")
def shop(spark, quick, tmp_path_factory):
    """A shop with monthly snapshots, a champion with its training profile, and one good date."""
    folder = tmp_path_factory.mktemp("gate")
    raw = steady()
    raw[raw["day"] <= str(DAY)].to_csv(folder / "sales.csv", index=False)
    numeric = {
        "sales_60d": {},
        "spend_60d": {"log1p": True},
        "spend_all": {"log1p": True},
        "recency_all": {},
    }
    made = monthly(folder / "root", folder / "sales.csv", numeric)
    table, tracker = build_features(spark, made), Tracker(made)
    package = write_package(table.schema, folder / "model")
    samples = spark.read.parquet(str(table.samples_path("test")))
    predicted = predict(samples, package, (), 1000, keep=["customer"]).toPandas()
    package.add_profile(with_scores(read_profile(table), predicted["predicted_cltv"].to_numpy()))
    tracker.set_alias(CHAMPION, register(tracker, package))
    good = score(spark, made, tracker, DAY)
    return made, raw, folder, tracker, table, good


def deliver(shop, fault):
    """The next day's delivery with a fault in it."""
    raw = shop[1]
    rows = fault(raw[raw["day"] <= str(NEXT)].copy())
    rows.to_csv(shop[2] / "sales.csv", index=False)


def in_cents(rows):
    return rows.assign(amount=rows["amount"] * 100)


def half_of_the_customers(rows):
    return rows[rows["customer"] % 2 == 0]


def every_row_twice(rows):
    return pd.concat([rows, rows])


def yesterday_alone(rows):
    return rows[rows["day"] == str(NEXT)]


def sixty_days_lost(rows):
    """All but some fresh rows: a single one would stand apart and be quarantined."""
    return pd.concat([rows[rows["day"] <= "2024-08-08"], rows.tail(30)])


def categories_unknown(rows):
    return rows.assign(segment="x" + rows["segment"])


def ids_with_a_fraction(rows):
    return rows.assign(customer=rows["customer"].astype(str) + "-0")


FAULTS = {
    in_cents: {"mean", "history", "score_total"},
    half_of_the_customers: {"rows", "vanished", "history"},
    every_row_twice: {"history", "repeats"},
    yesterday_alone: {"rows", "vanished", "history"},
    sixty_days_lost: {"events", "history"},
    categories_unknown: {"unknown"},
    ids_with_a_fraction: {"id_form", "vanished", "new_ids"},
}


@pytest.mark.parametrize(
    ("fault", "checks"), FAULTS.items(), ids=lambda v: getattr(v, "__name__", "")
)
def test_a_fault_is_stopped_and_the_last_good_table_stays(spark, shop, fault, checks):
    made, _, _, tracker, _, good = shop
    deliver(shop, fault)
    lifted = made.scoring.model_copy(update={"max_unknown_share": 1.0})
    with pytest.raises(GateError, match="Nothing was published: it has no scores") as caught:
        score(spark, made.model_copy(update={"scoring": lifted}), tracker, NEXT)
    assert caught.value.exit_code == 4
    assert checks <= {reason.partition(":")[0] for reason in caught.value.reasons}
    assert str(made.layout.scores.staging(NEXT)) in str(caught.value)
    staged = spark.read.parquet(str(made.layout.scores.staging(NEXT)))
    assert staged.count() > 0 and not made.layout.scores.date(NEXT).exists()
    assert read_manifest(made.layout.scores.date(DAY)) == good


def test_a_good_day_passes_and_an_accepted_fault_is_published_and_stays_accepted(spark, shop):
    made, _, _, tracker, _, good = shop
    assert good.gate.findings > 10 and good.gate.accepted == [] and good.gate.against is None
    deliver(shop, half_of_the_customers)
    with pytest.raises(GateError) as caught:
        score(spark, made, tracker, NEXT)
    names = tuple(reason.partition(":")[0] for reason in caught.value.reasons)
    done = score(spark, made, tracker, NEXT, accepting=Accepting(names, "a region was sold", "ana"))
    first, *_ = done.gate.accepted
    assert done.gate.checks == list(names) and done.gate.against == str(DAY)
    assert (first.by, first.reason) == ("ana", "a region was sold") and "was" in first.findings[0]
    rows = spark.read.parquet(done.path).toPandas().sort_values("customer", ignore_index=True)
    again = score(spark, made, tracker, NEXT)
    assert again.gate == done.gate
    pd.testing.assert_frame_equal(
        rows, spark.read.parquet(again.path).toPandas().sort_values("customer", ignore_index=True)
    )
    deliver(shop, lambda rows: rows)
    good_again = score(spark, made, tracker, NEXT, refresh=True)
    assert good_again.gate.accepted == []
    drift = spark.read.parquet(str(made.layout.drift.scoring(NEXT)))
    columns = {row["column"]: row for row in drift.collect()}
    assert {"segment", "spend_60d", "predicted_cltv", "(rows)"} <= columns.keys()
    assert columns["spend_60d"]["last_date"] == str(DAY) and columns["spend_60d"]["psi_last"] < 0.1
    page = made.layout.drift.page.read_text()
    assert "Scored dates" in page and "http" not in page.replace("http-equiv", "")


def test_the_same_checks_guard_a_training_against_the_champions_data(spark, shop):
    made, raw, folder, tracker, table, _ = shop
    assert guard_training(spark, made, tracker, table, Accepting()).accepted == ()
    in_cents(raw[raw["day"] <= str(DAY)]).to_csv(folder / "sales.csv", index=False)
    stamp = (folder / "sales.csv").stat().st_mtime + 5
    os.utime(folder / "sales.csv", (stamp, stamp))
    wrong = build_features(spark, made)
    with pytest.raises(GateError, match=r"The gate refused to train: .*history") as caught:
        guard_training(spark, made, tracker, wrong, Accepting())
    names = tuple(reason.partition(":")[0] for reason in caught.value.reasons)
    assert {"mean", "history"} <= set(names)
    guard = guard_training(spark, made, tracker, wrong, Accepting(names, "another currency"))
    assert [one.check for one in guard.accepted] == list(names) and guard.files[0].exists()
