"""Saves and loads checkpoints: all variables and the run's state, in one file or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from optdist.errors import TrainingError
from optdist.files import write_atomically


def save_checkpoint(path: Path, variables: Iterable[keras.Variable], state: dict[str, Any]) -> None:
    """Write variables, in their order, and a JSON state.

    Args:
        path: the file; the one there is replaced in one step.
        variables: their values, in an order that stays.
        state: what else training continues with, as JSON.
    """
    arrays = {f"v{i:05d}": np.asarray(v) for i, v in enumerate(variables)}
    write_atomically(path, lambda file: np.savez(file, state=np.array(json.dumps(state)), **arrays))


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
