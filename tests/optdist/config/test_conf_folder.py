from pathlib import Path

import pytest

from optdist.config import conf_folder, load_config, loading
from optdist.errors import ConfigError

OWN = """
name: own
id: [user]
split_key: [user]
source: {kind: samples, tables: {main: {path: x.csv}}, label: spend}
features: {categorical: [country]}
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.yaml").write_text(OWN)
    return tmp_path / "own.yaml"


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """The library as its wheel has it: no folder conf next to the package."""
    monkeypatch.delenv("OPTDIST_CONF", raising=False)
    monkeypatch.setattr(loading, "_CLONE", tmp_path / "site-packages")


def test_a_clone_finds_its_own_folder(monkeypatch):
    monkeypatch.delenv("OPTDIST_CONF", raising=False)
    assert conf_folder() == Path(__file__).resolve().parents[3] / "conf"


def test_without_a_folder_a_data_sets_file_is_enough(own, installed):
    config = load_config(own, overrides=["training.epochs=3"])
    assert conf_folder() is None
    assert config.dataset.name == "own" and config.training.epochs == 3


@pytest.mark.parametrize(("dataset", "env"), [("own", "local"), ("own.yaml", "cluster")])
def test_without_a_folder_a_name_is_refused_and_the_way_out_is_said(
    own, installed, monkeypatch, dataset, env
):
    monkeypatch.chdir(own.parent)
    with pytest.raises(ConfigError, match="Give the path of a YAML file, or set OPTDIST_CONF"):
        load_config(dataset, env)


def test_a_team_can_keep_a_folder_of_its_own(own, monkeypatch, tmp_path):
    for name, text in {
        "datasets/own.yaml": OWN,
        "env/local.yaml": "training: {ranks: 1}",
        "base.yaml": "promotion: {metric: spearman}",
    }.items():
        (tmp_path / "conf" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / name).write_text(text)
    monkeypatch.setenv("OPTDIST_CONF", str(tmp_path / "conf"))
    config = load_config("own")
    assert config.training.ranks == 1 and config.promotion.metric == "spearman"
    (tmp_path / "conf" / "base.yaml").unlink()
    assert load_config("own").promotion.metric == "normalized_gini"


def test_a_folder_that_does_not_exist_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("OPTDIST_CONF", str(tmp_path / "conf"))
    with pytest.raises(ConfigError, match=r"OPTDIST_CONF is .*conf, which is not a folder"):
        load_config()
