from pathlib import Path

import batch_rows
import pandas as pd
import pytest
from pyspark.sql import functions as F
from registered import write_package
from table import FEATURES, frame

from optdist.data.fitting import fit_schema
from optdist.errors import ModelError
from optdist.serving.package import Package
from pipelines.prediction import explain_worker_errors, predict, regroup


@pytest.mark.parametrize("sizes", [[10], [3, 3, 3, 1], [1] * 10, [7, 0, 3], [4, 6]])
@pytest.mark.parametrize("rows", [1, 4, 5, 10, 99])
def test_batches_are_regrouped_without_losing_or_moving_a_row(sizes, rows):
    whole = pd.DataFrame({"a": range(10)})
    ends = pd.Series(sizes).cumsum()
    batches = [whole[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    regrouped = list(regroup(batches, rows))
    assert [len(batch) for batch in regrouped[:-1]] == [rows] * (len(regrouped) - 1)
    assert pd.concat(regrouped)["a"].tolist() == list(range(10))


def test_no_batch_at_all_stays_none():
    assert list(regroup([], 5)) == []


def test_a_plan_keeps_its_own_batch_size_whatever_the_session_has_when_it_runs(spark, tmp_path):
    raw = frame(100)
    model = batch_rows.BatchRows(fit_schema(raw, FEATURES, "label"))
    model.build_variables()
    package = Package.save(model, tmp_path / "package")
    spark.sparkContext.addPyFile(str(Path(batch_rows.__file__)))
    samples = spark.createDataFrame(raw).coalesce(1)
    setting = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(setting)
    first = predict(samples, package, (), 40, keep=["spend"])
    second = predict(samples, package, (), 25, keep=["spend"])
    assert spark.conf.get(setting) == before

    def batches(plan):
        counts = plan.groupBy("predicted_cltv").agg(F.count("*").alias("rows")).collect()
        return {int(row["predicted_cltv"]): row["rows"] for row in counts}

    try:
        for size in (before, "7", "100"):
            spark.conf.set(setting, size)
            assert batches(first) == {40: 80, 20: 20}
            assert batches(second) == {25: 100}
    finally:
        spark.conf.set(setting, before)
    spent = [row["spend"] for row in first.collect()]
    assert spent == raw["spend"].tolist()


@pytest.mark.parametrize("name", ["model.weights.h5", "schema.json", "checksums.json"])
def test_a_worker_refuses_a_package_that_changed_after_the_driver_looked(spark, tmp_path, name):
    raw = frame(20)
    saved = write_package(fit_schema(raw, FEATURES, "label"), tmp_path / "package")
    package = Package(saved.path, saved.digest)
    plan = predict(spark.createDataFrame(raw).coalesce(1), package, (), 40, keep=["spend"])
    content = bytearray((package.path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (package.path / name).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{name} is"), explain_worker_errors():
        plan.collect()
