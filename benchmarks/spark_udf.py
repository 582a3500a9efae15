"""Compares the scoring job's iterator pandas UDF with `mlflow.pyfunc.spark_udf` on the same rows.

Spark on one core; each way reads the rows from Parquet, predicts and drops the result, the order
alternating. The first pass of each way, in which a Python worker loads the model, is not timed.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import keras
import mlflow
from _table import CATEGORICAL, NUMERIC, frame
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config import FeaturesConfig, OptDistConfig
from optdist.data.fitting import fit_schema
from optdist.models import build_model
from optdist.serving.package import Package
from optdist.tracking.logged_model import log_package
from optdist.tracking.mlflow_globals import quiet
from pipelines.prediction import predict

QUANTILES = (0.05, 0.5, 0.95)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--passes", type=int, default=4, help="timed passes of each way")
    parser.add_argument("--batch", type=int, default=10_000, help="rows of an Arrow batch")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _spark(options.batch) as spark:
        rows = spark.createDataFrame(frame(options.rows)).coalesce(1)
        rows.write.parquet(f"{folder}/rows")
        ways = _ways(spark, Path(folder), options.batch)
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for i in range(options.passes + 1):
            for name in list(ways)[:: -1 if i % 2 else 1]:
                started = time.perf_counter()
                ways[name]().write.format("noop").mode("overwrite").save()
                seconds[name].append(time.perf_counter() - started)
    speeds = {name: options.rows / statistics.median(s[1:]) for name, s in seconds.items()}
    print(f"{options.rows:,} raw rows, batches of {options.batch:,}, quantiles {QUANTILES}:")
    for name, speed in speeds.items():
        print(f"  {name:28}{speed:>10,.0f} rows/s")
    ours, theirs = speeds.values()
    print(f"  ratio {ours / theirs:.2f}")


def _spark(batch: int) -> SparkSession:
    return (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", str(batch))
        .getOrCreate()
    )


def _ways(spark: SparkSession, folder: Path, batch: int) -> dict[str, Callable[[], DataFrame]]:
    package, uri = _package(folder)
    names = [*CATEGORICAL, *NUMERIC]
    with quiet():
        udf = mlflow.pyfunc.spark_udf(
            spark, uri, env_manager="local", result_type=_types(spark, folder, package)
        )

    def read() -> DataFrame:
        return spark.read.parquet(f"{folder}/rows")

    return {
        "iterator pandas UDF": lambda: predict(read(), package, QUANTILES, batch, keep=["label"]),
        "mlflow.pyfunc.spark_udf": lambda: read().select(
            "label", udf(F.struct(*names)).alias("scored")
        ),
    }


def _types(spark: SparkSession, folder: Path, package: Package) -> str:
    """The columns that both predict, as SQL."""
    rows = spark.read.parquet(f"{folder}/rows").limit(0)
    scores = predict(rows, package, QUANTILES, 1, keep=[])
    return ", ".join(f"{field.name} {field.dataType.simpleString()}" for field in scores.schema)


def _package(folder: Path) -> tuple[Package, str]:
    """An untrained OptDist's package, and the URI of the same as an MLflow model."""
    keras.utils.set_random_seed(1)
    features = FeaturesConfig(
        categorical=list(CATEGORICAL), numeric={name: {"log1p": True} for name in NUMERIC}
    )
    model = build_model(fit_schema(frame(20_000), features, "label"), OptDistConfig(), seed=1)
    model.build_variables()
    package = Package.save(model, folder / "package")
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    experiment = mlflow.create_experiment("benchmark", (folder / "artifacts").as_uri())
    with quiet(), mlflow.start_run(experiment_id=experiment):
        return package, log_package(package, QUANTILES)


if __name__ == "__main__":
    main()
