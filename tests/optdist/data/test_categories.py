"""Categories that are the same thing in other text get the same id."""

import pandas as pd
import pyarrow as pa
import pytest

from optdist.config import FeaturesConfig
from optdist.data.encoding import category_text, count_unknown, encode
from optdist.data.fitting import fit_schema
from optdist.data.schema import CategoricalFeature, FeatureSchema

TRAIN = pd.DataFrame(
    {
        "plan": ["3.0", "3.0", "5.0", "5.0", "4.5", "4.5", "7.0"],
        "premium": ["True", "False", "True", "False", "True", "True", "True"],
        "y": [0.0, 1.0, 0.0, 2.0, 0.0, 1.0, 2.0],
    }
)
FEATURES = FeaturesConfig(categorical=["plan", "premium"], min_frequency=2)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (["3.0", "3", "03.0", "3.10", "-2.00"], ["3", "3", "03.0", "3.10", "-2"]),
        (["True", "TRUE", "true", "False", "tRUE"], ["true", "true", "true", "false", "tRUE"]),
        (["a ", "a\t", " a", "A", None], ["a", "a", " a", "A", None]),
        ([True, False, None], ["true", "false", None]),
        ([3.0, 4.5, None], ["3", "4.5", None]),
    ],
)
def test_a_category_has_one_text_whatever_it_was_read_as(values, texts):
    assert category_text(pa.array(values)).to_pylist() == texts


@pytest.mark.parametrize("plan", [["3", "5", "4.5"], [3.0, 5.0, 4.5], ["3.0 ", "5.00", "4.5"]])
@pytest.mark.parametrize("premium", [["true", "false", "true"], [True, False, True]])
def test_rows_of_another_program_are_encoded_as_those_of_training(plan, premium):
    schema = fit_schema(TRAIN, FEATURES, "y")
    rows = pd.DataFrame({"plan": plan, "premium": premium})
    same = pd.DataFrame({"plan": ["3.0", "5.0", "4.5"], "premium": ["True", "False", "True"]})
    encoded, expected = encode(rows, schema), encode(same, schema)
    assert all((encoded[name] == expected[name]).all() for name in expected)
    assert encoded["cat_plan"].min() >= 2


def test_a_vocabulary_of_an_older_package_encodes_as_it_did(tmp_path):
    known = [CategoricalFeature(name="plan", vocabulary=["3.0", "True", "3", "a "])]
    schema = FeatureSchema(
        categorical=known, numeric=[], label=fit_schema(TRAIN, FEATURES, "y").label
    )
    rows = pd.DataFrame({"plan": ["3.0", "3", "True", "true", "a ", "a", "b", None]})
    assert encode(rows, schema)["cat_plan"].tolist() == [2, 4, 3, 3, 5, 5, 1, 0]


def test_the_share_of_unknown_categories_is_kept_and_counted_again():
    schema = fit_schema(TRAIN, FEATURES, "y")
    assert schema.categorical[0].unknown_share == pytest.approx(1 / 7)  # 7.0 is rare
    rows = pd.DataFrame({"plan": ["3", "9", None, "8"], "premium": ["TRUE", "True", "tRUE", "x"]})
    assert count_unknown(rows, schema) == {"plan": (3, 2, 0), "premium": (4, 2, 1)}
