"""Several horizons: one run trains a model for each, and one pass over the samples scores them."""

import datetime as dt

import numpy as np
import pytest
from quick import settings_of
from shop import config, transactions

from optdist.config import config_from
from optdist.config.horizons import further_models, of_horizon
from optdist.config.identity import DATASET
from optdist.errors import ModelError
from optdist.tracking import CHALLENGER, CHAMPION, Tracker
from pipelines.cleaning import leftovers
from pipelines.dry_run.jobs import dry_run_scoring, dry_run_training
from pipelines.prediction import predict
from pipelines.scoring.horizons import choose_horizons
from pipelines.scoring.pipeline import score
from pipelines.training.horizons import facts_of, train_horizons

pytestmark = pytest.mark.slow
DATE = dt.date(2024, 12, 20)  # the made-up shop's last event is of 2024-12-18
COLUMN, MODEL = "predicted_cltv_150d", "optdist-shop-150d"


def changed(made, **source):
    written = made.written
    dataset = written["dataset"]
    return config_from({**written, "dataset": {**dataset, "source": dataset["source"] | source}})


@pytest.fixture(scope="module")
def shop(spark, tmp_path_factory):
    """A shop whose two horizons were trained in one run, and its scores of one date."""
    folder = tmp_path_factory.mktemp("horizons")
    transactions(200).to_csv(folder / "sales.csv", index=False)
    one_epoch = {"epochs": 1, "batch_size": 128, "ranks": 1, "engine": "one_process"}
    sections = {
        "model": {"name": "mtl_mse", "tower": [4]},  # quick to compile
        "training": one_epoch,
        "gate": {"enabled": False},  # nobody is new in December
    }
    made = config(folder / "root", folder / "sales.csv", **sections)
    made = changed(made, more_horizons=[150])
    with settings_of(spark):
        reports = train_horizons(spark, made)
        yield made, reports, score(spark, made, Tracker(made), DATE)


@pytest.fixture
def elsewhere(shop, tmp_path):
    """A function that makes a configuration of the shop's store with nothing scored yet."""

    def move(made):
        uri = f"sqlite:///{shop[0].root}/mlflow.db"
        tracking = {**made.written.get("tracking", {}), "uri": uri}
        return config_from(
            {**made.written, "paths": {"root": str(tmp_path / "root")}, "tracking": tracking}
        )

    return move


def rows_of(spark, done):
    return spark.read.parquet(done.path).toPandas().sort_values("customer", ignore_index=True)


def test_one_run_trains_a_champion_for_each_horizon(shop):
    made, reports, _ = shop
    assert [report.model_name for report in reports] == ["optdist-shop", MODEL]
    tracker = Tracker(made)
    further = tracker.of(MODEL)
    assert (tracker.find(CHAMPION), further.find(CHAMPION)) == ("1", "1")
    labels = [registry.package("1").schema.label for registry in (tracker, further)]
    assert labels[0].total < labels[1].total
    facts = facts_of(reports)
    assert facts["model_name"] == "optdist-shop"
    assert [one["model_name"] for one in facts["horizons"]] == [MODEL]


def test_the_column_is_what_a_data_set_with_that_horizon_predicts(spark, shop, elsewhere):
    made, _, done = shop
    rows = rows_of(spark, done)
    assert list(rows)[-3:] == [COLUMN, "inference", "model_version"]
    samples = spark.read.parquet(str(made.layout.scores.path / done.input))
    package = Tracker(made).of(MODEL).package("1")
    alone = predict(samples, package, (), made.scoring.batch_rows, keep=["customer"])
    alone = alone.toPandas().sort_values("customer", ignore_index=True)
    np.testing.assert_array_equal(rows[COLUMN], alone["predicted_cltv"])
    assert not np.allclose(rows[COLUMN], rows["predicted_cltv"], rtol=0.01)
    [further] = done.horizons
    assert further.total_predicted == pytest.approx(rows[COLUMN].sum(), rel=1e-5)
    assert (further.model_name, further.model_version) == (MODEL, "1")

    longer = elsewhere(of_horizon(made, 150))
    own = rows_of(spark, score(spark, longer, Tracker(longer), DATE))
    np.testing.assert_allclose(rows[COLUMN], own["predicted_cltv"], rtol=1e-6)


def test_a_rerun_uses_the_pinned_versions_until_an_alias_is_given(spark, shop):
    made, reports, done = shop
    tracker = Tracker(made)
    further = tracker.of(MODEL)
    newer = further.register(f"models:/{MODEL}/1", reports[1].run_id, further.tags("1"))
    further.set_alias(CHAMPION, newer)
    try:
        again = score(spark, made, tracker, DATE)
        assert again.horizons == done.horizons
        assert (again.checksum, again.replaced) == (done.checksum, "")
        assert choose_horizons(made, tracker, again, "1")[0].version == "1"  # of the own model
        assert choose_horizons(made, tracker, again, CHAMPION)[0].version == newer
        assert choose_horizons(made, tracker, None, None)[0].version == newer  # another date
    finally:
        further.set_alias(CHAMPION, "1")


def test_packages_and_features_that_a_further_horizon_needs_are_not_cleaned(shop):
    made, _, _ = shop
    tracker, further = Tracker(made), further_models(made)
    assert further == [MODEL]
    everything_is_old = -1  # days
    paths = {one.path for one in leftovers(made.layout, tracker, everything_is_old, further)}
    tables = {*made.layout.feature_tables.glob("*")}
    packages = {path for name in ("optdist-shop", MODEL) for _, path in made.layout.packages(name)}
    assert (len(tables), len(packages)) == (2, 2)
    assert not paths & (tables | packages)
    alone = {one.path for one in leftovers(made.layout, tracker, everything_is_old)}
    assert len(alone & tables) == 1  # the data set does not name that horizon any more


def test_a_version_that_only_a_published_date_names_keeps_its_package(shop):
    made, _, done = shop
    tracker = Tracker(made)
    for alias in (CHAMPION, CHALLENGER):
        tracker.of(MODEL).drop_alias(alias)
    try:
        paths = {one.path for one in leftovers(made.layout, tracker, -1, [MODEL])}
    finally:
        for alias in (CHAMPION, CHALLENGER):
            tracker.of(MODEL).set_alias(alias, "1")
    assert paths & {*made.layout.feature_tables.glob("*")}
    [(version, package)] = made.layout.packages(MODEL)
    assert version == done.horizons[0].model_version and package not in paths


def test_a_horizon_without_a_model_is_named_before_any_work(spark, shop, elsewhere):
    made = elsewhere(changed(shop[0], more_horizons=[150, 7, 14]))
    with pytest.raises(ModelError, match=r"7 days: .*-7d@champion.*; 14 days: .*jobs/train"):
        score(spark, made, Tracker(made), DATE)
    assert not made.layout.scores.inputs(DATE).exists()
    report = dry_run_scoring(lambda: made, DATE, None, refresh=False)
    [problem] = [line for line in report.problems if line.check == "horizons"]
    assert "7 days" in problem.sentence and "14 days" in problem.sentence


def test_a_horizons_model_of_other_data_is_refused(spark, shop, elsewhere):
    made = elsewhere(shop[0])
    further = Tracker(made).of(MODEL)
    tag = further.tags("1")[DATASET]
    further.tag_version("1", DATASET, Tracker(made).tags("1")[DATASET])  # of 90 days
    try:
        with pytest.raises(ModelError, match=rf"{MODEL} version 1 .*source\.horizon_days"):
            score(spark, made, Tracker(made), DATE)
    finally:
        further.tag_version("1", DATASET, tag)


def test_a_dry_training_looks_at_each_horizon(shop):
    report = dry_run_training(lambda: shop[0], None)
    assert report.problems == [] and report.estimates["models"].startswith("2, one for each")
    texts = [line.sentence for line in report.lines if line.check == "feature table"]
    assert [text.partition(":")[0] for text in texts] == ["up to date, used again", "150 days"]
