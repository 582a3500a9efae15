import copy
import json

import pytest
from shop import config

from optdist.config import config_from
from optdist.config.identity import DATASET, SPLIT, find_differences, identity


@pytest.fixture
def written(tmp_path):
    return config(tmp_path, tmp_path / "sales.csv").model_dump(mode="json", exclude_defaults=True)


def changed(written, path, value):
    made = copy.deepcopy(written)
    *parents, last = path.split(".")
    inner = made
    for name in parents:
        inner = inner.setdefault(name, {})
    inner[last] = value
    return made


def differ(written, other, tag):
    return find_differences(identity(config_from(written))[tag], identity(config_from(other))[tag])


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("dataset.source.horizon_days", 180, "source.horizon_days"),
        ("dataset.source.label_floor", 0.0, "source.label_floor"),
        ("dataset.source.where", "amount > 1", "source.where"),
        ("dataset.source.tables.sales.format", "my.module:Reader", "source.tables"),
        ("dataset.id", ["shopper"], "id"),
        ("spark", {"spark.sql.session.timeZone": "Asia/Tokyo"}, "spark.sql.session.timeZone"),
    ],
)
def test_what_decides_features_and_label_is_named_where_it_changes(written, path, value, named):
    other = changed(written, path, value)
    assert differ(written, other, DATASET) == [named]
    assert differ(written, other, SPLIT) == []


def test_holding_out_the_newest_dates_leaves_each_customer_in_its_split(written):
    other = changed(written, "split.by", "time")
    assert differ(written, other, DATASET) == differ(written, other, SPLIT) == []


def test_a_windows_length_is_the_history(written):
    other = copy.deepcopy(written)
    other["dataset"]["source"]["history"][0]["windows"] = {"30d": 60}
    assert differ(written, other, DATASET) == ["source.history"]


def test_snapshots_are_not_first_purchases(written):
    other = changed(written, "dataset.source.first_purchase", None)
    other = changed(other, "dataset.source.snapshots", {"dates": ["2024-05-01"]})
    assert differ(written, other, DATASET) == ["source.snapshots"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("dataset.source.tables.sales.path", "elsewhere.csv"),
        ("dataset.source.first_purchase.end", "2024-07-28"),
        ("dataset.description", "another text"),
        ("dataset.features.min_frequency", 7),
        ("dataset.source.label_floor", None),  # a default that is written
        ("model.num_sdns", 2),
    ],
)
def test_paths_dates_texts_and_encoding_change_nothing(written, path, value):
    assert identity(config_from(changed(written, path, value))) == identity(config_from(written))


def test_the_same_rows_in_another_format_are_no_other_data_set(written):
    as_csv = changed(written, "dataset.source.tables.sales.format", "csv")
    unset = copy.deepcopy(written)
    del unset["dataset"]["source"]["tables"]["sales"]["format"]
    as_json = changed(written, "dataset.source.tables.sales.format", "json")
    for one in (as_csv, unset, as_json):
        assert [differ(one, other, DATASET) for other in (as_csv, unset, as_json)] == [[], [], []]


def test_tags_of_before_a_format_was_left_out_are_read(written):
    name = "source.tables, in any format"
    tag = identity(config_from(written))[DATASET]
    old = json.dumps({key: value for key, value in json.loads(tag).items() if key != name})
    assert name in tag and old != tag
    assert find_differences(old, tag) == find_differences(tag, old) == []
    other = changed(written, "dataset.source.tables.sales.options", {"sep": ";"})
    assert find_differences(old, identity(config_from(other))[DATASET]) == ["source.tables"]
    unset = copy.deepcopy(written)
    del unset["dataset"]["source"]["tables"]["sales"]["format"]
    assert name not in identity(config_from(unset))[DATASET]


def test_the_split_has_its_own_tag(written):
    assert differ(written, changed(written, "split", {"seed": 7}), SPLIT) == ["split.seed"]
    shares = changed(written, "split", {"train": 0.6, "validation": 0.2})
    assert differ(written, shares, SPLIT) == ["split.train", "split.validation"]
    assert differ(written, changed(written, "dataset.split_key", ["segment"]), SPLIT) == [
        "split_key"
    ]
    assert differ(written, changed(written, "split", {"seed": 7}), DATASET) == []


def test_a_secret_counts_as_it_is_written(written):
    def settled(password):
        return changed(written, "dataset.source.tables.sales.options", {"password": password})

    first, second, name = settled("swordfish"), settled("hunter2"), settled("${env:SHOP_PASSWORD}")
    assert identity(config_from(first, name)) == identity(config_from(second, name))
    assert identity(config_from(first)) != identity(config_from(second))
