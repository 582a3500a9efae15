import threading

import numpy as np
import pytest

from optdist.data.blocks import length, permute, read_ahead, regroup


def parts(*lengths):
    ends = np.cumsum(lengths)
    for end, rows in zip(ends, lengths, strict=True):
        x = np.arange(end - rows, end)
        yield {"x": x, "pairs": np.stack([x, -x], axis=1)}


@pytest.mark.parametrize("lengths", [(3, 3, 3), (10,), (1, 1, 9, 1), (4, 4), (2,)], ids=str)
def test_regrouping_keeps_rows_and_order_and_fills_every_block_but_the_last(lengths):
    blocks = list(regroup(parts(*lengths), 4))
    assert [length(block) for block in blocks[:-1]] == [4] * (len(blocks) - 1)
    assert 1 <= length(blocks[-1]) <= 4
    whole = np.concatenate([block["x"] for block in blocks])
    assert whole.tolist() == list(range(sum(lengths)))
    assert all((block["pairs"] == np.stack([block["x"], -block["x"]], 1)).all() for block in blocks)


def test_a_permutation_moves_rows_whole_and_follows_from_its_seed():
    rows = next(parts(100))
    first, again, other = (permute(rows, seed) for seed in ([1, 0], [1, 0], [1, 1]))
    assert (first["pairs"][:, 0] == first["x"]).all()
    assert sorted(first["x"]) == list(range(100))
    assert first["x"].tolist() == again["x"].tolist() != other["x"].tolist()


def test_the_next_item_is_made_while_the_current_one_is_in_use_and_none_further():
    made, second = [], threading.Event()

    def items():
        for i in range(4):
            made.append(i)
            if i == 1:
                second.set()
            yield i

    stream = read_ahead(items())
    assert next(stream) == 0
    assert second.wait(5)
    stream.close()
    assert made == [0, 1]
    assert list(read_ahead(items())) == [0, 1, 2, 3]


def test_an_error_in_the_thread_reaches_the_caller_and_the_source_is_closed():
    closed = []

    def items():
        try:
            yield 1
            raise KeyError("lost")
        finally:
            closed.append(True)

    stream = read_ahead(items())
    assert next(stream) == 1
    with pytest.raises(KeyError, match="lost"):
        next(stream)
    assert closed


def test_leaving_early_closes_the_source():
    closed = []

    def items():
        try:
            yield from range(10)
        finally:
            closed.append(True)

    stream = read_ahead(items())
    next(stream)
    stream.close()
    assert closed
