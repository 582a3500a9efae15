"""Made-up shops for differential tests: hypothesis draws a log, settings and files of it."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from hypothesis import strategies as st
from oracle import Event, Oracle, Tier
from world import World

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
PLAIN = st.sampled_from(["a", "b", "A"])


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A log of a few customers around a night, with windows whose ends events lie close to."""
    zone, night = draw(st.sampled_from(NIGHTS))
    base = dt.date.fromisoformat(night)
    entity = draw(st.sampled_from([["customer"], ["customer", "shop"]]))
    source, cuts = draw(_cuts(base))
    horizon = source["horizon_days"]
    is_first = "first_purchase" in source
    # before its first purchase an id has no events, but its customer or segment may
    keys = [["segment"]] if is_first and len(entity) == 1 else [["customer"], ["segment"]]
    source["history"] = [draw(_history(i, keys)) for i in range(2)]
    is_scored = draw(st.booleans())
    if not is_scored and draw(st.integers(0, 2)) == 0:
        auto = {"kind": "auto", "key": draw(st.sampled_from(keys)), "categories": {}}
        source["history"] = [draw(_history(0, keys)), auto]
    source["attributes"] = ATTRIBUTES
    for name, values in {
        "where": st.sampled_from(WHERE),
        "label_floor": st.sampled_from([0.0, 0, 5]),
        "days_incomplete": st.sampled_from([0, 1, 10]),
    }.items():
        if draw(st.integers(0, 2)) == 0:
            source[name] = draw(values)
    file = draw(st.sampled_from(["csv", "parquet"]))
    clock = draw(st.sampled_from(["date", "naive", "aware"]))
    edges = _edges(cuts, source["history"], horizon)
    events = draw(st.lists(_events(base, edges, zone, file, clock), min_size=20, max_size=70))
    # somebody buys in most label windows, and the data reach over their ends
    some = draw(st.lists(st.integers(0, horizon - 1), min_size=len(cuts), max_size=len(cuts)))
    for cut, days in zip(cuts, some, strict=True):
        events.append(_plain(cut + dt.timedelta(days + 1), zone, clock))
    if draw(st.integers(0, 4)):
        events.append(_plain(max(cuts) + dt.timedelta(horizon + 1), zone, clock))
    joins = draw(st.sampled_from([[], ["customers"], ["visits"], ["tiers"], ["tiers"]]))
    customers, visits, tiers = draw(_customers()), draw(_visits()), draw(_tiers(cuts))
    if "customers" in joins:
        source["joins"] = [{"table": "customers", "by": ["customer"], "how": draw(_HOW)}]
        source["attributes"] = {**ATTRIBUTES, "country": "min(country)"}
    if "visits" in joins:
        aggregate = {"visits": "sum(number)"}
        source["joins"] = [{"table": "visits", "by": ["customer"], "aggregate": aggregate}]
        source["attributes"] = {**ATTRIBUTES, "visits": "max(visits)"}
    if "tiers" in joins:
        join = {"table": "tiers", "by": ["customer"], "how": draw(_HOW), "valid_from": "since"}
        source["joins"] = [join | ({"valid_to": "until"} if draw(st.booleans()) else {})]
    source["sample_columns"] = {"trend": "first_spend - first_events"}
    days = st.none() | st.integers(-5, 100).map(lambda d: base + dt.timedelta(d))
    oracle = Oracle(zone, entity, source, events, customers, visits, tiers)
    run_date = draw(days) if is_scored else None
    unit = draw(st.sampled_from(["us", "ns", "ms"]))
    as_of = draw(days) if draw(st.integers(0, 5)) == 0 else None
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
def _history(draw: st.DrawFn, number: int, keys: list[list[str]]) -> dict[str, Any]:
    """Windows and features; the number in the windows' names keeps histories' columns apart."""
    suffixes = st.lists(st.sampled_from(sorted(_WINDOWS)), min_size=2, max_size=3, unique=True)
    others = st.lists(st.sampled_from(sorted(FEATURES)), max_size=4, unique=True)
    names = ["events", "spend", "gap", *draw(others)]
    return {
        "key": draw(st.sampled_from([*keys, keys[0], ["customer", "segment"]])),
        "windows": {f"{suffix}{number}": _WINDOWS[suffix] for suffix in draw(suffixes)},
        "features": {name: FEATURES[name] for name in names},
    }


@st.composite
def _cuts(draw: st.DrawFn, base: dt.date) -> tuple[dict[str, Any], list[dt.date]]:
    """What chooses the samples, and days at which they are likely cut."""
    horizon = draw(st.sampled_from([30, 7, 45, 1]))
    source: dict[str, Any] = {"horizon_days": horizon}
    first = base + dt.timedelta(draw(st.integers(-2, 2)))
    if draw(st.booleans()):
        start = first - dt.timedelta(draw(st.sampled_from([0, 20, 100])))
        end = first + dt.timedelta(draw(st.sampled_from([0, 3, 40])))
        window = {"start": str(start)} | ({"end": str(end)} if draw(st.booleans()) else {})
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
    steps = {"month": pd.DateOffset(months=1), "week": pd.Timedelta(7, "D")}
    step = steps.get(every, pd.Timedelta(10, "D"))
    cuts = [(pd.Timestamp(first) + i * step).date() for i in range(5)]
    return source | {"snapshots": series}, cuts


def _edges(cuts: list[dt.date], histories: list[dict[str, Any]], horizon: int) -> list[dt.date]:
    """Days at, before and after the ends of windows."""
    ends = {-1, 0, 1, horizon - 1, horizon, horizon + 1}
    for history in histories:
        for window in history.get("windows", {}).values():
            for end in window if isinstance(window, list) else [window or 1]:
                ends |= {-end - 1, -end, -end + 1}
    return sorted({cut + dt.timedelta(end) for cut in cuts for end in ends})


@st.composite
def _events(
    draw: st.DrawFn, base: dt.date, edges: list[dt.date], zone: str, file: str, clock: str
) -> Event:
    near = st.sampled_from(edges)
    day = draw(
        near | near | near | st.integers(-70, 90).map(lambda days: base + dt.timedelta(days))
    )
    odd = draw(st.integers(0, 24))  # few rows are bad, in one way each
    amount: float | str | None = draw(st.integers(-200, 400)) / 8  # sums are exact in any order
    if odd == 0:
        amount = draw(st.sampled_from([None, float("nan"), *(["12,50"] if file == "csv" else [])]))
    moment: Any = _moment(day, draw(st.sampled_from(TIMES)), zone, clock, draw(st.booleans()))
    if odd == 1:
        moment = draw(st.sampled_from([None, *(["soon"] if file == "csv" else [])]))
    return Event(
        customer=draw(st.sampled_from([None, "nan", "NULL", "#N/A"])) if odd == 2 else draw(_NAMES),
        shop="s1" if draw(st.integers(0, 2)) else draw(st.sampled_from(["s2", None])),
        segment=draw(PLAIN) if draw(st.integers(0, 2)) else None,
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


@st.composite
def _tiers(draw: st.DrawFn, cuts: list[dt.date]) -> list[Tier]:
    """Changes of a few customers on the days around cuts, where what is known is decided."""
    near = sorted({cut + dt.timedelta(days) for cut in cuts for days in (-9, -2, -1, 0, 1, 8)})
    has_times = draw(st.booleans())
    rows = [Tier("c0", _at(min(near), 12, has_times), None, "a", 0)]
    days = st.lists(st.sampled_from(near), min_size=1, max_size=5, unique=True)
    for customer in ("c1", "c2", "c3", "007"):
        for day in draw(days):
            until = draw(st.none() | st.sampled_from([0, 1, 3, 30]))
            rows.append(
                Tier(
                    customer,
                    _at(day, draw(st.sampled_from([12, 18])), has_times),
                    None if until is None else day + dt.timedelta(until),
                    draw(st.none() | PLAIN),
                    draw(st.none() | st.integers(0, 9)),
                )
            )
    return [*rows, Tier(None, rows[0].since, None, "b", 1), Tier("c1", None, None, "b", 2)]


def _at(day: dt.date, hour: int, has_times: bool) -> dt.date:
    return dt.datetime.combine(day, dt.time(hour)) if has_times else day
