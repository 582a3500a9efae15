import os
import sys

import pytest
from shop import config
from table import write_table

from optdist.config import HorovodConfig, OptDistConfig, TrainingConfig
from optdist.errors import ConfigError, TrainingError
from optdist.training import RunFolder, TrainingPlan
from optdist.training.entry import run_rank
from optdist.training.event_file import tolerate_errors
from optdist.training.local_launcher import LocalHorovod, OneProcess


def plan(table, folder, **training):
    return TrainingPlan(
        table=str(table.path),
        table_fingerprint="made",
        folder=str(folder),
        model=OptDistConfig(num_sdns=2, sdn=[8], dsm=[8]),
        training=TrainingConfig(**{"epochs": 2, "batch_size": 256, **training}),
    )


def fails(event):
    raise ConnectionError("the store is down: https://me:secret@host")


def test_one_process_trains_and_goes_on_where_progress_cannot_be_logged(tmp_path, capsys):
    table = write_table(tmp_path / "table", rows=2000)
    made = plan(table, tmp_path / "run", ranks=1)
    result = OneProcess().launch(made, fails)
    assert result.epochs == 2 and result.ranks == 1
    assert result == made.run_folder.result()
    printed = capsys.readouterr().err
    assert printed.count("not logged (ConnectionError)") == 1 and "secret" not in printed


def test_an_interrupt_is_not_taken_for_a_store_that_is_down():
    def interrupted(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tolerate_errors(interrupted)({"event": "step"})


def test_one_process_refuses_more_ranks_than_one(tmp_path):
    training = {"engine": "one_process", "ranks": 2}
    with pytest.raises(ConfigError, match=r"Set training\.ranks=1"):
        OneProcess.from_config(config(tmp_path, tmp_path / "sales.csv", training=training))


def test_a_rank_that_cannot_import_the_model_leaves_the_reason_for_the_launcher(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.prepare()
    written = TrainingPlan(
        table="t", table_fingerprint="f", folder=str(run.path), model={}, training={}
    ).model_dump_json()
    name = '"name":"optdist"'
    assert name in written
    with pytest.raises(TrainingError):
        run_rank(written.replace(name, '"name":"nowhere.models:Mine"'))
    assert run.failure().startswith("`model.name` must be one of optdist, ")
    assert "put its folder on PYTHONPATH" in run.failure()


@pytest.mark.slow
def test_local_horovod_trains_on_ranks_and_says_why_one_failed(tmp_path):
    table = write_table(tmp_path / "table", rows=2000)
    events = []
    launcher = LocalHorovod(HorovodConfig())
    result = launcher.launch(plan(table, tmp_path / "run", ranks=2), events.append)
    assert result.ranks == 2 and result.epochs == 2
    assert [e["epoch"] for e in events if e["event"] == "epoch"] == [1, 2]
    rebuilt = plan(table, tmp_path / "other", ranks=2)
    rebuilt = rebuilt.model_copy(update={"table_fingerprint": "another"})
    with pytest.raises(TrainingError, match=r"rebuilt since.*Details: .*horovod\.log"):
        launcher.launch(rebuilt, events.append)


def test_local_ranks_get_horovods_settings_and_import_what_this_process_imports():
    launcher = LocalHorovod(HorovodConfig(stall_timeout_seconds=7))
    environment = launcher._environment()
    assert environment["HOROVOD_STALL_SHUTDOWN_TIME_SECONDS"] == "7"
    assert set(filter(None, sys.path)) <= set(environment["PYTHONPATH"].split(os.pathsep))
