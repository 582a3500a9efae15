import numpy as np
import pytest
from table import write_table

from optdist.config import OptDistConfig, TrainingConfig
from optdist.errors import DataError, TrainingError
from optdist.serving.package import load_model
from optdist.training import RunFolder, TrainingPlan, train
from optdist.training import epoch as epoch_module
from optdist.training.communicator import OneRank


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("table"), rows=4000)


def plan(table, folder, **training):
    settings = {"ranks": 1, "epochs": 3, "batch_size": 256, "patience": 9, **training}
    return TrainingPlan(
        table=str(table.path),
        table_fingerprint="made",
        folder=str(folder),
        model=OptDistConfig(num_sdns=2, sdn=[16, 8], dsm=[8]),
        training=TrainingConfig(**settings),
    )


def weights(folder):
    return load_model(RunFolder(folder).package).get_weights()


def test_a_run_learns_and_leaves_its_folder_whole(table, tmp_path):
    events = []
    result = train(plan(table, tmp_path, learning_rate=0.02), on_event=events.append)
    assert result.test["hard"]["normalized_gini"] > 0.6
    folder = RunFolder(tmp_path)
    history = folder.history()
    assert [record.epoch for record in history] == [1, 2, 3]
    assert sum(history[0].sdn_share) == pytest.approx(1)
    assert {event["event"] for event in events} == {"step", "epoch"}
    assert len(folder.predictions()["label"]) == 800
    assert folder.result() == result


def test_an_interrupted_run_goes_on_to_the_same_weights(table, tmp_path):
    train(plan(table, tmp_path / "whole"))

    def interrupting(event):
        if event["event"] == "step" and event["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(plan(table, tmp_path / "cut"), on_event=interrupting)
    events = []
    # on another number of cores, too
    train(plan(table, tmp_path / "cut", threads_per_rank=1), on_event=events.append)
    assert events[0] == {"event": "resume", "epoch": 2}
    for a, b in zip(weights(tmp_path / "whole"), weights(tmp_path / "cut"), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_a_crash_between_the_best_weights_and_the_checkpoint_loses_neither(
    table, tmp_path, monkeypatch
):
    train(plan(table, tmp_path / "whole"))
    save = RunFolder.save_checkpoint

    def crashing(folder, variables, state):
        if len(state["history"]) == 3:
            raise KeyboardInterrupt
        save(folder, variables, state)

    monkeypatch.setattr(RunFolder, "save_checkpoint", crashing)
    with pytest.raises(KeyboardInterrupt):
        train(plan(table, tmp_path / "cut"))
    monkeypatch.undo()
    kept = [epoch for epoch in range(1, 4) if RunFolder(tmp_path / "cut").best(epoch).exists()]
    assert kept == [2, 3]
    train(plan(table, tmp_path / "cut"))
    for a, b in zip(weights(tmp_path / "whole"), weights(tmp_path / "cut"), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_a_checkpoint_of_other_settings_is_not_resumed(table, tmp_path):
    train(plan(table, tmp_path))
    with pytest.raises(TrainingError, match="other settings"):
        train(plan(table, tmp_path, learning_rate=1e-3))


def test_a_damaged_checkpoint_says_what_to_remove(table, tmp_path):
    RunFolder(tmp_path).checkpoint.write_bytes(b"half a file")
    with pytest.raises(TrainingError, match="Remove the file"):
        train(plan(table, tmp_path))


def test_training_stops_when_validation_no_longer_improves(table, tmp_path):
    result = train(plan(table, tmp_path, epochs=40, patience=1, learning_rate=0.05))
    assert result.epochs == result.best_epoch + 1 < 40


def test_a_rebuilt_table_is_noticed(table, tmp_path):
    with pytest.raises(DataError, match="rebuilt"):
        train(plan(table, tmp_path).model_copy(update={"table_fingerprint": "other"}))


def test_a_shard_that_comes_up_short_stops_the_run(table, tmp_path, monkeypatch):
    real = epoch_module.shard_rows
    monkeypatch.setattr(epoch_module, "shard_rows", lambda t, s, n: [r + 5 for r in real(t, s, n)])
    with pytest.raises(DataError, match="The reader lost rows"):
        train(plan(table, tmp_path))


class Drifted(OneRank):
    """Another rank whose weights have another norm."""

    def gather(self, values):
        return np.concatenate([values, values + 1e-3]) if values.shape == (1,) else values


def test_ranks_with_different_weights_stop_the_run(table, tmp_path):
    with pytest.raises(TrainingError, match="The ranks have different weights"):
        train(plan(table, tmp_path), Drifted())
