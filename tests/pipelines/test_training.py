import datetime as dt

import pytest
from shop import config, transactions

from optdist.config.identity import identity
from optdist.tracking import CHAMPION, Tracker
from pipelines.training import run_training

AS_OF = dt.date(2024, 12, 1)


@pytest.fixture(scope="module")
def trained(spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    transactions(300).to_csv(folder / "sales.csv", index=False)
    made = config(
        folder / "root",
        folder / "sales.csv",
        training={"epochs": 1, "batch_size": 128, "ranks": 1, "seed": 3},
    )
    return made, Tracker(made), run_training(spark, made, AS_OF)


@pytest.mark.slow
def test_a_run_and_its_version_say_what_they_are_of(trained):
    made, tracker, report = trained
    run = tracker.client.get_run(report.run_id)
    assert run.info.run_name == "shop optdist seed3"
    expected = {"dataset": "shop", "model": "optdist", "as_of": "2024-12-01"} | identity(made)
    assert expected.items() <= run.data.tags.items()
    assert "optdist_version" in run.data.tags

    tags = tracker.tags(tracker.resolve(CHAMPION))
    assert identity(made).items() <= tags.items()
    test = report.result["test"][report.result["inference"]]
    assert tags["test_mae"] == f"{test['mae']:.4f}"
    assert {"test_normalized_gini", "test_spearman", "test_total_ratio"} <= tags.keys()
