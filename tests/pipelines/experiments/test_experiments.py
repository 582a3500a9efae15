import os

import grids
import numpy as np
import pytest
import shop
from table import frame, write_table

from optdist.errors import ConfigError, DataError
from pipelines.experiments.datasets import data_fingerprint
from pipelines.experiments.plan.grid import Grid
from pipelines.experiments.plan.schedule import choose_tasks, schedule
from pipelines.experiments.progress import format_duration
from pipelines.experiments.run.description import mean_label


def test_the_same_data_has_one_fingerprint_wherever_it_lies(tmp_path):
    raw = tmp_path / "sales.csv"
    shop.transactions(20).to_csv(raw, index=False)
    first = data_fingerprint(shop.config(tmp_path, raw))
    moved = tmp_path / "elsewhere" / "copy.csv"
    moved.parent.mkdir()
    moved.write_bytes(raw.read_bytes())
    os.utime(moved, (1, 1))
    assert data_fingerprint(shop.config(tmp_path / "other", moved)) == first
    moved.write_bytes(raw.read_bytes() + b"\n")
    assert data_fingerprint(shop.config(tmp_path, moved)) != first


def test_what_decides_rows_changes_the_fingerprint_and_the_model_does_not(tmp_path):
    raw = tmp_path / "sales.csv"
    shop.transactions(20).to_csv(raw, index=False)
    plain = data_fingerprint(shop.config(tmp_path, raw))
    assert data_fingerprint(shop.config(tmp_path, raw, split={"seed": 7})) != plain
    assert data_fingerprint(shop.config(tmp_path, raw, build={"min_row_groups": 7})) != plain
    assert data_fingerprint(shop.config(tmp_path, raw, model={"num_sdns": 2})) == plain
    assert data_fingerprint(shop.config(tmp_path, raw, training={"epochs": 9})) == plain


def test_a_missing_raw_file_says_where_to_name_it(tmp_path):
    with pytest.raises(DataError, match="Set the table's path in the data set's YAML"):
        data_fingerprint(shop.config(tmp_path, tmp_path / "nothing.csv"))


def test_a_pattern_chooses_models_and_the_tuning_that_they_need(tmp_path):
    path = str(tmp_path / "made.yaml")
    ablations = {
        "datasets": [path],
        "seeds": [1],
        "variants": {"without KL": {"model.kl_weight": 0}},
    }
    grid = Grid(grids.experiment(tmp_path, ablations=ablations))
    assert choose_tasks(grid, "*") == schedule(grid)
    ziln = choose_tasks(grid, "made.ziln")
    assert {task.variant for task in ziln} == {"ZILN"}
    assert len(ziln) == 2 + 2
    without = choose_tasks(grid, "*without-kl")
    assert [(task.variant, task.test) for task in without] == [
        ("OptDist", False),
        ("OptDist", False),
        ("OptDist without KL", True),
    ]
    with pytest.raises(ConfigError, match=r"made\.optdist-without-kl"):
        choose_tasks(grid, "nobody")


def test_the_mean_label_is_of_a_whole_split(tmp_path):
    table = write_table(tmp_path, rows=1000, groups=3)
    label = frame(1000)["label"].to_numpy(np.float32)
    assert mean_label(table, "train") == pytest.approx(label[:700].mean())
    assert mean_label(table, "test") == pytest.approx(label[800:].mean())


def test_durations_read_well():
    assert [format_duration(s) for s in (5, 89, 300, 7260)] == ["5 s", "89 s", "5 min", "2 h 1 min"]
