"""What the README shows can be used as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from optdist.config import load_config

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
YAML = {text.splitlines()[0].removeprefix("# "): text for name, text in BLOCKS if name == "yaml"}
PYTHON = [text for name, text in BLOCKS if name == "python"]


def test_both_kinds_of_table_are_shown():
    kinds = {"my_table.yaml": "samples", "my_shop.yaml": "transactions"}
    assert set(YAML) >= set(kinds)
    for name, kind in kinds.items():
        assert f"kind: {kind}" in YAML[name]


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_of_the_repository(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    assert not [to for to in links if "://" not in to and not (page.parent / to).exists()]


@pytest.mark.parametrize("name", YAML)
def test_a_data_set_of_the_readme_loads(tmp_path, name):
    (tmp_path / name).write_text(YAML[name])
    assert f"{load_config(tmp_path / name).dataset.name}.yaml" == name


def test_settings_that_the_readme_names_exist():
    changes = re.findall(r"--set ([\w.]+=[^\s`]+)", (ROOT / "README.md").read_text())
    assert len(changes) > 2
    load_config(overrides=changes)


@pytest.mark.slow
def test_the_notebook_runs_and_its_package_scores(tmp_path):
    from optdist import load_predictor

    [notebook] = PYTHON
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"country": rng.choice(["DE", "FR"], 500), "visits": rng.poisson(3, 500)})
    rows["spend_90d"] = np.where(rng.random(500) < 0.5, 0.0, rng.lognormal(rows["visits"] / 3))
    rows.to_parquet(tmp_path / "train.parquet")
    code = f"{notebook}\nassert scores.shape == (500,)\n"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    assert len(load_predictor(tmp_path / "package").predict(rows)["predicted_cltv"]) == 500
