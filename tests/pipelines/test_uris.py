"""A cluster whose default storage is another one, and a folder whose name is no plain word."""

import ast
import datetime as dt
from pathlib import Path

import pytest
from registered import register, write_package
from shop import config, transactions

from optdist.files import uri
from optdist.tracking import CHAMPION, Tracker
from pipelines.features.build import build_features
from pipelines.registry.promotion import Arena
from pipelines.scoring.pipeline import score

ROOT = Path(__file__).resolve().parents[2]
FILES = [path for folder in ("pipelines", "jobs") for path in (ROOT / folder).rglob("*.py")]


def _is_method_call(node):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)


def test_every_path_that_spark_reads_or_writes_has_its_scheme():
    told = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.func.attr if _is_method_call(node) else ""
            if name in {"parquet", "csv"}:
                told.append((path.name, ast.unparse(node.args[0])))
    assert len(told) > 12
    schemeless = [each for each in told if not each[1].removeprefix("*[").startswith("uri(")]
    assert schemeless == []


@pytest.fixture(scope="module")
def elsewhere(spark):
    """Spark as on YARN: a path without a scheme is on a storage that does not answer here."""
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()
    before = hadoop.get("fs.defaultFS")
    hadoop.set("fs.defaultFS", "hdfs://nowhere:1")
    yield spark
    hadoop.set("fs.defaultFS", before)


@pytest.fixture(scope="module")
def shop(elsewhere, tmp_path_factory):
    raw = tmp_path_factory.mktemp("uris") / "raw 50%20=1"
    raw.mkdir()
    transactions(300).to_csv(raw / "sales.csv", index=False)
    made = config(raw.parent / "our shop=1", raw / "sales.csv")
    return made, build_features(elsewhere, made)


@pytest.mark.slow
def test_features_are_built_where_their_manifest_is(elsewhere, shop):
    _, table = shop
    with pytest.raises(Exception, match="nowhere"):
        elsewhere.read.parquet(str(table.samples_path("test")))
    rows = table.manifest.counts["train"]
    assert elsewhere.read.parquet(uri(table.samples_path("train"))).count() == rows


@pytest.mark.slow
def test_a_date_is_scored_and_a_version_compared(elsewhere, shop):
    made, table = shop
    tracker = Tracker(made)
    version = register(tracker, write_package(table.schema, made.root / "package"))
    tracker.set_alias(CHAMPION, version)
    done = score(elsewhere, made, tracker, dt.date(2024, 12, 20))
    assert elsewhere.read.parquet(uri(done.path)).count() == done.rows == 300
    scored = Arena.of(elsewhere, made, table).score(tracker, version, made.promotion)
    assert "normalized_gini" in scored.metrics(table.schema.label)


def test_a_url_stays_as_it_is_and_a_relative_path_is_seen_from_here(tmp_path, monkeypatch):
    assert uri("s3a://bucket/a b") == "s3a://bucket/a b"
    monkeypatch.chdir(tmp_path)
    assert uri("data/x%20=1.csv") == f"file://{tmp_path}/data/x%20=1.csv"
