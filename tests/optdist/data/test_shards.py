import tracemalloc

import numpy as np
import pyarrow.parquet as pq
import pytest
from table import write_table

from optdist.data.shards import KEYS, Shard, shard_rows
from optdist.errors import DataError


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("table"), rows=3000)


def columns(batches):
    parts = [
        (x["categorical"].numpy(), x["numeric"].numpy(), k["label"].numpy(), k["row_key"].numpy())
        for x, k in batches
    ]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def read(table, split="train", seed=None, **options):
    with Shard(table, split, 200, **options).one_pass(seed) as batches:
        return columns(batches)


def test_shards_cover_every_row_once(table):
    keys = [read(table, index=i, count=2, seed=5, buffer_rows=600)[3] for i in range(2)]
    assert [len(k) for k in keys] == shard_rows(table, "train", 2)
    assert sorted(np.concatenate(keys)) == list(range(2100))


@pytest.mark.parametrize("buffer_rows", [1000, 10_000], ids=["streamed", "kept"])
def test_shuffling_moves_whole_rows(table, buffer_rows):
    plain, shuffled = read(table), read(table, seed=5, buffer_rows=buffer_rows)
    assert plain[3].tolist() == list(range(2100)) != shuffled[3].tolist()
    order = np.argsort(shuffled[3])
    for a, b in zip(plain, shuffled, strict=True):
        np.testing.assert_array_equal(a, b[order])


@pytest.mark.parametrize("buffer_rows", [1000, 10_000], ids=["streamed", "kept"])
def test_a_pass_has_the_order_of_its_seed_whatever_came_before_it(table, buffer_rows):
    with Shard(table, "train", 200, buffer_rows=buffer_rows).passes([4, 5, 6]) as passes:
        orders = [columns(batches)[3].tolist() for batches in passes]
    assert orders == [
        read(table, seed=seed, buffer_rows=buffer_rows)[3].tolist() for seed in (4, 5, 6)
    ]
    assert orders[0] != orders[1] != orders[2] != orders[0]


@pytest.mark.parametrize("name", ["our shop", "run=1", "50%20"])
def test_a_folder_whose_name_is_no_plain_word_is_read(tmp_path, name):
    assert len(read(write_table(tmp_path / name, rows=600))[3]) == 420


def test_each_shard_has_an_order_of_its_own(tmp_path):
    table = write_table(tmp_path, rows=3000, groups=2)
    first, second = (read(table, index=i, count=2, seed=5)[3] for i in range(2))
    assert (first - first.min()).tolist() != (second - second.min()).tolist()


def test_rows_of_far_row_groups_meet_in_one_block(table):
    head = read(table, seed=5, buffer_rows=1000)[3][:1000]
    groups = np.unique(head // 350)  # six row groups of 350 rows
    assert len(groups) >= 3
    assert groups.tolist() != [0, 1, 2]


def test_only_the_last_batch_of_a_pass_is_short(table):
    with Shard(table, "train", 128, buffer_rows=500).passes([1, 2]) as passes:
        for batches in passes:
            assert [len(k["label"]) for _, k in batches] == [128] * 16 + [52]


def test_what_is_left_of_a_pass_does_not_leak_into_the_next(table):
    with Shard(table, "train", 200, buffer_rows=400).passes([1, None]) as passes:
        next(next(passes))
        assert columns(next(passes))[3].tolist() == list(range(2100))


def test_a_shard_that_fits_the_buffer_is_read_once(tmp_path):
    table = write_table(tmp_path, rows=600)
    shard = Shard(table, "train", 50, buffer_rows=450)
    with shard.one_pass(1) as batches:
        columns(batches)
    for file in table.split_path("train").glob("*.parquet"):
        file.unlink()
    with shard.one_pass(2) as batches:
        assert sorted(columns(batches)[3]) == list(range(420))


def test_only_the_keys_that_are_asked_for_are_read(table):
    with Shard(table, "train", 200, keys=["label"]).one_pass() as batches:
        inputs, keys = next(batches)
    assert inputs.keys() == {"categorical", "numeric"}
    assert keys.keys() == {"label"}
    with Shard(table, "train", 200).one_pass() as batches:
        assert next(batches)[1].keys() == set(KEYS)


def test_a_stream_holds_blocks_and_not_the_shard(tmp_path):
    table = write_table(tmp_path, rows=600_000, groups=40)  # 420,000 training rows of 20 bytes
    read(table, "test")  # what is loaded on first use
    tracemalloc.start()
    with Shard(table, "train", 1000, buffer_rows=20_000).one_pass(1) as batches:
        rows = sum(len(k["label"]) for _, k in batches)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 420_000
    assert peak < 0.4 * 420_000 * 20


def test_more_ranks_than_row_groups_is_an_error_that_names_both_settings(table):
    with pytest.raises(DataError, match=r"6 row groups for 7 ranks.*build\.min_row_groups"):
        shard_rows(table, "train", 7)


def test_a_truncated_file_is_found_before_training(tmp_path):
    table = write_table(tmp_path, rows=600)
    file = table.split_path("train") / "part-00002.parquet"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"part-00002\.parquet cannot be read"):
        Shard(table, "train", 10)


def test_a_flipped_bit_is_found_before_training_by_the_rank_that_reads_the_file(tmp_path):
    table = write_table(tmp_path, rows=600)
    file = table.split_path("train") / "part-00002.parquet"
    content = bytearray(file.read_bytes())
    content[40] ^= 1  # of a page: the footer stays as it was
    file.write_bytes(content)
    Shard(table, "train", 10, index=1, count=2)
    with pytest.raises(DataError, match=r"part-00002\.parquet is damaged"):
        Shard(table, "train", 10, index=0, count=2)


def test_a_missing_file_is_found_before_training(tmp_path):
    table = write_table(tmp_path, rows=600)
    (table.split_path("train") / "part-00002.parquet").unlink()
    with pytest.raises(DataError, match="contains 5 files, but its manifest lists 6"):
        Shard(table, "train", 10)


@pytest.mark.parametrize("buffer_rows", [100, 1000], ids=["streamed", "kept"])
@pytest.mark.parametrize(("kept", "found"), [(slice(20), 370), (slice(None), 490)])
def test_rows_lost_or_won_while_reading_stop_the_pass(tmp_path, buffer_rows, kept, found):
    table = write_table(tmp_path, rows=600)
    file = table.split_path("train") / "part-00002.parquet"
    with Shard(table, "train", 10, buffer_rows=buffer_rows).passes([1]) as passes:
        whole = pq.read_table(file).to_pandas()
        changed = whole[kept] if found < 420 else whole.loc[whole.index.repeat(2)]
        changed.to_parquet(file, index=False)
        with pytest.raises(DataError, match=rf"gave {found} rows, but its manifest says 420"):
            columns(next(passes))


def test_a_file_that_vanishes_while_reading_stops_the_pass(tmp_path):
    table = write_table(tmp_path, rows=600)
    with Shard(table, "train", 10, buffer_rows=100).one_pass(1) as batches:
        for file in table.split_path("train").glob("*.parquet"):
            file.unlink()
        with pytest.raises(OSError, match="parquet"):
            columns(batches)


def test_a_metadata_file_that_may_hold_a_pickle_is_refused(tmp_path):
    table = write_table(tmp_path, rows=600)
    (table.split_path("train") / "_common_metadata").write_bytes(b"x")
    with pytest.raises(DataError, match="may contain a pickle"):
        Shard(table, "train", 10)
