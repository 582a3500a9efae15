"""What Spark itself reads: ORC, tables of its catalog, and data sources that need a package."""

import pytest

from optdist.config.source import SamplesSourceConfig
from optdist.config.tables import TableConfig
from optdist.errors import DataError
from pipelines.sources.formats.base import NotPinnedError
from pipelines.sources.formats.kept_rows import fingerprint_rows
from pipelines.sources.formats.registry import input_fingerprint, pinned_tables, read_table


@pytest.fixture
def shop(spark):
    """A table in a database of Spark's own catalog."""
    spark.sql("CREATE DATABASE IF NOT EXISTS readers_shop")
    frame = spark.createDataFrame([("007", 1.5), ("008", 2.5)], "id string, amount double")
    frame.write.saveAsTable("readers_shop.sales")
    yield "readers_shop.sales"
    spark.sql("DROP DATABASE readers_shop CASCADE")


def source_of(table):
    return SamplesSourceConfig(kind="samples", tables={"sales": table}, label="amount")


def test_orc_is_read_and_its_files_are_its_fingerprint(spark, tmp_path):
    frame = spark.createDataFrame([("007", 1.5)], "id string, amount double")
    frame.write.orc(str(tmp_path / "t"))
    table = TableConfig(path=str(tmp_path / "t"), format="orc")
    assert [tuple(row) for row in read_table(spark, "t", table).collect()] == [("007", 1.5)]
    before = input_fingerprint(source_of(table))
    frame.write.mode("append").orc(str(tmp_path / "t"))
    assert input_fingerprint(source_of(table)) != before


def test_a_file_that_is_no_orc_is_named(spark, tmp_path):
    (tmp_path / "t.orc").write_text("id,amount\n007,1.5\n" * 20)
    with pytest.raises(DataError, match=r"t\.orc is not an ORC file, or is damaged"):
        read_table(spark, "t", TableConfig(path=str(tmp_path / "t.orc"), format="orc"))


def test_a_table_of_the_catalog_is_read_by_its_name(spark, shop):
    table = TableConfig(path=shop, format="table")
    read = read_table(spark, "sales", table).orderBy("id").collect()
    assert [tuple(row) for row in read] == [("007", 1.5), ("008", 2.5)]


def test_a_job_keeps_the_rows_of_a_table_of_the_catalog(spark, shop):
    source = source_of(TableConfig(path=shop, format="table"))
    with pytest.raises(NotPinnedError):
        input_fingerprint(source)
    with pinned_tables(spark, source) as now:
        before = input_fingerprint(now)
        spark.sql(f"INSERT INTO {shop} VALUES ('009', 3.5)")
        assert read_table(spark, "sales", now.tables["sales"]).count() == 2
        assert input_fingerprint(now) == before
        view = now.tables["sales"].view
    assert not spark.catalog.tableExists(view)
    with pinned_tables(spark, source) as now:
        assert read_table(spark, "sales", now.tables["sales"]).count() == 3
        assert input_fingerprint(now) != before


@pytest.mark.parametrize(
    ("format", "path", "message"),
    [
        ("table", "readers_shop.nothing", r"catalog has no such table or view\. Write its whole"),
        ("table", "no_such_catalog.db.t", r"catalog has no such|cannot be read"),
        ("table", "my table", r"This is not a table's name"),
        ("iceberg", "db.sales", r"no data source iceberg\. Pass it .*--packages org\.apache\.iceb"),
        ("hudi", "/data/t", r"no data source hudi\. .*--packages org\.apache\.hudi:hudi-spark3\.5"),
        (
            "com.example.sheets",
            "/data/t",
            r"no data source com\.example\.sheets\. .*--packages the",
        ),
    ],
)
def test_what_is_not_there_is_one_sentence(spark, format, path, message):
    with pytest.raises(DataError, match=message) as error:
        read_table(spark, "sales", TableConfig(path=path, format=format))
    assert "\n" not in str(error.value)


def test_avro_says_which_package_it_needs(spark, tmp_path):
    (tmp_path / "t.avro").write_bytes(b"Obj\x01")
    with pytest.raises(DataError, match=r"--packages org\.apache\.spark:spark-avro_2\.12:3\.5"):
        read_table(spark, "t", TableConfig(path=str(tmp_path / "t.avro"), format="avro"))


def test_a_data_source_of_sparks_is_named_by_its_class(spark, tmp_path):
    spark.createDataFrame([("007",)], "id string").write.orc(str(tmp_path / "t"))
    name = "org.apache.spark.sql.execution.datasources.orc.OrcFileFormat"
    read = read_table(spark, "t", TableConfig(path=str(tmp_path / "t"), format=name))
    assert [tuple(row) for row in read.collect()] == [("007",)]


@pytest.mark.parametrize(
    "other",
    [
        "VALUES (1, 'a', null), (2, null, 'b')",
        "VALUES (1, null, 'a'), (2, 'b', null), (2, 'b', null)",
        "VALUES (1, null, 'a'), (2, 'b', 'b')",
        "VALUES (1, null, 'a'), (1, 'b', null)",
    ],
)
def test_other_rows_have_another_fingerprint(spark, other):
    rows = "SELECT col1 AS n, col2 AS x, col3 AS y, map(col1, col2) AS m FROM "
    here = "(VALUES (1, null, 'a'), (2, 'b', null))"
    same = "(VALUES (2, 'b', null), (1, null, 'a'))"
    before = fingerprint_rows(spark.sql(rows + here))
    assert fingerprint_rows(spark.sql(rows + same)) == before
    assert fingerprint_rows(spark.sql(f"{rows}({other})")) != before
