import pytest
from shop import config

from optdist.errors import ModelError
from optdist.tracking import Tracker
from optdist.training.event_file import EventWriter, following
from optdist.training.result import EpochRecord
from optdist.training.run_folder import RunFolder
from pipelines.training.pipeline import _EpochLog


def epochs(count):
    return [
        {
            "epoch": epoch,
            "loss": 3.0 - epoch,
            "learning_rate": 0.1,
            "rows_per_second": 5.0,
            "seconds": 2.0,
            "validation": {"normalized_gini": epoch / 4},
            "sdn_share": None,
        }
        for epoch in range(1, count + 1)
    ]


@pytest.fixture
def run(tmp_path):
    tracker = Tracker(config(tmp_path / "root", tmp_path / "sales.csv"))
    with tracker.run("made") as run:
        yield run


def test_a_store_that_is_down_for_one_epoch_loses_none_and_stops_nothing(
    run, tmp_path, monkeypatch, capsys
):
    log, written = _EpochLog(run), run.log_epoch

    def down_for_the_second(record):
        if record.epoch == 2:
            raise ModelError("https://me:secret@host does not answer")
        written(record)

    events = RunFolder(tmp_path).events
    with following(events, log), EventWriter(events) as out:
        monkeypatch.setattr(run, "log_epoch", down_for_the_second)
        for record in epochs(3):
            out({"event": "epoch", **record})
    assert logged(run) == [1, 3]
    printed = capsys.readouterr().err
    assert printed.count("not logged (ModelError)") == 1
    assert "secret" not in printed

    monkeypatch.undo()
    RunFolder(tmp_path).write_history([EpochRecord(**record) for record in epochs(3)])
    log.complete(RunFolder(tmp_path).history())
    assert sorted(logged(run)) == [1, 2, 3]


def logged(run):
    return [point.step for point in run.client.get_metric_history(run.run_id, "loss")]
