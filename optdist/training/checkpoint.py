"""Checkpoints: all variables and the run's state in one file that is either whole or absent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from optdist.errors import TrainingError


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that readers see the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically."""
    write_atomically(path, json.dumps(value, indent=1).encode())


def save_checkpoint(path: Path, variables: Iterable[keras.Variable], state: dict[str, Any]) -> None:
    """Write variables, in their order, and a JSON state."""
    arrays = {f"v{i:05d}": np.asarray(v) for i, v in enumerate(variables)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    with partial.open("wb") as file:
        np.savez(file, state=np.array(json.dumps(state)), **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def load_checkpoint(path: Path, variables: Iterable[keras.Variable]) -> dict[str, Any]:
    """Fill the variables and return the state.

    Raises:
        TrainingError: the file is damaged or is of another model.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            for i, variable in enumerate(variables):
                variable.assign(content[f"v{i:05d}"])
            state: dict[str, Any] = json.loads(str(content["state"]))
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(
            f"{path} cannot be resumed ({error}). Remove the file to train from the start."
        ) from error
    return state
