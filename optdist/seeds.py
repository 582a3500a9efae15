"""Derives the seed of each random draw from one seed, so that no two draws share a stream."""

from __future__ import annotations

import hashlib


def derive(seed: int, *place: str | int) -> int:
    """A seed for one use of `seed`.

    Sums such as `seed + 1` give neighbouring seeds the same numbers in other places. A hash of the
    seed and the place does not: runs over seeds are independent.

    Args:
        seed: the run's, or itself derived.
        place: names and numbers that tell this use from all others of `seed`.

    Returns:
        A number in 1..2^31 - 1, which NumPy, TensorFlow, Petastorm and LightGBM take as a seed.
    """
    text = "/".join(map(str, (seed, *place)))
    digest = hashlib.sha256(text.encode()).digest()
    return 1 + int.from_bytes(digest[:8], "big") % (2**31 - 1)
