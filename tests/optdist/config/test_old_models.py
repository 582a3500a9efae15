"""Settings that were written when all models shared one section are still read."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from registered import write_package
from table import FEATURES, frame

from optdist.config import MdmeConfig, OptDistConfig, TwoStageConfig, model_section
from optdist.config.models import SECTIONS
from optdist.config.old_models import upgrade_settings
from optdist.data.fitting import fit_schema
from optdist.serving.package import Package
from optdist.serving.predictor import load_predictor

# as the version before wrote it into a package
OLD = json.loads((Path(__file__).parent / "old" / "model.json").read_text())


def test_the_settings_of_an_old_package_are_read():
    assert model_section(upgrade_settings(OLD)) == OptDistConfig(cross_layers=1)


@pytest.mark.parametrize("name", SECTIONS)
def test_every_model_of_an_old_package_is_read(name):
    config = model_section(upgrade_settings(OLD | {"name": name}))
    assert type(config) is SECTIONS[name]
    assert config == SECTIONS[name](cross_layers=1)


def test_a_models_own_subsection_becomes_its_settings():
    old = OLD | {"name": "two_stage", "tower": [9]}
    old["two_stage"] = {"rows": "all", "shared_representation": True}
    expected = TwoStageConfig(cross_layers=1, tower=[9], rows="all", shared_representation=True)
    assert model_section(upgrade_settings(old)) == expected


@pytest.mark.parametrize(("rule", "read"), [("hard", "hard"), ("top2", "soft")])
def test_a_rule_that_the_model_never_had_is_its_own_one(rule, read):
    old = OLD | {"name": "mdme", "inference": rule}
    assert model_section(upgrade_settings(old)) == MdmeConfig(cross_layers=1, inference=read)


def test_settings_of_now_are_read_as_they_are():
    config = MdmeConfig(buckets=7, inference="hard")
    assert model_section(upgrade_settings(config.model_dump())) == config


def test_a_package_with_old_settings_predicts_the_same(tmp_path):
    raw = frame(500)
    new = write_package(fit_schema(raw, FEATURES, "label"), tmp_path / "new")
    old = Path(shutil.copytree(new, tmp_path / "old"))
    (old / "checksums.json").unlink()  # older packages had none
    settings = json.loads((old / "model.json").read_text())
    (old / "model.json").write_text(json.dumps(OLD | settings))
    assert Package(old).settings == Package(Path(new)).settings
    before, after = load_predictor(new).predict(raw), load_predictor(old).predict(raw)
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])
