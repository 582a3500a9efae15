"""Saves and loads checkpoints: all variables and the run's state, in one file or not at all."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np

from optdist.errors import TrainingError
from optdist.files import write_atomically

CHECKPOINT = "checkpoint.npz"


def save_checkpoint(path: Path, variables: Sequence[keras.Variable], state: dict[str, Any]) -> None:
    """Write variables, in their order, and a JSON state.

    Args:
        path: the file; the one there is replaced in one step.
        variables: their values, in an order that stays.
        state: what else training continues with, as JSON.
    """
    arrays = {f"v{i:05d}": np.asarray(v) for i, v in enumerate(variables)}
    write_atomically(path, lambda file: np.savez(file, state=np.array(json.dumps(state)), **arrays))


def load_checkpoint(path: Path, variables: Sequence[keras.Variable]) -> dict[str, Any]:
    """Fill the variables and return the state.

    Raises:
        TrainingError: the file is damaged or is of another model.
    """
    with _readable(path, f"Remove the file{_and_checkpoint(path)} to train from the start."):
        with np.load(path, allow_pickle=False) as content:
            arrays = [content[f"v{i:05d}"] for i, _ in enumerate(variables)]
            state: dict[str, Any] = json.loads(str(content["state"]))
            if len(arrays) + 1 != len(content.files):
                raise ValueError(f"it has {len(content.files) - 1} variables, not {len(arrays)}")
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
    return state


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, whose sums are compared.

    Raises:
        TrainingError: the file is missing or damaged.
    """
    with _readable(path, "Train again."), np.load(path, allow_pickle=False) as content:
        return dict(content)


@contextmanager
def _readable(path: Path, advice: str) -> Iterator[None]:
    """Say which file is damaged: every part of one has a sum, but each reader has its errors."""
    try:
        yield
    except (*_DAMAGE, OSError, ValueError, KeyError) as error:
        raise TrainingError(f"{path} cannot be read ({error}). {advice}") from error


# what zipfile, zlib and NumPy raise, besides those above, for bytes that changed
_DAMAGE = (BadZipFile, zlib.error, EOFError, RuntimeError, SyntaxError, TypeError, MemoryError)


def _and_checkpoint(path: Path) -> str:
    """The best epoch's weights are read only after a checkpoint that names them."""
    return "" if path.name == CHECKPOINT else f" and {CHECKPOINT} next to it"
