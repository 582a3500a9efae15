"""The logged model, used as others use it: by MLflow's own functions and over HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from registered import register, write_package
from servers import wait_until_up
from shop import config

from optdist.config import FeaturesConfig
from optdist.data.fitting import fit_schema
from optdist.serving.predictor import load_predictor
from optdist.tracking import Tracker
from optdist.tracking.mlflow_globals import point_to

FEATURES = FeaturesConfig(
    categorical=["store", "plan", "member"], numeric={"visits": {}, "spend": {"log1p": True}}
)


def rows(count=200):
    """Raw rows as a table has them: integers as categories and as numbers, booleans, nulls."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "store": rng.integers(1, 6, count),
            "plan": rng.choice(["a", "b"], count),
            "member": rng.random(count) < 0.5,
            "visits": rng.integers(0, 9, count),
            "spend": np.round(rng.exponential(20, count), 2),
        }
    )
    frame["label"] = frame["spend"] * (frame["store"] == 2)
    return frame


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The package, and the folder of the logged model."""
    folder = tmp_path_factory.mktemp("served")
    package = write_package(fit_schema(rows(), FEATURES, "label"), folder / "package")
    tracker = Tracker(config(folder / "root", folder / "sales.csv"))
    version = register(tracker, package)
    stored = tracker.client.get_model_version_download_uri(tracker.model_name, version)
    point_to(tracker.uri)
    return package, mlflow.artifacts.download_artifacts(stored, dst_path=str(folder / "model"))


def expected(model, raw):
    return load_predictor(model[0]).predict(raw)["predicted_cltv"]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"store": "Int64", "visits": "Int64"},
        {"store": "float64", "visits": "float64"},
        {"store": "int32", "visits": "int16", "spend": "float32"},
        {"store": "string", "visits": "string", "member": "string"},
    ],
    ids=["int64", "nullable", "float64", "narrow", "text"],
)
def test_mlflow_takes_raw_rows_in_whatever_types_a_table_has(model, change):
    raw = rows(20).astype(change)
    scored = mlflow.pyfunc.load_model(model[1]).predict(raw)
    np.testing.assert_allclose(scored["predicted_cltv"], expected(model, rows(20)), rtol=1e-5)


def test_mlflow_names_a_column_that_is_missing(model):
    with pytest.raises(mlflow.exceptions.MlflowException, match=r"missing inputs \['plan'\]"):
        mlflow.pyfunc.load_model(model[1]).predict(rows(3).drop(columns="plan"))


@pytest.mark.slow
def test_spark_udf_takes_the_rows_that_the_jobs_score(spark, model):
    from pyspark.sql import functions as F

    raw = rows(50)
    udf = mlflow.pyfunc.spark_udf(
        spark, model[1], env_manager="local", result_type="predicted_cltv double"
    )
    frame = spark.createDataFrame(raw).coalesce(1)
    scored = frame.select(udf(F.struct(*FEATURES.categorical, *FEATURES.numeric)).alias("s"))
    values = [row["s"]["predicted_cltv"] for row in scored.collect()]
    np.testing.assert_allclose(values, expected(model, raw), rtol=1e-5)


@pytest.fixture(scope="module")
def server(model):
    """The address of `mlflow models serve`, on a port of its own; nothing of it stays."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["models", "serve", "-m", model[1], "--env-manager", "local", "-p", str(port)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words],
        env=os.environ | {"PATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(f"{address}/ping", process, process.stdout.read)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def post(address, body):
    request = urllib.request.Request(
        f"{address}/invocations",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["predictions"]


@pytest.mark.slow
def test_a_served_model_scores_raw_rows_over_http(model, server):
    raw = rows(5).drop(columns="label")
    records = json.loads(raw.to_json(orient="records"))
    answer = post(server, {"dataframe_records": records, "params": {"quantiles": [0.5]}})
    scored = [row["predicted_cltv"] for row in answer]
    np.testing.assert_allclose(scored, expected(model, raw), rtol=1e-5)
    assert "q50" in answer[0] and "q95" not in answer[0]

    split = json.loads(raw.to_json(orient="split"))
    scored = [row["predicted_cltv"] for row in post(server, {"dataframe_split": split})]
    np.testing.assert_allclose(scored, expected(model, raw), rtol=1e-5)


@pytest.mark.slow
def test_a_served_model_takes_nulls_and_mixed_types_and_refuses_a_row_that_lacks_a_column(
    model, server
):
    whole = json.loads(rows(1).drop(columns="label").to_json(orient="records"))[0]
    records = [whole | {"store": 2}, whole | {"store": "2"}, whole | {"store": None}]
    answer = [row["predicted_cltv"] for row in post(server, {"dataframe_records": records})]
    assert answer[0] == pytest.approx(answer[1]) and answer[2] != pytest.approx(answer[0])
    del whole["plan"]
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(server, {"dataframe_records": [whole]})
    with caught.value as answer:
        assert answer.code == 400 and "missing inputs ['plan']" in answer.read().decode()


ALONE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"pyspark", "horovod", "petastorm", "mlflow", "matplotlib"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import pandas as pd
from pathlib import Path
from optdist.serving.package import Package
from optdist.serving.predictor import load_predictor
folder, digest, rows = sys.argv[1:]
predictor = load_predictor(Package(Path(folder), digest))
print(*predictor.predict(pd.read_csv(rows))["predicted_cltv"])
"""


@pytest.mark.slow
def test_a_package_scores_raw_rows_in_a_python_with_neither_spark_nor_horovod_nor_mlflow(
    model, tmp_path
):
    package, raw = model[0], rows(10)
    raw.to_csv(tmp_path / "rows.csv", index=False)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, package.path, package.digest, tmp_path / "rows.csv"],
        capture_output=True,
        text=True,
        check=True,
    )
    scored = [float(value) for value in done.stdout.split()]
    np.testing.assert_allclose(scored, expected(model, raw), rtol=1e-5)
