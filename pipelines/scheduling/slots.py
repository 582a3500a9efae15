"""Finds the scheduled time that a run belongs to, and the date that it works on.

A run that starts late, or is tried again after midnight, works on the date that it was scheduled
for: the date follows from the schedule and not from the clock.
"""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

from croniter import croniter

from optdist.errors import ConfigError

# a Job that a CronJob made is named after it, and after the minutes since 1970 of its time
_JOB_NAME = re.compile(r"-(\d{8,})$")


def last_slot(cron: str, zone: ZoneInfo, now: dt.datetime) -> dt.datetime:
    """The newest time at or before `now` at which a cron fires.

    Args:
        cron: five fields.
        zone: whose clock it follows. A time that the clock skips is the next one that it shows; of
            a time that it shows twice the first counts.
        now: an aware time.
    """
    local = now.astimezone(zone)
    wall = local.replace(tzinfo=None, second=0, microsecond=0) + dt.timedelta(minutes=1)
    slots = croniter(cron, wall)
    while True:
        slot = slots.get_prev(dt.datetime).replace(tzinfo=zone)
        if slot.astimezone(dt.UTC) <= now:
            return slot


def named_slot(text: str, zone: ZoneInfo) -> dt.datetime | None:
    """The time that `--slot` names; None: it is the name of a Job that nothing has scheduled.

    Args:
        text: a time such as 2026-03-01T05:00, or the name of a Kubernetes Job.
        zone: of a time without one.

    Raises:
        ConfigError: it is no time.
    """
    match = _JOB_NAME.search(text)
    if match:
        return dt.datetime.fromtimestamp(int(match[1]) * 60, zone)
    try:
        time = dt.datetime.fromisoformat(text)
    except ValueError:
        if re.fullmatch(r"[a-z][a-z0-9-]*", text):
            return None
        raise ConfigError(f"--slot {text} is neither a time nor the name of a Job.") from None
    return time if time.tzinfo else time.replace(tzinfo=zone)


def date_of(slot: dt.datetime, zone: ZoneInfo, days_back: int) -> dt.date:
    """The date that a run works on.

    Args:
        slot: when it was scheduled.
        zone: whose days count.
        days_back: how many days before.
    """
    return slot.astimezone(zone).date() - dt.timedelta(days_back)


def next_slot(cron: str, zone: ZoneInfo, now: dt.datetime) -> dt.datetime:
    """The first time after `now` at which a cron fires.

    Args:
        cron: five fields.
        zone: whose clock it follows.
        now: an aware time.
    """
    slots = croniter(cron, now.astimezone(zone).replace(tzinfo=None) - dt.timedelta(hours=2))
    while True:
        slot = slots.get_next(dt.datetime).replace(tzinfo=zone)
        if slot.astimezone(dt.UTC) > now:
            return slot
