"""Runs a scheduled job here and now, for schedulers that only know when: cron and Kubernetes."""

from __future__ import annotations

import datetime as dt
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from optdist.errors import ConfigError, OptDistError
from optdist.log import LOG
from pipelines.scheduling.commands import on_date, step_commands
from pipelines.scheduling.plan import RetryConfig, Schedule
from pipelines.scheduling.slots import date_of, last_slot, named_slot

PROJECT = Path(__file__).resolve().parents[2]


class StepError(OptDistError):
    """A step that failed; the job ends with its exit code."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        """Keep the step's exit code.

        Args:
            message: what failed.
            exit_code: the step's.
        """
        super().__init__(message)
        self.exit_code = exit_code

    @property
    def was_told(self) -> bool:
        """Whether the step has told of its failure itself: it was not killed, and was found."""
        return self.exit_code not in (126, 127, 137)


@dataclass(frozen=True)
class Run:
    """A job on a data set and a date."""

    job: str
    dataset: str
    slot: dt.datetime
    date: dt.date
    commands: dict[str, list[str]]  # by step
    retries: RetryConfig


def plan_run(
    schedule: Schedule, job: str, dataset: str | None, slot: str | None, now: dt.datetime
) -> Run:
    """The run of a job that belongs to a scheduled time.

    Args:
        schedule: what runs when.
        job: one of its jobs.
        dataset: one of the job's data sets; None: the only one.
        slot: names the scheduled time; None: the newest one until now.
        now: an aware time.

    Raises:
        ConfigError: the schedule has no such job, or the job no such data set.
    """
    if job not in schedule.jobs:
        raise ConfigError(f"The schedule has no job {job}. Its jobs: {', '.join(schedule.jobs)}.")
    names = schedule.datasets_of(job)
    if dataset is None and len(names) == 1:
        [dataset] = names
    if dataset not in names:
        raise ConfigError(f"Choose a data set of {job} by --dataset: {', '.join(names)}.")
    settings, zone = schedule.jobs[job], schedule.zone
    named = named_slot(slot, zone) if slot else None
    time = named or last_slot(settings.cron, zone, now)
    date = date_of(time, zone, settings.days_back)
    commands = step_commands(schedule, job, dataset)
    on = {name: on_date(command, date) for name, command in commands.items()}
    return Run(job, dataset, time, date, on, schedule.retries_of(job))


def run_steps(
    run: Run,
    project: Path = PROJECT,
    wait: Callable[[float], None] = time.sleep,
) -> list[str]:
    """Run the steps one after the other, and try again what the schedule says.

    Args:
        run: what is run.
        project: the folder of the repository.
        wait: waits between tries [seconds].

    Returns:
        The names of the steps.

    Raises:
        StepError: a step failed; those after it are not run.
    """
    for name, command in run.commands.items():
        tries = 1 + run.retries.times
        for attempt in range(1, tries + 1):
            LOG.info(f"{run.job} {run.dataset} {run.date}: {name}, try {attempt} of {tries}")
            code = _call(command, project)
            if code == 0:
                break
            again = code in run.retries.exit_codes and attempt < tries
            if not again:
                raise StepError(
                    f"{run.job} {run.dataset} {run.date}: {name} ended with exit code {code} at "
                    f"try {attempt}. docs/operations.md says what it means.",
                    code,
                )
            LOG.info(f"exit code {code}: again in {run.retries.delay_minutes} minutes")
            wait(60.0 * run.retries.delay_minutes)
    return [*run.commands]


def _call(command: Sequence[str], project: Path) -> int:
    """Run a command and return its exit code, for a signal as a shell gives it.

    Where this process is told to stop, so is the command, and it may end in its own way.
    """
    with subprocess.Popen(command, cwd=project) as process:
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            raise
    return 128 - code if code < 0 else code
