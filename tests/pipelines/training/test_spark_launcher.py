import os
from pathlib import Path

import pytest
import rank_function

from optdist.config import HorovodConfig
from optdist.training import RunFolder
from pipelines.training.spark_launcher import SparkHorovod

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_ranks_get_the_drivers_settings_but_none_of_its_secrets(spark, tmp_path, monkeypatch):
    # set after Spark has started, so that its executors do not have them from the start
    monkeypatch.setenv("OPTDIST_TEST_SECRET", "hunter2")
    monkeypatch.setenv("HADOOP_CREDSTORE_PASSWORD", "hunter2")
    monkeypatch.setenv("NCCL_DEBUG", "WARN")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    launcher = SparkHorovod(spark, HorovodConfig())
    found = launcher.run_ranks(rank_function.environment, (), 2, RunFolder(tmp_path).log)[0]
    assert found["HOROVOD_SIZE"] == "2" and found["PATH"] == os.environ["PATH"]
    assert found["HOROVOD_STALL_SHUTDOWN_TIME_SECONDS"] == "600"
    assert found["NCCL_DEBUG"] == "WARN"
    assert "hunter2" not in str(found)
