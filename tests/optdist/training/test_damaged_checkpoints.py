"""Files of a run that are cut off or have a changed bit: refused by name, or as good as before."""

import json
import random

import keras
import numpy as np
import pytest

from optdist.errors import TrainingError
from optdist.training import RunFolder
from optdist.training.checkpoint import load_checkpoint, save_checkpoint


def variables(seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(40, 5), (5,), ()]
    return [keras.Variable(rng.normal(size=shape).astype(np.float32)) for shape in shapes]


def damages(content, count=150):
    """Copies of a file's bytes: cut off, or with one bit changed."""
    draw = random.Random(0)
    for _ in range(count):
        place = draw.randrange(len(content))
        yield content[:place]
        changed = bytearray(content)
        changed[place] ^= 1 << draw.randrange(8)
        yield bytes(changed)


def test_a_damaged_checkpoint_is_refused_or_gives_what_was_saved(tmp_path):
    path, saved, state = tmp_path / "checkpoint.npz", variables(), {"plan": "p", "history": []}
    save_checkpoint(path, saved, state)
    refused = 0
    for content in damages(path.read_bytes()):
        path.write_bytes(content)
        loaded = variables(seed=1)
        before = [np.array(variable) for variable in loaded]
        try:
            assert load_checkpoint(path, loaded) == state
            expected = [np.array(variable) for variable in saved]
        except TrainingError as error:
            assert str(path) in str(error) and "Remove the file to train" in str(error)
            refused, expected = refused + 1, before  # nothing is half loaded
        for variable, values in zip(loaded, expected, strict=True):
            np.testing.assert_array_equal(variable, values)
    assert refused > 200


def test_a_checkpoint_of_a_smaller_model_is_refused(tmp_path):
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, variables(), {})
    with pytest.raises(TrainingError, match="it has 3 variables, not 2"):
        load_checkpoint(path, variables()[:2])


@pytest.mark.parametrize("name", ["history.json", "registered.json"])
def test_damaged_records_of_a_run_are_refused_by_name(tmp_path, name):
    folder = RunFolder(tmp_path)
    (tmp_path / name).write_text(json.dumps({"run_id": 3}))
    with pytest.raises(TrainingError, match=rf"{name} is damaged.*Remove {tmp_path}"):
        folder.history() if name == "history.json" else folder.registration()
    (tmp_path / "test_predictions.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(TrainingError, match=r"test_predictions\.npz cannot be read"):
        folder.predictions()
