"""Calibration of a model on rows in memory."""

import keras
import numpy as np
import pytest
from table import FEATURES, frame, write_table

import optdist
from optdist.config import OptDistConfig, model_section
from optdist.config.model_choice import with_defaults
from optdist.data.fitting import fit_schema
from optdist.distributions.calibration import Calibration, fit_level, fit_scale
from optdist.models import MODELS, build_model
from optdist.models.calibration import calibration_counts
from optdist.training.communicator import OneRank
from optdist.training.evaluator import Evaluation

SIZES = {"num_sdns": 3, "sdn": [16, 8], "dsm": [8], "tower": [16, 8]}
RAW = frame(900).assign(weight=np.tile([0.0, 1.0, 2.0], 300))
SCHEMA = fit_schema(RAW, FEATURES, "label")


def rows(frame, label="label", **settings):
    return optdist.memory_dataset(frame, SCHEMA, label, 128, **settings)


def trained(name="optdist"):
    model = build_model(SCHEMA, model_section(with_defaults({"name": name}, SIZES)))
    model.compile(optimizer=keras.optimizers.Adam(5e-3))
    model.fit(rows(RAW), epochs=1, verbose=0)
    return model


@pytest.mark.parametrize("name", MODELS)
def test_totals_agree_afterwards_for_each_rule_of_inference(name):
    model = trained(name)
    before = model.predict(rows(RAW, None), verbose=0)["predicted_cltv"]
    calibrations = optdist.calibrate(model, rows(RAW))
    assert list(calibrations) == list(model.inferences)
    after = model.predict(rows(RAW, None), verbose=0)["predicted_cltv"]  # not the former graph
    np.testing.assert_allclose(after, model.calibration().scale * before, rtol=1e-5)
    assert after.sum() == pytest.approx(RAW["label"].sum(), rel=1e-4)
    for rule, again in optdist.calibrate(model, rows(RAW)).items():  # the former one has no effect
        expected = calibrations[rule].model_dump()
        assert again.model_dump() == pytest.approx(expected, rel=1e-6)


def test_levels_are_those_of_the_rows_of_each_rule():
    model = trained()
    calibrations = optdist.calibrate(model, rows(RAW))
    inputs, y = next(iter(optdist.memory_dataset(RAW, SCHEMA, "label", len(RAW))))
    paid = y.numpy() > 0
    for rule in model.inferences:
        mixture = model.mixture(inputs, rule)[0]
        cdf, zero = mixture.cdf(y).numpy(), mixture.zero_mass().numpy()
        assert calibrations[rule].level == fit_level(0.9, y.numpy(), cdf, zero)
        given = mixture.if_positive().cdf(y).numpy()[paid]
        level = fit_level(0.9, y.numpy()[paid], given, np.zeros(len(given)))
        assert calibrations[rule].level_if_positive == level


def test_weights_count_and_training_rows_move_the_scale_alone():
    model = trained("ziln")
    repeated = RAW.loc[np.repeat(RAW.index, RAW["weight"].astype(int))]
    weighted = calibration_counts(model, rows(RAW, sample_weight="weight"))
    np.testing.assert_allclose(weighted, calibration_counts(model, rows(repeated)), rtol=1e-5)
    alone = optdist.calibrate(model, rows(RAW[:300]))["mean"]
    both = optdist.calibrate(model, rows(RAW[:300]), training=rows(RAW[300:]))["mean"]
    assert both.level == alone.level
    mean = model.predict(rows(RAW, None), verbose=0)["predicted_cltv"].sum() / both.scale
    assert both.scale == pytest.approx(fit_scale(RAW["label"].sum(), mean), rel=1e-4)


def test_the_trainer_calibrates_as_a_notebook_does(tmp_path):
    table, raw = write_table(tmp_path, rows=1000), frame(1000)
    model = build_model(table.schema, OptDistConfig(num_sdns=2, sdn=[8], dsm=[8]))
    Evaluation(table, model, OneRank(), 64).calibrate()
    fitted = dict(model.calibrations)
    parts = [
        optdist.memory_dataset(part, table.schema, "label", 100)
        for part in (raw[700:800], raw[:700])
    ]
    found = optdist.calibrate(model, *parts)
    assert set(found) == set(fitted)
    for rule, calibration in found.items():
        expected = fitted[rule].model_dump()
        assert calibration.model_dump() == pytest.approx(expected, rel=1e-5)
        assert isinstance(calibration, Calibration) and calibration.scale != 1
