"""A model that lives outside the package goes through training, registry and scoring."""

import datetime as dt
import os
import sys
from pathlib import Path

import pytest
from shop import config, transactions

from optdist.config import config_from
from optdist.errors import ConfigError, ModelError
from optdist.serving.package import Package
from optdist.tracking import CHAMPION, Tracker
from pipelines.scoring.pipeline import score
from pipelines.training.pipeline import run_training

pytestmark = [pytest.mark.slow, pytest.mark.integration]

FOLDER = Path(__file__).parent / "outside"
NAME = "tweedie:Tweedie"


@pytest.fixture(scope="module")
def importable(spark):
    """Every process can import the model: the driver, the ranks, and Spark's workers."""
    with pytest.MonkeyPatch.context() as patch:
        path = os.pathsep.join([str(FOLDER), os.environ.get("PYTHONPATH", "")])
        patch.setenv("PYTHONPATH", path)
        patch.syspath_prepend(str(FOLDER))
        spark.sparkContext.addPyFile(str(FOLDER / "tweedie.py"))
        yield
    sys.modules.pop("tweedie", None)


@pytest.fixture(scope="module")
def trained(spark, importable, tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    transactions(600).to_csv(folder / "sales.csv", index=False)
    loose = {"normalized_gini": {"min": -1.0}, "total_ratio": {"min": 0.01, "max": 100}}
    made = config(
        folder / "root",
        folder / "sales.csv",
        model={"name": NAME, "tower": [8], "power": 1.3},
        promotion={"gates": loose},
    )
    return made, run_training(spark, made)


def test_it_is_trained_on_ranks_and_becomes_champion(trained):
    made, report = trained
    tracker = Tracker(made)
    assert tracker.resolve(CHAMPION) == report.version
    package = Package(tracker.package(report.version).path)
    assert package.settings.name == NAME
    assert (package.settings.tower, package.settings.power) == ([8], 1.3)
    assert package.model_class.__name__ == "Tweedie"


def test_it_scores_the_base(spark, trained):
    made, report = trained
    done = score(spark, made, Tracker(made), dt.date(2024, 4, 30))
    rows = spark.read.parquet(done.path).toPandas()
    assert len(rows) == done.rows > 0
    assert (rows["predicted_cltv"] > 0).all() and rows["sigma"].isna().all()
    assert set(rows["inference"]) == {"mean"} and set(rows["model_version"]) == {report.version}


def test_a_setting_that_it_does_not_read_is_refused(trained):
    written = trained[0].model_dump(mode="json")
    written["model"] |= {"temperature": 0.5, "power": 3}
    with pytest.raises(ConfigError) as error:
        config_from(written)
    assert f"model.temperature: {NAME} does not read this setting" in str(error.value)
    assert "model.power: Input should be less than 2" in str(error.value)


def test_where_its_code_is_missing_the_package_says_what_to_do(trained, monkeypatch):
    made, report = trained
    package = Package(Tracker(made).package(report.version).path)
    monkeypatch.delitem(sys.modules, "tweedie")
    monkeypatch.setattr(sys, "path", [p for p in sys.path if not (Path(p) / "tweedie.py").exists()])
    with pytest.raises(ModelError, match=r"No module named 'tweedie'.*PYTHONPATH"):
        package.load_model()
