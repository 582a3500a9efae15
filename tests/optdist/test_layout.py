from pathlib import Path

import pytest

from optdist.config import config_from, load_config
from optdist.errors import ConfigError
from optdist.layout import Layout

LAYOUT = Layout(Path("/root"), "shop")
SCORES = LAYOUT.scores


def test_every_folder_has_the_name_that_artifacts_on_disk_have():
    folders = [
        LAYOUT.feature_table("0123"),
        LAYOUT.run("9a"),
        LAYOUT.unfinished_run("4567"),
        LAYOUT.package("optdist-shop", "3", "89ab"),
        LAYOUT.experiment("quick").runs,
        LAYOUT.experiment("quick").results,
        LAYOUT.experiment("quick").report,
        LAYOUT.registry,
        LAYOUT.artifacts,
        SCORES.date("2024-06-30"),
        SCORES.staging("2024-06-30"),
        SCORES.inputs("2024-06-30"),
        SCORES.quarantine("2024-06-30"),
        SCORES.manifest_copy("2024-06-30"),
    ]
    assert [str(folder.relative_to("/root")) for folder in folders] == [
        "features/shop/0123",
        "runs/9a",
        "runs/unfinished-shop-4567",
        "models/optdist-shop/3-89ab",
        "experiments/quick/runs",
        "experiments/quick/results",
        "experiments/quick/report",
        "mlflow.db",
        "mlartifacts",
        "scores/shop/run_date=2024-06-30",
        "scores/shop/_staging/run_date=2024-06-30",
        "scores/shop/_inputs/2024-06-30",
        "scores/shop/_quarantine/run_date=2024-06-30",
        "scores/shop/_manifests/2024-06-30.json",
    ]


def test_a_configuration_gives_the_layout_of_its_root_and_data_set(tmp_path):
    config = load_config(overrides=[f"paths.root={tmp_path}"])
    assert config.layout == Layout(tmp_path, "complete_journey")


def test_folders_are_found_again_with_the_folder_that_a_job_locks(tmp_path):
    layout = Layout(tmp_path, "shop")
    scores = layout.scores
    mine = [layout.unfinished_run("01"), layout.package("shop", "12", "89"), scores.date("2024-01")]
    kept, staged = scores.inputs("2024-01") / "0a", scores.staging("2024-01")
    others = Layout(tmp_path, "shoe")
    for path in [*mine, kept, staged, others.unfinished_run("01"), layout.run("unfinished")]:
        path.mkdir(parents=True)
    assert layout.unfinished_runs() == mine[:1]
    assert list(layout.packages("shop")) == [("12", mine[1])]
    assert scores.dates() == mine[2:]
    assert list(scores.kept_inputs()) == [(kept, mine[2])]
    assert list(scores.staged()) == [(staged, mine[2])]


@pytest.mark.parametrize("name", ["", ".", "..", "../other", "a/b", "a\\b", "/etc", "a\0"])
def test_a_name_that_would_lead_to_another_folder_is_refused(name):
    for folder in (
        lambda: LAYOUT.package(name, "1", "0"),
        lambda: LAYOUT.experiment(name).path,
        lambda: LAYOUT.run(name),
        lambda: Layout(Path("/root"), name).scores,
        lambda: Layout(Path("/root"), name).feature_tables,
    ):
        with pytest.raises(ConfigError, match="cannot be a folder below"):
            folder()


def test_a_data_set_of_such_a_name_is_refused_with_its_other_problems(tmp_path):
    written = load_config().model_dump(mode="json")
    written["dataset"]["name"] = "../other"
    written["tracking"]["model_name"] = "a\\b"
    with pytest.raises(ConfigError, match=r"(?s)dataset\.name.*tracking\.model_name"):
        config_from(written)
