"""The quick preset from end to end: interrupted, gone on with, and reported."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from holding import held

from optdist.config import load_config
from optdist.errors import BusyError
from optdist.tracking import Tracker
from pipelines.experiments.pipeline import format_outcome, run_experiment
from pipelines.experiments.plan.config import load_experiment
from pipelines.experiments.plan.grid import Grid
from pipelines.experiments.plan.schedule import schedule

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parents[2]
SMALL = ["training.epochs=1", "model_defaults.sdn=[8]", "model_defaults.tower=[8]"]


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """The job as a user starts it, stopped after some cells."""
    root = tmp_path_factory.mktemp("artifacts")
    overrides = [f"paths.root={root}", *SMALL]
    command = [sys.executable, "jobs/experiment.py", "quick"]
    command += [part for override in overrides for part in ("--set", override)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with (root / "output.txt").open("w") as output:
        job = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        records = root / "experiments" / "quick" / "results"
        while len(list(records.glob("*.seed*.json"))) < 4 and job.poll() is None:
            time.sleep(0.2)
        children = psutil.Process(job.pid).children(recursive=True) if job.poll() is None else []
        job.send_signal(signal.SIGTERM)
        code = job.wait(60)
    return root, overrides, records, (root / "output.txt").read_text(), code, children


def test_an_interrupted_run_ends_with_its_workers_and_keeps_what_is_finished(interrupted):
    _, _, records, output, code, children = interrupted
    assert code == 143, output
    assert children
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    assert len(list(records.glob("*.seed*.json"))) >= 4
    assert "left" in output and "val Norm-GINI" in output


def test_the_same_command_goes_on_and_writes_the_report(spark, interrupted):
    root, overrides, records, output, _, _ = interrupted
    before = {path: path.stat().st_mtime_ns for path in records.glob("*.seed*.json")}
    first = {path: path.read_text() for path in before}
    outcome = run_experiment("quick", overrides=overrides, workers=2, spark=spark)
    assert not outcome.failures, format_outcome(outcome)
    kept = [path for path, time_ns in before.items() if path.stat().st_mtime_ns == time_ns]
    rewritten = [path for path in before if path not in kept]
    assert len(kept) >= 2
    for path in rewritten:  # the trial that won has test metrics now
        assert '"test": null' in first[path] and '"test": null' not in path.read_text()

    grid = Grid(load_experiment("quick"), overrides=overrides)
    names = {f"{task.variant}" for task in schedule(grid)}
    found = {path.name.split(".")[1] for path in records.glob("*.seed*.json")}
    assert len(found) == len(names)
    text = outcome.report.with_name("report.md").read_text()
    total = len(schedule(grid))
    assert f"{total} of {total} tasks are finished" in text
    for section in ("Table 1", "Table 2", "Cost", "Table 3", "Fig. 4", "Fig. 5", "Fig. 1"):
        assert f"## {section}" in text
    assert "No † or ‡: 2 of the 5 seeds" in text
    assert all(path.stat().st_size < 30_000 for path in records.glob("*.json"))

    tracker = Tracker(load_config(overrides=[f"paths.root={root}"]))
    runs = tracker.client.search_runs([tracker.experiment_id], max_results=200)
    [parent] = [run for run in runs if run.info.run_name == "experiment quick"]
    assert parent.info.status == "FINISHED"
    nested = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(nested) + 1 == len(runs) >= len(list(records.glob("*.seed*.json")))
    assert any("test_soft_normalized_gini" in run.data.metrics for run in nested)
    artifacts = {item.path for item in tracker.client.list_artifacts(parent.info.run_id, "report")}
    assert {"report/report.html", "report/report.md", "report/figures"} <= artifacts


def test_nothing_is_run_again_and_the_report_can_be_written_alone(interrupted, capsys):
    root, overrides, records, _, _, _ = interrupted
    before = {path: path.stat().st_mtime_ns for path in records.iterdir()}
    outcome = run_experiment("quick", overrides=overrides, workers=2)
    text = outcome.report.with_name("report.md").read_text()
    outcome.report.unlink()
    with held(root / "experiments" / "quick" / "runs"):  # another job runs it
        with pytest.raises(BusyError):
            run_experiment("quick", overrides=overrides, workers=2)
        again = run_experiment("quick", overrides=overrides, report_only=True)
    assert again.report.with_name("report.md").read_text() == text
    assert again.report.exists()
    assert {path: path.stat().st_mtime_ns for path in records.iterdir()} == before
    assert "val Norm-GINI" not in capsys.readouterr().out
