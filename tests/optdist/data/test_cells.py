import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from optdist.config import FeaturesConfig
from optdist.data.cells import (
    AFTER_CUT,
    BIN,
    LABEL_BIN,
    OUTLIER,
    PERIOD,
    Counting,
    bin_count,
    label_bins,
    number_bins,
)
from optdist.data.clocks import Clock, clock_of, days_of
from optdist.data.fitting import fit_schema
from optdist.data.schema import CategoricalFeature, NumericFeature

FEATURES = FeaturesConfig(
    categorical=["city"], numeric={"spend": {"log1p": True}, "seen_at": {}}, min_frequency=2
)


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    rows = 600
    frame = pd.DataFrame(
        {
            "city": rng.choice(["a", "b", "c", None], rows),
            "spend": np.where(rng.random(rows) < 0.5, 0.0, rng.exponential(20, rows)),
            "day": [dt.date(2024, 1 + month, 1) for month in rng.integers(0, 3, rows)],
            "label": np.where(rng.random(rows) < 0.3, rng.lognormal(2, 1, rows), 0.0),
            "split": rng.choice(["train", "validation", "test"], rows),
        }
    )
    seconds = pd.to_datetime(frame["day"]).astype("datetime64[s]").astype("int64")
    return frame.assign(seen_at=seconds + rng.integers(-86_400 * 9, 86_400, rows))


def counting(samples):
    schema = fit_schema(samples[samples["split"] == "train"], FEATURES, "label")
    starts = [(dt.date(2024, month, 1) - dt.date(1970, 1, 1)).days for month in (1, 2, 3)]
    clocks = {"seen_at": Clock.SECONDS}
    return Counting(schema, float(samples["label"].max()), "day", starts, clocks)


def cells(samples, size):
    table = pa.Table.from_pandas(samples, preserve_index=False)
    batches = table.to_batches(max_chunksize=size)
    counted = [b for batch in batches for b in counting(samples).count([batch])]
    frame = pa.Table.from_batches(counted).to_pandas()
    return frame.groupby(["kind", "feature", "part", "bin"])[["rows", "positives", "total"]].sum()


def test_the_cells_of_parts_add_up_to_those_of_the_whole(samples):
    whole, parts = cells(samples, 600), cells(samples, 77)
    pd.testing.assert_frame_equal(whole, parts)


def test_every_row_is_in_one_bin_of_each_feature_with_its_label(samples):
    by_kind = cells(samples, 100)
    for part, split in enumerate(("train", "validation", "test")):
        rows = samples[samples["split"] == split]
        expected = [len(rows), (rows["label"] > 0).sum(), pytest.approx(rows["label"].sum())]
        for feature in ("city", "spend", "seen_at"):
            assert by_kind.loc[BIN, feature, part].sum().tolist() == expected
        assert by_kind.loc[LABEL_BIN, "", part].sum().tolist() == expected
        assert by_kind.loc[BIN, "city", part].loc[0, "rows"] == rows["city"].isna().sum()


def test_periods_count_training_rows_alone(samples):
    train = samples[samples["split"] == "train"]
    counted = cells(samples, 100).loc[PERIOD, "city"].groupby("part")["rows"].sum()
    assert counted.tolist() == train["day"].value_counts().sort_index().tolist()


def test_a_time_from_the_day_of_the_cut_on_is_after_it(samples):
    late = cells(samples, 100).loc[AFTER_CUT, "seen_at"].groupby("bin")["rows"].sum()
    seconds = pd.to_datetime(samples["day"]).astype("datetime64[s]").astype("int64")
    assert late.loc[1] == (samples["seen_at"] >= seconds).sum() > 0


def test_outliers_are_far_from_the_quartiles():
    number = NumericFeature(
        name="x", log1p=False, mean=0, std=1, indicator=False, quantiles=[0.0, 1, 2, 3, 4]
    )
    frame = pd.DataFrame({"x": [0.0, 9.0, 9.1, -5.1, None], "label": 0.0, "split": "train"})
    schema = fit_schema(frame.assign(label=1.0), FeaturesConfig(numeric=["x"]), "label")
    schema = schema.model_copy(update={"numeric": [number]})
    table = pa.Table.from_pandas(frame).to_batches()
    rows = pa.Table.from_batches(list(Counting(schema, 1.0).count(table))).to_pandas()
    outliers = rows[(rows["kind"] == OUTLIER) & (rows["bin"] == 1)]
    assert outliers["rows"].tolist() == [2]  # quartiles 1 and 3: beyond -5 and 9


def test_a_value_that_is_a_quantile_has_a_bin_of_its_own():
    number = NumericFeature(
        name="x", log1p=False, mean=0, std=1, indicator=False, quantiles=[0.0, 0, 0, 5, 9]
    )
    value = np.array([np.nan, -1, 0, 1, 5, 6, 9, 10])
    assert number_bins(value, number).tolist() == list(range(8))
    assert bin_count(number) == 8


def test_label_bins_keep_zero_apart_and_ascend():
    bins = label_bins(np.array([0.0, 1e-9, 1, 10, 100]), 100.0)
    assert bins[0] == 0 and bins[1] == 1 and bins[-1] == 1999
    assert (np.diff(bins) > 0).all()


@pytest.mark.parametrize(
    ("values", "clock"),
    [
        ([1.70e9, 1.71e9, 1.72e9], Clock.SECONDS),
        ([1.70e12, 1.71e12, 1.72e12], Clock.MILLIS),
        ([20240131.0, 20240201.0, 20241231.0], Clock.DIGITS),
        ([20240131.0, 20240132.0, 20241231.0], None),
        ([1.0, 2.0, 3.0], None),
        ([45_000.0, 45_100.0], None),
        ([1.7e9, 1.7e9], None),
        ([], None),
    ],
)
def test_numbers_that_are_points_in_time_are_recognised(values, clock):
    for log1p in (False, True):
        quantiles = np.log1p(values).tolist() if log1p else values
        number = NumericFeature(
            name="x", log1p=log1p, mean=0, std=1, indicator=False, quantiles=quantiles
        )
        assert clock_of(number) is clock


@pytest.mark.parametrize(
    ("vocabulary", "clock"),
    [
        (["2024-01-31", "2024-02-01T10:00:00"], Clock.DATE),
        (["20240131", "20240201"], Clock.DIGITS),
        (["a", "b"], None),
        (["2024-01-31", "a", "b"], None),
        ([], None),
    ],
)
def test_categories_that_are_dates_are_recognised(vocabulary, clock):
    assert clock_of(CategoricalFeature(name="x", vocabulary=vocabulary)) is clock


@pytest.mark.parametrize(
    ("column", "clock"),
    [
        (pa.array([dt.date(2024, 2, 29), None]), Clock.DATE),
        (pa.array(["2024-02-29 23:00:00", "no date"]), Clock.DATE),
        (pa.array([1709164800 + 86_399, None]), Clock.SECONDS),
        (pa.array([1709164800000.0, None]), Clock.MILLIS),
        (pa.array(["20240229", None]), Clock.DIGITS),
    ],
)
def test_days_are_read_from_every_clock(column, clock):
    days = days_of(column, clock)
    assert days[0] == (dt.date(2024, 2, 29) - dt.date(1970, 1, 1)).days
    assert np.isnan(days[1])
