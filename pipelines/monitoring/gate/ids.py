"""Compares whose scores there are with the last date's, and the form of their ids."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from optdist.config import GateConfig, LimitsConfig
from optdist.data.profile import PartProfile, Profile
from pipelines.monitoring.gate.columns import SIGMAS
from pipelines.monitoring.gate.findings import Finding, widened


@dataclass(frozen=True)
class Ids:
    """How many ids there are.

    Args:
        rows: of today's scores.
        ids: distinct ones.
        repeated: ids that are there more than once.
        last_rows: rows of the last date; None: there is no last date.
        vanished: ids of the last date that are gone.
        new: ids that the last date did not have.
    """

    rows: int
    ids: int
    repeated: int
    last_rows: int | None = None
    vanished: int = 0
    new: int = 0


@dataclass(frozen=True)
class Change:
    """How much the ids may have changed since the last date.

    Args:
        days: that have passed since.
        rate: of relative growth a day, at most, as far as history says.
        arrived: new ids in these days, at most, where each has one sample for ever.
        leaving: the share of ids that leave by themselves, for they were acquired long ago.
    """

    days: int
    rate: float
    arrived: float = 0.0
    leaving: float = 0.0


def check_unique(ids: Ids, gate: GateConfig) -> Iterator[Finding]:
    """Whether each id is there once."""
    limits = gate.limits("unique_ids")
    if limits is not None:
        what = f"of {ids.ids:,} ids there are more than once:"
        yield Finding(check="unique_ids", value=ids.repeated, limits=limits, what=what, unit="ids")


def check_ids(ids: Ids, date: str, change: Change, gate: GateConfig) -> Iterator[Finding]:
    """Compare today's ids with the last date's.

    Args:
        ids: the counts.
        date: the last date.
        change: what is usual.
        gate: limits.
    """
    last, leaving = ids.last_rows, change.leaving
    if not last:
        return
    growth = math.expm1(min(2 * gate.learned * change.rate * change.days, 3.0))
    growth = max(growth, 2 * change.arrived / last)
    chance = SIGMAS * math.sqrt(1 / last)
    vanished, new = ids.vanished / last, ids.new / last
    if (limits := gate.limits("rows")) is not None:
        low = None if limits.min is None else limits.min - leaving
        high = None if limits.max is None else limits.max + growth
        yield Finding(
            check="rows", against=date, value=ids.rows / last, now=ids.rows, reference=last,
            limits=LimitsConfig(min=low, max=high), what="the number of rows is", unit="times",
        )  # fmt: skip
    if (limits := gate.limits("vanished")) is not None:
        yield Finding(
            check="vanished", against=date, value=vanished,
            limits=widened(limits, leaving + min(chance, 2 / last)),
            what=f"{ids.vanished:,} of {last:,} known ids are gone, a share of",
        )  # fmt: skip
    if (limits := gate.limits("new_ids")) is not None:
        yield Finding(
            check="new_ids", against=date, value=new, limits=widened(limits, growth + chance),
            what=f"{ids.new:,} ids are new to {last:,}, a share of",
        )  # fmt: skip


def check_forms(now: Profile, then: Profile, against: str, gate: GateConfig) -> Iterator[Finding]:
    """Compare the form of ids: kinds of characters, leading zeros, lengths.

    Args:
        now: has today's forms.
        then: has those that they are compared with.
        against: its name.
        gate: limits.
    """
    limits = gate.limits("id_form")
    if limits is None:
        return
    for name, forms in now.forms.items():
        if not then.forms.get(name) or not forms:
            continue
        rows = min(sum(forms.values()), sum(then.forms[name].values()))
        room = SIGMAS / math.sqrt(max(rows, 1)) / 2
        yield Finding(
            check="id_form", column=name, against=against,
            value=_moved(forms, then.forms[name]), limits=widened(limits, room),
            what=f"of {name} another form than before ({_titles(forms, then.forms[name])}) have",
            unit="of the ids",
        )  # fmt: skip
        lengths = _moved(now.lengths.get(name, {}), then.lengths.get(name, {}))
        yield Finding(
            check="id_form", column=f"{name} (length)", against=against, value=lengths,
            limits=widened(limits, room + 4 * (limits.max or 0.0)),
            what=f"of {name} another length than before have", unit="of the ids",
        )  # fmt: skip


def growth_rate(dates: Sequence[tuple[dt.date, int]]) -> float:
    """The largest relative growth a day between neighbouring dates.

    Args:
        dates: days with their numbers of ids, ascending.
    """
    rates = [
        math.log(max(b, 1) / max(a, 1)) / max((later - day).days, 1)
        for (day, a), (later, b) in pairwise(dates)
    ]
    return max([0.0, *rates])


def sizes_of(periods: Sequence[PartProfile]) -> list[tuple[dt.date, int]]:
    """Training's dates with the rows of each, for the growth."""
    return [(dt.date.fromisoformat(p.last), p.rows) for p in periods if p.last and p.rows]


def _moved(now: Mapping[str, int], then: Mapping[str, int]) -> float:
    """The share of rows that one would have to move to make two counts the same."""
    rows, others = sum(now.values()), sum(then.values())
    if not rows or not others:
        return 0.0
    keys = now.keys() | then.keys()
    return sum(abs(now.get(k, 0) / rows - then.get(k, 0) / others) for k in keys) / 2


def _titles(now: Mapping[str, int], then: Mapping[str, int]) -> str:
    """The most frequent form now and then."""
    a, b = (max(forms, key=lambda k: forms[k]) or "blank" for forms in (now, then))
    return f"now mostly `{a}`, then `{b}`"
