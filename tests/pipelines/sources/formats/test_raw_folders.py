"""What lies at a table's path: what Spark reads of it, and what it would read wrongly."""

import pytest

from optdist.config.tables import TableConfig
from optdist.errors import DataError
from pipelines.sources.formats.folders import refuse_remote_table_formats, table_files
from pipelines.sources.formats.paths import files_fingerprint, list_files
from pipelines.sources.formats.registry import read_table
from pipelines.sources.formats.suffixes import format_of


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a,b\n1,2\n")


def names_of(files, folder):
    return [str(file.relative_to(folder)) for file in files]


def test_files_are_those_that_spark_reads(tmp_path):
    touch(
        tmp_path, "b.csv", "a.csv", "_SUCCESS", ".a.csv.crc", "_tmp/c.csv", ".x/d.csv", "k=1/e.csv"
    )
    assert names_of(list_files(str(tmp_path)), tmp_path) == ["a.csv", "b.csv", "k=1/e.csv"]
    touch(tmp_path, "_k=1/f.csv")  # a partition column may begin with _
    assert "_k=1/f.csv" in names_of(list_files(str(tmp_path)), tmp_path)


@pytest.mark.parametrize(
    ("pattern", "files"),
    [("*.csv", ["a.csv", "b.csv"]), ("{a,c}.*", ["a.csv", "c.txt"]), ("[^a]*", ["b.csv", "c.txt"])],
)
def test_files_can_be_chosen_as_spark_chooses_them(tmp_path, pattern, files):
    touch(tmp_path, "a.csv", "b.csv", "c.txt")
    assert names_of(list_files(str(tmp_path), {"pathGlobFilter": pattern}), tmp_path) == files


def test_a_link_to_a_folder_above_ends(tmp_path):
    touch(tmp_path, "sub=1/a.csv")
    (tmp_path / "sub=1" / "up").symlink_to(tmp_path)
    assert names_of(list_files(str(tmp_path)), tmp_path) == ["sub=1/a.csv"]


def test_hidden_files_change_no_fingerprint(tmp_path):
    touch(tmp_path, "a.csv")
    before = files_fingerprint(str(tmp_path))
    touch(tmp_path, "_SUCCESS", ".DS_Store")
    assert files_fingerprint(str(tmp_path)) == before == files_fingerprint(f"file://{tmp_path}")
    touch(tmp_path, "b.csv")
    assert files_fingerprint(str(tmp_path)) != before


@pytest.mark.parametrize(
    ("marker", "given", "message"),
    [
        ("t/_delta_log/0.json", "t", "Delta Lake"),
        ("t/_delta_log/0.json", "t/k=1", "Delta Lake"),
        ("t/_delta_log/0.json", "t/k=1/a.parquet", "Delta Lake"),
        ("t/k=1/_delta_log/0.json", "t", "Delta Lake"),
        ("t/.hoodie/hoodie.properties", "t", "Apache Hudi"),
        ("t/k=1/.hoodie_partition_metadata", "t", "Apache Hudi"),
        ("t/metadata/v1.metadata.json", "t", "Apache Iceberg"),
        ("metadata/v1.metadata.json", "t", "Apache Iceberg"),
        ("t/metadata/v1.metadata.json", ".", "Apache Iceberg"),
        ("t/delete_delta_0000003_0000003_0000/bucket_00000", "t", "Hive with transactions"),
        ("t/base_0000001/bucket_00000", "t/base_0000001", "Hive with transactions"),
        ("t/snapshot/LATEST t/manifest/m t/schema/schema-0", "t/k=1", "Apache Paimon"),
        ("t/snapshot/LATEST t/manifest/m t/schema/schema-0", ".", "Apache Paimon"),
    ],
)
def test_a_folder_of_a_table_format_is_refused(tmp_path, marker, given, message):
    touch(tmp_path, "t/k=1/a.parquet", *marker.split())
    with pytest.raises(DataError, match=f"belongs to a table of {message}.*Export the table"):
        table_files("t", str((tmp_path / given).resolve()), {})


def test_a_url_of_a_table_format_is_refused(spark, tmp_path):
    touch(tmp_path, "t/k=1/a.parquet", "t/_delta_log/0.json", "other/metadata/x.json")
    for given in ("t", "t/k=1", "t/*"):
        with pytest.raises(DataError, match="belongs to a table of Delta Lake"):
            refuse_remote_table_formats(spark, f"file://{tmp_path}/{given}")
    refuse_remote_table_formats(spark, f"file://{tmp_path}/other")
    refuse_remote_table_formats(spark, "nosuchstorage://bucket/t")  # Spark says what is wrong


@pytest.mark.parametrize(
    ("files", "given", "message"),
    [
        (["x/_SUCCESS", "x/.a.crc"], "x", "no file, or only hidden"),
        (["_x.csv"], "_x.csv", "takes a file whose name begins with _ for hidden"),
        (["2023/a.csv", "b.csv"], ".", "sub-folder with files, 2023.*recursiveFileLookup"),
        (["k=1/a.csv", "b.csv"], ".", "b.csv and .*k=1/a.csv lie in folders of different columns"),
        (["k=1/a.csv", "j=1/a.csv"], ".", "lie in folders of different columns"),
        (["a-1.csv"], "a-*.csv", r"does not exist.*are not expanded.*pathGlobFilter"),
    ],
)
def test_a_folder_of_which_spark_would_skip_a_file_is_refused(tmp_path, files, given, message):
    touch(tmp_path, *files)
    with pytest.raises(DataError, match=message):
        table_files("t", str((tmp_path / given).resolve()), {})


def test_a_file_and_its_copy_would_count_twice(tmp_path):
    day = tmp_path / "day=1"
    touch(day, "a.csv", "a (copy).csv")  # as small as a header: they may be the same
    assert len(table_files("t", str(tmp_path), {})) == 2
    (day / "b.csv").write_text("a,b\n" + "1,2\n" * 500)
    (day / "c.csv").write_text("a,b\n" + "1,3\n" * 500)
    (tmp_path / "day=2").mkdir()
    (tmp_path / "day=2" / "b.csv").write_bytes((day / "b.csv").read_bytes())
    assert len(table_files("t", str(tmp_path), {})) == 5
    (day / "b (copy).csv").write_bytes((day / "b.csv").read_bytes())
    with pytest.raises(DataError, match=r"b \(copy\)\.csv and b\.csv in .*day=1 are the same"):
        table_files("t", str(tmp_path), {})


def test_files_of_all_sub_folders_are_read_where_the_options_say_so(tmp_path):
    touch(tmp_path, "2023/a.csv", "b.csv")
    assert len(table_files("t", str(tmp_path), {"recursiveFileLookup": "true"})) == 2


@pytest.mark.parametrize("name", ["a[1].csv", "a{1,2}.csv", "a*.csv", "a?.csv", "a b%20=#+.csv"])
def test_a_name_with_signs_of_a_pattern_is_that_file(spark, tmp_path, name):
    touch(tmp_path, "a1.csv", "ab.csv")
    (tmp_path / name).write_text("a,b\nright,2\n")
    assert [
        r["a"] for r in read_table(spark, "t", TableConfig(path=str(tmp_path / name))).collect()
    ] == ["right"]


@pytest.mark.parametrize(
    ("files", "format"),
    [
        (["x.csv"], "csv"),
        (["x.TSV.gz"], "csv"),
        (["x.txt.gz"], "csv"),
        (["x.jsonl"], "json"),
        (["x.json.bz2"], "json"),
        (["x.parquet"], "parquet"),
        (["part-0"], "parquet"),
        (["a.csv", "b.csv", "_SUCCESS"], "csv"),
    ],
)
def test_names_say_the_format(tmp_path, files, format):
    touch(tmp_path, *files)
    given = tmp_path if len(files) > 1 else tmp_path / files[0]
    assert format_of("t", TableConfig(path=str(given))) == format
    assert format_of("t", TableConfig(path=f"s3://bucket/{files[0]}")) == format


def test_names_of_different_formats_are_refused(tmp_path):
    touch(tmp_path, "a.csv", "b.parquet")
    with pytest.raises(DataError, match=r"different formats: .*a\.csv and .*b\.parquet"):
        format_of("t", TableConfig(path=str(tmp_path)))


def test_parquet_is_parquet_whatever_its_name(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"PAR1...")
    assert format_of("t", TableConfig(path=str(tmp_path / "x.csv"))) == "parquet"


@pytest.mark.parametrize(
    ("values", "expected", "kind"),
    [
        (["07", "10"], ["07", "10"], "string"),
        (["7", "10"], [7, 10], "int"),
        (["7", "10000000000"], [7, 10_000_000_000], "bigint"),
        (["1.50", "2.5"], ["1.50", "2.5"], "string"),
        (["+1", "2"], ["+1", "2"], "string"),
        (["20240131", "__HIVE_DEFAULT_PARTITION__"], [20240131, None], "int"),
        (["2024-01-31", "2024-02-01"], ["2024-01-31", "2024-02-01"], "date"),
        (["a b", "c%2Fd"], ["a b", "c/d"], "string"),
    ],
)
def test_values_of_hive_folders_are_as_written(spark, tmp_path, values, expected, kind):
    for i, value in enumerate(values):
        touch(tmp_path, f"Key={value}/{i}.csv")
    rows = read_table(spark, "t", TableConfig(path=str(tmp_path)))
    assert dict(rows.dtypes)["Key"] == kind
    assert {str(row["Key"]) for row in rows.collect()} == {str(value) for value in expected}
    assert spark.conf.get("spark.sql.sources.partitionColumnTypeInference.enabled") == "true"
