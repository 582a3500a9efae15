import numpy as np
import pytest
from table import write_table

from optdist.data import open_shard, shard_rows
from optdist.errors import DataError


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("table"), rows=3000)


def read(table, split="train", **options):
    with open_shard(table, split, 200, **options) as batches:
        parts = [
            (
                x["categorical"].numpy(),
                x["numeric"].numpy(),
                k["label"].numpy(),
                k["row_key"].numpy(),
            )
            for x, k in batches
        ]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def test_shards_cover_every_row_once(table):
    keys = [read(table, shard=i, shards=2, seed=5, shuffle_rows=1000)[3] for i in range(2)]
    assert [len(k) for k in keys] == shard_rows(table, "train", 2)
    assert sorted(np.concatenate(keys)) == list(range(2100))


def test_shuffling_moves_whole_rows(table):
    plain, shuffled = read(table), read(table, seed=5, shuffle_rows=1000)
    assert plain[3].tolist() != shuffled[3].tolist()
    order = np.argsort(shuffled[3])
    for a, b in zip(plain, shuffled, strict=True):
        np.testing.assert_array_equal(a, b[order])


def test_a_seed_repeats_its_order_and_another_has_its_own(table):
    first, again, other = (read(table, seed=s, shuffle_rows=1000)[3].tolist() for s in (5, 5, 6))
    assert first == again != other


def test_more_ranks_than_row_groups_is_an_error_that_names_both_settings(table):
    with pytest.raises(DataError, match=r"6 row groups for 7 ranks.*build\.min_row_groups"):
        shard_rows(table, "train", 7)


def test_a_truncated_file_is_found_before_training(tmp_path):
    table = write_table(tmp_path, rows=600)
    file = table.split_path("train") / "part-00002.parquet"
    file.write_bytes(file.read_bytes()[:-100])
    with (
        pytest.raises(DataError, match=r"part-00002\.parquet cannot be read"),
        open_shard(table, "train", 10),
    ):
        pass


def test_a_missing_file_is_found_before_training(tmp_path):
    table = write_table(tmp_path, rows=600)
    (table.split_path("train") / "part-00002.parquet").unlink()
    with (
        pytest.raises(DataError, match="holds 5 files, its manifest names 6"),
        open_shard(table, "train", 10),
    ):
        pass


def test_a_metadata_file_that_may_hold_a_pickle_is_refused(tmp_path):
    table = write_table(tmp_path, rows=600)
    (table.split_path("train") / "_common_metadata").write_bytes(b"x")
    with pytest.raises(DataError, match="may hold a pickle"), open_shard(table, "train", 10):
        pass
