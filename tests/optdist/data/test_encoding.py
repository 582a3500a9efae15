import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from optdist.config import FeaturesConfig
from optdist.data.encoding import encode
from optdist.data.fitting import fit_schema, label_statistics, merge_statistics, partial_statistics
from optdist.data.schema import FeatureSchema
from optdist.errors import DataError

FEATURES = FeaturesConfig(
    categorical=["city", "store"], numeric={"spend": {"log1p": True}, "age": {}}, min_frequency=2
)
TRAIN = pd.DataFrame(
    {
        "city": ["a", "b", "a", None, "c"],
        "store": [7, 7, 8, 8, 9],
        "spend": [0.0, 1.0, 3.0, 7.0, 15.0],
        "age": [20.0, np.nan, 40.0, 60.0, np.nan],
        "y": [0.0, 1.0, 0.0, 4.0, 0.0],
    }
)


@pytest.fixture(scope="module")
def schema():
    return fit_schema(TRAIN, FEATURES, "y")


def test_rare_and_missing_and_new_categories_have_ids_of_their_own(schema):
    rows = pd.DataFrame(
        {"city": ["a", "b", None, "zzz"], "store": [7, 9, 8, 1], "spend": 0.0, "age": 1.0}
    )
    encoded = encode(rows, schema)
    assert schema.categorical[0].vocabulary == ["a"]  # b and c are rarer than min_frequency
    assert encoded["cat_city"].tolist() == [2, 1, 0, 1]
    assert encoded["cat_store"].tolist() == [2, 1, 3, 1]


def test_numbers_are_z_scores_of_the_training_moments(schema):
    encoded = encode(TRAIN, schema)
    log = np.log1p(TRAIN["spend"])
    np.testing.assert_allclose(
        encoded["num_spend"], (log - log.mean()) / log.std(ddof=0), rtol=1e-6
    )
    assert encoded["num_spend"].dtype == np.float32


def test_missing_numbers_get_the_mean_and_an_indicator_if_training_had_some(schema):
    encoded = encode(TRAIN, schema)
    assert encoded["missing_age"].tolist() == [0, 1, 0, 0, 1]
    assert encoded["num_age"][1] == 0.0
    assert "missing_spend" not in encoded


def test_a_null_that_training_never_had_gets_the_mean(schema):
    rows = TRAIN.assign(spend=[0.0, None, np.inf, 1.0, 2.0])
    assert encode(rows, schema)["num_spend"][1:3].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    "store",
    [
        pa.array([7, None, 9], pa.int64()),
        pa.array([7.0, None, 9.0], pa.float64()),
        pa.array(["7", None, "9"], pa.string()),
        pa.array(["7", None, "9"]).dictionary_encode(),
    ],
)
def test_the_type_that_a_category_arrives_in_does_not_change_its_id(schema, store):
    rows = pa.table({"city": ["a"] * 3, "store": store, "spend": [1.0] * 3, "age": [1.0] * 3})
    assert encode(rows, schema)["cat_store"].tolist() == [2, 0, 1]


def test_values_of_several_types_in_one_column_are_read_as_one_by_one(schema):
    rows = pd.DataFrame(
        {"city": ["a", 5, None], "store": ["7", 8.0, 7], "spend": [1, "3", None], "age": [1, 2, 3]}
    )
    encoded = encode(rows, schema)
    assert encoded["cat_city"].tolist() == [2, 1, 0]
    assert encoded["cat_store"].tolist() == [2, 3, 2]
    alone = [encode(rows[i : i + 1], schema)["num_spend"][0] for i in range(3)]
    assert encoded["num_spend"].tolist() == alone


QUANTILES = {name: [0.0, 1.0] for name in FEATURES.numeric}


def test_quantiles_of_training_values_are_kept_after_the_log1p(schema):
    spend = next(f for f in schema.numeric if f.name == "spend")
    known = TRAIN["spend"].dropna()
    assert len(spend.quantiles) == 49
    ends = [spend.quantiles[0], spend.quantiles[24], spend.quantiles[-1]]
    expected = [known.min(), known.median(), known.max()]
    np.testing.assert_allclose(np.expm1(ends) if spend.log1p else ends, expected)


def test_quantiles_of_positive_labels_are_kept():
    label = label_statistics(np.array([0.0, 0.0, 1.0, 2.0, 3.0]))
    assert len(label.quantiles) == 241
    assert (label.quantiles[0], label.quantiles[120], label.quantiles[-1]) == (1.0, 2.0, 3.0)


def test_statistics_merge_over_any_partition():
    y = label_statistics(TRAIN["y"].to_numpy())
    parts = [
        partial_statistics(pa.Table.from_pandas(TRAIN[a:b]).to_batches(), FEATURES).to_pandas()
        for a, b in [(0, 1), (1, 1), (1, 5)]
    ]
    whole = merge_statistics(
        partial_statistics(pa.Table.from_pandas(TRAIN).to_batches(), FEATURES).to_pandas(),
        FEATURES,
        y,
        QUANTILES,
    )
    merged = merge_statistics(pd.concat(parts), FEATURES, y, QUANTILES)
    assert [f.vocabulary for f in merged.categorical] == [f.vocabulary for f in whole.categorical]
    for a, b in zip(merged.numeric, whole.numeric, strict=True):
        assert (a.mean, a.std, a.indicator) == pytest.approx((b.mean, b.std, b.indicator))


def test_a_missing_column_names_the_columns_found(schema):
    with pytest.raises(DataError, match=r"lacks the columns age\. Found: city, store, spend"):
        encode(TRAIN[["city", "store", "spend"]], schema)


def test_text_in_a_numeric_column_is_refused_by_name(schema):
    with pytest.raises(DataError, match="spend"):
        encode(TRAIN.assign(spend="many"), schema)


def test_a_schema_reads_back_as_it_was_saved(schema, tmp_path):
    schema.save(tmp_path / "schema.json")
    assert FeatureSchema.load(tmp_path / "schema.json") == schema


@pytest.mark.parametrize("y", [[-1.0, 2.0], [np.nan, 1.0], [0.0, 0.0], []])
def test_labels_that_cannot_be_learned_are_refused(y):
    with pytest.raises(DataError):
        label_statistics(np.array(y))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["12", "9,123.45"], r"contains a non-numeric value of the form '9,999\.99'\.$"),
        ([None, "Anna 7"], r"contains a non-numeric value of the form 'aaaa 9'\.$"),
        ([[1.0], [2.0]], r"contains a non-numeric value: its type is list<item: double>\.$"),
    ],
)
def test_a_value_that_is_not_a_number_is_shown_by_its_form_alone(schema, values, said):
    rows = pd.DataFrame({"city": ["a", "a"], "store": [7, 7], "spend": values, "age": 1.0})
    with pytest.raises(DataError, match=said):
        encode(rows, schema)
