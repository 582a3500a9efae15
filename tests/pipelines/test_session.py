"""Sessions of a cluster; Spark's local-cluster starts real executors in folders of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyspark
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, sys
from pipelines.session import spark_session

def where(_):
    import optdist.errors
    return [optdist.errors.__file__]

settings = {"spark.master": sys.argv[1], "spark.ui.enabled": "false"}
settings |= {"spark.executor.memory": "512m"}
spark_session(settings, "first")
spark = spark_session(settings, "the same again")
executor = spark.sparkContext.parallelize([0], 1).mapPartitions(where).collect()
print(json.dumps([where(0), executor]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("master", "archive"), [("local[1]", ""), ("local-cluster[1,1,512]", "optdist.zip")]
)
def test_executors_of_a_cluster_get_the_code_of_the_driver(tmp_path, master, archive):
    environment = os.environ | {
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_WORKER_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, master],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    driver, executor = json.loads(done.stdout.splitlines()[-1])
    assert driver == [str(ROOT / "optdist" / "errors.py")]
    assert (f"/{archive}/" in executor[0]) if archive else executor == driver
