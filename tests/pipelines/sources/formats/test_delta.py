"""Delta tables as the package deltalake writes them, and as other programs do."""

import builtins
import datetime as dt
import decimal
import json
import struct
import time

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from optdist.config.source import SamplesSourceConfig
from optdist.config.tables import TableConfig
from optdist.errors import DataError
from pipelines.sources.formats.registry import input_fingerprint, pinned_tables, read_table


def table(path, **settings):
    return TableConfig(path=str(path), format="delta", **settings)


def source_of(made):
    return SamplesSourceConfig(kind="samples", tables={"sales": made}, label="amount")


def rows(spark, made, *columns):
    frame = read_table(spark, "sales", made)
    return sorted(tuple(row) for row in frame.select(*columns or frame.columns).collect())


@pytest.fixture
def sales(tmp_path):
    """A table with a delete, an added column and an OPTIMIZE: versions 0 to 3."""
    path = tmp_path / "sales"
    write_deltalake(path, pa.table({"id": ["007", "008", "009"], "amount": [1.0, 2.0, 3.0]}))
    DeltaTable(path).delete("amount = 2")
    later = pa.table({"id": ["010"], "amount": [4.0], "shop": ["x"]})
    write_deltalake(path, later, mode="append", schema_mode="merge")
    DeltaTable(path).optimize.compact()
    return path


def test_deleted_rows_do_not_count_and_compacted_files_count_once(spark, sales):
    expected = [("007", 1.0, None), ("009", 3.0, None), ("010", 4.0, "x")]
    assert rows(spark, table(sales), "id", "amount", "shop") == expected
    assert spark.read.parquet(str(sales)).count() > 3  # as plain files


@pytest.mark.parametrize(
    ("version", "ids"),
    [
        (0, ["007", "008", "009"]),
        ("1", ["007", "009"]),
        (2, ["007", "009", "010"]),
        (3, ["007", "009", "010"]),
    ],
)
def test_an_older_version_is_read_as_it_was(spark, sales, version, ids):
    frame = read_table(spark, "sales", table(sales, version=version))
    assert sorted(row["id"] for row in frame.collect()) == ids
    assert ("shop" in frame.columns) == (int(version) > 1)


def test_a_time_names_the_version_that_was_the_newest_then(spark, tmp_path):
    path = tmp_path / "t"
    write_deltalake(path, pa.table({"id": [1]}))
    time.sleep(0.05)
    between = dt.datetime.now(dt.UTC)
    time.sleep(0.05)
    write_deltalake(path, pa.table({"id": [2]}), mode="append")
    assert rows(spark, table(path, version=between.isoformat())) == [(1,)]
    assert rows(spark, table(path, version="2999-01-01")) == [(1,), (2,)]
    with pytest.raises(DataError, match=r"version is 2001-01-01, but the oldest version is of 2"):
        read_table(spark, "sales", table(path, version="2001-01-01"))


def test_partition_values_are_those_of_the_log(spark, tmp_path):
    path = tmp_path / "a b+ä"
    values = {
        "text": ["07", "x y/ä%+=", None],
        "day": [dt.date(2024, 1, 31), None, dt.date(2024, 2, 1)],
        "number": pa.array(
            [decimal.Decimal("1.50"), None, decimal.Decimal("2")], pa.decimal128(9, 2)
        ),
        "at": pa.array([dt.datetime(2024, 1, 1, 5), None, None], pa.timestamp("us", tz="UTC")),
    }
    whole = pa.table({"id": [1, 2, 3], **values})
    write_deltalake(path, whole, partition_by=list(values))
    frame = read_table(spark, "sales", table(path))
    assert frame.columns == whole.column_names
    got = {row["id"]: row for row in frame.selectExpr("*", "cast(at AS string) s").collect()}
    assert [got[i]["text"] for i in (1, 2, 3)] == values["text"]
    assert [got[i]["day"] for i in (1, 2, 3)] == values["day"]
    assert [got[i]["number"] for i in (1, 2, 3)] == values["number"].to_pylist()
    assert [got[i]["s"] for i in (1, 2, 3)] == ["2024-01-01 05:00:00", None, None]


def test_renamed_columns_have_the_names_of_the_table(spark, tmp_path):
    nested = [{"x": 1, "y y": "q"}, {"x": 2, "y y": None}]
    whole = pa.table({"id": [1, 2], "part": ["a", "b"], "inner": nested})
    mapped = {"delta.columnMapping.mode": "name"}
    write_deltalake(tmp_path / "t", whole, partition_by=["part"], configuration=mapped)
    assert rows(spark, table(tmp_path / "t"), "id", "part", "inner.x", "inner.`y y`") == [
        (1, "a", 1, "q"),
        (2, "b", 2, None),
    ]


def delete_by_vector(path, positions):
    """Commit what Databricks writes for a DELETE: the same file with a bitmap of deleted rows."""
    first = (path / "_delta_log" / f"{0:020}.json").read_text().splitlines()
    [added] = [json.loads(line)["add"] for line in first if line.startswith('{"add"')]
    array = struct.pack("<IIHHI", 12346, 1, 0, len(positions) - 1, 16)
    array += struct.pack(f"<{len(positions)}H", *positions)
    bitmap = struct.pack("<IQI", 1681511377, 1, 0) + array
    vector = {"storageType": "i", "pathOrInlineDv": z85(bitmap), "cardinality": len(positions)}
    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    actions = [
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}},
        {"remove": {"path": added["path"], "dataChange": True, "deletionTimestamp": 1}},
        {"add": {**added, "deletionVector": {**vector, "sizeInBytes": len(bitmap)}}},
    ]
    lines = "\n".join(map(json.dumps, actions))
    (path / "_delta_log" / f"{1:020}.json").write_text(lines)


def z85(data):
    signs = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
    words = struct.unpack(f">{-(-len(data) // 4)}I", data + b"\0" * (-len(data) % 4))
    return "".join(signs[word // 85**i % 85] for word in words for i in (4, 3, 2, 1, 0))


@pytest.mark.parametrize("partitions", [[], ["part"]])
def test_rows_that_a_deletion_vector_names_are_gone(spark, tmp_path, partitions):
    whole = pa.table({"id": list(range(1000)), "part": ["a"] * 1000})
    write_deltalake(tmp_path / "t", whole, partition_by=partitions)
    gone = [0, 63, 64, 65, 500, 999]
    delete_by_vector(tmp_path / "t", gone)
    read = rows(spark, table(tmp_path / "t"))
    assert read == [(i, "a") for i in range(1000) if i not in gone]
    assert len(rows(spark, table(tmp_path / "t", version=0))) == 1000


def test_a_job_reads_one_version_and_records_it(spark, sales):
    source = source_of(table(sales))
    with pinned_tables(spark, source) as now:
        write_deltalake(
            sales, pa.table({"id": ["011"], "amount": [5.0]}), mode="append", schema_mode="merge"
        )
        assert now.tables["sales"].version == 3
        assert len(rows(spark, now.tables["sales"])) == 3
        before = input_fingerprint(now)
    assert before == [["sales", "delta", str(DeltaTable(sales).metadata().id), 3]]
    assert input_fingerprint(source)[0][-1] == 4
    again = source_of(table(sales, version=3))
    assert input_fingerprint(again) == before
    assert len(rows(spark, again.tables["sales"])) == 3


def test_an_empty_table_has_its_columns(spark, tmp_path):
    write_deltalake(tmp_path / "t", pa.table({"id": [1], "part": ["a"]}), partition_by=["part"])
    DeltaTable(tmp_path / "t").delete()
    frame = read_table(spark, "sales", table(tmp_path / "t"))
    assert frame.dtypes == [("id", "bigint"), ("part", "string")]
    assert frame.collect() == []


def test_files_that_vacuum_removed_are_named(spark, sales):
    DeltaTable(sales).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    assert len(rows(spark, table(sales))) == 3
    with pytest.raises(
        DataError, match=r"Version 0 of .* sales cannot be .* gone, such as .*VACUUM"
    ):
        read_table(spark, "sales", table(sales, version=0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"version": 99}, r"sales\.version is 99, but the table's newest version is 3"),
        ({"version": "then"}, r"must be a number, or a time such as 2024-06-30T12:00:00Z.*'then'"),
        ({"options": {"versionAsOf": "1"}}, r"Set source\.tables\.sales\.version instead of"),
    ],
)
def test_a_version_that_is_none_says_what_to_write(spark, sales, settings, message):
    with pytest.raises(DataError, match=message):
        read_table(spark, "sales", table(sales, **settings))


def test_a_folder_that_is_no_delta_table_is_named(spark, tmp_path):
    pa.parquet.write_table(pa.table({"id": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"is not a Delta table.*leave .*format out"):
        read_table(spark, "sales", table(tmp_path))
    with pytest.raises(DataError, match=r"nothing does not exist\. Set dataset\.source\.tables"):
        read_table(spark, "sales", table(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("feature", "needs"),
    [("typeWidening", "typeWidening"), ("noSuchFeature", "noSuchFeature")],
)
def test_a_feature_that_is_not_read_rightly_is_refused(spark, tmp_path, feature, needs):
    write_deltalake(tmp_path / "t", pa.table({"id": [1]}))
    features = {"readerFeatures": [feature], "writerFeatures": [feature]}
    protocol = {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}}
    (tmp_path / "t" / "_delta_log" / f"{1:020}.json").write_text(json.dumps(protocol))
    with pytest.raises(DataError, match=rf"Delta table sales .*{needs}"):
        read_table(spark, "sales", table(tmp_path / "t"))


def test_a_missing_package_says_what_to_install(spark, sales, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("deltalake"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        DataError, match=r"needs the package deltalake: run requirements/install\.sh"
    ):
        read_table(spark, "sales", table(sales))


def test_without_the_format_the_refusal_names_it(spark, sales):
    with pytest.raises(DataError, match=r"belongs to a table of Delta Lake.*set format: delta"):
        read_table(spark, "sales", TableConfig(path=str(sales)))
