"""Further horizons: a configuration for each, and nothing of it in the own horizon's identity."""

import pytest
from shop import config

from optdist.config import config_from
from optdist.config.horizons import further_horizons, of_horizon
from optdist.config.identity import DATASET, find_differences, identity, with_other_horizon
from optdist.errors import ConfigError
from pipelines.features.fingerprint import without_versions


def shop(folder, **source):
    written = config(folder / "root", folder / "sales.csv").written
    dataset = written["dataset"]
    return config_from({**written, "dataset": {**dataset, "source": dataset["source"] | source}})


def test_further_horizons_change_neither_the_own_models_identity_nor_its_features(tmp_path):
    alone, several = shop(tmp_path), shop(tmp_path, more_horizons=[30, 180])
    assert identity(several) == identity(alone)
    assert without_versions(several.written["dataset"]) == without_versions(
        alone.written["dataset"]
    )
    assert (alone.model_name, further_horizons(alone)) == ("optdist-shop", {})


def test_a_further_horizon_is_a_data_set_with_that_horizon_and_a_model_of_its_own(tmp_path):
    further = further_horizons(shop(tmp_path, more_horizons=[30, 180]))
    assert [one.model_name for one in further.values()] == ["optdist-shop-30d", "optdist-shop-180d"]
    own = shop(tmp_path, horizon_days=30)
    assert further[30].written["dataset"] == own.written["dataset"]
    assert identity(further[30]) == identity(own)
    assert further[30].layout == own.layout and further_horizons(further[30]) == {}


def test_the_tag_of_a_further_horizon_follows_from_that_of_the_own(tmp_path):
    made = shop(tmp_path, more_horizons=[30])
    tag = with_other_horizon(identity(made)[DATASET], 30)
    assert find_differences(tag, identity(of_horizon(made, 30))[DATASET]) == []
    assert find_differences(tag, identity(made)[DATASET]) == ["source.horizon_days"]
    assert with_other_horizon("", 30) == ""


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"more_horizons": [30, 30]}, "name 30 days twice"),
        ({"more_horizons": [90]}, "name 90 days twice"),
        ({"more_horizons": [0]}, "more_horizons"),
        ({"more_horizons": [30], "history": [{"kind": "auto", "key": ["segment"]}]}, "its windows"),
        ({"more_horizons": [30], "kind": "samples", "label": "amount"}, "more_horizons"),
    ],
)
def test_horizons_that_cannot_be_are_refused(tmp_path, source, message):
    with pytest.raises(ConfigError, match=message):
        shop(tmp_path, **source)


def test_history_auto_that_chooses_nothing_has_the_same_features_for_each_horizon(tmp_path):
    auto = {"kind": "auto", "key": ["segment"], "windows": {"all": None}}
    auto |= {"categories": {"segment": ["a"]}, "attributes": []}
    assert further_horizons(shop(tmp_path, more_horizons=[30], history=[auto]))


def test_a_horizon_that_the_data_set_has_not_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no further horizon of 7 days\. .*: 30"):
        of_horizon(shop(tmp_path, more_horizons=[30]), 7)
