"""Features, training's log and scores of a table in a real PostgreSQL."""

import datetime as dt

import pandas as pd
import pytest
import yaml
from postgres import PASSWORD, USER
from registered import register, write_package
from shop import config, transactions

from optdist.config import load_config
from optdist.config.identity import identity
from optdist.errors import DataError
from optdist.tracking import CHAMPION, Tracker
from pipelines.dry_run.feature_job import dry_run_features
from pipelines.dry_run.report import SKIPPED
from pipelines.features.build import build_features, finished_features
from pipelines.scoring.pipeline import score

DATE = dt.date(2024, 12, 20)


@pytest.fixture
def sales(database, tmp_path):
    transactions(300).to_csv(tmp_path / "sales.csv", index=False)
    database.sql(
        "CREATE TABLE sales (customer bigint, day date, amount numeric(12, 2), segment text)"
    )
    database.copy("sales", tmp_path / "sales.csv")
    yield tmp_path / "sales.csv"
    database.sql("DROP TABLE sales")


@pytest.fixture
def shop(database, sales, tmp_path, monkeypatch):
    """The made-up shop's configuration with its table in the database, as a file has it."""
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    made = config(tmp_path / "root", sales).model_dump(mode="json", exclude_defaults=True)
    made["dataset"]["source"]["tables"]["sales"] = {
        "format": "jdbc",
        "path": "sales",
        "options": {"url": database.url, "user": USER, "password": "${env:SHOP_PASSWORD}"},
    }
    written = {**made.pop("dataset"), **made}
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(written))
    return lambda *overrides: load_config(tmp_path / "shop.yaml", overrides=overrides)


def samples(table):
    frame = pd.read_parquet(table.samples).drop(columns=["split"])
    frame["customer"] = frame["customer"].astype(int)  # text in a file
    return frame.sort_values("customer", ignore_index=True).sort_index(axis=1)


def password_is_in(folder):
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert files
    return [file for file in files if PASSWORD.encode() in file.read_bytes()]


def test_a_table_of_a_database_gives_the_samples_of_the_same_file(spark, shop, sales, tmp_path):
    of_file = build_features(spark, config(tmp_path / "other", sales))
    of_database = build_features(spark, shop())
    pd.testing.assert_frame_equal(samples(of_database), samples(of_file), check_dtype=False)
    assert finished_features(shop()) is None  # only Spark can tell


def test_a_dry_run_looks_at_a_table_of_a_database_and_writes_nothing(spark, shop):
    report = dry_run_features(shop, None)
    assert report.problems == []
    samples = next(line for line in report.lines if line.check == "features")
    assert int(samples.sentence.split(" samples")[0].split()[-1]) == 300
    assert any(line.check == "feature table" and line.state == SKIPPED for line in report.lines)
    assert not shop().root.exists()
    missing = dry_run_features(lambda: shop("dataset.source.tables.sales.path=nothing"), None)
    assert [line.check for line in missing.problems] == ["table sales"]


def test_features_are_built_again_where_the_table_has_changed(spark, shop, database, capsys):
    first = build_features(spark, shop())
    again = build_features(spark, shop("dataset.source.tables.sales.options.fetchsize=50"))
    assert again.path != first.path  # the settings are others, and the rows the same
    assert again.manifest.written["input"] == first.manifest.written["input"]
    assert build_features(spark, shop()).path == first.path
    assert "are up to date" in capsys.readouterr().out
    database.sql("UPDATE sales SET amount = amount + 1 WHERE customer = 7")
    changed = build_features(spark, shop())
    assert changed.path not in {first.path, again.path}
    assert not samples(changed).equals(samples(first))


def test_a_column_of_text_gets_the_type_that_sql_needs(spark, shop, database):
    first = build_features(spark, shop())
    database.sql("ALTER TABLE sales ALTER amount TYPE text, ALTER customer TYPE text")
    texts = build_features(spark, shop())
    assert texts.manifest.types == {"sales": {"amount": "double"}}
    assert texts.schema.types == texts.manifest.types
    assert sorted(samples(texts)["label"]) == sorted(samples(first)["label"])


def test_a_password_is_in_no_folder_log_or_run(spark, shop, tmp_path, capfd):
    made = shop()
    table, tracker = build_features(spark, made), Tracker(made)
    with tracker.run("made") as run:
        run.log_config(made)
        run.log_table(table.manifest)
    package = write_package(table.schema, tmp_path / "package", inference="hard")
    tracker.set_alias(CHAMPION, register(tracker, package, **identity(made)))
    score(spark, made, tracker, DATE)
    assert password_is_in(tmp_path) == []
    assert PASSWORD not in "".join(capfd.readouterr())
    assert PASSWORD not in str(made.printable())


def test_an_address_and_how_fast_it_is_read_are_not_what_a_table_means(shop):
    moved = shop(
        "dataset.source.tables.sales.options.url=jdbc:postgresql://elsewhere/shop",
        "dataset.source.tables.sales.options.partitionColumn=customer",
        "dataset.source.tables.sales.path=archive.sales",
    )
    assert identity(moved) == identity(shop())
    queried = shop(
        "dataset.source.tables.sales.path=''",
        "dataset.source.tables.sales.options.query=SELECT * FROM sales WHERE amount > 1",
    )
    assert identity(queried) != identity(shop())


def test_a_scored_date_is_scored_again_without_the_database(spark, shop, database, tmp_path):
    made = shop()
    table, tracker = build_features(spark, made), Tracker(made)
    package = write_package(table.schema, tmp_path / "package", inference="hard")
    tracker.set_alias(CHAMPION, register(tracker, package, **identity(made)))
    first = score(spark, made, tracker, DATE)
    assert first.source_fingerprint == first.input_fingerprint != ""
    gone = shop("dataset.source.tables.sales.options.url=jdbc:postgresql://127.0.0.1:1/shop")
    again = score(spark, gone, tracker, DATE)
    assert (again.input, again.input_fingerprint) == (first.input, first.input_fingerprint)
    assert again.source_fingerprint == ""
    with pytest.raises(DataError, match=r"127\.0\.0\.1:1 refused"):
        score(spark, gone, tracker, DATE, refresh=True)


def test_a_wrong_password_is_not_quoted(spark, shop, monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", "another-one")
    with pytest.raises(DataError, match="password authentication failed") as error:
        build_features(spark, shop())
    assert "another-one" not in str(error.value)


def test_a_password_within_a_url_is_not_quoted(spark, shop, database):
    url = (
        "dataset.source.tables.sales.options.url=jdbc:postgresql:/x?password=${env:SHOP_PASSWORD}:y"
    )
    with pytest.raises(
        DataError, match=r"Unable to parse URL .*password=\$\{env:SHOP_PASSWORD\}"
    ) as e:
        build_features(spark, shop(url))
    assert PASSWORD not in str(e.value)
