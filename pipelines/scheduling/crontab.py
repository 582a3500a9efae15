"""Renders a schedule as a crontab."""

from __future__ import annotations

import shlex

from pipelines.scheduling.commands import run_command
from pipelines.scheduling.plan import Schedule, run_name

_HEAD = """\
# Rendered by jobs/schedule.py from the schedule: change that, and render this again.
# Times are of {zone}. cronie follows CRON_TZ; Debian's cron does not: there set the machine's zone.
SHELL=/bin/bash
CRON_TZ={zone}
"""


def render_crontab(schedule: Schedule, schedule_file: str | None = None) -> str:
    """The crontab of a user who may run the project.

    Args:
        schedule: what runs when.
        schedule_file: the file that it was read from; None: the one in conf.
    """
    lines = [_HEAD.format(zone=schedule.time_zone)]
    if schedule.notification.mail_to:
        lines.append(f"MAILTO={schedule.notification.mail_to}\n")
    lines += [f"{name}={_quoted(value)}\n" for name, value in schedule.variables.items()]
    options = ["--schedule", schedule_file] if schedule_file else []
    for job, settings in schedule.jobs.items():
        for dataset in schedule.datasets_of(job):
            command = shlex.join(run_command(job, dataset, *options))
            line = f"cd {shlex.quote(schedule.project)} && {command}"
            # cron ends a command at a bare %
            lines.append(f"\n# {run_name(job, dataset)}\n")
            lines.append(f"{settings.cron} {line.replace('%', chr(92) + '%')}\n")
    return "".join(lines)


def _quoted(value: str) -> str:
    """A variable's value as cron reads it: as it is, between quotes where blanks matter."""
    return f'"{value}"' if value != value.strip() or not value else value
