import pytest

from optdist.config import ModelConfig
from optdist.errors import DataError
from pipelines.experiments.plan.grid import Cell
from pipelines.experiments.plan.store import Store, rounded, same_settings

CELL = Cell("shop", "OptDist (w/o) KL", "lr0.001", 3)
SETTINGS = {"model": {"name": "optdist", "num_sdns": 4}, "training": {"learning_rate": 0.0015}}


def test_a_record_is_found_again_by_its_coordinates_settings_and_data(tmp_path):
    written = Store(tmp_path).write(CELL, SETTINGS, "data", {"test": {"hard": {"mae": 1 / 3}}})
    store = Store(tmp_path)
    assert store.find(CELL, SETTINGS, "data") == written
    assert written["test"]["hard"]["mae"] == 0.333333
    assert store.find(CELL, SETTINGS, "other data") is None
    changed = {"model": SETTINGS["model"] | {"num_sdns": 5}, "training": SETTINGS["training"]}
    assert store.find(CELL, changed, "data") is None
    assert store.find(Cell("shop", "OptDist", "lr0.001", 3), SETTINGS, "data") is None
    assert [path.name for path in tmp_path.iterdir()] == ["shop.optdist-w-o-kl.lr0-001.seed3.json"]


def test_a_setting_newer_than_the_record_counts_as_its_default():
    temperature = ModelConfig().temperature
    stored = {"model": {"num_sdns": 4}}
    assert same_settings(stored, {"model": {"num_sdns": 4, "temperature": temperature}})
    assert not same_settings(stored, {"model": {"num_sdns": 4, "temperature": temperature + 1}})
    nested = {"model": {"mtl_mse": {"error": "value"}}}
    whole = ModelConfig().mtl_mse.model_dump()
    assert same_settings(nested, {"model": {"mtl_mse": whole}})
    assert not same_settings(nested, {"model": {"mtl_mse": whole | {"mse_weight": 7}}})


def test_a_setting_that_is_gone_or_another_kind_of_model_does_not_match():
    assert not same_settings({"model": {"gone": 1}}, {"model": {"num_sdns": 4}})
    assert not same_settings({"lightgbm": {}}, {"model": {"num_sdns": 4}})


def test_a_record_that_names_more_than_its_model_reads_is_found(tmp_path):
    cell = Cell("shop", "ZILN", "lr0.001", 3)
    wanted = {"model": {"name": "ziln", "tower": [8]}, "training": {}}
    more = {"model": wanted["model"] | {"num_sdns": 9, "mdme": {"buckets": 2}}, "training": {}}
    Store(tmp_path).write(cell, more, "data", {"test": None})
    assert Store(tmp_path).find(cell, wanted, "data") is not None


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "shop.ziln.lr1.seed1.json").write_text('{"format": 1')
    with pytest.raises(DataError, match=r"shop\.ziln\.lr1\.seed1\.json is damaged"):
        Store(tmp_path)


def test_rounding_keeps_six_digits_and_turns_what_is_not_finite_into_null():
    assert rounded({"a": [1 / 3, float("nan")], "b": (2, True, "x", 123456789.0)}) == {
        "a": [0.333333, None],
        "b": [2, True, "x", 123457000.0],
    }
