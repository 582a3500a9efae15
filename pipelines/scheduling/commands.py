"""Writes the command lines of scheduled jobs."""

from __future__ import annotations

import datetime as dt
import json
import shlex

from pipelines.scheduling.plan import DATE, Schedule


def step_commands(schedule: Schedule, job: str, dataset: str) -> dict[str, list[str]]:
    """The command of each step of a job, with `{date}` where its date stands.

    Args:
        schedule: what runs when.
        job: one of its jobs.
        dataset: one of the job's data sets.
    """
    common = ["--dataset", dataset, "--env", schedule.env]
    for change in [*schedule.settings, *hook_settings(schedule)]:
        common += ["--set", change]
    commands = {}
    for name, text in schedule.jobs[job].steps.items():
        script, *options = shlex.split(text)
        commands[name] = ["./spark-submit.sh", *schedule.spark, script, *common, *options]
    return commands


def on_date(command: list[str], date: dt.date | str) -> list[str]:
    """A command with its date."""
    return [word.replace(DATE, str(date)) for word in command]


def run_command(job: str, dataset: str, *options: str) -> list[str]:
    """The command that runs all steps of a job, with their retries, where there is no Airflow.

    Args:
        job: one of the schedule's jobs.
        dataset: one of its data sets.
        options: more of them.
    """
    run = [".venv/bin/python", "jobs/schedule.py", "run", job, "--dataset", dataset]
    return [*run, *options]


def hook_settings(schedule: Schedule, *, told: bool = False) -> list[str]:
    """The settings by which a job tells of its failure; with `told` those of no hook at all."""
    notification = schedule.notification
    if told:
        return ["on_failure.url=null", "on_failure.command=[]"]
    changes = []
    if notification.url:
        changes.append(f"on_failure.url={notification.url}")
    if notification.command:
        changes.append(f"on_failure.command={json.dumps(notification.command)}")
    return changes
