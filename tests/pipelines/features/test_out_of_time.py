import datetime as dt

import pytest
from quick import settings_of
from shop import config

from optdist.config import SplitConfig, config_from
from optdist.errors import DataError
from pipelines.features.out_of_time import find_out_of_time, newest_dates
from pipelines.features.splits import split_of, with_keys

DAY = dt.date(2024, 3, 1)
TIME = SplitConfig(by="time", newest=0.25)


def days(*numbers):
    return [DAY + dt.timedelta(number) for number in numbers]


@pytest.mark.parametrize(
    ("share", "first"), [(0.1, 9), (0.3, 9), (0.31, 5), (0.5, 5), (0.51, 0), (0.99, 0)]
)
def test_the_newest_dates_have_at_least_the_share_and_no_date_more_than_needed(share, first):
    rows = list(zip(days(5, 0, 9), [2, 5, 3], strict=True))
    assert newest_dates(rows, share) == days(first)[0]


def source_of(tmp_path, kind):
    """A source of each kind whose label is of 30 days."""
    made = config(tmp_path, tmp_path / "sales.csv").model_dump(mode="json", exclude_defaults=True)
    source = made["dataset"]["source"]
    source["horizon_days"] = 30
    if kind == "snapshots":
        source |= {"snapshots": {"dates": ["2024-03-01"]}}
        del source["first_purchase"]
    if kind == "samples":
        tables, label = source["tables"], "amount"
        source = {"kind": "samples", "tables": tables, "label": label, "date": "first_day"}
    made["dataset"]["source"] = source
    return config_from(made).dataset.source


@pytest.mark.parametrize(
    ("kind", "column", "last"),
    [
        ("first_purchase", "first_day", 69),
        ("snapshots", "snapshot_date", 70),
        ("samples", "first_day", 69),
    ],
)
def test_the_gap_is_as_long_as_the_label_and_its_rows_are_in_no_split(
    spark, tmp_path, kind, column, last
):
    source = source_of(tmp_path, kind)
    split = TIME.model_copy(update={"gap_days": 30 if kind == "samples" else None})
    rows = [(str(i), day) for i, day in enumerate(days(*range(0, 100, 1), *[100] * 40))]
    with settings_of(spark):
        frame = spark.createDataFrame(rows, f"customer string, {column} date").coalesce(1)
        late = find_out_of_time(frame, source, split)
        assert late.start == days(100)[0]
        dataset = config(tmp_path, tmp_path / "sales.csv").dataset
        keyed = with_keys(frame, dataset).withColumn("split", split_of(split, late))
        found = keyed.select(column, "split").toPandas()
    by = {name: sorted(set(group[column])) for name, group in found.groupby("split")}
    assert by["out_of_time"] == days(100)
    assert by["gap"] == days(*range(last + 1, 100))
    trained = sorted({day for name in ("train", "validation", "test") for day in by[name]})
    assert trained == days(*range(last + 1))
    # the last label that is trained on ends on the day before the dates that are held out
    end = source.label_days[1] if source.label_days else 30
    assert trained[-1] + dt.timedelta(end) == days(99)[0]


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (days(0, 0, 0), "needs several dates, .* 2024-03-01 to 2024-03-01, only one"),
        (days(0, 9), r"leaves nothing to train on: .* from 2024-03-10 on are held out.* 30 days"),
        ([*days(0, 99), None], "1 have none in first_day"),
    ],
)
def test_dates_that_leave_nothing_are_refused_with_what_to_do(spark, tmp_path, dates, message):
    source = source_of(tmp_path, "first_purchase")
    with settings_of(spark):
        frame = spark.createDataFrame([(day,) for day in dates], "first_day date")
        with pytest.raises(DataError, match=message):
            find_out_of_time(frame, source, TIME)
        assert find_out_of_time(frame, source, SplitConfig()) is None
