"""Parquet as pandas and others write it."""

import datetime as dt
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from optdist.config.tables import TableConfig
from optdist.errors import DataError
from pipelines.sources.formats.footers import Footer, common_type, read_footer
from pipelines.sources.formats.registry import explain_read_errors, read_table


def write(folder, **files):
    for name, columns in files.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return TableConfig(path=str(folder))


def read(spark, table):
    with explain_read_errors():
        return [tuple(row) for row in read_table(spark, "t", table).collect()]


def test_nanoseconds_of_pandas_are_read_as_microseconds_are(spark, tmp_path):
    times = ["1969-12-31 23:59:59.999999999", "2024-01-31 23:30:00.123456789"]
    frame = pd.DataFrame({"naive": pd.to_datetime(times), "n": [1, 2]})
    frame["aware"] = frame["naive"].dt.tz_localize("America/New_York")
    frame.to_parquet(tmp_path / "nanos.parquet")
    frame.to_parquet(
        tmp_path / "micros.parquet", coerce_timestamps="us", allow_truncated_timestamps=True
    )
    nanos, micros = (
        read_table(spark, "t", TableConfig(path=str(tmp_path / f"{name}.parquet")))
        for name in ("nanos", "micros")
    )
    assert nanos.dtypes == micros.dtypes
    assert dict(nanos.dtypes) == {"naive": "timestamp_ntz", "n": "bigint", "aware": "timestamp"}
    assert nanos.collect()[1] == micros.collect()[1]
    assert nanos.collect()[0]["naive"] == dt.datetime(1969, 12, 31, 23, 59, 59, 999999)
    both = read_table(spark, "t", TableConfig(path=str(tmp_path)))
    assert both.dtypes == micros.dtypes
    assert both.count() == 4


@pytest.mark.parametrize(
    ("one", "other", "kind", "values"),
    [
        (pa.array([1]), pa.array([1.5]), "double", [1.0, 1.5]),
        (pa.array([1], pa.int32()), pa.array([2**40]), "bigint", [1, 2**40]),
        (pa.nulls(1), pa.array(["x"]), "string", [None, "x"]),
        (pa.array(["x"]), pa.array(["y"]).dictionary_encode(), "string", ["x", "y"]),
    ],
)
def test_types_that_differ_are_read_as_one_that_holds_both(
    spark, tmp_path, one, other, kind, values
):
    table = write(tmp_path, a={"k": [1], "v": one}, b={"v": other, "k": [2]})
    rows = read_table(spark, "t", table).orderBy("k")
    assert dict(rows.dtypes)["v"] == kind
    assert [row["v"] for row in rows.collect()] == values


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (pa.array([1]), pa.array(["x"]), "v (bigint in a.parquet, string in b.parquet)"),
        (pa.array([2**60]), pa.array([1.5]), "v (bigint in a.parquet, double in b.parquet)"),
        (
            pa.array([1], pa.timestamp("us")),
            pa.array([1], pa.timestamp("us", "UTC")),
            "v (timestamp in b.parquet, timestamp_ntz in a.parquet)",
        ),
    ],
)
def test_types_without_a_common_one_say_so_in_the_columns_name(spark, tmp_path, one, other, reason):
    table = write(tmp_path, a={"k": [1], "v": one}, b={"k": [2], "v": other})
    rows = read_table(spark, "t", table)
    assert rows.columns == ["k", reason]
    assert sorted(row["k"] for row in rows.collect()) == [1, 2]


def test_files_may_lack_columns_and_spell_them_otherwise(spark, tmp_path):
    table = write(tmp_path, a={"k": [1]}, b={"K": [2], "v": ["x"]})
    assert sorted(read(spark, table)) == [(1, None), (2, "x")]


def test_columns_that_spark_does_not_read_are_in_nobodys_way(spark, tmp_path):
    columns = {"t": [dt.time(1)], "empty": pa.nulls(1), "nested": [{"a": [1]}], "k": [1]}
    rows = read_table(spark, "t", write(tmp_path, a=columns))
    assert rows.columns == ["t (a type that Spark does not read: time)", "empty", "nested", "k"]
    assert rows.select("empty", "nested.a", "k").collect() == [(None, [1], 1)]


def test_hive_folders_of_files_with_other_types_keep_their_values(spark, tmp_path):
    for value, array in (("01", [1]), ("12", [1.5])):
        (tmp_path / f"month={value}").mkdir()
        write(tmp_path / f"month={value}", a={"v": array})
    assert sorted(read(spark, TableConfig(path=str(tmp_path)))) == [(1.0, "01"), (1.5, "12")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"PAR1 cut short", "damaged or cut short"),
        (b"PAR1" + b"\x15\x99\x00\x04\x00\x00\x00" + b"PAR1", "damaged or cut short"),
        (b"a,b\n1,2\n", "not a Parquet file. Remove it .* or set the table's format"),
        (b"PK\x05\x06", "is an empty zip archive, not a Parquet file"),
    ],
)
def test_a_file_that_is_not_parquet_is_named(tmp_path, spark, content, message):
    table = write(tmp_path, a={"k": [1]})
    (tmp_path / "stray").write_bytes(content)
    with pytest.raises(DataError, match=f"stray.*{message}"):
        read_table(spark, "t", table)


def test_files_of_a_stream_count_where_it_has_written_them_whole(spark, tmp_path):
    frame = pd.DataFrame({"day": pd.to_datetime(["2024-01-31"]), "n": 1})
    files = [tmp_path / "part 0.parquet", tmp_path / "part 1.parquet"]
    frame.to_parquet(files[0])
    frame.assign(n=2).to_parquet(files[1])
    entry = {"path": files[0].as_uri(), "size": files[0].stat().st_size, "isDir": False}
    entry |= {"modificationTime": 1, "blockReplication": 1, "blockSize": 1, "action": "add"}
    (tmp_path / "_spark_metadata").mkdir()
    (tmp_path / "_spark_metadata" / "0").write_text(f"v1\n{json.dumps(entry)}\n")
    [(_, number)] = read(spark, TableConfig(path=str(tmp_path)))
    assert number == 1


def test_a_common_type_holds_every_value(tmp_path):
    def common(*types):
        return common_type([Footer(tmp_path, {"v": kind}, frozenset()) for kind in types], "v")

    assert common("decimal(10,2)", "decimal(12,4)") == "decimal(12,4)"
    assert common("decimal(38,0)", "decimal(38,10)") is None
    assert common("nanoseconds", "timestamp") == "timestamp"
    assert common("nanoseconds", "timestamp_ntz") is None
    assert common("date", "string") is None
    assert common("null", "null") == "null"


def test_whole_numbers_without_statistics_may_be_large(tmp_path):
    pq.write_table(pa.table({"v": [1]}), tmp_path / "a", write_statistics=False)
    pq.write_table(pa.table({"v": pa.array([None], pa.int64())}), tmp_path / "b")
    assert read_footer(tmp_path / "a").inexact == {"v"}
    assert read_footer(tmp_path / "b").inexact == frozenset()
