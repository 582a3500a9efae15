import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from table import write_table

from optdist.data.feature_table import SPLITS, FeatureTable, Manifest
from optdist.errors import DataError

ABOUT = {"fingerprint": "0123", "dataset": "shop"}
# as an older version wrote it
OLD = {
    "fingerprint": "488d24c9109785a4",
    "dataset": "complete_journey",
    "as_of": None,
    "last_event": "2018-01-01",
    "counts": {"events": 9, "incomplete": 0, "quarantined": 1, "samples": 5, "train": 5},
    "splits": {"train": {"files": [{"name": "part-0.parquet", "rows": 5}], "rows": 5}},
    "imputed": {"age": 2},
    "written": {"format": 3, "build": {"min_row_groups": 20}},
}


@pytest.fixture
def begun(tmp_path):
    """A table with its schema, of which no split is written."""
    schema = write_table(tmp_path / "other", rows=100).schema
    table = FeatureTable.create(tmp_path / "table")
    table.write_schema(schema)
    return table


def write(table, split, rows=10, groups=3):
    table.write_split(split, pa.table({"label": pa.array([1.0] * rows, pa.float32())}), groups)


def test_a_table_is_finished_by_its_manifest_alone(begun):
    for split in SPLITS:
        write(begun, split)
    assert not FeatureTable.is_finished(begun.path)
    with pytest.raises(DataError, match="is not a finished feature table"):
        FeatureTable.open(begun.path)
    table = begun.finish(dict.fromkeys(SPLITS, 10), **ABOUT)
    assert FeatureTable.is_finished(begun.path) and FeatureTable.open(begun.path) == table
    assert (table.manifest.fingerprint, table.manifest.dataset) == ("0123", "shop")


def test_a_split_is_written_in_files_of_one_row_group_that_the_manifest_counts(begun):
    write(begun, "train", rows=10, groups=3)
    write(begun, "validation", rows=2, groups=3)
    table = begun.finish({"train": 10, "validation": 2}, **ABOUT)
    assert sorted(file.rows for file in table.split_files("train")) == [3, 3, 4]
    assert [file.rows for file in table.split_files("validation")] == [1, 1]
    assert len(table.read("train", ["label"])) == 10


def test_rows_that_were_lost_on_the_way_leave_the_table_unfinished(begun):
    write(begun, "train", rows=9)
    with pytest.raises(DataError, match="train: 10 samples, 9 encoded rows"):
        begun.finish({"train": 10}, **ABOUT)
    assert not FeatureTable.is_finished(begun.path)


def test_a_file_of_two_row_groups_is_refused_and_names_the_setting(begun):
    folder = begun.split_path("train")
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"label": [1.0, 2.0]}), folder / "a.parquet", row_group_size=1)
    with pytest.raises(DataError, match=r"2 row groups and must have one. Lower build\.rows_per"):
        begun.finish({"train": 2}, **ABOUT)


def test_a_table_that_is_begun_again_keeps_nothing_of_an_interrupted_start(begun):
    write(begun, "train")
    again = FeatureTable.create(begun.path)
    assert list(again.path.iterdir()) == []


def test_a_manifest_of_an_older_version_is_read_and_so_is_one_that_says_more():
    manifest = Manifest.model_validate_json(json.dumps(OLD | {"of_a_newer_version": 1}))
    new = {"types": {}, "versions": {}, "joins": [], "history_sql": None, "warnings": []}
    new |= {"seconds": None, "sums": {}, "out_of_time_from": None, "forgotten": {}}
    assert manifest.model_dump(mode="json") == OLD | new
    assert manifest.splits["train"].files[0].rows == 5


def without_sums(table):
    """The same table as an older version wrote it."""
    path = table.path / "manifest.json"
    content = json.loads(path.read_text())
    del content["sums"]
    path.write_text(json.dumps(content))
    return FeatureTable.open(table.path)


def flip(file, place=0.5):
    """Change one bit of a file."""
    content = bytearray(file.read_bytes())
    content[int(len(content) * place)] ^= 4
    file.write_bytes(content)


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7])
def test_a_flipped_bit_of_an_encoded_file_is_found_when_it_is_read(tmp_path, place):
    table = write_table(tmp_path / "table", rows=100)
    flip(table.split_path("test") / "part-00001.parquet", place)
    table.read("train")  # whose files are whole
    with pytest.raises(DataError, match=r"test/part-00001\.parquet is damaged.*build it again"):
        table.read("test")


def test_a_flipped_bit_after_a_first_reading_is_found_too(tmp_path):
    table = write_table(tmp_path / "table", rows=100)
    table.read("test")
    flip(table.split_path("test") / "part-00000.parquet")
    with pytest.raises(DataError, match="is damaged"):
        table.read("test")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("schema.json", '"indicator": false', '"indicator":  true'),
        ("manifest.json", "made", "mabe"),
    ],
)
def test_a_changed_schema_or_manifest_is_refused(tmp_path, name, old, new):
    path = write_table(tmp_path / "table", rows=100).path / name
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=rf"{name} is damaged"):
        FeatureTable.open(path.parent)


def test_a_table_of_an_older_version_has_no_sums_and_is_read(tmp_path):
    table = without_sums(write_table(tmp_path / "table", rows=100))
    assert len(table.read("test")) == 20


def test_a_damaged_manifest_says_how_to_build_the_table(begun):
    (begun.path / "manifest.json").write_text('{"fingerprint": 1}')
    with pytest.raises(DataError, match=r"(?s)not a finished feature.*jobs/build_features\.py"):
        FeatureTable.open(begun.path)


def test_a_table_that_a_job_uses_is_marked_as_new(tmp_path):
    table = write_table(tmp_path / "table", rows=100)
    os.utime(table.path, (0, 0))
    FeatureTable.open(table.path)
    assert table.path.stat().st_mtime == 0
    FeatureTable.open_and_mark(table.path)
    assert table.path.stat().st_mtime > 1e9


def test_samples_are_read_until_there_are_enough(tmp_path):
    table = write_table(tmp_path / "table", rows=100)
    assert table.read_samples("test", ["city"], 7).column_names == ["city"]
    assert [len(table.read_samples("test", ["city"], rows)) for rows in (7, 50)] == [7, 20]
