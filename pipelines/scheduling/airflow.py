"""Renders a schedule as a file of Airflow DAGs."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from pipelines.scheduling.commands import step_commands
from pipelines.scheduling.plan import Schedule, run_name

_TEMPLATE = Path(__file__).with_name("airflow_dag.txt")


def render_airflow(schedule: Schedule) -> str:
    """A Python file with a DAG for each job and data set; it imports Airflow 3 alone."""
    content = {
        "time_zone": schedule.time_zone,
        "start": schedule.start.isoformat(),
        "project": schedule.project,
        "variables": schedule.variables,
        "runs": [
            _run(schedule, job, dataset)
            for job in schedule.jobs
            for dataset in schedule.datasets_of(job)
        ],
    }
    return _TEMPLATE.read_text().replace("@SCHEDULE@", json.dumps(content, indent=2))


def _run(schedule: Schedule, job: str, dataset: str) -> dict[str, Any]:
    settings = schedule.jobs[job]
    return {
        "dag_id": run_name(job, dataset).replace("-", "_"),
        "description": f"{job.replace('_', ' ')} {dataset}",
        "dataset": dataset,
        "cron": settings.cron,
        "days_back": settings.days_back,
        "catch_up": settings.catch_up,
        "hours_at_most": settings.hours_at_most,
        "retries": schedule.retries_of(job).model_dump(),
        "steps": {
            name: shlex.join(command)
            for name, command in step_commands(schedule, job, dataset).items()
        },
    }
