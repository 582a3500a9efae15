"""Render what runs when for Airflow, cron and Kubernetes, or run one of its jobs now.

conf/schedule.yaml says which jobs run at what time on which data sets. `render` writes files for a
scheduler, `list` prints what would run next, and `run` runs the steps of one job for the newest
scheduled time: cron and Kubernetes call it. It needs no Spark of its own:

  .venv/bin/python jobs/schedule.py render airflow --to dags
  .venv/bin/python jobs/schedule.py run score --dataset complete_journey
"""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from optdist.files import write_text
from optdist.log import LOG
from pipelines import cli

if TYPE_CHECKING:
    from pipelines.scheduling.plan import Schedule
    from pipelines.scheduling.running import Run

FILES = {"airflow": "optdist_dags.py", "crontab": "crontab", "kubernetes": "cronjobs.yaml"}


def run(args: argparse.Namespace) -> dict[str, object]:
    """Render, list or run."""
    from pipelines.scheduling.commands import hook_settings
    from pipelines.scheduling.running import StepError, run_steps

    schedule = _schedule(args)
    if args.action == "list":
        LOG.info(_listed(schedule))
        return {}
    if args.action == "render":
        files = _rendered(args, schedule)
        for path, text in files.items():
            write_text(path, text)
            LOG.info(path)
        return {"files": [*files]}
    planned = _run_of(args, schedule)
    try:
        steps = run_steps(planned)
    except StepError as error:  # a job tells of its own failure, unless it was killed
        args.env, args.set = schedule.env, hook_settings(schedule, told=error.was_told)
        raise
    return {"job": planned.job, "date": str(planned.date), "steps": steps}


def dry_run(args: argparse.Namespace) -> object:
    """Say what the job would do."""
    import shlex

    from pipelines.dry_run.report import Report

    report = Report(f"schedule {args.action}")
    with report.check("configuration") as attempt:
        schedule = _schedule(args)
        if args.action == "render":
            for path in _rendered(args, schedule):
                attempt.say(f"would be written: {path}")
        elif args.action == "run":
            for command in _run_of(args, schedule).commands.values():
                attempt.say(f"would be run: {shlex.join(command)}")
    return report


def _schedule(args: argparse.Namespace) -> Schedule:
    """The schedule with the command line's changes, and its settings checked."""
    from pipelines.scheduling.checking import check_settings
    from pipelines.scheduling.plan import load_schedule

    schedule = load_schedule(args.schedule)
    changes: dict[str, object] = {"settings": [*schedule.settings, *args.set]}
    if args.env:
        changes["env"] = args.env
    schedule = schedule.model_validate(schedule.model_dump() | changes)
    if args.action != "run" or args.dry_run:  # else the job itself says it, and tells somebody
        check_settings(schedule)
    return schedule


def _rendered(args: argparse.Namespace, schedule: Schedule) -> dict[Path, str]:
    from pipelines.scheduling.airflow import render_airflow
    from pipelines.scheduling.crontab import render_crontab
    from pipelines.scheduling.kubernetes import render_kubernetes

    file = str(args.schedule.resolve()) if args.schedule else None
    renderers = {
        "airflow": lambda: render_airflow(schedule),
        "crontab": lambda: render_crontab(schedule, file),
        "kubernetes": lambda: render_kubernetes(schedule),
    }
    kinds = [args.job] if args.job else [*renderers]
    return {args.to / FILES[kind]: renderers[kind]() for kind in kinds}


def _run_of(args: argparse.Namespace, schedule: Schedule) -> Run:
    from pipelines.scheduling.running import plan_run

    return plan_run(schedule, args.job or "", args.dataset, args.slot, dt.datetime.now(dt.UTC))


def _listed(schedule: Schedule) -> str:
    from pipelines.scheduling.plan import run_name
    from pipelines.scheduling.slots import date_of, next_slot

    now, rows = dt.datetime.now(dt.UTC), []
    for job, settings in schedule.jobs.items():
        slot = next_slot(settings.cron, schedule.zone, now)
        date = date_of(slot, schedule.zone, settings.days_back)
        for dataset in schedule.datasets_of(job):
            rows.append(f"  {slot:%Y-%m-%d %H:%M %Z}  date {date}  {run_name(job, dataset)}")
    return "\n".join(["next:", *sorted(rows)])


if __name__ == "__main__":
    parser = cli.settings_parser(__doc__, "scoring.batch_rows=5000")
    parser.set_defaults(env=None)  # the schedule's
    parser.add_argument("action", choices=("render", "list", "run"))
    parser.add_argument(
        "job",
        nargs="?",
        metavar="SCHEDULER|JOB",
        help="of render: airflow, crontab or kubernetes (default: all); of run: the job's name",
    )
    parser.add_argument(
        "--schedule", type=Path, metavar="FILE.yaml", help="(default: conf/schedule.yaml)"
    )
    parser.add_argument(
        "--to", type=Path, default=Path("."), metavar="DIR", help="where files are rendered"
    )
    parser.add_argument("--dataset", metavar="NAME", help="of run: one of the job's data sets")
    parser.add_argument(
        "--slot",
        metavar="TIME|NAME",
        help="of run: the scheduled time that it is for, or the name of the Kubernetes Job "
        "(default: the newest one until now)",
    )
    cli.main(run, parser, dry_run)
