"""Scoring names features of which it knows few categories, and stops at too many."""

import pandas as pd
import pytest

from optdist.config import FeaturesConfig
from optdist.data.fitting import fit_schema
from optdist.errors import CheckError
from pipelines.features.fitting import mark_calendar, warn_of_letter_case
from pipelines.unknown_categories import check_categories, warn_of_unknown

FEATURES = FeaturesConfig(categorical=["country", "plan"], min_frequency=1)


@pytest.fixture(scope="module")
def schema():
    rows = pd.DataFrame({"country": ["DE", "UK"] * 20, "plan": ["3.0"] * 40, "y": [1.0, 0.0] * 20})
    return fit_schema(rows, FEATURES, "y")


def samples(spark, *countries):
    return spark.createDataFrame([(c, 3) for c in countries], "country string, plan int")


def test_known_categories_pass_without_a_word(spark, schema, capsys):
    shares = check_categories(samples(spark, *["DE", None] * 40), schema, 0.5)
    assert shares == {"country": 0.0, "plan": 0.0}
    assert "WARNING" not in capsys.readouterr().err


def test_unknown_categories_far_above_trainings_are_named(spark, schema, capsys):
    check_categories(samples(spark, *["DE", "DE", "FR"] * 20), schema, 0.5)
    message = "WARNING: 20 of 60 categories of country are unknown to the model (0.0% in training)"
    assert message in capsys.readouterr().err


def test_a_column_that_is_unknown_as_a_whole_stops_scoring(spark, schema):
    message = (
        r"40 of 40 categories of country are unknown to the model, 40 of them for their letter "
        r"case; scoring\.max_unknown_share allows 0\.5\. Write categories as in training"
    )
    with pytest.raises(CheckError, match=message):
        check_categories(samples(spark, *["de "] * 40), schema, 0.5)
    check_categories(samples(spark, *["de "] * 40), schema, 1.0)


def test_a_new_month_does_not_stop_scoring(spark, schema, capsys):
    marked = mark_calendar(schema, {"country"})
    check_categories(samples(spark, *["FR"] * 40), marked, 0.5)
    assert "WARNING: 40 of 40 categories of country are unknown" in capsys.readouterr().err


def test_a_comparison_says_at_which_version_scoring_would_stop(spark, schema, capsys):
    warn_of_unknown(samples(spark, *["FR"] * 40), schema, "version 3", 0.5)
    printed = capsys.readouterr().err
    assert "40 of 40 categories of country are unknown to version 3 (0.0% in training)" in printed
    assert "scoring such rows with version 3 stops: scoring.max_unknown_share allows 0.5" in printed


def test_an_older_package_that_does_not_say_what_training_knew_stops_nothing(spark, schema, capsys):
    old = schema.model_copy(
        update={
            "categorical": [
                f.model_copy(update={"unknown_share": None}) for f in schema.categorical
            ]
        }
    )
    check_categories(samples(spark, *["FR"] * 40), old, 0.5)
    assert "40 of 40 categories of country are unknown" in capsys.readouterr().err


def test_training_warns_of_categories_in_several_letter_cases(capsys):
    rows = pd.DataFrame({"country": ["DE", "de", "UK"], "plan": ["a", "b", "c"], "y": [1.0, 0, 0]})
    warn_of_letter_case(fit_schema(rows, FEATURES, "y"))
    assert "1 categories of country are there in several letter cases, such as `AA` and `aa`" in (
        capsys.readouterr().err
    )
