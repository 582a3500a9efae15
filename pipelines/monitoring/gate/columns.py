"""Compares the features of some samples with training's dates and with the last date."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from optdist.config import GateConfig
from optdist.data.profile import ColumnProfile, PartProfile, Profile
from optdist.data.schema import (
    MISSING_ID,
    UNKNOWN_ID,
    CategoricalFeature,
    FeatureSchema,
    NumericFeature,
)
from optdist.evaluation.binned import stability_index
from pipelines.monitoring.gate.findings import TRAINING, Finding, widened

LEAST_ROWS = 30  # of a date: fewer are no evidence
LEAST_STD = 0.05  # of training's deviations: two columns with less have the same spread
MOST_STEPS = 12  # dates beyond training's that its usual step is extrapolated to
SIGMAS = 4.0  # of chance that a difference is allowed on top
BARE = 2.0  # times the limits where training's dates are not known
GONE, LEAST_CATEGORY = 0.1, 0.005  # of its share that is left, and the share that counts


@dataclass(frozen=True)
class Reference:
    """What some samples are compared with.

    Args:
        name: "training", or the date.
        parts: the profiles of its dates, ascending; the most similar one counts.
        steps: profiles of neighbouring training dates, which say what is usual.
        number: how many of these steps lie between the samples and the reference, >= 1.
        bare: how many times the limits.
        cluster: rows that are alike, and count as one where chance is allowed for.
    """

    name: str
    parts: Sequence[PartProfile]
    steps: Sequence[PartProfile] = ()
    number: float = 1.0
    bare: float = 1.0
    cluster: float = 1.0


def against_training(training: Profile, day: dt.date | None) -> Reference:
    """Training's dates and all of them together.

    Args:
        training: its profile.
        day: the day of the samples; None: they have none.
    """
    periods = [part for part in training.periods if part.rows >= LEAST_ROWS]
    number = 1.0
    if len(periods) > 1 and day:
        first, last = _day(periods[0]), _day(periods[-1])
        beyond = max((day - last).days, (first - day).days, 0)
        number = _steps(beyond, periods)
    bare = BARE if training.from_schema or (training.first_cut and len(periods) < 3) else 1.0
    parts = [*periods, training.whole]
    return Reference(TRAINING, parts, periods, number, bare, training.cluster)


def against_last(last: Profile, date: str, days: int, training: Profile) -> Reference:
    """An earlier date.

    Args:
        last: its profile.
        date: its name.
        days: that lie between it and the samples.
        training: whose dates say what is usual.
    """
    periods = [part for part in training.periods if part.rows >= LEAST_ROWS]
    number = _steps(days, periods)
    return Reference(date, [last.whole], periods, number, cluster=last.cluster)


def compare_columns(
    now: PartProfile, reference: Reference, schema: FeatureSchema, gate: GateConfig
) -> Iterator[Finding]:
    """Compare each feature.

    Args:
        now: the samples.
        reference: what they are compared with.
        schema: the bins that both were counted by.
        gate: limits.
    """
    for feature in schema.features:
        column = now.columns.get(feature.name)
        parts = [part.columns[feature.name] for part in reference.parts
                 if feature.name in part.columns]  # fmt: skip
        steps = [part.columns[feature.name] for part in reference.steps
                 if feature.name in part.columns]  # fmt: skip
        if column is None or not parts or column.rows < 1:
            continue
        yield from _Comparison(feature, column, parts, steps, reference, gate).findings()


@dataclass(frozen=True)
class _Comparison:
    """One feature against one reference."""

    feature: CategoricalFeature | NumericFeature
    now: ColumnProfile
    parts: Sequence[ColumnProfile]
    steps: Sequence[ColumnProfile]
    reference: Reference
    gate: GateConfig

    def findings(self) -> Iterator[Finding]:
        """The findings of all checks of a column."""
        yield from self._share("missing", lambda c: c.missing_share, "the share of missing values")
        if isinstance(self.feature, CategoricalFeature):
            yield from self._category()
        else:
            yield from self._outside()
            yield from self._number()
            yield from self._shape()

    def _category(self) -> Iterator[Finding]:
        calendar = isinstance(self.feature, CategoricalFeature) and self.feature.calendar
        if calendar and (self.reference.name == TRAINING or not self._varies()):
            return  # a new month is a new category
        yield from self._share("unknown", lambda c: c.unknown_share, "the share of unknown values")
        yield from self._shape()
        if self.reference.name != TRAINING:
            yield from self._gone()

    def _varies(self) -> bool:
        """Whether a column of the calendar has several values on both dates."""
        both = (self.now, self.parts[-1])
        return all(max(column.shape, default=0) <= 0.95 * max(column.rows, 1) for column in both)

    def _share(
        self, check: str, share: Callable[[ColumnProfile], float], title: str
    ) -> Iterator[Finding]:
        """Compare a share of rows with the nearest one of the reference."""
        parts = [part for part in self.parts if part.rows]
        if not parts:
            return
        values = [share(part) for part in parts]
        value, least = share(self.now), min(max(part.rows for part in parts), self.now.rows)
        rows = max(least / self.reference.cluster, 1.0)
        mixed = (value + max(values)) / 2
        chance = SIGMAS * math.sqrt(max(mixed * (1 - mixed), 1 / rows) / rows)
        what = f"{title} of {self.feature.name} differs by"
        yield from self._finding(check, value, values, [share(s) for s in self.steps], chance, what)

    def _outside(self) -> Iterator[Finding]:
        """Numbers beyond training's: as training has none, the pace of its dates says how many."""
        values = [part.outside_share for part in self.parts if part.rows]
        value, size = self.now.outside_share, self._evidence(self.now)
        pace = max((_moved(a, b) for a, b in pairwise(self.steps)), default=0.0)
        chance = SIGMAS * math.sqrt(max(value * (1 - value), 1 / size) / size)
        before = max(values, default=0.0)
        what = f"the share of numbers of {self.feature.name} beyond training's grew by"
        excess = max(value - before, 0.0)
        yield from self._distance("outside", excess, pace, chance, what, "", value, before)

    def _number(self) -> Iterator[Finding]:
        name = self.feature.name
        parts = [part for part in self.parts if part.mean is not None]
        steps = [step for step in self.steps if step.mean is not None]
        if self.now.mean is None or not parts:
            return
        size = min(self._evidence(self.now), max(map(self._evidence, parts)))
        chance = SIGMAS * max(self.now.std or 0.0, 1.0) * math.sqrt(2 / size)
        unit = "deviations"
        yield from self._finding(
            "mean", self.now.mean, [p.mean or 0.0 for p in parts], [s.mean or 0.0 for s in steps],
            chance, f"the mean of {name} moved by", unit,
        )  # fmt: skip
        yield from self._finding(
            "spread", _log_std(self.now), [*map(_log_std, parts)], [*map(_log_std, steps)],
            SIGMAS * math.sqrt(2 / size),
            f"the logarithm of the deviation of {name} moved by",
        )  # fmt: skip
        if not self.now.quantiles or not all(p.quantiles for p in parts):
            return
        nearest = min(_farthest(self.now, part) for part in parts)
        step = max((_farthest(a, b) for a, b in pairwise(steps)), default=0.0)
        yield from self._distance(
            "quantiles", nearest, step, 2 * chance, f"a quantile of {name} moved by", unit
        )

    def _evidence(self, column: ColumnProfile) -> float:
        """How many independent values a column has, at least 1."""
        return max((column.rows - column.missing) / self.reference.cluster, 1.0)

    def _shape(self) -> Iterator[Finding]:
        parts = [p for p in self.parts if sum(p.shape) and len(p.shape) == len(self.now.shape)]
        steps = [s for s in self.steps if sum(s.shape) and len(s.shape) == len(self.now.shape)]
        if not parts or self.now.rows < LEAST_ROWS:
            return
        for check, distance, title in (("psi", _psi, "stability index"), ("js", _js, "distance")):
            rows = self.reference.cluster
            nearest = min(distance(self.now, part, rows) for part in parts)
            step = max((distance(a, b, rows) for a, b in pairwise(steps)), default=0.0)
            what = f"the {title} of {self.feature.name} is"
            yield from self._distance(check, nearest, step, 0.0, what)

    def _gone(self) -> Iterator[Finding]:
        """The share of rows in categories that hardly any row has any more."""
        last = self.parts[-1]
        if len(last.shape) != len(self.now.shape) or last.rows < LEAST_ROWS:
            return
        before = np.asarray(last.shape) / max(last.rows, 1)
        now = np.asarray(self.now.shape) / max(self.now.rows, 1)
        known = np.arange(len(before)) > max(MISSING_ID, UNKNOWN_ID)
        counted = known & (before >= LEAST_CATEGORY) & (np.asarray(last.shape) >= LEAST_ROWS)
        lost = float(before[counted & (now < GONE * before)].sum())
        what = f"categories of {self.feature.name} are gone that made up"
        yield from self._distance("categories", lost, 0.0, 0.0, what, "of the rows")

    def _finding(
        self,
        check: str,
        value: float,
        values: Sequence[float],
        steps: Sequence[float],
        chance: float,
        what: str,
        unit: str = "",
    ) -> Iterator[Finding]:
        """A value against the interval of the reference's values."""
        low, high = min(values), max(values)
        nearest = low if value < low else min(high, value)
        step = max((abs(b - a) for a, b in pairwise(steps)), default=0.0)
        distance = abs(value - nearest)
        yield from self._distance(check, distance, step, chance, what, unit, value, nearest)

    def _distance(
        self,
        check: str,
        distance: float,
        step: float,
        chance: float,
        what: str,
        unit: str = "",
        now: float | None = None,
        reference: float | None = None,
    ) -> Iterator[Finding]:
        limits = self.gate.limits(check)
        if limits is None:
            return
        room = self.gate.learned * step * self.reference.number + chance
        if limits.max is not None:
            room += (self.reference.bare - 1) * limits.max
        yield Finding(
            check=check,
            column=self.feature.name,
            against=self.reference.name,
            value=distance,
            now=now,
            reference=reference,
            limits=widened(limits, room),
            what=what,
            unit=unit,
        )


def psi_and_js(now: ColumnProfile, part: ColumnProfile) -> tuple[float, float] | None:
    """Stability index and Jensen-Shannon distance of two columns; None without the same bins."""
    if len(now.shape) != len(part.shape) or not sum(now.shape) or not sum(part.shape):
        return None
    return _psi(now, part), _js(now, part)


def _psi(a: ColumnProfile, b: ColumnProfile, cluster: float = 1.0) -> float:
    return stability_index(np.asarray(a.shape) / cluster, np.asarray(b.shape) / cluster)


def _js(a: ColumnProfile, b: ColumnProfile, cluster: float = 1.0) -> float:
    """The Jensen-Shannon distance, base 2, less what chance alone may give."""
    p, q = np.asarray(a.shape) / cluster, np.asarray(b.shape) / cluster
    rows, others = max(p.sum(), 1.0), max(q.sum(), 1.0)
    p, q = p / rows, q / others
    m, used = (p + q) / 2, int(((p + q) > 0).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = sum(np.nansum(np.where(x > 0, x * np.log2(x / m), 0.0)) for x in (p, q)) / 2
    freedom = max(used - 1, 0)
    chance = (freedom + 2 * (2 * freedom) ** 0.5) / (8 * math.log(2)) * (1 / rows + 1 / others)
    return math.sqrt(max(0.0, float(divergence) - chance))


def _moved(a: ColumnProfile, b: ColumnProfile) -> float:
    """The share of rows that changes its bin between two dates."""
    p, q = np.asarray(a.shape, float), np.asarray(b.shape, float)
    if len(p) != len(q) or not p.sum() or not q.sum():
        return 0.0
    return float(np.abs(p / p.sum() - q / q.sum()).sum() / 2)


def _log_std(column: ColumnProfile) -> float:
    return math.log((column.std or 0.0) + LEAST_STD)


def _farthest(a: ColumnProfile, b: ColumnProfile) -> float:
    return max((abs(x - y) for x, y in zip(a.quantiles, b.quantiles, strict=False)), default=0.0)


def _day(part: PartProfile) -> dt.date:
    return dt.date.fromisoformat(part.last or part.first or "1970-01-01")


def _steps(days: int, periods: Sequence[PartProfile]) -> float:
    """How many usual steps between training's dates lie in some days, 1 to `MOST_STEPS`."""
    if len(periods) < 2 or not periods[0].first:
        return 1.0
    length = max((_day(periods[-1]) - _day(periods[0])).days / (len(periods) - 1), 1.0)
    return min(max(days / length, 1.0), MOST_STEPS)
