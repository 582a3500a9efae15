"""Windows of training samples that move with the data (`last_days`)."""

import datetime as dt

import pytest
from shop import config

from pipelines.features.samples import find_sampler

LAST = dt.date(2024, 10, 27)  # with a horizon of 90 days, cuts of snapshots end on 2024-07-30


def sampler(tmp_path, **source):
    made = config(tmp_path, tmp_path / "x.csv").model_dump(mode="json", exclude_defaults=True)
    made["dataset"]["source"].pop("first_purchase")
    made["dataset"]["source"] |= source
    from optdist.config import config_from

    return find_sampler(config_from(made).dataset)


@pytest.mark.parametrize(
    "last_days, first, last",
    [(None, dt.date(2024, 1, 1), dt.date(2024, 10, 1)), (62, dt.date(2024, 5, 1), None)],
)
def test_old_snapshots_leave_the_window_and_unfinished_ones_stay_counted(
    tmp_path, last_days, first, last
):
    series = {"start": "2024-01-01", "every": "month", "last_days": last_days}
    made = sampler(tmp_path, snapshots=series)
    days = made._dates(LAST)
    assert days[0] == first and days[-1] == (last or dt.date(2024, 10, 1))
    assert made.requested_days(LAST) == f"{first} to 2024-10-01"
    assert made.label_windows(LAST)[-1][0] == dt.date(2024, 7, 1)


def test_first_purchases_of_the_last_days_alone_are_samples(tmp_path):
    window = {"start": "2024-01-01", "last_days": 30}
    made = sampler(tmp_path, first_purchase=window)
    assert made.last_cut(LAST) == dt.date(2024, 7, 29)
    assert made.requested_days(LAST) == "2024-06-30 to an open end"
    [(first, last)] = made.label_windows(LAST)
    assert (first, last) == (dt.date(2024, 7, 1), LAST)
