import shutil
from pathlib import Path

import pytest

from optdist.errors import TrainingError
from optdist.training import EpochRecord, Registration, RunFolder
from optdist.training.result import best_epoch

OLD = Path(__file__).resolve().parents[2] / "old" / "run"  # as version 0.1.0 wrote it


def record(epoch, gini, total_ratio=1.0):
    return EpochRecord(
        epoch=epoch,
        loss=2.5,
        learning_rate=1e-3,
        rows_per_second=1000.0,
        seconds=2.0,
        validation={"normalized_gini": gini, "total_ratio": total_ratio, "mae": -gini},
        sdn_share=None,
    )


def test_an_old_run_is_read():
    folder = RunFolder(OLD)
    result = folder.result()
    assert (result.best_epoch, result.epochs, result.inference) == (4, 8, "soft")
    assert result.test_metrics["normalized_gini"] == 0.6022613295911118
    assert result.validation_metrics == result.validation["soft"]
    assert result.calibration["soft"].scale == 1.023506014220626
    assert result.rows["train"] == 94731 and result.ranks == 2
    history = folder.history()
    assert [epoch.epoch for epoch in history] == list(range(1, 9))
    assert sum(history[0].sdn_share) == pytest.approx(1)
    assert best_epoch(history, "normalized_gini") == result.best_epoch
    assert folder.registration().version == "1"


def test_what_is_written_is_read_back_also_where_a_metric_is_infinite(tmp_path):
    folder = RunFolder(tmp_path)
    history = [record(1, 0.2, total_ratio=float("inf"))]
    folder.write_history(history)
    assert folder.history() == history
    result = RunFolder(OLD).result()
    infinite = {rule: m | {"total_ratio": float("inf")} for rule, m in result.test.items()}
    result = result.model_copy(update={"test": infinite})
    folder.write_result(result)
    assert folder.result() == result == type(result).model_validate_json(result.to_json())
    assert folder.registration() is None
    folder.write_registration(Registration(run_id="a", version="3"))
    assert folder.registration() == Registration(run_id="a", version="3")


def test_a_missing_or_damaged_result_names_its_file(tmp_path):
    with pytest.raises(TrainingError, match=r"metrics\.json cannot be read.*Has the run finished"):
        RunFolder(tmp_path).result()
    shutil.copy(OLD / "history.json", tmp_path / "metrics.json")
    with pytest.raises(TrainingError, match=r"metrics\.json is damaged"):
        RunFolder(tmp_path).result()


def test_a_new_start_removes_the_reasons_of_the_last_one_and_keeps_its_epochs(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.prepare()
    folder.write_history([record(1, 0.2)])
    folder.events.write_text("{}\n")
    folder.write_failure(1, "The disk is full.\n\nTraceback ...")
    folder.write_failure(0, "The loss is nan.\n\nTraceback ...")
    assert folder.failure() == "The loss is nan."
    folder.prepare()
    assert folder.failure() is None and not folder.events.exists()
    assert len(folder.history()) == 1


def test_the_best_epoch_is_the_first_of_the_best_value_in_the_metrics_direction():
    history = [record(1, 0.2), record(2, 0.5), record(3, 0.5), record(4, 0.1)]
    assert best_epoch(history, "normalized_gini") == 2
    assert best_epoch(history, "mae") == 2  # lower is better
    assert best_epoch([], "mae") == 0


def test_a_run_that_left_the_test_split_unread_has_no_test_metrics():
    result = RunFolder(OLD).result().model_copy(update={"test": None})
    with pytest.raises(TrainingError, match="did not read the test split"):
        _ = result.test_metrics
