import os

import grids
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats
from table import write_table

from optdist.data.feature_table import SPLITS, FeatureTable
from optdist.data.fitting import label_statistics
from optdist.data.schema import FIRST_ID, UNKNOWN_ID
from optdist.errors import DataError
from optdist.evaluation.comparison import t_test
from pipelines.experiments.plan.schedule import schedule
from pipelines.experiments.run.folds import fold_of, fold_table


def column(table, split, name):
    files = [table.split_path(split) / file.name for file in table.split_files(split)]
    return np.concatenate([pq.read_table(file)[name].to_numpy() for file in files])


def rows(table, split):
    return column(table, split, "row_key")


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
        assert [one.manifest.counts[split] for split in SPLITS] == list(map(len, parts))
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
    y = column(made, "train", "label")
    assert made.schema.label == label_statistics(y)
    assert made.schema.numeric == table.schema.numeric


def test_a_category_that_training_rows_lack_is_out_of_vocabulary(tmp_path):
    table = write_table(tmp_path / "table", rows=400, groups=2)
    rare = table.schema.categorical[0].size - 1  # the id of the rarest city
    for split in ("train", "validation"):
        for i, file in enumerate(table.split_files(split)):
            path = table.split_path(split) / file.name
            rows = pq.read_table(path)
            ids = rows["cat_city"].to_numpy().copy()
            ids[ids == rare] = FIRST_ID
            ids[0] = rare if split == "train" and i == 0 else ids[0]  # one row alone has it
            index = rows.schema.get_field_index("cat_city")
            pq.write_table(rows.set_column(index, "cat_city", pa.array(ids)), path)
    table.manifest.sums.clear()  # the files are no longer those of the build
    for seed in (1, 2, 3):
        made = fold_table(table, 3, seed, tmp_path / "folds")
        ids = {split: column(made, split, "cat_city") for split in SPLITS}
        assert (ids["train"] == rare).sum() + (ids["validation"] == UNKNOWN_ID).sum() + (
            ids["test"] == UNKNOWN_ID
        ).sum() == 1
        assert rare not in ids["validation"] and rare not in ids["test"]


def test_a_table_is_made_once(table, tmp_path):
    made = fold_table(table, 5, 1, tmp_path)
    before = (made.path / "manifest.json").stat().st_mtime_ns
    assert fold_table(table, 5, 1, tmp_path).path == made.path
    assert (made.path / "manifest.json").stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir()] == [made.path.name]


def test_another_process_may_be_first(table, tmp_path, monkeypatch):
    first = fold_table(table, 5, 1, tmp_path)
    kept = tmp_path / "kept"
    first.path.rename(kept)

    def replace(source, target, move=os.replace):
        if target == first.path and kept.exists():  # it comes between the look and the move
            kept.rename(first.path)
        return move(source, target)

    monkeypatch.setattr(os, "replace", replace)
    assert fold_table(table, 5, 1, tmp_path).path == first.path
    assert [path.name for path in tmp_path.iterdir()] == [first.path.name]


def test_a_fold_without_rows_is_named(tmp_path):
    small = write_table(tmp_path / "table", rows=40, groups=1)
    with pytest.raises(DataError, match=r"Fold \d+ of 500 has no \w+ rows"):
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
    run = grids.Run(tmp_path, table, grids.experiment(tmp_path, folds=4)).go()
    assert not run.results.failures
    for seed in (1, 2):  # each chooses its trial on its own validation fold
        for model in ("ZILN", "OptDist", "LightGBM"):
            cells = run.results.tuning("made", model, seed)
            found = {trial: run.results.finished(cell) for trial, cell in cells.items()}
            values = {t: r.validation[r.inference] for t, r in found.items()}
            best = max(values, key=lambda trial: values[trial]["normalized_gini"])
            assert run.results.choice("made", model, seed)[0] == best
            assert {cell.seed for cell in cells.values()} == {seed}
    tested = [r for r in run.results.store.records() if r.test is not None]
    assert {(r.variant, r.seed) for r in tested} == {
        (model, seed) for model in ("ZILN", "OptDist", "LightGBM") for seed in (1, 2)
    }
    assert all(record.settings.split.folds == 4 for record in tested)
    assert FeatureTable.open(tmp_path / "table").manifest == table.manifest
    assert not list((tmp_path / "runs").glob("folds*"))
    # other folds are other cells
    other = grids.Run(tmp_path, table, grids.experiment(tmp_path))
    assert not any(other.results.done(task) for task in schedule(other.grid))
