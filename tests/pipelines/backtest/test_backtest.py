"""Past scores against what customers then spent: hand-worked values, and an oracle in pandas."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from quick import settings_of
from registered import register, write_package
from scipy.stats import spearmanr
from shop import config, transactions

from optdist.config import config_from
from optdist.config.backtest import BacktestConfig
from optdist.errors import AlarmError, ConfigError, DataError
from optdist.tracking import LEARNED_UNTIL, Tracker
from pipelines.backtest.dates import Request, choose_dates, series_of, thinned
from pipelines.backtest.pipeline import run_backtest
from pipelines.backtest.results import IN, OUT, UNKNOWN
from pipelines.backtest.scorers import sample_of
from pipelines.backtest.summary import raise_alarms, summary
from pipelines.backtest.targeting import rule_score
from pipelines.backtest.training import train_as_of
from pipelines.dry_run.jobs import dry_run_backtest
from pipelines.features.build import build_features
from pipelines.scoring.manifest import ScoresManifest, write_manifest

DATE = dt.date(2024, 2, 29)  # snapshot of 03-01, labels of 03-01 to 03-30
LATE = dt.date(2024, 4, 15)  # its labels end after the data
EVENTS = pd.DataFrame(
    [
        ("a", "2024-01-01", 10.0),
        ("a", "2024-02-29", 80.0),
        ("a", "2024-03-01", 7.0),  # the label's first day
        ("a", "2024-03-30", 11.0),  # and its last
        ("a", "2024-03-31", 13.0),
        ("b", "2023-12-01", 5.0),
        ("c", "2024-01-05", 2.0),
        ("c", "2024-03-05", 20.0),
        ("c", "2024-03-06", -25.0),  # more came back than was bought
        ("d", "2024-02-01", 3.0),
        ("d", "2024-03-10", 100.0),
        ("new", "2024-03-15", 999.0),  # not known at the date
        ("new", "2024-05-01", 1.0),  # the end of the data
    ],
    columns=["customer", "day", "amount"],
)
SCORES = pd.DataFrame(
    [
        ("a", 60.0, 10.0, 15.0, 20.0, 15.0, 20.0),
        ("b", 5.0, 2.0, 0.0, 10.0, 1.0, 20.0),
        ("c", 1.0, 0.0, 0.0, 3.0, 1.0, 9.0),
        ("d", 50.0, 40.0, 0.0, 60.0, 10.0, 90.0),
        ("e", 2.0, 1.0, 0.0, 1.0, 1.0, 5.0),  # of whom there is no event any more
    ],
    columns=[
        *("customer", "predicted_cltv", "q50"),
        *("interval_low", "interval_high", "if_positive_low", "if_positive_high"),
    ],
)


def publish(made, run_date, scores, tiers):
    """Lay scores out as the scoring job does, with the samples that were scored."""
    folder, kept = made.layout.scores.date(run_date), f"_inputs/{run_date}/kept"
    rows = scores.assign(snapshot_date=run_date + dt.timedelta(1))
    samples = rows[["customer", "snapshot_date"]].assign(tier=tiers)
    for path, frame in ((folder, rows), (made.layout.scores.path / kept, samples)):
        path.mkdir(parents=True)
        frame.to_parquet(path / "part-0.parquet", index=False)
        (path / "_SUCCESS").touch()
    manifest = ScoresManifest(
        dataset="shop",
        run_date=str(run_date),
        path=str(folder),
        model_name=made.model_name,
        model_version="1",
        inference="hard",
        quantiles=[0.5],
        input=kept,
        input_fingerprint="",
        source_fingerprint="",
        quarantined={},
        rows=len(rows),
        total_predicted=float(rows["predicted_cltv"].sum()),
    )
    write_manifest(folder, manifest)


@pytest.fixture(scope="module")
def shop(spark, tmp_path_factory):
    """Literal events, scores of two dates as they were published, and the backtest of both."""
    folder = tmp_path_factory.mktemp("backtest")
    EVENTS.to_csv(folder / "sales.csv", index=False)
    made = config_from(
        {
            "dataset": {
                "name": "shop",
                "id": ["customer"],
                "split_key": ["customer"],
                "source": {
                    "kind": "transactions",
                    "tables": {"sales": {"path": str(folder / "sales.csv"), "format": "csv"}},
                    "amount": "amount",
                    "timestamp": "day",
                    "snapshots": {"dates": ["2024-03-01"]},
                    "horizon_days": 30,
                    "days_incomplete": 0,
                    "attributes": {"tier": "min(customer)"},
                },
                "features": {"categorical": ["tier"]},
            },
            "report": {"min_category_rows": 1},
            "backtest": {
                "alarms": {"normalized_gini": {"min": 0.9}, "coverage": {"max": 0.8}},
                "budgets": [1, 0.5],
                "resamples": 50,
            },
            "paths": {"root": str(folder / "root")},
            "spark": {"spark.sql.session.timeZone": "UTC"},
        }
    )
    publish(made, DATE, SCORES, ["x", "x", "y", "y", "y"])
    publish(made, LATE, SCORES, "x")
    with settings_of(spark):
        return made, run_backtest(spark, made, Tracker(made), Request())


def test_every_published_row_is_counted_once(shop):
    _, result = shop
    [date] = result.dates
    rows = date.rows
    assert (rows.scored, rows.measured, rows.refunded, rows.zeros, rows.unknown) == (5, 4, 1, 2, 1)


def test_realised_values_are_those_worked_by_hand(shop):
    _, result = shop
    [date] = result.dates
    assert date.window == "2024-03-01 to 2024-03-30"
    assert date.realised == 118.0  # a 7 + 11, b 0, d 100, e 0; c is below 0
    assert date.main.predicted == 117.0
    metrics = date.main.metrics
    assert metrics["mae"] == pytest.approx((42 + 5 + 50 + 2) / 4)
    assert metrics["total_ratio"] == pytest.approx(117 / 118)
    # ranks less their mean: a 1.5, d 0.5 by prediction, and a 0.5, d 1.5 by value
    assert metrics["normalized_gini"] == pytest.approx((18 * 1.5 + 100 * 0.5) / (9 + 150))
    assert metrics["coverage"] == 0.75 and metrics["coverage_if_positive"] == 0.5
    assert metrics["mae_q50"] == pytest.approx((8 + 2 + 60 + 1) / 4)
    assert date.main.quantiles == {"0.5": 0.5}  # b and e are at or below their medians


def test_calibration_has_the_totals_of_each_category(shop):
    _, result = shop
    groups = {group.name: group for group in result.dates[0].segments["tier"]}
    assert {n: (g.rows, g.predicted, g.realised) for n, g in groups.items()} == {
        "x": (2, 65.0, 18.0),
        "y": (2, 52.0, 100.0),
    }
    assert sum(group.rows for group in result.dates[0].deciles) == 4


def test_the_top_customer_of_each_score_is_worth_what_he_spent(shop):
    _, result = shop
    one, two = result.dates[0].targeting
    assert (one.customers, two.customers) == (1, 2)
    values = {name: capture.value.value for name, capture in one.by.items()}
    assert values == {"published (version 1)": 18.0, "recency-frequency": 18.0, "chance": 29.5}
    assert one.possible == 100.0
    assert two.by["published (version 1)"].value.value == 118.0


def test_a_date_whose_labels_are_not_mature_is_named_and_skipped(shop):
    _, result = shop
    [one] = result.skipped
    assert one.run_date == str(LATE)
    assert "they end on 2024-05-15, and the data are whole until 2024-05-01" in one.reason


def test_limits_that_a_date_is_outside_of_raise_an_alarm_after_everything_is_written(shop):
    made, result = shop
    assert result.alarming == [str(DATE)]
    with pytest.raises(AlarmError) as error:
        raise_alarms(result, made.layout.backtest.page)
    assert (
        "2024-02-29: Norm-GINI is 0.484277; backtest.alarms.normalized_gini requires at least 0.9"
        in str(error.value)
    )
    assert "coverage" not in str(error.value)
    page = made.layout.backtest.page.read_text()
    assert "<b>Alarm.</b>" in page and 'src="http' not in page and "<script" not in page
    kept = json.loads(made.layout.backtest.figures.read_text())
    assert kept["dates"][0]["rows"]["scored"] == 5
    assert "Norm-GINI" in summary(result)
    assert not made.layout.backtest.work.exists()


def test_where_no_published_date_is_mature_yet_a_scheduled_backtest_waits(spark, shop):
    made, _ = shop
    paths = made.paths.model_copy(update={"root": f"{made.root}3"})
    young = made.model_copy(update={"paths": paths})
    publish(young, LATE, SCORES, "x")
    with settings_of(spark):
        result = run_backtest(spark, young, Tracker(young), Request())
    assert result.dates == [] and result.skipped[0].is_early and result.alarms == []
    assert not young.layout.backtest.page.exists()


def test_a_table_of_samples_is_measured_on_the_rows_that_have_a_label_now(spark, tmp_path):
    (tmp_path / "users.csv").write_text("customer,tier,spent\na,x,5\nb,x,0\nc,y,7\nnew,y,9\n")
    made = config_from(
        {
            "dataset": {
                "name": "users",
                "id": ["customer"],
                "split_key": ["customer"],
                "source": {
                    "kind": "samples",
                    "tables": {"users": {"path": str(tmp_path / "users.csv"), "format": "csv"}},
                    "label": "spent",
                },
                "features": {"categorical": ["tier"]},
            },
            "backtest": {"budgets": [1], "resamples": 5},
            "paths": {"root": str(tmp_path / "root")},
        }
    )
    publish(made, DATE, SCORES, "x")  # of a, b, c, d and e
    with settings_of(spark):
        [date] = run_backtest(spark, made, Tracker(made), Request()).dates
    assert (date.rows.scored, date.rows.measured, date.rows.unlabelled) == (5, 3, 2)
    assert (date.realised, date.main.predicted) == (12.0, 66.0)
    assert date.trials == []  # the table does not say when it was spent
    assert set(date.targeting[0].by) == {"published (version 1)", "chance"}


def test_customers_are_not_in_the_page_or_the_figures(shop):
    made, _ = shop
    for path in (made.layout.backtest.page, made.layout.backtest.figures):
        assert "customer" in path.read_text() and '"e"' not in path.read_text()


def test_published_rows_whose_customers_the_events_do_not_have_are_not_zeros(spark, shop):
    made, _ = shop
    other = made.model_copy(
        update={"paths": made.paths.model_copy(update={"root": f"{made.root}2"})}
    )
    publish(other, DATE, SCORES.assign(customer=[f"0{name}" for name in "abcde"]), "x")
    with settings_of(spark), pytest.raises(DataError, match="do not have 5 of its 5 customers"):
        run_backtest(spark, other, Tracker(other), Request())


def test_a_date_that_was_not_published_says_how_else_to_measure_it(spark, shop):
    made, _ = shop
    request = Request(dates=[dt.date(2024, 3, 2)])
    with settings_of(spark), pytest.raises(DataError, match="--by trained measures a model"):
        run_backtest(spark, made, Tracker(made), request)


@pytest.mark.slow
def test_a_model_of_then_is_out_of_sample_and_agrees_with_an_oracle(spark, tmp_path, capsys):
    raw = transactions(200)
    raw.to_csv(tmp_path / "sales.csv", index=False)
    made = config(
        tmp_path / "root",
        tmp_path / "sales.csv",
        build={"min_row_groups": 2},
        training={"epochs": 1, "batch_size": 128, "ranks": 1, "engine": "one_process"},
        backtest={"resamples": 20, "segments": ["segment"]},
    )
    date = dt.date(2024, 6, 30)
    tracker = Tracker(made)
    with settings_of(spark):
        table = build_features(spark, made, date)
    late = write_package(table.schema, tmp_path / "model")
    version = register(tracker, late, **{LEARNED_UNTIL: "2024-12-01"})
    request = Request(dates=[date], by="trained", models=[version])
    with settings_of(spark):
        [measured] = run_backtest(spark, made, tracker, request).dates
    assert list(tracker.runs()) == [version]  # the model of then is not registered, but kept
    assert f"trained as of {date} before" not in capsys.readouterr().out
    with settings_of(spark):
        assert train_as_of(spark, made, date).schema == table.schema
    assert f"trained as of {date} before" in capsys.readouterr().out
    assert measured.main.sample == OUT and measured.main.learned_until == str(date)
    other = measured.scorers[1]
    assert other.sample == IN and 0 < other.held_out_rows < measured.rows.measured

    raw["day"] = pd.to_datetime(raw["day"])
    start = raw.groupby("customer")["day"].min()
    known = start[start <= pd.Timestamp(date)]
    open_at_date = known[known + pd.Timedelta(90, "D") > pd.Timestamp(date)]
    assert measured.rows.scored == len(known)
    assert measured.rows.ended == len(known) - len(open_at_date) > 20
    after = (raw["day"] - raw["customer"].map(start)).dt.days
    label = raw[after.between(1, 90)].groupby("customer")["amount"].sum()
    label = label.reindex(open_at_date.index).fillna(0)
    assert measured.realised == pytest.approx(label.sum())
    assert measured.rows.zeros == (label == 0).sum() > 10
    assert measured.main.predicted / measured.realised == pytest.approx(
        measured.main.metrics["total_ratio"], rel=1e-5
    )
    segments = {group.name: group.realised for group in measured.segments["segment"]}
    oracle = label.groupby(raw.groupby("customer")["segment"].first()).sum()
    named = {name: total for name, total in segments.items() if name in oracle}
    assert named == pytest.approx({name: oracle[name] for name in named}) and "a" in named
    week = raw[after.between(1, 7)].groupby("customer")["amount"].sum().reindex(label.index)
    everyone = [t for t in measured.trials if (t.days, t.against) == (7, "chance")]
    assert everyone and all(0 < t.returned_against < 3 * week.fillna(0).mean() for t in everyone)


def test_metrics_of_a_date_are_those_of_scipy():
    from pipelines.backtest.measures import metrics_of

    rng = np.random.default_rng(0)
    y = np.where(rng.random(500) < 0.5, 0, rng.lognormal(2, 1, 500))
    predicted = np.exp(rng.normal(1, 1, 500)) + 0.2 * y
    metrics = metrics_of(y, {"predicted_cltv": predicted})
    assert metrics["mae"] == pytest.approx(np.abs(y - predicted).mean())
    assert metrics["spearman"] == pytest.approx(spearmanr(y, predicted).statistic)
    some = y > 0
    assert metrics["spearman_positive"] == pytest.approx(
        spearmanr(y[some], predicted[some]).statistic
    )
    assert metrics["total_ratio"] == pytest.approx(predicted.sum() / y.sum())
    assert "coverage" not in metrics and "nll" not in metrics


def test_a_date_on_which_nobody_buys_has_no_ranking():
    from pipelines.backtest.measures import metrics_of

    assert metrics_of(np.zeros(3), {"predicted_cltv": np.ones(3)}) == {"mae": 1.0}


def test_the_rule_prefers_recent_frequent_and_good_customers_and_knows_nothing_of_strangers():
    nan = np.nan
    past = {
        "recency": np.array([1.0, 90.0, 10.0, nan]),
        "frequency": np.array([5.0, 1.0, 2.0, nan]),
        "monetary": np.array([80.0, 5.0, 9.0, nan]),
    }
    assert np.argsort(-rule_score(past)).tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize(
    ("until", "expected"),
    [(None, UNKNOWN), (DATE, OUT), (DATE - dt.timedelta(1), OUT), (DATE + dt.timedelta(1), IN)],
)
def test_a_model_that_read_one_day_more_is_in_sample(until, expected):
    assert sample_of(until, DATE) == expected


def test_dates_are_those_asked_for_or_the_newest_published_ones(shop):
    made, _ = shop
    scores, last = made.layout.scores, dt.date(2024, 4, 1)
    assert choose_dates(Request(), scores, last, 24) == [DATE, LATE]
    assert choose_dates(Request(dates=[LATE, DATE, DATE]), scores, last, 1) == [DATE, LATE]
    assert choose_dates(Request(first=dt.date(2024, 4, 1)), scores, last, 24) == [LATE]
    series = Request(first=dt.date(2024, 1, 31), every="2 weeks", by="trained")
    assert choose_dates(series, scores, dt.date(2024, 3, 1), 24)[-1] == dt.date(2024, 2, 28)
    with pytest.raises(ConfigError, match="2 dates of 2024-02-29 to 2024-04-15"):
        choose_dates(Request(first=dt.date(2025, 1, 1)), scores, last, 24)
    with pytest.raises(ConfigError, match="--every fortnight cannot be used"):
        Request(every="fortnight").check()
    with pytest.raises(ConfigError, match="--by champion needs dates"):
        Request(by="champion").check()


def test_a_series_of_months_from_the_end_of_one_has_the_end_of_each():
    days = series_of(dt.date(2024, 1, 31), "month", dt.date(2024, 4, 29))
    assert days == [dt.date(2024, 1, 31), dt.date(2024, 2, 29), dt.date(2024, 3, 31)]
    assert series_of(dt.date(2024, 1, 5), "month", dt.date(2024, 2, 5))[-1] == dt.date(2024, 2, 5)


def test_thinned_dates_lie_an_interval_apart_counted_from_the_newest():
    days = [dt.date(2024, 1, 1) + dt.timedelta(i) for i in range(20)]
    assert thinned(days, "week") == [days[5], days[12], days[19]]


def test_a_dry_run_names_dates_that_were_not_published_and_writes_nothing(spark, shop):
    made, _ = shop
    before = made.layout.backtest.page.stat().st_mtime_ns
    request = Request(dates=[DATE, dt.date(2024, 3, 2)])
    with settings_of(spark):
        report = dry_run_backtest(lambda: made, request)
    assert report.problems == []
    assert "not published: 2024-03-02" in str(report)
    assert made.layout.backtest.page.stat().st_mtime_ns == before


def test_a_likelihood_cannot_be_an_alarm():
    with pytest.raises(ValueError, match="must be one of"):
        BacktestConfig(alarms={"nll": {"max": 2}})
