"""Files that are cut off or have a changed bit: refused by name, or as good as before."""

import json
import random
import shutil
import time

import keras
import numpy as np
import pytest
from quick import settings_of
from reliability_page import record, sentence
from standing_shop import DATE, rows_of

from optdist.config import load_config
from optdist.data.feature_table import FeatureTable
from optdist.errors import DataError, ModelError, TrainingError
from optdist.training import RunFolder
from optdist.training.checkpoint import load_checkpoint, save_checkpoint
from pipelines.features.build import build_features
from pipelines.scoring.manifest import ScoresManifest, read_manifest, require_whole, write_manifest
from pipelines.scoring.pipeline import score


def variables(seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(40, 5), (5,), ()]
    return [keras.Variable(rng.normal(size=shape).astype(np.float32)) for shape in shapes]


def damages(content, count=150):
    """Copies of a file's bytes: cut off, or with one bit changed."""
    draw = random.Random(0)
    for _ in range(count):
        place = draw.randrange(len(content))
        yield content[:place]
        changed = bytearray(content)
        changed[place] ^= 1 << draw.randrange(8)
        yield bytes(changed)


def test_a_damaged_checkpoint_is_refused_or_gives_what_was_saved(tmp_path):
    path, saved, state = tmp_path / "checkpoint.npz", variables(), {"plan": "p", "history": []}
    save_checkpoint(path, saved, state)
    refused = 0
    for content in damages(path.read_bytes()):
        path.write_bytes(content)
        loaded = variables(seed=1)
        before = [np.array(variable) for variable in loaded]
        try:
            assert load_checkpoint(path, loaded) == state
            expected = [np.array(variable) for variable in saved]
        except TrainingError as error:
            assert str(path) in str(error) and "Remove the file to train" in str(error)
            refused, expected = refused + 1, before  # nothing is half loaded
        for variable, values in zip(loaded, expected, strict=True):
            np.testing.assert_array_equal(variable, values)
    assert refused > 200
    text = "Exit code 6: the error names the file to remove; training then starts again."
    record("damaged_checkpoint", text, 0, "the epochs before")


def test_a_checkpoint_of_a_smaller_model_is_refused(tmp_path):
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, variables(), {})
    with pytest.raises(TrainingError, match="it has 3 variables, not 2"):
        load_checkpoint(path, variables()[:2])


@pytest.mark.parametrize("name", ["history.json", "registered.json"])
def test_damaged_records_of_a_run_are_refused_by_name(tmp_path, name):
    folder = RunFolder(tmp_path)
    (tmp_path / name).write_text(json.dumps({"run_id": 3}))
    with pytest.raises(TrainingError, match=rf"{name} is damaged.*Remove {tmp_path}"):
        folder.history() if name == "history.json" else folder.registration()
    (tmp_path / "test_predictions.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(TrainingError, match=r"test_predictions\.npz cannot be read"):
        folder.predictions()


# What jobs read -----------------------------------------------------------------------------------


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-7])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def parquet_of(folder):
    return next(path for path in sorted(folder.rglob("*.parquet")) if path.stat().st_size)


@pytest.fixture
def scored(spark, shop):
    shop.forget_scores()
    with settings_of(spark):
        yield score(spark, shop.config, shop.tracker, DATE, "1")


@pytest.mark.slow
def test_damaged_scores_are_known_as_such_and_come_again(spark, shop, scored):
    cut_off(parquet_of(shop.published))
    started = time.monotonic()
    with pytest.raises(DataError, match="is damaged: its files are not those") as error:
        require_whole(shop.published, scored)
    score(spark, shop.config, shop.tracker, DATE)
    assert rows_of(shop.published).equals(shop.scores["1"])
    text = f"Exit code 3 where they are read: {sentence(error.value, shop.config.root)}"
    record("damaged_published", text, time.monotonic() - started)


def test_any_damage_of_a_published_manifest_is_refused(tmp_path):
    manifest = ScoresManifest(
        dataset="shop",
        run_date="2024-12-20",
        path="p",
        model_name="m",
        model_version="1",
        inference="soft",
        quantiles=[0.5],
        input="i",
        input_fingerprint="f",
        source_fingerprint="s",
        quarantined={},
        rows=7,
        total_predicted=1.5,
    )
    write_manifest(tmp_path, manifest)
    [path] = tmp_path.iterdir()
    whole, values = path.read_bytes(), []
    for content in damages(whole):
        path.write_bytes(content)
        try:
            values.append(read_manifest(tmp_path))
        except DataError as error:
            assert f"Remove {tmp_path}" in str(error)
    assert all(value == manifest for value in values)  # a blank more or less
    assert len(values) < 150
    text = "Exit code 3: the error names the folder to remove; the date can then be scored again."
    record("damaged_manifest", text, 0)


@pytest.mark.slow
def test_a_damaged_feature_table_is_built_again_or_refused(spark, shop, tmp_path):
    config = load_config(shop.file, overrides=[f"paths.root={tmp_path}"])
    place = config.layout.feature_table(shop.table.path.name)
    shutil.copytree(shop.table.path, place)
    for name in ("manifest.json", "schema.json"):
        whole, refused = (place / name).read_bytes(), 0
        for content in damages(whole, 30):
            (place / name).write_bytes(content)
            try:
                table = FeatureTable.open(place)
                assert (table.schema, table.manifest) == (shop.table.schema, shop.table.manifest)
            except DataError:
                refused += 1
        assert refused > 40
        (place / name).write_bytes(whole)
    flip(parquet_of(place / "encoded" / "train"))
    with pytest.raises(DataError, match="is damaged") as error:
        FeatureTable.open(place).read("train")
    record("damaged_encoded", f"Exit code 3: {sentence(error.value, tmp_path)}", 0)
    (place / "manifest.json").write_bytes((place / "manifest.json").read_bytes()[:-7])
    started = time.monotonic()
    with settings_of(spark):
        again = build_features(spark, config)
    assert (again.path, again.schema) == (place, shop.table.schema)
    assert again.manifest.counts == shop.table.manifest.counts
    text = "It is built again from the same raw files."
    record("damaged_table", text, time.monotonic() - started)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model.weights.h5", "schema.json"])
def test_a_damaged_package_is_refused_and_fetched_again(spark, shop, scored, name):
    folder = shop.tracker.package("1").path
    started = time.monotonic()
    flip(folder / name)
    with pytest.raises(ModelError, match=rf"{name} is damaged") as error:
        score(spark, shop.config, shop.tracker, DATE)
    shutil.rmtree(folder)
    score(spark, shop.config, shop.tracker, DATE)
    assert rows_of(shop.published).equals(shop.scores["1"])
    text = f"Exit code 8: {sentence(error.value, shop.config.root)}"
    record("damaged_package", text.replace(name, "FILE"), time.monotonic() - started)
