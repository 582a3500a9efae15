"""Made-up shops for differential tests: hypothesis draws a log, settings and files of it."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st
from oracle import Event, Oracle

from optdist.config import DatasetConfig, config_from

# zones, and days near which a night is shorter or longer there, or which have other quirks
NIGHTS = [
    ("UTC", "2024-02-29"),
    ("Europe/Berlin", "2024-03-31"),
    ("Europe/Berlin", "2023-10-29"),
    ("America/New_York", "2024-03-10"),
    ("America/New_York", "2023-11-05"),
    ("America/Sao_Paulo", "2018-11-04"),  # midnight did not exist
    ("America/Havana", "2023-11-05"),  # midnight was twice
    ("Pacific/Auckland", "2024-04-07"),
    ("Asia/Kolkata", "2023-12-31"),
    ("Australia/Lord_Howe", "2024-04-07"),  # by half an hour
    ("Pacific/Kiritimati", "2024-01-01"),
]
TIMES = [dt.time(0), dt.time(0, 30), dt.time(2, 30), dt.time(12), dt.time(23, 59, 59, 999999)]
FEATURES = {
    "events": "count(*)",
    "spend": "sum(amount)",
    "spent": "coalesce(sum(amount), 0)",
    "mean": "avg(amount)",
    "biggest": "max(amount)",
    "least": "min(amount)",
    "items": "sum(qty)",
    "most": "max(qty)",
    "recency": "min(days_before)",
    "age": "max(days_before)",
    "gap": "avg(days_since_previous)",
    "segments": "count(DISTINCT segment)",
    "large": "sum(CASE WHEN amount > 9 THEN 1 ELSE 0 END)",
}
ATTRIBUTES = {
    "segment": "min(segment)",
    "first_spend": "sum(amount)",
    "first_events": "count(*)",
    "first_most": "max(qty)",
    "first_segments": "count(DISTINCT segment)",
}
WHERE = ["amount > 0", "amount > 9 OR qty > 1", "segment = 'a'", "segment <> 'a' OR qty IS NULL"]
TEXTS = {"segment", "country"}  # features that are categories
PLAIN = st.sampled_from(["a", "b", "A"])


@dataclass(frozen=True)
class World:
    """A log with its settings, how its files are written, and the day to look from."""

    oracle: Oracle
    file: str  # csv or parquet
    clock: str  # date, naive or aware
    unit: str  # of timestamps in Parquet
    as_of: dt.date | None
    run_date: dt.date | None  # score at its end; None: train

    def write(self, folder: Path) -> DatasetConfig:
        """Write the tables and return the data set that reads them."""
        tables = {"sales": self._write(folder / "sales", self._sales())}
        joined = {join["table"] for join in self.oracle.source.get("joins", [])}
        if "customers" in joined:
            rows = pd.DataFrame(self.oracle.customers, columns=["customer", "country"])
            tables["customers"] = self._write(folder / "customers", pa.table(dict(rows)))
        if "visits" in joined:
            names = [row[0] for row in self.oracle.visits]
            numbers = pa.array([row[1] for row in self.oracle.visits], pa.int64())
            table = pa.table({"customer": pa.array(names, pa.string()), "number": numbers})
            tables["visits"] = self._write(folder / "visits", table)
        return self._dataset(folder, tables)

    def _dataset(self, folder: Path, tables: dict[str, Any]) -> DatasetConfig:
        source = dict(self.oracle.source)
        histories, attributes = source.get("history", []), source.get("attributes", {})
        names = [f"{n}_{w}" for h in histories for w in h["windows"] for n in h["features"]]
        names += [*attributes, *source.get("sample_columns", {})]
        dataset = {
            "name": "world",
            "id": self.oracle.entity,
            "split_key": ["customer"],
            "source": {
                "kind": "transactions",
                "tables": tables,
                "amount": "amount",
                "timestamp": "at",
                **source,
            },
            "features": {
                "categorical": [name for name in names if name in TEXTS],
                "numeric": [name for name in names if name not in TEXTS],
            },
        }
        return config_from({"dataset": dataset, "paths": {"root": str(folder)}}).dataset

    def _sales(self) -> pa.Table:
        events, kind = self.oracle.events, self._type()
        texts = {n: [getattr(e, n) for e in events] for n in ("customer", "shop", "segment")}
        columns = {name: pa.array(values, pa.string()) for name, values in texts.items()}
        columns["qty"] = pa.array([e.qty for e in events], pa.int64())
        if self.file == "csv":
            columns["amount"] = pa.array(
                [e.amount if isinstance(e.amount, str | None) else repr(e.amount) for e in events]
            )
            columns["at"] = pa.array([self._written(e.moment) for e in events], pa.string())
        else:
            columns["amount"] = pa.array([e.amount for e in events], pa.float64())
            columns["at"] = pa.array([e.moment for e in events], kind)
        return pa.table(columns)

    def _type(self) -> pa.DataType:
        if self.clock == "date":
            return pa.date32()
        return pa.timestamp(self.unit, tz="UTC" if self.clock == "aware" else None)

    def _written(self, moment: Any) -> str | None:
        if moment is None or isinstance(moment, str):
            return moment
        if self.clock == "date":
            return str(moment)
        text = moment.isoformat(sep=" " if self.unit == "us" else "T")
        return text.replace("+00:00", "Z") if self.unit == "us" else text

    def _write(self, path: Path, table: pa.Table) -> dict[str, str]:
        path = path.with_suffix(f".{self.file}")
        if self.file == "csv":
            table.to_pandas(integer_object_nulls=True).to_csv(path, index=False)
        else:
            pq.write_table(table, path)
        return {"path": str(path), "format": self.file}


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A log of a few customers around a night, with windows whose ends events lie close to."""
    zone, night = draw(st.sampled_from(NIGHTS))
    base = dt.date.fromisoformat(night)
    entity = draw(st.sampled_from([["customer"], ["customer", "shop"]]))
    histories = draw(st.lists(_histories(), max_size=2))
    _number_windows(histories)
    source, cuts = draw(_cuts(base))
    horizon = source["horizon_days"]
    source["history"] = [h for h in histories if draw(_can_be_keyed(h, entity))]
    source["attributes"] = ATTRIBUTES
    for name, values in {
        "where": st.sampled_from(WHERE),
        "label_floor": st.sampled_from([0.0, 0, 5]),
        "days_incomplete": st.sampled_from([0, 1, 10]),
    }.items():
        if draw(st.booleans()):
            source[name] = draw(values)
    file = draw(st.sampled_from(["csv", "parquet"]))
    clock = draw(st.sampled_from(["date", "naive", "aware"]))
    edges = _edges(cuts, source["history"], horizon)
    events = draw(st.lists(_events(base, edges, zone, file, clock), min_size=8, max_size=60))
    # somebody buys in most label windows, and the data reach over their ends
    some = draw(st.lists(st.integers(0, horizon - 1), min_size=len(cuts), max_size=len(cuts)))
    for cut, days in zip(cuts, some, strict=True):
        events.append(_plain(cut + dt.timedelta(days + 1), zone, clock))
    if draw(st.integers(0, 4)):
        events.append(_plain(max(cuts) + dt.timedelta(horizon + 1), zone, clock))
    joins = draw(st.sampled_from([[], ["customers"], ["visits"]]))
    customers, visits = draw(_customers()), draw(_visits())
    if "customers" in joins:
        source["joins"] = [{"table": "customers", "by": ["customer"], "how": draw(_HOW)}]
        source["attributes"] = {**ATTRIBUTES, "country": "min(country)"}
    if "visits" in joins:
        aggregate = {"visits": "sum(number)"}
        source["joins"] = [{"table": "visits", "by": ["customer"], "aggregate": aggregate}]
        source["attributes"] = {**ATTRIBUTES, "visits": "max(visits)"}
    source["sample_columns"] = {"trend": "first_spend - first_events"}
    days = st.none() | st.integers(-5, 100).map(lambda d: base + dt.timedelta(d))
    oracle = Oracle(zone, entity, source, events, customers, visits)
    run_date = draw(days) if draw(st.booleans()) else None
    unit = draw(st.sampled_from(["us", "ns", "ms"]))
    as_of = draw(days) if draw(st.integers(0, 3)) == 0 else None
    return World(oracle, file, clock, unit, as_of, run_date)


_HOW = st.sampled_from(["left", "inner"])
_NAMES = st.sampled_from(["c1", "c2", "c3", "007", "7"])
_WINDOWS = {
    "all": None,
    "day": 1,
    "week": 7,
    "month": 30,
    "before": [8, 30],
    "second": [2, 2],
    "far": [31, 60],
}


@st.composite
def _histories(draw: st.DrawFn) -> dict[str, Any]:
    suffixes = draw(
        st.lists(st.sampled_from(sorted(_WINDOWS)), min_size=1, max_size=3, unique=True)
    )
    names = draw(st.lists(st.sampled_from(sorted(FEATURES)), min_size=3, max_size=6, unique=True))
    key = draw(st.sampled_from([["customer"], ["segment"], ["customer", "segment"], ["shop"]]))
    return {
        "key": key,
        "windows": {suffix: _WINDOWS[suffix] for suffix in suffixes},
        "features": {name: FEATURES[name] for name in names},
    }


def _number_windows(histories: list[dict[str, Any]]) -> None:
    """No two histories make the same column."""
    for number, history in enumerate(histories):
        history["windows"] = {f"{n}{number}": days for n, days in history["windows"].items()}


def _can_be_keyed(history: dict[str, Any], entity: list[str]) -> st.SearchStrategy[bool]:
    return st.just(set(history["key"]) <= {*entity, "segment"})


@st.composite
def _cuts(draw: st.DrawFn, base: dt.date) -> tuple[dict[str, Any], list[dt.date]]:
    """What chooses the samples, and days at which they are likely cut."""
    horizon = draw(st.sampled_from([1, 7, 30, 45]))
    source: dict[str, Any] = {"horizon_days": horizon}
    first = base + dt.timedelta(draw(st.integers(-2, 2)))
    if draw(st.booleans()):
        end = first + dt.timedelta(draw(st.sampled_from([0, 3, 40])))
        window = {"start": str(first)} | ({"end": str(end)} if draw(st.booleans()) else {})
        return source | {"first_purchase": window}, [first, end]
    if draw(st.booleans()):
        others = draw(st.lists(st.integers(-20, 20), max_size=2))
        dates = [first, *[first + dt.timedelta(days) for days in others]]
        return source | {"snapshots": {"dates": [str(date) for date in dates]}}, dates
    every = draw(st.sampled_from(["month", "week", "10 days"]))
    first = first.replace(day=min(first.day, 28))
    series = {"start": str(first), "every": every}
    if draw(st.booleans()):
        series["end"] = str(first + dt.timedelta(draw(st.sampled_from([0, 10, 31, 32]))))
    return source | {"snapshots": series}, [first, first + dt.timedelta(7)]


def _edges(cuts: list[dt.date], histories: list[dict[str, Any]], horizon: int) -> list[dt.date]:
    """Days at, before and after the ends of windows."""
    ends = {-1, 0, 1, horizon - 1, horizon, horizon + 1}
    for history in histories:
        for window in history["windows"].values():
            for end in window if isinstance(window, list) else [window or 1]:
                ends |= {-end - 1, -end, -end + 1}
    return sorted({cut + dt.timedelta(end) for cut in cuts for end in ends})


@st.composite
def _events(
    draw: st.DrawFn, base: dt.date, edges: list[dt.date], zone: str, file: str, clock: str
) -> Event:
    near = st.sampled_from(edges)
    day = draw(near | near | st.integers(-70, 90).map(lambda days: base + dt.timedelta(days)))
    odd = draw(st.integers(0, 30))  # few rows are bad, in one way each
    amount: float | str | None = draw(st.integers(-80, 800)) / 8  # sums are exact in any order
    if odd == 0:
        amount = draw(st.sampled_from([None, float("nan"), *(["12,50"] if file == "csv" else [])]))
    moment: Any = _moment(day, draw(st.sampled_from(TIMES)), zone, clock, draw(st.booleans()))
    if odd == 1:
        moment = draw(st.sampled_from([None, *(["soon"] if file == "csv" else [])]))
    return Event(
        customer=draw(st.sampled_from([None, "nan", "NULL"])) if odd == 2 else draw(_NAMES),
        shop="s1" if draw(st.integers(0, 2)) else draw(st.sampled_from(["s2", None])),
        segment=draw(PLAIN) if draw(st.integers(0, 4)) else None,
        qty=draw(st.none() | st.integers(0, 12)),
        amount=amount,
        moment=moment,
    )


def _moment(day: dt.date, time: dt.time, zone: str, clock: str, later: bool) -> Any:
    """A time of a day's clock; of an hour that is there twice the first, or the `later` one."""
    if clock == "date":
        return day
    local = dt.datetime.combine(day, time)
    if clock == "naive":
        return local
    return local.replace(tzinfo=ZoneInfo(zone), fold=int(later)).astimezone(dt.UTC)


def _plain(day: dt.date, zone: str, clock: str) -> Event:
    moment = _moment(day, dt.time(12), zone, clock, later=False)
    return Event("c0", "s1", "a", 2, 10.0, moment)


def _customers() -> st.SearchStrategy[list[tuple[str | None, str | None]]]:
    names = st.lists(_NAMES | st.just("c9"), unique=True, max_size=4)
    return names.flatmap(
        lambda ns: st.tuples(*[st.tuples(st.just(n), st.none() | PLAIN) for n in ["c0", *ns]])
    ).map(list)


def _visits() -> st.SearchStrategy[list[tuple[str | None, int | None]]]:
    rows = st.tuples(st.none() | _NAMES, st.none() | st.integers(0, 9))
    return st.lists(rows, max_size=6).map(lambda rows: [("c0", 1), *rows])
