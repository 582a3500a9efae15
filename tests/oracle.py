"""Samples of transactions as docs/samples.md defines them, in SQLite: slow, small, and no Spark.

Every feature of a sample is one query over the events, so that the definition can be read off it.
Days are ordinals, so that differences are differences of days.
"""

import datetime as dt
import math
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from oracle_of_auto import Deviation, blocks, chosen_attributes, chosen_windows, trends

# ids that name nobody
NOBODY = {"", "nan", "<na>", "null", "none", "na", "n/a", "#n/a", "\\n", "undefined"}
COLUMNS = ["customer", "shop", "segment", "qty", "amount", "day"]


class Refused(Exception):
    """There is no right answer: the job must say so."""


@dataclass(frozen=True)
class Event:
    """A row of the log; None is null, and a text in place of a number or a time is unreadable."""

    customer: str | None
    shop: str | None
    segment: str | None
    qty: int | None
    amount: float | str | None
    moment: dt.date | dt.datetime | str | None

    def day(self, zone: str) -> int | None:
        """A date, and a time without a zone, are of the day that they are written with."""
        if self.moment is None or isinstance(self.moment, str):
            return None
        if isinstance(self.moment, dt.datetime) and self.moment.tzinfo:
            return self.moment.astimezone(ZoneInfo(zone)).toordinal()
        return self.moment.toordinal()


@dataclass(frozen=True)
class Tier:
    """A row of a table that changes: what a customer was, since when and until when."""

    customer: str | None
    since: dt.date | dt.datetime | None
    until: dt.date | None
    tier: str | None
    points: int | None


@dataclass(frozen=True)
class Oracle:
    """The right samples of a log.

    Args:
        zone: the session's time zone.
        entity: the columns of the id.
        source: the settings of the data set's source, as its YAML has them.
        events: the log.
        customers: rows of the joined table: customer, country.
        visits: rows of the table that is joined aggregated: customer, number.
        tiers: rows of the table that is joined as it was known.
    """

    zone: str
    entity: list[str]
    source: Mapping[str, Any]
    events: list[Event]
    customers: list[tuple[str | None, str | None]]
    visits: list[tuple[str | None, int | None]]
    tiers: list[Tier]

    def training(self, as_of: dt.date | None = None) -> tuple[list[dict[str, Any]], int]:
        """The samples with a label, and how many rows and samples are quarantined."""
        db, bad, days = self._clean(as_of)
        if not days:
            raise Refused("no event")
        until = max(days)
        if as_of:
            until = min(until, as_of.toordinal())
        if self.source.get("days_incomplete") is not None:
            until = min(until, max(days) - self.source["days_incomplete"])
        self._require_events(db, until)
        chosen = list(self._chosen(db, until))
        features = self._all_features(db, chosen)
        rows = [
            row | {"label": self._label(db, [row[name] for name in self.entity], cut)}
            for row, cut in features
        ]
        good = [row for row in rows if row["label"] >= 0]
        return good, bad + len(rows) - len(good)

    def scoring(self, run_date: dt.date) -> tuple[list[dict[str, Any]], int]:
        """The samples of everyone known at the end of a day, and the quarantined rows."""
        db, bad, _ = self._clean(run_date)
        cut = run_date.toordinal() + 1
        chosen = [
            (e, first, cut if self._is_snapshot else first) for e, first in self._first_days(db)
        ]
        return [row for row, _ in self._all_features(db, chosen)], bad

    @property
    def _is_snapshot(self) -> bool:
        return "snapshots" in self.source

    @property
    def _label_days(self) -> tuple[int, int]:
        """A snapshot's window begins on its date, a first purchase's on the day after it."""
        first = 0 if self._is_snapshot else 1
        return first, first + self.source["horizon_days"] - 1

    def _clean(self, until: dt.date | None) -> tuple[sqlite3.Connection, int, list[int]]:
        """The good events in a table, the number of bad ones, and the days that the data reach."""
        db = sqlite3.connect(":memory:")
        db.row_factory = sqlite3.Row
        db.create_aggregate("deviation", 1, Deviation)  # type: ignore[arg-type]
        db.execute(f"CREATE TABLE log (n INTEGER PRIMARY KEY, {', '.join(COLUMNS)}, unreadable)")
        for event in self.events:
            number = event.amount if isinstance(event.amount, float) else None
            unreadable = isinstance(event.amount, str) or (number is not None and number != number)
            values = (event.customer, event.shop, event.segment, event.qty, number)
            db.execute(
                "INSERT INTO log VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
                (*values, event.day(self.zone), unreadable),
            )
        self._join(db)
        where = self.source.get("where") or "true"
        if "amount" in where:  # no number and NaN, which is above all, are quarantined, not dropped
            where = f"({where}) OR unreadable"
        rows = [dict(row) for row in db.execute(f"SELECT * FROM joined WHERE {where} ORDER BY n")]
        # of events after `until` the day alone is looked at
        days = [row["day"] for row in rows if row["day"] is not None and self._counts(row, until)]
        if until is not None:
            last = until.toordinal()
            rows = [row for row in rows if row["day"] is None or row["day"] <= last]
        good = [row for row in rows if self._is_good(row)]
        kept = {row["n"] for row in good}
        db.execute("CREATE TABLE events AS SELECT * FROM joined")
        db.executemany(
            "DELETE FROM events WHERE n = ?", [(e,) for e in self._numbers(db) if e not in kept]
        )
        return db, len(rows) - len(good), days

    def _counts(self, row: Mapping[str, Any], until: dt.date | None) -> bool:
        return until is not None or self._is_good(row)

    def _is_good(self, row: Mapping[str, Any]) -> bool:
        names = [row[name] for name in self.entity]
        known = all(str(name or "").strip().lower() not in NOBODY for name in names)
        amount = row["amount"]
        return known and amount is not None and math.isfinite(amount) and row["day"] is not None

    def _numbers(self, db: sqlite3.Connection) -> list[int]:
        return [row[0] for row in db.execute("SELECT n FROM joined").fetchall()]

    def _join(self, db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE customers (customer, country)")
        db.executemany("INSERT INTO customers VALUES (?, ?)", self.customers)
        db.execute("CREATE TABLE visits (customer, number)")
        db.executemany("INSERT INTO visits VALUES (?, ?)", self.visits)
        how = {join["table"]: join.get("how", "left") for join in self.source.get("joins", [])}
        columns, tables = ["log.*"], "log"
        if "customers" in how:
            columns.append("customers.country")
            tables += f" {how['customers']} JOIN customers ON customers.customer = log.customer"
        if "visits" in how:
            columns.append("grouped.visits")
            tables += (
                f" {how['visits']} JOIN (SELECT customer, sum(number) AS visits FROM visits "
                "GROUP BY customer) AS grouped ON grouped.customer = log.customer"
            )
        for table in how.keys() & {"customers", "visits"}:
            self._require_partner(db, table)
        db.execute(f"CREATE TABLE joined AS SELECT {', '.join(columns)} FROM {tables}")

    def _require_partner(self, db: sqlite3.Connection, table: str) -> None:
        pairs = f"SELECT 1 FROM log JOIN {table} ON {table}.customer = log.customer"
        if not db.execute(pairs).fetchone():
            raise Refused(f"the join with {table} matches nothing")

    def _first_days(self, db: sqlite3.Connection) -> list[tuple[tuple[str, ...], int]]:
        names = ", ".join(self.entity)
        rows = db.execute(f"SELECT {names}, min(day) FROM events GROUP BY {names}").fetchall()
        return [(tuple(row)[:-1], row[-1]) for row in rows]

    def _chosen(
        self, db: sqlite3.Connection, until: int
    ) -> Iterator[tuple[tuple[str, ...], int, int]]:
        """Entity, first day and cut of each sample whose label window has ended."""
        last_cut = until - self._label_days[1]
        if self._is_snapshot:
            for cut in self._ended_dates(until):
                yield from ((e, first, cut) for e, first in self._first_days(db) if first < cut)
            return
        start, end = self._window(last_cut)
        for entity, first in self._first_days(db):
            if start <= first <= min(end, last_cut):
                yield entity, first, first

    def _window(self, last_cut: int) -> tuple[int, int]:
        window = self.source["first_purchase"]
        end = window.get("end")
        return ordinal(window["start"]), ordinal(end) if end else last_cut

    def _ended_dates(self, until: int) -> list[int]:
        dates = [day for day in self._dates(until) if day + self._label_days[1] <= until]
        if not dates:
            raise Refused("no snapshot's label window has ended")
        return dates

    def _dates(self, until: int) -> list[int]:
        snapshots = self.source["snapshots"]
        if "dates" in snapshots:
            return sorted({ordinal(date) for date in snapshots["dates"]})
        start = dt.date.fromisoformat(snapshots["start"])
        end = ordinal(snapshots["end"]) if "end" in snapshots else until
        dates, date = [], start
        while not dates or date.toordinal() <= end:
            dates.append(date.toordinal())
            if snapshots["every"] == "month":  # the same day of the next month
                date = date.replace(year=date.year + date.month // 12, month=date.month % 12 + 1)
            else:
                date += dt.timedelta({"week": 7, "10 days": 10}[snapshots["every"]])
        return dates

    def _require_events(self, db: sqlite3.Connection, until: int) -> None:
        """A label window in which nobody buys anything says that data are missing."""
        first, last = self._label_days
        if self._is_snapshot:
            windows = [(date + first, date + last) for date in self._ended_dates(until)]
        else:
            start, end = self._window(until - last)
            end = min(end, until - last)
            windows = [(start + first, end + last)] if start <= end else []
        for window in windows:
            if not db.execute("SELECT 1 FROM events WHERE day BETWEEN ? AND ?", window).fetchone():
                raise Refused("a label window without an event of anybody")

    def _all_features(
        self, db: sqlite3.Connection, chosen: list[tuple[tuple[str, ...], int, int]]
    ) -> list[tuple[dict[str, Any], int]]:
        """The features and the cut of each sample, without those that an inner join drops."""
        samples = [(self._attributes(db, *one), one[2]) for one in chosen]
        auto = [h for h in self.source.get("history", []) if h.get("kind") == "auto"]
        written = [h for h in self.source.get("history", []) if h not in auto]
        windows = chosen_windows(db, [cut for _, cut in samples]) if auto else {}
        for one in auto:
            attributes = chosen_attributes(db, one["key"], samples)
            written += blocks(one["key"], windows, attributes)
        for sample, cut in samples:
            for history in written:
                sample |= self._history(db, history, sample, cut)
            if auto:
                sample |= trends(sample, windows)
            self._add_sample_columns(db, sample)
        return self._join_tiers(samples)

    def _join_tiers(
        self, samples: list[tuple[dict[str, Any], int]]
    ) -> list[tuple[dict[str, Any], int]]:
        """The samples with what was valid at their cut."""
        joins = [join for join in self.source.get("joins", []) if join["table"] == "tiers"]
        if not joins or not samples:
            return samples
        known = [
            self._tier(sample["customer"], cut, "valid_to" in joins[0]) for sample, cut in samples
        ]
        if not any(known):
            raise Refused("no sample has a tier that was valid at its cut")
        rows = [
            (sample | {"tier": tier and tier.tier, "points": tier and tier.points}, cut, tier)
            for (sample, cut), tier in zip(samples, known, strict=True)
        ]
        return [(row, cut) for row, cut, tier in rows if tier or joins[0]["how"] == "left"]

    def _tier(self, customer: str, cut: int, ends: bool) -> Tier | None:
        """The customer's latest tier of before the cut, if it has not ended."""
        day = cut if self._is_snapshot else cut + 1  # a first day itself is known
        earlier = [
            tier
            for tier in self.tiers
            if tier.customer == customer and tier.since and tier.since.toordinal() < day
        ]
        latest = max(earlier, key=lambda tier: _moment(tier.since), default=None)
        if latest and ends and latest.until and latest.until.toordinal() < day - 1:
            return None
        return latest

    def _attributes(
        self, db: sqlite3.Connection, entity: tuple[str, ...], first: int, cut: int
    ) -> dict[str, Any]:
        sample: dict[str, Any] = dict(zip(self.entity, entity, strict=True))
        sample |= {"first_day": first, "snapshot_date" if self._is_snapshot else "first_day": cut}
        of_entity = " AND ".join(f"{name} = ?" for name in self.entity)
        for name, sql in self.source.get("attributes", {}).items():
            query = f"SELECT {sql} FROM events WHERE {of_entity} AND day = ?"
            sample[name] = db.execute(query, (*entity, first)).fetchone()[0]
        return sample

    def _history(
        self,
        db: sqlite3.Connection,
        history: Mapping[str, Any],
        sample: Mapping[str, Any],
        cut: int,
    ) -> dict[str, Any]:
        key = [sample[name] for name in history["key"]]
        of_key = " AND ".join(f"{name} = ?" for name in history["key"])  # null is no key
        earlier = " AND ".join(f"other.{name} = e.{name}" for name in history["key"])
        dated = f"""
            SELECT e.*, {cut} - day AS days_before, CASE WHEN n = (
                SELECT min(n) FROM events AS other WHERE {earlier} AND other.day = e.day
            ) THEN day - (
                SELECT max(day) FROM events AS other WHERE {earlier} AND other.day < e.day
            ) END AS days_since_previous
            FROM events AS e WHERE {of_key} AND day < {cut}"""
        values = {}
        for suffix, window in history["windows"].items():
            low, high = window if isinstance(window, list) else (1, window or 10**6)
            names, sql = zip(*history["features"].items(), strict=True)
            query = (
                f"SELECT {', '.join(sql)} FROM ({dated}) WHERE days_before BETWEEN {low} AND {high}"
            )
            row = db.execute(query, key).fetchone()
            values |= {f"{name}_{suffix}": value for name, value in zip(names, row, strict=True)}
        return values

    def _add_sample_columns(self, db: sqlite3.Connection, sample: dict[str, Any]) -> None:
        for name, sql in self.source.get("sample_columns", {}).items():
            columns = ", ".join(f"? AS {column}" for column in sample)
            query = f"SELECT {sql} FROM (SELECT {columns})"
            sample[name] = db.execute(query, list(sample.values())).fetchone()[0]

    def _label(self, db: sqlite3.Connection, entity: list[str], cut: int) -> float:
        of_entity = " AND ".join(f"{name} = ?" for name in self.entity)
        query = f"SELECT sum(amount) FROM events WHERE {of_entity} AND day - ? BETWEEN ? AND ?"
        spend = db.execute(query, (*entity, cut, *self._label_days)).fetchone()[0]
        label = round(spend or 0.0, 6)
        floor = self.source.get("label_floor")
        return label if floor is None else max(label, floor)


def _moment(since: Any) -> tuple[int, int]:
    """A day, and the hour of a time of it."""
    return since.toordinal(), since.hour if isinstance(since, dt.datetime) else 0


def ordinal(day: str) -> int:
    """The ordinal of a day that is written YYYY-MM-DD."""
    return dt.date.fromisoformat(day).toordinal()
