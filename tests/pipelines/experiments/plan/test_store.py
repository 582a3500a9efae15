import json
from pathlib import Path

import numpy as np
import pytest

from optdist.config import MtlMseConfig, OptDistConfig
from optdist.errors import DataError
from pipelines.experiments.plan.coordinates import Cell
from pipelines.experiments.plan.measurements import Cost, Measurements, PackedValues
from pipelines.experiments.plan.records import (
    FORMAT,
    CellSettings,
    DatasetRecord,
    Failure,
    Record,
    rounded,
)
from pipelines.experiments.plan.settings import same_settings
from pipelines.experiments.plan.store import Store

ROOT = Path(__file__).resolve().parents[4]
CELL = Cell("shop", "OptDist (w/o) KL", "lr0.001", 3)
MODEL, TRAINING = {"name": "optdist", "num_sdns": 4}, {"learning_rate": 0.0015}
SETTINGS = CellSettings(model=MODEL, training=TRAINING)


def measurements(**changes):
    """What a worker reports, small."""
    cost = Cost(parameters=1, train_rows_per_second=2, seconds=3, seconds_to_best=3)
    plain = {"inference": "hard", "validation": {"hard": {"normalized_gini": 0.5}}, "cost": cost}
    plain |= {"history": [0.5], "best_epoch": 1, "epochs": 1, "date": "2025-03-04", "versions": {}}
    return Measurements(**plain | changes)


def test_a_record_is_found_again_by_its_coordinates_settings_and_data(tmp_path):
    tested = measurements(test={"hard": {"mae": 1 / 3}})
    written = Store(tmp_path).write(CELL, SETTINGS, "data", tested)
    store = Store(tmp_path)
    assert store.find(CELL, SETTINGS, "data") == written
    assert written.test["hard"]["mae"] == 0.333333
    assert store.find(CELL, SETTINGS, "other data") is None
    changed = CellSettings(model=MODEL | {"num_sdns": 5}, training=TRAINING)
    assert store.find(CELL, changed, "data") is None
    assert store.find(Cell("shop", "OptDist", "lr0.001", 3), SETTINGS, "data") is None
    assert [path.name for path in tmp_path.iterdir()] == ["shop.optdist-w-o-kl.lr0-001.seed3.json"]


def test_a_setting_newer_than_the_record_counts_as_its_default():
    temperature = OptDistConfig().temperature
    stored = {"model": {"num_sdns": 4}}
    assert same_settings(stored, {"model": {"num_sdns": 4, "temperature": temperature}})
    assert not same_settings(stored, {"model": {"num_sdns": 4, "temperature": temperature + 1}})
    other = {"model": {"name": "mtl_mse", "error": "value"}}
    whole = MtlMseConfig().model_dump()
    assert same_settings(other, {"model": whole})
    assert not same_settings(other, {"model": whole | {"mse_weight": 7}})


def test_a_setting_that_is_gone_or_another_kind_of_model_does_not_match():
    assert not same_settings({"model": {"gone": 1}}, {"model": {"num_sdns": 4}})
    assert not same_settings({"lightgbm": {}}, {"model": {"num_sdns": 4}})


def written_by_an_earlier_version(folder, **settings):
    """The record of `CELL`, as of the format before this one."""
    Store(folder).write(CELL, SETTINGS, "data", measurements())
    [path] = folder.glob("*.json")
    content = json.loads(path.read_text()) | {"format": FORMAT - 1}
    path.write_text(json.dumps(content | {"settings": settings}))


def test_a_record_of_an_earlier_format_is_reported_but_its_cell_is_trained_again(tmp_path):
    written_by_an_earlier_version(tmp_path, model=MODEL, training=TRAINING)
    assert Store(tmp_path).find(CELL, SETTINGS, "data") is None
    assert Store(tmp_path, report=True).find(CELL, SETTINGS, "data").format == FORMAT - 1
    changed = CellSettings(model=MODEL | {"num_sdns": 5}, training=TRAINING)
    assert Store(tmp_path, report=True).find(CELL, changed, "data") is None


def test_records_of_two_formats_are_never_in_one_report(tmp_path):
    written_by_an_earlier_version(tmp_path, model=MODEL, training=TRAINING)
    other = Cell("shop", "ZILN", "lr0.001", 3)
    Store(tmp_path).write(other, SETTINGS, "data", measurements())
    report = Store(tmp_path, report=True)
    assert report.find(other, SETTINGS, "data") is not None
    assert report.find(CELL, SETTINGS, "data") is None


def test_settings_of_an_earlier_format_may_have_stood_in_other_sections(tmp_path):
    old = {"name": "optdist", "optdist": {"num_sdns": 4}, "gone": 1}
    written_by_an_earlier_version(tmp_path, model=old, training=TRAINING)
    assert Store(tmp_path, report=True).find(CELL, SETTINGS, "data") is not None
    old["optdist"]["num_sdns"] = 3
    written_by_an_earlier_version(tmp_path, model=old, training=TRAINING)
    assert Store(tmp_path, report=True).find(CELL, SETTINGS, "data") is None


def test_a_record_that_names_more_than_its_model_reads_is_found(tmp_path):
    read = {"name": "ziln", "tower": [8]}
    more = read | {"num_sdns": 9, "mdme": {"buckets": 2}}
    written_by_an_earlier_version(tmp_path, model=more, training={})
    wanted = CellSettings(model=read, training={})
    assert Store(tmp_path, report=True).find(CELL, wanted, "data") is not None


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "shop.ziln.lr1.seed1.json").write_text('{"format": 1')
    with pytest.raises(DataError, match=r"shop\.ziln\.lr1\.seed1\.json is damaged"):
        Store(tmp_path)


def test_a_record_that_lacks_a_part_is_named_with_the_part(tmp_path):
    Store(tmp_path).write(CELL, SETTINGS, "data", measurements())
    [path] = tmp_path.iterdir()
    content = json.loads(path.read_text())
    del content["cost"]["parameters"]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"is damaged \(cost\.parameters: Field required\)"):
        Store(tmp_path)


def test_a_failure_keeps_the_validation_metrics_of_an_earlier_attempt(tmp_path):
    store = Store(tmp_path)
    assert store.write_failure(CELL, SETTINGS, "data", "it broke").validation_gini is None
    store.write(CELL, SETTINGS, "data", measurements())
    store.write_failure(CELL, SETTINGS, "data", "it broke")
    failure = Store(tmp_path).find(CELL, SETTINGS, "data")
    assert isinstance(failure, Failure)
    assert (failure.error, failure.validation_gini) == ("it broke", 0.5)


@pytest.mark.parametrize("experiment", ["full", "cross_validation", "baselines"])
def test_published_records_are_read_whole(experiment):
    folder = ROOT / "docs" / "results" / experiment
    for path in sorted(folder.glob("*.json"))[::10]:
        content = json.loads(path.read_text())
        kind = DatasetRecord if path.name.endswith(".data.json") else Record
        assert kind.model_validate(content).model_dump(mode="json", exclude_unset=True) == content


def test_packed_values_come_back_to_a_step():
    values = np.random.default_rng(2).normal(0.6, 0.01, 500)
    packed = PackedValues.pack(values)
    np.testing.assert_allclose(packed.unpack(), values, atol=packed.step)
    assert packed.step < 2e-6
    assert len(packed.int16) < 1400
    np.testing.assert_array_equal(PackedValues.pack(np.full(3, 0.25)).unpack(), [0.25] * 3)


def test_rounding_keeps_six_digits_and_turns_what_is_not_finite_into_null():
    assert rounded({"a": [1 / 3, float("nan")], "b": (2, True, "x", 123456789.0)}) == {
        "a": [0.333333, None],
        "b": [2, True, "x", 123457000.0],
    }
