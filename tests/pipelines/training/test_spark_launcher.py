import os
from pathlib import Path

import pytest
import rank_function

from optdist.config import OptDistConfig, TrainingConfig
from optdist.training import TrainingPlan
from pipelines.training import spark_launcher as launching
from pipelines.training.spark_launcher import launch

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_ranks_get_the_drivers_settings_but_none_of_its_secrets(spark, tmp_path, monkeypatch):
    # set after Spark has started, so that its executors do not have them from the start
    monkeypatch.setenv("OPTDIST_TEST_SECRET", "hunter2")
    monkeypatch.setenv("HADOOP_CREDSTORE_PASSWORD", "hunter2")
    monkeypatch.setenv("NCCL_DEBUG", "WARN")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    monkeypatch.setattr(launching, "run_rank", rank_function.environment)
    plan = TrainingPlan(
        table="",
        table_fingerprint="",
        folder=str(tmp_path),
        model=OptDistConfig(),
        training=TrainingConfig(),
    )
    found = launch(spark, plan, print)
    assert found["HOROVOD_SIZE"] == "2" and found["PATH"] == os.environ["PATH"]
    assert found["HOROVOD_STALL_SHUTDOWN_TIME_SECONDS"] == "600"
    assert found["NCCL_DEBUG"] == "WARN"
    assert "hunter2" not in str(found)
