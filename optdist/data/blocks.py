"""Blocks of rows: cut to one size, permuted whole, and made while the last one is in use."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

Rows = dict[str, np.ndarray]  # columns whose first axes have one length
T = TypeVar("T")


def length(rows: Rows) -> int:
    """The number of rows."""
    return len(next(iter(rows.values())))


def regrouped(parts: Iterator[Rows], size: int) -> Iterator[Rows]:
    """The same rows in the same order, in blocks of `size` rows; the last may be smaller."""
    held: list[Rows] = []
    for part in parts:
        held.append(part)
        rows = sum(map(length, held))
        if rows >= size:
            whole, held = _joined(held), []
            for start in range(0, rows - size + 1, size):
                yield {name: column[start : start + size] for name, column in whole.items()}
            if rows % size:
                held = [{name: column[-(rows % size) :] for name, column in whole.items()}]
    if held:
        yield _joined(held)


def permuted(rows: Rows, seed: list[int]) -> Rows:
    """The rows in an order that follows from the seed."""
    order = np.random.default_rng(seed).permutation(length(rows))
    # `take` copies whole rows, three times as fast as `column[order]` does.
    return {name: np.take(column, order, axis=0) for name, column in rows.items()}


def ahead(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """The same items, the next one made in a thread while the caller uses the current one."""
    with ThreadPoolExecutor(1, "ahead") as thread:
        coming = thread.submit(next, items, None)
        try:
            while (item := coming.result()) is not None:
                coming = thread.submit(next, items, None)
                yield item
        finally:
            thread.submit(items.close)  # waits for what is under way


def _joined(parts: list[Rows]) -> Rows:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
