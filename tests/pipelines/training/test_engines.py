import pytest
from own_launcher import NewProcess
from shop import config, transactions

from optdist.config import TrainingConfig
from optdist.errors import ConfigError
from optdist.tracking import CHAMPION, Tracker
from optdist.training import TrainingPlan
from optdist.training.local_launcher import LocalHorovod, OneProcess
from pipelines.training.engines import launcher_of
from pipelines.training.pipeline import run_training
from pipelines.training.spark_launcher import SparkHorovod

SMALL = {"epochs": 1, "batch_size": 128, "ranks": 1}


def trained_by(spark, folder, engine):
    transactions(300).to_csv(folder / "sales.csv", index=False)
    made = config(folder / "root", folder / "sales.csv", training=SMALL | {"engine": engine})
    report = run_training(spark, made)
    assert Tracker(made).resolve(CHAMPION) == report.version == "1"
    return report


@pytest.mark.parametrize(
    ("engine", "launcher"),
    [
        ("spark_horovod", SparkHorovod),
        ("local_horovod", LocalHorovod),
        ("one_process", OneProcess),
        ("own_launcher:NewProcess", NewProcess),
    ],
)
def test_a_setting_names_the_engine(spark, tmp_path, engine, launcher):
    training = SMALL | {"engine": engine}
    made = config(tmp_path, tmp_path / "sales.csv", training=training)
    assert isinstance(launcher_of(made), launcher)


def test_an_unknown_engine_is_an_error_that_lists_the_known_ones(tmp_path):
    made = config(tmp_path, tmp_path / "sales.csv", training={"engine": "slurm"})
    with pytest.raises(ConfigError, match="one of spark_horovod, local_horovod, one_process or"):
        launcher_of(made)


def test_the_engine_changes_no_plan():
    def fingerprint(**training):
        plan = TrainingPlan(
            table="",
            table_fingerprint="",
            folder="",
            model={"name": "optdist"},
            training=TrainingConfig(**training),
        )
        return plan.fingerprint

    assert fingerprint() == fingerprint(engine="one_process", threads_per_rank=3)
    assert fingerprint() != fingerprint(ranks=1) and fingerprint() != fingerprint(seed=2)


@pytest.mark.slow
def test_an_engine_from_outside_trains_a_model_that_becomes_champion(spark, tmp_path):
    report = trained_by(spark, tmp_path, "own_launcher:NewProcess")
    assert report.result.epochs == 1


@pytest.mark.slow
def test_one_process_trains_a_model_that_becomes_champion(spark, tmp_path):
    report = trained_by(spark, tmp_path, "one_process")
    assert report.result.ranks == 1
