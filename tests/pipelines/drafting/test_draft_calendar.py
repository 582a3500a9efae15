"""Horizon and dates for the days that events span."""

import datetime as dt

import pytest

from pipelines.drafting.calendar import choose_first_purchases, choose_snapshots
from pipelines.drafting.request import DraftError

FIRST = dt.date(2023, 1, 1)


@pytest.mark.parametrize(
    ("days", "horizon", "every"),
    [(4000, 90, "quarter"), (374, 90, "month"), (120, 30, "week"), (30, 7, "day")],
)
def test_longer_data_get_a_longer_horizon_and_longer_steps(days, horizon, every):
    calendar = choose_snapshots(FIRST, FIRST + dt.timedelta(days - 1), 1000)
    assert (calendar.horizon, calendar.every) == (horizon, every)
    assert calendar.known >= horizon and calendar.dates >= 5


def test_the_first_date_lets_its_label_end_within_the_data():
    for days in range(9, 800, 7):
        last = FIRST + dt.timedelta(days - 1)
        calendar = choose_snapshots(FIRST, last, 1000)
        assert FIRST < calendar.start <= last - dt.timedelta(calendar.horizon - 1), days


def test_many_customers_get_longer_steps():
    last = FIRST + dt.timedelta(3999)
    assert choose_snapshots(FIRST, last, 3_000_000).every == "quarter"
    few, many = (choose_snapshots(FIRST, FIRST + dt.timedelta(400), n) for n in (10, 8_000_000))
    assert (few.every, many.every) == ("month", "quarter")


def test_too_few_days_are_refused():
    for choose in (
        lambda last: choose_snapshots(FIRST, last, 9),
        lambda last: choose_first_purchases(FIRST, last),
    ):
        with pytest.raises(DraftError, match=r"7 days and some days before it.*--horizon"):
            choose(FIRST + dt.timedelta(6))
