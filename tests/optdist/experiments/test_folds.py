import json

import grids
import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats
from table import write_table

from optdist.encoding import label_statistics
from optdist.errors import DataError
from optdist.experiments.folds import fold_of, fold_table
from optdist.experiments.statistics import t_test
from optdist.table import SPLITS


def rows(table, split):
    files = [table.split_path(split) / file["name"] for file in table.split_files(split)]
    return np.concatenate([pq.read_table(file)["row_key"].to_numpy() for file in files])


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("table"), rows=3000)


def test_each_row_is_held_out_once_in_a_deal_and_no_test_row_ever(table, tmp_path):
    made = [fold_table(table, 4, seed, tmp_path) for seed in (1, 2, 3, 4)]
    labelled = np.sort(np.concatenate([rows(table, "train"), rows(table, "validation")]))
    held_out = np.concatenate([rows(one, "test") for one in made])
    assert np.array_equal(np.sort(held_out), labelled)
    for i, one in enumerate(made):
        parts = [rows(one, split) for split in SPLITS]
        assert np.array_equal(np.sort(np.concatenate(parts)), labelled)
        assert [one.manifest["counts"][split] for split in SPLITS] == list(map(len, parts))
        assert np.array_equal(np.sort(rows(one, "validation")), np.sort(rows(made[i - 3], "test")))


def test_a_further_seed_deals_the_entities_anew(table, tmp_path):
    first, again = (rows(fold_table(table, 3, seed, tmp_path), "test") for seed in (1, 4))
    both = np.intersect1d(first, again)
    assert 0.2 < len(both) / len(first) < 0.5


def test_an_entity_is_in_one_fold_and_folds_are_level():
    keys = np.repeat(np.arange(30_000), 2)
    fold = fold_of(keys, 10, 0)
    assert np.array_equal(fold[::2], fold[1::2])
    assert stats.chisquare(np.bincount(fold[::2], minlength=10)).pvalue > 1e-4


def test_label_statistics_are_of_the_runs_own_training_rows(table, tmp_path):
    made = fold_table(table, 5, 2, tmp_path)
    files = [made.split_path("train") / file["name"] for file in made.split_files("train")]
    y = np.concatenate([pq.read_table(file)["label"].to_numpy() for file in files])
    assert made.schema.label == label_statistics(y)
    assert made.schema.numeric == table.schema.numeric


def test_a_table_is_made_once_and_another_process_may_be_first(table, tmp_path):
    made = fold_table(table, 5, 1, tmp_path)
    before = (made.path / "manifest.json").stat().st_mtime_ns
    assert fold_table(table, 5, 1, tmp_path).path == made.path
    assert (made.path / "manifest.json").stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir()] == [made.path.name]


def test_a_fold_without_rows_is_named(tmp_path):
    small = write_table(tmp_path / "table", rows=40, groups=1)
    with pytest.raises(DataError, match=r"rows of fold \d+ of 500 are none"):
        for seed in range(1, 40):
            fold_table(small, 500, seed, tmp_path / "folds")


def test_training_rows_that_overlap_widen_the_t_test():
    gains = np.array([0.01, 0.012, 0.009, 0.011, 0.013])
    t = gains.mean() / np.sqrt((1 / 5 + 1 / 4) * gains.var(ddof=1))
    assert t_test(gains, overlap=1 / 4) == pytest.approx(2 * stats.t.sf(t, 4))
    assert t_test(gains, overlap=1 / 4) > t_test(gains)


@pytest.mark.slow
def test_an_experiment_cross_validates_networks_and_trees(tmp_path):
    table = write_table(tmp_path / "table", rows=3000)
    wanted = grids.experiment(tmp_path, folds=4, learning_rates=[1e-2])
    run = grids.Run(tmp_path, table, wanted).go()
    assert not run.results.failures
    tested = [r for r in run.results.store.records() if r["test"] is not None]
    assert {(r["variant"], r["seed"]) for r in tested} == {
        (model, seed) for model in ("ZILN", "OptDist", "LightGBM") for seed in (1, 2)
    }
    assert all(record["settings"]["split"] == {"folds": 4} for record in tested)
    assert json.loads((tmp_path / "table" / "manifest.json").read_text()) == table.manifest
    assert not (tmp_path / "runs" / "folds").exists()
    # other folds are other cells
    other = grids.Run(tmp_path, table, grids.experiment(tmp_path, learning_rates=[1e-2]))
    assert not any(other.results.done(task) for task in other.grid.tasks())
