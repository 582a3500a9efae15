import datetime as dt

import pytest

from pipelines.sources.reach import Reach, reach_of

FIRST = dt.date(2023, 1, 6)
DAILY = {FIRST + dt.timedelta(days): 5 for days in range(540)}
LAST = max(DAILY)


def test_a_date_typed_wrong_is_not_the_end_of_the_data():
    typed = dt.date(2026, 6, 30)
    reach = reach_of(DAILY | {typed: 1})
    assert (reach.range, reach.after, reach.before) == ((FIRST, LAST), {typed: 1}, {})


def test_a_date_of_1970_is_not_their_start():
    epoch = dt.date(1970, 1, 1)
    reach = reach_of(DAILY | {epoch: 2})
    assert (reach.range, reach.before) == ((FIRST, LAST), {epoch: 2})


@pytest.mark.parametrize("day", [dt.date(1970, 1, 1), dt.date(1900, 1, 1)])
def test_a_placeholder_for_a_missing_date_is_none_however_often_it_stands(day):
    reach = reach_of(DAILY | {day: 300})
    assert (reach.range, reach.before) == ((FIRST, LAST), {day: 300})


def test_data_that_begin_in_1970_keep_their_first_day():
    start = dt.date(1970, 1, 1)
    counts = {start + dt.timedelta(days): 5 for days in range(540)}
    assert reach_of(counts).range == (start, max(counts))


def test_two_typing_errors_on_one_side_do_not_excuse_each_other():
    errors = {dt.date(2025, 6, 1): 1, dt.date(2026, 6, 1): 1}
    assert reach_of(DAILY | errors).after == errors


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param(DAILY | {LAST + dt.timedelta(25): 1}, id="a quiet month"),
        pytest.param(DAILY | {LAST + dt.timedelta(90): 40}, id="many events after a pause"),
        pytest.param({FIRST: 1, FIRST + dt.timedelta(400): 1}, id="two events"),
        pytest.param({FIRST: 3, FIRST + dt.timedelta(1): 3, LAST: 1}, id="ten events"),
        pytest.param(
            {FIRST + dt.timedelta(months * 30): 50 for months in range(20)}
            | {FIRST + dt.timedelta(660): 1},
            id="one delivery a month, one left out",
        ),
    ],
)
def test_what_the_data_are_like_stays(counts):
    reach = reach_of(counts)
    assert (list(reach.days), reach.after, reach.before) == (sorted(counts), {}, {})


def test_no_event_has_no_range():
    assert reach_of({}).range is None
    assert Reach().range is None
