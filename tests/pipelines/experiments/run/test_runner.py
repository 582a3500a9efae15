import grids
import numpy as np
import pytest
from table import write_table

from optdist.errors import TrainingError
from optdist.evaluation.weighted import RESAMPLED
from pipelines.experiments.plan.coordinates import Cell
from pipelines.experiments.plan.measurements import SdnRows
from pipelines.experiments.plan.records import Record
from pipelines.experiments.plan.schedule import schedule
from pipelines.experiments.run.network import summarize_sdns

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment")
    table = write_table(folder / "table", rows=4000)
    return folder, table, grids.Run(folder, table, grids.experiment(folder)).go()


def test_every_model_is_tuned_on_validation_and_then_run_for_every_seed(finished):
    folder, table, run = finished
    assert not run.results.failures
    assert sorted(run.blocks) == ["made, seed 1", "made, seed 2", "made, tuning"]
    records = run.results.store.records()
    assert len(records) == 3 * (2 + 1)  # two trials of seed 1, one of which goes on, and seed 2
    tested = [r for r in records if r.test is not None]
    assert {(r.variant, r.seed) for r in tested} == {
        (model, seed) for model in ("ZILN", "OptDist", "LightGBM") for seed in (1, 2)
    }
    for model in ("ZILN", "OptDist", "LightGBM"):
        trial, best = run.results.choice("made", model, 1)
        of_model = [r for r in records if r.variant == model and r.seed == 1]
        values = {r.trial: r.validation[r.inference]["normalized_gini"] for r in of_model}
        assert best == max(values.values()) == values[trial]
        assert {r.trial for r in tested if r.variant == model} == {trial}


def test_a_record_is_small_and_holds_metrics_cost_and_resamples(finished):
    folder, table, run = finished
    for record in run.results.store.records():
        cell = Cell(record.dataset, record.variant, record.trial, record.seed)
        path = folder / "results" / f"{cell.name}.json"
        assert path.stat().st_size < 30_000
        assert Record.model_validate_json(path.read_text()) == record
        assert record.cost.parameters > 0
        if record.test is None:
            assert record.bootstrap is None
            continue
        speed = record.cost.score_rows_per_second
        assert set(speed) == set(record.test) and min(speed.values()) > 0
        assert set(record.bootstrap.metrics) == set(record.test)
        for rule, metrics in record.test.items():
            for name in RESAMPLED:
                values = record.bootstrap.metrics[rule][name].unpack()
                assert len(values) == 20
                assert abs(np.mean(values) - metrics[name]) < 4 * np.std(values) + 1e-6
    optdist = run.results.finished(
        Cell("made", "OptDist", run.results.choice("made", "OptDist", 1)[0], 2)
    )
    assert set(optdist.test) == {"hard", "soft", "top2"}
    assert sum(part.share for part in optdist.sdn.test) == pytest.approx(1)


def test_what_is_finished_is_not_run_again_and_what_is_lost_is(finished):
    folder, table, run = finished
    again = grids.Run(folder, table, grids.experiment(folder)).go()
    assert not again.cells
    lost = Cell("made", "ZILN", again.results.choice("made", "ZILN", 1)[0], 2)
    (folder / "results" / f"{lost.name}.json").unlink()
    mended = grids.Run(folder, table, grids.experiment(folder)).go()
    assert [progress.cell for progress in mended.cells] == [lost]
    before, after = run.results.finished(lost), mended.results.finished(lost)
    assert after.test == before.test  # the same run gives the same figures


def test_a_changed_setting_or_other_data_makes_records_anew(finished):
    folder, table, run = finished
    task = schedule(run.grid)[0]
    assert run.results.done(task)
    changed = grids.Run(folder, table, grids.experiment(folder), ["training.epochs=3"])
    assert not changed.results.done(task)
    run.results.fingerprints["made"] = "other"
    assert not run.results.done(task)
    run.results.fingerprints["made"] = "data"


def test_a_failing_cell_is_recorded_and_the_others_go_on(finished, tmp_path):
    folder, table, _ = finished
    broken = {"Broken": {"model.representation": "nobody:Here"}, "ZILN": {"model.name": "ziln"}}
    wanted = grids.experiment(tmp_path, models=broken, seeds=[1], lightgbm=None)
    run = grids.Run(tmp_path, table, wanted).go()
    failed = Cell("made", "Broken", "lr0.001", 1)
    assert "nobody" in run.results.failures[failed.name]
    assert "nobody" in run.results.record(failed).error
    assert "no trial of its tuning succeeded" in run.results.failures["made, Broken, seed 1"]
    assert run.results.finished(Cell("made", "ZILN", "lr0.01", 1)) is not None
    assert sorted(run.blocks) == ["made, seed 1", "made, tuning"]


def test_no_checkpoint_is_kept_once_a_model_is_tuned_and_run(finished):
    folder, table, run = finished
    assert [path.name for path in (folder / "runs").iterdir() if path.is_dir()] == []


def test_a_cell_of_two_ranks_trains_under_horovodrun_and_tells_why_it_failed(tmp_path):
    table = write_table(tmp_path / "table", rows=2000, groups=2)
    wanted = grids.experiment(
        tmp_path, models={"OptDist": {}}, learning_rates=[1e-2], seeds=[1], lightgbm=None
    )
    run = grids.Run(tmp_path, table, wanted, ["training.ranks=2"]).go()
    assert not run.results.failures
    record = run.results.finished(Cell("made", "OptDist", "lr0.01", 1), test=True)
    assert record.settings.training["ranks"] == 2
    assert record.epochs == 2
    broken = grids.Run(tmp_path, table, wanted, ["training.ranks=3"]).go()
    [reason] = broken.results.failures.values()
    assert "Lower training.ranks" in reason


def test_other_resamples_make_test_metrics_again(finished):
    folder, table, run = finished
    other = grids.Run(folder, table, grids.experiment(folder, bootstrap={"replicates": 21}))
    tasks = schedule(other.grid)
    assert {task.test for task in tasks if other.results.done(task)} == {False}


def test_a_failed_test_run_takes_nothing_from_the_choice(finished, monkeypatch):
    folder, table, run = finished
    trial, best = run.results.choice("made", "ZILN", 1)
    cell = Cell("made", "ZILN", trial, 1)

    class Killed:
        def result(self):
            raise TrainingError("killed")

    again = grids.Run(folder, table, run.grid.experiment)
    kept = again.results.record(cell)
    again.runner._record(cell, Killed())
    assert again.results.finished(cell) is None
    assert again.results.choice("made", "ZILN", 1) == (trial, best)
    again.results.store.write(cell, again.grid.settings(cell), "data", kept)


def test_the_boxes_of_sdns_are_of_the_rows_that_each_selects():
    rows = {
        "label": np.array([0.0, 10.0, 20.0, 30.0, 40.0]),
        "predicted_hard": np.array([1.0, 2.0, 3.0, 4.0, 5.0]),
        "selected_sdn": np.array([2, 0, 0, 0, 0]),
    }
    first, unused, last = summarize_sdns(rows, 3)
    assert first.share == 0.8
    assert first.actual == pytest.approx([11.5, 17.5, 25.0, 32.5, 38.5])  # of 10, 20, 30, 40
    assert first.predicted[2] == 3.5
    assert unused == SdnRows(share=0.0, actual=None, predicted=None)
    assert last == SdnRows(share=0.2, actual=[0.0] * 5, predicted=[1.0] * 5)
