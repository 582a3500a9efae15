"""Rendered schedules in a real Airflow of its own environment: `make airflow`."""

import datetime as dt
import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from registered import built_shop, register, write_package

from optdist.config.plain import plain_yaml
from optdist.tracking import CHAMPION
from pipelines.scheduling.airflow import render_airflow
from pipelines.scheduling.kubernetes import render_kubernetes
from pipelines.scheduling.plan import Schedule, load_schedule
from pipelines.scoring.manifest import read_manifest

ROOT = Path(__file__).parents[3]
BIN = ROOT / ".venv-airflow" / "bin"
pytestmark = [
    pytest.mark.airflow,
    pytest.mark.slow,
    pytest.mark.skipif(not (BIN / "airflow").exists(), reason="make airflow sets it up"),
]
SCORE = {"cron": "30 0 * * *", "steps": {"score": "jobs/score.py --run-date {date}"}}
# Imports the DAGs as Airflow does, and runs steps that end with several exit codes.
LOOK = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowFailException

bag = DagBag(sys.argv[1])
dags = {}
for name, dag in bag.dags.items():
    tasks = dag.topological_sort()
    ends = {}
    for code in (0, 2, 3, 4, 5, 7):
        tasks[0].bash_command, tasks[0].cwd = f"exit {code}", "/"
        try:
            tasks[0].execute({})
            ends[code] = "done"
        except AirflowFailException:
            ends[code] = "failed"
        except Exception:
            ends[code] = "again"
    dags[name] = {
        "tasks": [task.task_id for task in tasks],
        "after": {task.task_id: sorted(task.upstream_task_ids) for task in tasks},
        "retries": tasks[0].retries,
        "zone": str(dag.timezone),
        "ends": ends,
    }
print("RESULT" + json.dumps({"dags": dags, "errors": bag.import_errors}))
"""


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    """Runs commands of an Airflow whose data base and DAGs are in a folder of the test."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }

    def run(*command):
        done = subprocess.run(
            command, env=os.environ | settings, capture_output=True, text=True, timeout=550
        )
        return done.returncode, done.stdout + done.stderr

    run.dags = home / "dags"
    return run


def test_airflow_imports_the_dags_and_tries_again_by_exit_code(airflow):
    (airflow.dags / "dags.py").write_text(render_airflow(load_schedule()))
    code, output = airflow(str(BIN / "python"), "-c", LOOK, str(airflow.dags))
    assert code == 0, output
    [line] = [line for line in output.splitlines() if line.startswith("RESULT")]
    found = json.loads(line.removeprefix("RESULT"))
    assert found["errors"] == {}
    assert found["dags"].keys() == {
        "optdist_score_complete_journey",
        "optdist_learn_complete_journey",
    }
    learn = found["dags"]["optdist_learn_complete_journey"]
    assert learn["tasks"] == ["train", "evaluate", "promote", "backtest"]
    assert learn["after"]["backtest"] == ["promote"]
    assert learn["retries"] == 3
    ends = {"0": "done", "2": "failed", "3": "failed", "4": "failed", "5": "again", "7": "again"}
    assert learn["ends"] == ends


def test_kubernetes_schemas_accept_the_cron_jobs(tmp_path):
    file = tmp_path / "jobs.yaml"
    file.write_text(render_kubernetes(load_schedule()))
    check = [str(BIN / "python"), "-m", "kubernetes_validate", "--strict", str(file)]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    file.write_text(file.read_text().replace("concurrencyPolicy", "concurrentPolicy"))
    assert subprocess.run(check, capture_output=True, text=True).returncode != 0


def test_a_run_of_the_dag_scores_the_last_day_of_its_interval(spark, airflow, tmp_path):
    made, table, tracker = built_shop(spark, tmp_path)
    version = register(tracker, write_package(table.schema, tmp_path / "package"))
    tracker.set_alias(CHAMPION, version)
    dataset = tmp_path / "shop.yaml"
    content = made.model_dump(mode="json")["dataset"]
    dataset.write_text(yaml.safe_dump(content))
    assert plain_yaml(dataset.read_text())["name"] == "shop"
    plan = Schedule(
        time_zone="Europe/Berlin",
        start=dt.date(2024, 1, 1),
        project=str(ROOT),
        datasets=[str(dataset)],
        settings=[f"paths.root={made.root}"],
        spark=["--master=local[1]", "--driver-memory=1g"],
        jobs={
            "score": {"cron": "30 0 * * *", "steps": {"score": "jobs/score.py --run-date {date}"}}
        },
    )
    (airflow.dags / "dags.py").write_text(render_airflow(plan))
    assert airflow("airflow", "db", "migrate")[0] == 0
    # 00:30 in Berlin is 23:30 in UTC: the interval ends on the 20th, and its last day is the 19th
    code, output = airflow("airflow", "dags", "test", "optdist_score_shop", "2024-12-20")
    assert code == 0, output
    assert "state=success" in output
    assert read_manifest(made.layout.scores.date("2024-12-19")).rows > 0
