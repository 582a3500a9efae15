import re
import zlib
from pathlib import Path

import grids
import numpy as np
import pytest
from scipy import stats

from optdist.config.metrics import PAPER_METRICS
from optdist.evaluation.weighted import RESAMPLED
from pipelines.experiments.plan.config import load_experiment
from pipelines.experiments.plan.coordinates import Cell
from pipelines.experiments.plan.grid import Grid
from pipelines.experiments.plan.measurements import Measurements, PackedValues
from pipelines.experiments.plan.records import EARLIER, FORMAT, Clusters, DatasetRecord
from pipelines.experiments.plan.results import Results
from pipelines.experiments.plan.schedule import schedule
from pipelines.experiments.plan.store import Store
from pipelines.experiments.report.contents import blocks
from pipelines.experiments.report.rows import comparisons, mean_sd, rows_of
from pipelines.experiments.report.writing import PAPER, write_report
from pipelines.rendering import to_markdown

SEEDS = [1, 2, 3, 4, 5]
LEVEL = {"ZILN": 0.60, "OptDist": 0.62, "LightGBM": 0.615}
BOX = [0.0, 0.0, 2.0, 8.0, 40.0]


def metrics(value):
    made = {name: 20 * (1 - value) if name == "mae" else value for name in PAPER_METRICS}
    made |= {"mae_zero": 7.0, "mae_mean": 8.0, "mae_median": 7.0, "total_ratio": 1.01}
    made |= {"coverage": 0.9, "coverage_if_positive": 0.91}
    return made | {"mae_q50": 6.5, "nll": 1.5}


def content(cell, test):
    """A record as a worker makes it: OptDist is clearly the best, by seeds and by entities."""
    rng = np.random.default_rng(zlib.crc32(cell.name.encode()))
    rules = ("hard", "soft") if cell.variant.startswith("OptDist") else ("mean",)
    base = next(level for name, level in LEVEL.items() if cell.variant.startswith(name))
    value = base + rng.normal(0, 0.001) + (0.001 if cell.trial in ("lr0.01", "trial2") else 0)
    entities = np.random.default_rng(0).normal(0, 0.004, 200)  # the same for all models
    values = {r: metrics(value + (0.002 if r == "soft" else 0)) for r in rules}
    resamples = {
        rule: {
            m: PackedValues.pack(
                v[m] + (-20 if m == "mae" else 1) * (entities + rng.normal(0, 0.001, 200))
            )
            for m in RESAMPLED
        }
        for rule, v in values.items()
    }
    sdns = [{"share": 0.7, "actual": BOX, "predicted": BOX}]
    sdns.append({"share": 0.3, "actual": BOX, "predicted": BOX})
    sdns.append({"share": 0.0, "actual": None, "predicted": None})
    plain = {
        "inference": rules[0],
        "validation": values,
        "test": values if test else None,
        "history": [0.1],
        "best_epoch": 1,
        "epochs": 1,
        "sdn": {"test": sdns} if len(rules) > 1 else None,
        "cost": {
            "parameters": 1000,
            "train_rows_per_second": 5000.0,
            "seconds": 2.0,
            "seconds_to_best": 1.0,
            "cell_seconds": 3.0,
            "score_rows_per_second": dict.fromkeys(rules, 9000.0),
        },
        "bootstrap": {"replicates": 200, "seed": 1, "metrics": resamples},
        "date": "2025-03-04T05:06:07+00:00",
        "versions": {"python": "3.11", "tensorflow-cpu": "2.18.1", "lightgbm": "4"},
    }
    return Measurements.model_validate(plain)


def finished(folder, seeds=SEEDS, **changes):
    """Results of a whole grid, none of it trained."""
    resamples = {"replicates": 200, "seed": 1}
    grid = Grid(grids.experiment(folder, seeds=seeds, bootstrap=resamples, **changes))
    results = Results(grid, Store(folder / "results"), {"made": "data"})
    for task in schedule(grid):
        cell = results.cell(task)
        if not results.finished(cell, task.test):
            made = content(cell, task.test)
            results.store.write(cell, grid.settings(cell), "data", made)
    counts = {"samples": 100, "train": 70, "validation": 10, "test": 20}
    counts |= {"train_positive": 7, "validation_positive": 1, "test_positive": 2}
    known = DatasetRecord(
        format=2,
        data="data",
        name="made",
        description="",
        counts=counts,
        label={},
        categorical=1,
        numeric=1,
        mean_label={"train": 4.0, "validation": 8.0, "test": 5.0},
        clusters=Clusters(edges=[0.0, 1.0, 2.0], counts=[[60, 5], [3, 2]]),
    )
    results.store.write_dataset("made", known)
    return results


def written(results, folder):
    write_report(results, folder / "report", folder / "page.md")
    return (folder / "report" / "report.md").read_text()


def table_row(text, label):
    [line] = [line for line in text.splitlines() if line.startswith(f"| {label} | ")][:1]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_best_is_bold_and_earns_its_daggers_over_five_seeds(tmp_path):
    results = finished(tmp_path)
    text = written(results, tmp_path)
    rows = rows_of(results, "made", results.grid.models, SEEDS)
    soft = next(row for row in rows if row.label == "OptDist (soft)")
    expected = f"**{mean_sd(soft.values('normalized_gini'))}**†‡"
    assert table_row(text, "OptDist (soft)")[2] == expected
    assert table_row(text, "OptDist (hard)")[2].endswith("†‡")
    assert "**" not in table_row(text, "ZILN")[2] + table_row(text, "LightGBM")[2]
    assert table_row(text, "always zero")[1] == "7.000"
    assert table_row(text, "always the mean")[6] == "0.800"  # 4 / 5
    assert table_row(text, "made") == ["made", "100", "10", "10.00%", "70", "10", "20"]
    assert "lr0.01" in table_row(text.split("## Chosen")[1], "OptDist")[1]


def test_below_five_seeds_there_is_no_dagger_and_the_report_says_so(tmp_path):
    text = written(finished(tmp_path, seeds=[1, 2, 3]), tmp_path)
    assert "No † or ‡: 3 of the 5 seeds" in text
    assert "**†" not in text and not re.search(r"\d†", text)
    assert "made, 3 seeds" in text


def test_mean_and_sd_are_of_the_seeds_that_all_models_have(tmp_path):
    results = finished(tmp_path)
    lost = results.cell(next(t for t in schedule(results.grid) if t.block == "made, seed 5"))
    (tmp_path / "results" / f"{lost.name}.json").unlink()
    fewer = Results(results.grid, Store(tmp_path / "results"), {"made": "data"})
    rows = rows_of(fewer, "made", fewer.grid.models, SEEDS)
    assert {len(row.records) for row in rows} == {4}
    assert {record.seed for row in rows for record in row.records} == {1, 2, 3, 4}
    assert "made, 4 seeds" in written(fewer, tmp_path)


def test_mean_sd_gives_a_hand_worked_spread():
    assert mean_sd(np.array([0.1, 0.2, 0.3])) == "0.2000 ± 0.1000"
    assert mean_sd(np.array([0.25]), 3) == "0.250"
    assert mean_sd(np.array([])) == "-"


def test_ablations_sweeps_and_figures_are_there(tmp_path):
    folder = {"datasets": [str(tmp_path / "made.yaml")], "seeds": [1, 2]}
    results = finished(
        tmp_path,
        ablations=folder | {"variants": {"without KL": {"model.kl_weight": 0}}},
        sweeps=folder | {"settings": {"model.num_sdns": [2, 4], "model.temperature": [0.5, 1]}},
    )
    text = written(results, tmp_path)
    table3 = text.split("## Table 3")[1].split("## Fig. 4")[0]
    assert "### made, 2 seeds" in table3
    rows = rows_of(results, "made", ["OptDist", "OptDist without KL"], [1, 2])
    gini, other = (r.values("normalized_gini") for r in rows if r.rule == "hard")
    gain = other - gini
    a, b = (r.scores.resampled["normalized_gini"] for r in rows if r.rule == "hard")
    beyond = ((b - a).mean(axis=0) >= 0).sum(), ((b - a).mean(axis=0) <= 0).sum()
    p = max(stats.ttest_rel(other, gini).pvalue, 2 * (min(beyond) + 1) / 201)
    without = table_row(table3, "without KL")
    assert without[1] == mean_sd(other)
    assert without[3:6] == [f"{gain.mean():+.4f}", f"{(gain > 0).sum()} of 2", f"{min(p, 1):.3f}"]
    assert without[-2:] == ["1.010 ± 0.000", "70%"]
    assert table_row(table3, "OptDist")[3:6] == ["-", "-", "-"]
    names = {"norm_gini", "table3", "figure1", "figure4", "figure5"}
    for place in (tmp_path / "report" / "figures", tmp_path / "results" / "figures"):
        assert {path.stem for path in place.glob("*.png")} == names
    docs = (tmp_path / "page.md").read_text()
    assert set(re.findall(r"\]\(results/figures/(\w+)\.png\)", docs)) == names
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(names)
    assert 'src="figures' not in page and "**" not in page


def test_the_report_of_a_cross_validation_says_what_test_means(tmp_path):
    text = written(finished(tmp_path, folds=5), tmp_path)
    assert "in 5 folds" in text and "the test split stays unread" in text
    assert "read once per final run" not in text and "## Cost" not in text
    results = finished(tmp_path, folds=5)
    rows = rows_of(results, "made", results.grid.models, SEEDS)
    [ours, trees] = [r for r in rows if r.label in ("OptDist (soft)", "LightGBM")]
    gains = ours.values("spearman") - trees.values("spearman")
    error = np.sqrt((1 / 5 + 1 / 3) * gains.var(ddof=1))  # one fold of test for three of training
    p = 2 * stats.t.sf(abs(gains.mean()) / error, 4)
    printed = [
        line.split(" | ")[8]
        for line in text.splitlines()
        if line.startswith("| OptDist (soft) | Spearman |")
    ]
    assert printed == [f"{p:.3f}" if p >= 0.0005 else "< 0.001"]


def test_a_row_that_does_not_rank_is_neither_the_best_nor_a_rival(tmp_path):
    results = finished(tmp_path)
    for task in schedule(results.grid):
        cell = results.cell(task)
        if task.test and task.variant == "ZILN":  # as of a model that predicts 0 for nearly all
            plain = content(cell, task.test)
            worst = {**plain.test["mean"], "normalized_gini": 0.01, "mae": 1.0}
            measured = plain.model_copy(update={"test": {"mean": worst}})
            results.store.write(cell, results.grid.settings(cell), "data", measured)
    text = written(results, tmp_path)
    assert "**" not in table_row(text, "ZILN")[1]
    rows = rows_of(results, "made", results.grid.models, SEEDS)
    assert {row.label for row in rows if not row.ranks} == {"ZILN"}
    assert "baselines" not in comparisons(rows)["OptDist (soft)"]


def test_the_first_table_says_how_optdist_stands(tmp_path):
    results = finished(tmp_path)
    text = written(results, tmp_path)
    short = text.split("## In short")[1].split("## Table 2")[0]
    row = table_row(short, "made")
    hard = table_row(text, "OptDist (hard)")[2]
    assert row[1] == hard.strip("*†‡").split(" ")[0]
    rows = rows_of(results, "made", results.grid.models, SEEDS)
    ours, ziln = (next(r for r in rows if r.label == n) for n in ("OptDist (hard)", "ZILN"))
    gain = (ours.values("normalized_gini") - ziln.values("normalized_gini")).mean()
    assert row[2] == f"{gain:+.4f} (ZILN)"
    assert row[6:10] == [f"{6.5 / 7:.4f}", "0.900", "0.910", "1.010"]
    assert row[11] == "0.800"


def test_a_report_of_earlier_records_says_what_has_changed_since(tmp_path):
    results = finished(tmp_path)
    assert "format 1" not in written(results, tmp_path)
    for path in (tmp_path / "results").glob("*.seed*.json"):
        path.write_text(path.read_text().replace(f'"format": {FORMAT}', '"format": 1', 1))
    earlier = Results(results.grid, Store(tmp_path / "results", report=True), {"made": "data"})
    text = written(earlier, tmp_path)
    assert EARLIER[1] in text and "made, 5 seeds" in text


PUBLISHED = {"full": "results", "cross_validation": "cross_validation", "baselines": "baselines"}


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_page_is_what_its_records_say(name):
    docs = Path(__file__).resolve().parents[4] / "docs"
    grid, store = Grid(load_experiment(name)), Store(docs / "results" / name, report=True)
    data = {dataset: store.dataset(dataset).data for dataset in grid.datasets}
    content = blocks(Results(grid, store, data), PAPER)
    page = to_markdown(content, f"results/{name}/figures")
    assert page == (docs / f"{PUBLISHED[name]}.md").read_text()


def test_a_failed_cell_is_listed_with_its_reason(tmp_path):
    results = finished(tmp_path)
    cell = Cell("made", "ZILN", results.choice("made", "ZILN", 5)[0], 5)
    settings = results.grid.settings(cell)
    results.store.write_failure(cell, settings, "data", "it broke")
    text = written(results, tmp_path)
    assert "it broke" in text.split("## Failed")[1]


def test_an_experiment_without_a_finished_cell_has_a_report_that_says_so(tmp_path):
    grid = Grid(grids.experiment(tmp_path))
    text = written(Results(grid, Store(tmp_path / "results"), {"made": "data"}), tmp_path)
    assert "No cell is finished yet." in text


def test_the_papers_own_figures_stand_beside_ours_on_its_data_sets(tmp_path):
    published = {"table2": {"OptDist": [1.0, 0.5, 0.4, 0.3, 0.2]}, "samples": 50, "positives": 5}
    made = blocks(finished(tmp_path), {"made": published})
    rows = [row for block in made if hasattr(block, "rows") for row in block.rows]
    assert ["OptDist, paper", "1.000", "0.5000", "0.4000", "0.3000", "0.2000", *["-"] * 5] in rows
    assert ["made, paper", "50", "5", "10.00%", "-", "-", "-"] in rows


@pytest.mark.parametrize("name", sorted(PAPER))
def test_the_papers_tables_agree_with_each_other(name):
    table = PAPER[name]
    assert table["table3"]["OptDist"] == table["table2"]["OptDist"][1]
    assert max(row[1] for row in table["table2"].values()) == table["table2"]["OptDist"][1]
    assert min(row[0] for row in table["table2"].values()) == table["table2"]["OptDist"][0]


def test_a_model_that_is_far_behind_leaves_the_others_their_scale():
    from pipelines.experiments.report.drawing import norm_gini

    scores = {
        "OptDist": [0.60, 0.61],
        "ZILN": [0.60, 0.60],
        "MDAN": [0.59, 0.6],
        "MDME": [0.0, 0.1],
    }
    [axes] = norm_gini({"made": scores}).axes
    assert [text.get_text() for text in axes.texts] == ["\u2190 0.050"]
    assert axes.get_xlim()[0] > 0.5
