"""Spark's samples are those of an independent oracle: the same rows, the same values and nulls."""

import datetime as dt
import math
from collections import Counter

import pytest
from hypothesis import event, given, note, settings
from oracle import Refused
from oracle_of_auto import rounded
from quick import settings_of
from worlds import worlds

from optdist.errors import DataError
from pipelines.features.samples import build_samples, scoring_samples

FEW = max(1, settings.default.max_examples // 4)  # a world is a Spark job or two


@pytest.mark.slow
@settings(max_examples=FEW)
@given(world=worlds())
def test_samples_equal_those_of_the_oracle(spark, tmp_path_factory, world):
    right = outcome_of_oracle(world)
    note(f"right: {right}")
    event("refused" if isinstance(right, Refused) else f"{min(len(right[0]), 3)}+ samples")
    with settings_of(spark, **{"spark.sql.session.timeZone": world.oracle.zone}):
        dataset = world.write(tmp_path_factory.mktemp("world"))
        try:
            samples = (
                scoring_samples(spark, dataset, world.run_date)
                if world.run_date
                else build_samples(spark, dataset, world.as_of)
            )
        except DataError as error:
            assert isinstance(right, Refused), error
            return
        assert not isinstance(right, Refused), right
        rows, bad = samples.rows.collect(), samples.quarantine.count()
        samples.release()
    names = samples.rows.columns
    made = Counter(tuple(comparable(row[name], name) for name in names) for row in rows)
    expected = Counter(tuple(comparable(row[name], name) for name in names) for row in right[0])
    assert (made - expected, expected - made) == (Counter(), Counter())
    assert bad == right[1]


def outcome_of_oracle(world):
    try:
        if world.run_date:
            return world.oracle.scoring(world.run_date)
        return world.oracle.training(world.as_of)
    except Refused as refused:
        return refused


def comparable(value, name=""):
    """A value as both sides have it: days as ordinals, all numbers as doubles."""
    if isinstance(value, dt.date):
        return value.toordinal()
    if isinstance(value, float | int):
        assert not math.isnan(value)
        return rounded(value) if "_std_" in name else float(value)
    return value
