"""Writes ready-made features of transactions: of the past, and of the day of a first purchase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.drafting.calendar import Calendar
from pipelines.drafting.event_roles import EventRoles
from pipelines.drafting.names import identifier, unused
from pipelines.drafting.profile import ColumnProfile
from pipelines.drafting.roles import is_category
from pipelines.sources.formats.names import plain_or_quoted as sql

_MOST_CATEGORIES = 1_000  # different values of a category that a snapshot takes from the last event
_SEVERAL = 12  # values from which their number in a window is a feature
_MOST_COUNTED = 4  # columns
_LONG = 200  # days of data from which the month is a feature


@dataclass
class EventFeatures:
    """Settings of the source that make features, and the features."""

    columns: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    sample_columns: dict[str, str] = field(default_factory=dict)
    categorical: list[str] = field(default_factory=list)
    numeric: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def add_history(
        self, key: list[str], windows: dict[str, Any], features: dict[str, str]
    ) -> None:
        """Add a block of history, all of whose features are numbers.

        Args:
            key: whose events are aggregated together.
            windows: suffix -> days before the cut.
            features: name -> aggregate.
        """
        self.history.append({"key": key, "windows": windows, "features": features})
        self.numeric += [f"{name}_{suffix}" for suffix in windows for name in features]

    def add_number(self, name: str, expression: str) -> None:
        """Add a number that is computed from a finished sample."""
        self.sample_columns[name] = expression
        self.numeric.append(name)

    def add_columns(self, columns: Sequence[ColumnProfile]) -> None:
        """Add columns that a join gives each sample, as they are."""
        for c in columns:
            if is_category(c):
                self.categorical.append(c.name)
            elif c.sort == "number" and not c.reader:
                self.numeric.append(c.name)


@dataclass(frozen=True)
class Material:
    """The columns that features are made of.

    Args:
        found: the roles of columns.
        numbers: other numbers of an event.
        categories: the categories of an event, few values and many.
        joined_numbers: numbers of joined tables, which say something of a customer or a thing.
    """

    found: EventRoles
    numbers: Sequence[ColumnProfile]
    categories: Sequence[ColumnProfile]
    joined_numbers: Sequence[ColumnProfile] = ()

    @property
    def counted(self) -> list[ColumnProfile]:
        """The categories whose different values are counted, those with most values."""
        several = [c for c in self.categories if c.distinct >= _SEVERAL]
        return sorted(several, key=lambda c: -c.distinct)[:_MOST_COUNTED]


def snapshot_features(material: Material, calendar: Calendar) -> EventFeatures:
    """Features of a customer's past, in all and in windows, and their trends."""
    found, made = material.found, EventFeatures()
    key, amount = [found.customer], sql(found.amount)
    purchases = _purchases(found)
    whole = {"purchases": purchases, "days": "count(DISTINCT days_before)"}
    whole |= {"lines": "count(*)"} if found.order else {}
    whole |= _spend(amount, returns=found.returns)
    whole |= {
        "mean_amount": f"avg({amount})",
        "max_amount": f"max({amount})",
        "min_amount": f"min({amount})",
        "std_amount": f"stddev_pop({amount})",
        "last_amount": f"max_by({amount}, struct(-days_before, {amount}))",
    }
    whole |= _rhythm()
    whole |= {name: text for name, text in _of_columns(material).items() if name not in whole}
    latest = {}
    for c in material.categories:
        if c.distinct <= _MOST_CATEGORIES:
            name = f"last_{identifier(c.name)}"
            latest[name] = f"max_by({sql(c.name)}, struct(-days_before, {sql(c.name)}))"
    made.add_history(key, {"all": None}, whole)
    if latest:
        made.history[0]["features"] = {**latest, **whole}
        made.categorical += [f"{name}_all" for name in latest]
    windowed = {"purchases": purchases} | _spend(amount, returns=found.returns)
    made.add_history(key, calendar.windows, windowed)
    _add_relations(made, calendar)
    return made


def first_purchase_features(material: Material, calendar: Calendar) -> EventFeatures:
    """Features of the day of the first purchase, of the customer's past and of what is bought."""
    found, made = material.found, EventFeatures()
    made.taken = {name.lower() for name in (*found.entity, "first_day", "label")}
    amount, others = sql(found.amount), found.entity[1:]
    _add_first_day(made, material)
    days = max(calendar.known, 28)
    windows: dict[str, Any] = {f"{days}d": days}
    if calendar.days <= _LONG:
        windows["all"] = None
    past = {"days": "count(DISTINCT days_before)", "lines": "count(*)"}
    past |= _spend(amount, returns=found.returns)
    past |= {"max_amount": f"max({amount})", "days_since_last": "min(days_before)"}
    past |= {f"kinds_of_{identifier(n)}": f"count(DISTINCT {sql(n)})" for n in others}
    if others:  # the customer may be known before the first purchase of this
        made.add_history([found.customer], windows, past)
    for name in others:
        features = {
            "lines": "count(*)",
            "customers": f"count(DISTINCT {sql(found.customer)})",
            "mean_amount": f"avg({amount})",
        }
        suffix = f"of_{identifier(name)}_{days}d"
        made.add_history([name], {suffix: days}, features)
        made.add_number(
            f"lines_per_customer_{suffix}", f"lines_{suffix} / nullif(customers_{suffix}, 0)"
        )
    made.sample_columns["weekday"] = "dayofweek(first_day)"
    made.categorical.append("weekday")
    return made


def _add_first_day(made: EventFeatures, material: Material) -> None:
    found, amount = material.found, sql(material.found.amount)
    for name in found.entity[1:]:
        attribute = unused(f"{identifier(name)}_bought", made.taken)
        made.attributes[attribute] = f"first({sql(name)})"
        made.categorical.append(attribute)
    for c in material.categories:
        attribute = unused(f"first_{identifier(c.name)}", made.taken)
        made.attributes[attribute] = f"max_by({sql(c.name)}, struct({amount}, {sql(c.name)}))"
        made.categorical.append(attribute)
    numbers = {
        "first_spend": f"sum({amount})",
        "first_lines": "count(*)",
        "first_max_amount": f"max({amount})",
    }
    for c in material.numbers:
        numbers[f"first_{identifier(c.name)}"] = f"sum({sql(c.name)})"
    for c in material.counted:
        numbers[f"first_kinds_of_{identifier(c.name)}"] = f"count(DISTINCT {sql(c.name)})"
    if found.entity[1:]:
        same = f"OVER (PARTITION BY {sql(found.customer)}, to_date({sql(found.time)}))"
        made.columns = {"basket_spend": f"sum({amount}) {same}", "basket_lines": f"count(*) {same}"}
        numbers |= {f"first_{name}": f"first({name})" for name in made.columns}
    for name, expression in numbers.items():
        free = unused(name, made.taken)
        made.attributes[free] = expression
        made.numeric.append(free)
    if found.entity[1:]:
        made.add_number("basket_share", "first_spend / nullif(first_basket_spend, 0)")
    for c in material.numbers[:2]:
        name = f"first_{identifier(c.name)}"
        made.add_number(f"spend_per_{identifier(c.name)}", f"first_spend / nullif({name}, 0)")


def _purchases(found: EventRoles) -> str:
    """The number of orders, without those that are returns."""
    if not found.returns:
        return f"count(DISTINCT {sql(found.order)})" if found.order else "count(*)"
    bought = f"{sql(found.amount)} > 0"
    if found.order is None:
        return f"count_if({bought})"
    return f"count(DISTINCT if({bought}, {sql(found.order)}, NULL))"


def _spend(amount: str, *, returns: bool) -> dict[str, str]:
    features = {"spend": f"coalesce(sum({amount}), 0)"}
    if returns:
        features["returned"] = f"coalesce(sum(greatest(-{amount}, 0)), 0)"
    return features


def _rhythm() -> dict[str, str]:
    """When the customer came last and first, and how far apart the days are."""
    gap = "days_since_previous"
    return {
        "days_since_last": "min(days_before)",
        "days_since_first": "max(days_before)",
        "mean_gap": f"avg({gap})",
        "std_gap": f"stddev_samp({gap})",
        "last_gap": f"max_by({gap}, if({gap} IS NULL, NULL, -days_before))",
    }


def _of_columns(material: Material) -> dict[str, str]:
    sums = {
        f"total_{identifier(c.name)}": f"coalesce(sum({sql(c.name)}), 0)" for c in material.numbers
    }
    kinds = {
        f"kinds_of_{identifier(c.name)}": f"count(DISTINCT {sql(c.name)})" for c in material.counted
    }
    means = {f"mean_{identifier(c.name)}": f"avg({sql(c.name)})" for c in material.joined_numbers}
    return sums | means | kinds


def _add_relations(made: EventFeatures, calendar: Calendar) -> None:
    """Relations of what history says, which a model would have to find out."""
    h = calendar.horizon
    relations = {
        "overdue": "days_since_last_all / mean_gap_all",
        "days_to_expected": "mean_gap_all - days_since_last_all",
        "spend_per_purchase": "spend_all / nullif(purchases_all, 0)",
        "purchases_per_day": "days_all / days_since_first_all",
        "spend_per_day": "spend_all / days_since_first_all",
        "last_to_mean": "last_amount_all / nullif(mean_amount_all, 0)",
        "purchases_trend": f"purchases_{h}d - purchases_prior_{h}d",
        "spend_trend": f"spend_{h}d - spend_prior_{h}d",
    }
    if "365d" in calendar.windows:
        relations["purchases_trend_365d"] = "purchases_365d - purchases_prior_365d"
        relations["spend_trend_365d"] = "spend_365d - spend_prior_365d"
    for name, expression in relations.items():
        made.add_number(name, expression)
    if calendar.days > _LONG:
        made.sample_columns["month"] = "month(snapshot_date)"
        made.categorical.append("month")
