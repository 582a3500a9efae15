import copy
import datetime as dt

import pytest

from optdist.config import config_from
from optdist.config.identity import DATASET, find_differences, identity
from optdist.config.source import SamplesSourceConfig
from optdist.errors import ConfigError, DataError
from pipelines.features.sampler import find_sampler
from pipelines.features.samples import build_samples, scoring_samples
from pipelines.sources.columns import LABEL

LINES = """user,day,units,spend
1,2024-03-01,2,10
1,2024-03-01,1,5
1,2024-03-02,4,1
2,2023-01-01,9,9
"""


@pytest.fixture
def written(tmp_path):
    (tmp_path / "lines.csv").write_text(LINES)
    return {
        "dataset": {
            "name": "baskets",
            "id": ["user"],
            "split_key": ["user"],
            "source": {
                "kind": "baskets:BasketSourceConfig",
                "tables": {"lines": {"path": str(tmp_path / "lines.csv"), "format": "csv"}},
                "since": "2024-01-01",
                "sums": {"units": "sum(units)"},
                "spend": "spend",
            },
            "features": {"numeric": ["units"]},
        }
    }


def test_a_source_of_ones_own_makes_samples_for_training_and_scoring(spark, written):
    dataset = config_from(written).dataset
    assert (dataset.sample_id, dataset.source.carried) == (["user", "day"], ["day"])
    rows = build_samples(spark, dataset).rows.select("user", "day", "units", LABEL)
    assert sorted(tuple(row) for row in rows.collect()) == [
        ("1", "2024-03-01", 3.0, 15.0),
        ("1", "2024-03-02", 4.0, 1.0),
    ]
    scored = scoring_samples(spark, dataset, dt.date(2024, 3, 2)).rows
    assert scored.columns == ["user", "day", "units"]
    assert find_sampler(dataset).explain_no_sample(None, {}).startswith("No sample was made: lines")


def test_a_source_of_ones_own_is_written_out_whole_and_read_again(written):
    config = config_from(written)
    again = config_from(config.model_dump(mode="json"))
    assert again.dataset == config.dataset
    assert config.printable()["dataset"]["source"]["since"] == "2024-01-01"


def test_its_settings_are_tagged_but_for_those_that_change_with_a_delivery(written):
    other = copy.deepcopy(written)
    other["dataset"]["source"] |= {"since": "2024-02-01", "spend": "units"}
    tags = [identity(config_from(w))[DATASET] for w in (written, other)]
    assert find_differences(*tags) == ["source.spend"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sums": None}, "dataset.source.sums: Input should be a valid dictionary"),
        (
            {"horizon_days": 9},
            r"horizon_days is not a setting\. Another variant of dataset.source reads it",
        ),
        ({"kind": "baskets:Basket"}, "has no attribute 'Basket'"),
        ({"kind": "baskets:Samples"}, "is not a subclass of .*SourceConfig"),
        ({"kind": "shop"}, "kind` must be one of samples, transactions or `package.module:Class`"),
    ],
)
def test_a_source_of_ones_own_that_is_wrong_names_what_is(written, change, message):
    written["dataset"]["source"] |= change
    with pytest.raises(ConfigError, match=message):
        config_from(written)


def test_settings_without_a_sampler_say_where_to_register_one(written):
    class Unknown(SamplesSourceConfig.__base__):
        pass

    source = config_from(written).dataset.source
    dataset = config_from(written).dataset.model_copy(
        update={"source": Unknown(kind="x", tables=source.tables)}
    )
    with pytest.raises(DataError, match=r"No sampler is registered for .*Unknown.*samples_of"):
        find_sampler(dataset)
