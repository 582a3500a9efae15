import grids
import keras
import numpy as np
import pytest
from table import FEATURES, frame

from optdist.config import conf_folder
from optdist.data.fitting import fit_schema
from optdist.data.inputs import memory_dataset
from optdist.errors import ConfigError
from optdist.models import MODELS, build_model
from pipelines.experiments.plan.config import load_experiment
from pipelines.experiments.plan.coordinates import Cell
from pipelines.experiments.plan.grid import Grid
from pipelines.experiments.plan.schedule import schedule

ABLATIONS = {
    "datasets": ["DATASET"],
    "seeds": [1],
    "variants": {"without KL": {"model.kl_weight": 0}},
}
SWEEPS = {
    "datasets": ["DATASET"],
    "seeds": [1, 2],
    "settings": {"model.num_sdns": [2, 4], "model.temperature": [0.5, 1]},
}


def grid(folder, **changes):
    for part in ("ablations", "sweeps"):
        if part in changes:
            changes[part] = changes[part] | {"datasets": [str(folder / "made.yaml")]}
    return Grid(grids.experiment(folder, **changes))


def test_tasks_come_in_an_order_that_leaves_smaller_tables(tmp_path):
    tasks = schedule(grid(tmp_path, ablations=ABLATIONS, sweeps=SWEEPS))
    blocks = list(dict.fromkeys(task.block for task in tasks))
    assert blocks == [
        "made, tuning",
        "made, seed 1",
        "made, seed 2",
        "made, ablations, seed 1",
        "made, sweeps, seed 1",
        "made, sweeps, seed 2",
    ]
    assert {task.test for task in tasks if task.block == "made, tuning"} == {False}
    assert sum(task.block == "made, tuning" for task in tasks) == 3 * 2  # models x trials
    assert all(task.test for task in tasks if task.block != "made, tuning")


PRESETS = sorted(path.stem for path in (conf_folder() / "experiments").glob("*.yaml"))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_valid(name):
    assert len(schedule(Grid(load_experiment(name)))) > 10


def test_a_copy_of_a_preset_does_not_write_over_its_page(tmp_path):
    copy = tmp_path / "mine.yaml"
    copy.write_text((conf_folder() / "experiments" / "full.yaml").read_text())
    with pytest.raises(ConfigError, match="Leave publish out"):
        load_experiment(copy)


def test_presets_grow():
    counts = [
        len(schedule(Grid(load_experiment(n)))) for n in ("quick", "complete_journey", "full")
    ]
    assert counts == sorted(counts)


def test_a_sweep_uses_the_models_own_cell_where_the_value_is_its_own(tmp_path):
    made = grid(tmp_path, sweeps=SWEEPS)
    assert made.sweep("made") == {
        "model.num_sdns": {2: "OptDist model.num_sdns=2", 4: "OptDist"},
        "model.temperature": {0.5: "OptDist model.temperature=0.5", 1: "OptDist"},
    }
    swept = [t for t in schedule(made) if "sweeps" in t.block and t.variant != "OptDist"]
    assert len(swept) == 2 * 2
    assert {task.base for task in swept} == {"OptDist"}


def test_settings_are_of_the_variant_the_trial_and_the_overrides(tmp_path):
    made = grid(tmp_path, ablations=ABLATIONS)
    task = next(t for t in schedule(made) if t.variant == "OptDist without KL")
    cell = Cell("made", task.variant, "lr0.01", 1)
    settings = made.settings(cell)
    assert settings.model["kl_weight"] == 0
    assert settings.model["ce_weight"] == 1
    assert settings.training["learning_rate"] == 0.01
    assert settings.training["epochs"] == 2
    assert "seed" not in settings.training
    other = Grid(made.experiment, overrides=["training.epochs=7"])
    assert other.settings(cell).training["epochs"] == 7
    trees = Cell("made", "LightGBM", "trial2", 1)
    assert made.settings(trees).plain == {
        "lightgbm": {"num_leaves": 8, "rounds": 40, "patience": 10}
    }


def test_every_problem_of_an_experiment_is_in_one_error(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "datasets: [complete_journey]\nmodels: {A: {data.x: 1}}\nseeds: []\nlearning_rate: [1]\n"
        "learning_rates: [0]\n"
    )
    with pytest.raises(ConfigError) as raised:
        load_experiment(path)
    for text in ("seeds", "learning_rate is not a", "learning_rates.0", "Received: 0"):
        assert text in str(raised.value)
    path.write_text(
        "datasets: [complete_journey]\nmodels: {A: {data.x: 1}}\nseeds: [1]\n"
        "sweeps: {datasets: [other], seeds: [1], settings: {}}\n"
    )
    with pytest.raises(ConfigError, match=r"only model\.\* and training\.\*") as raised:
        load_experiment(path)
    assert "not in models: OptDist" in str(raised.value)
    assert "not in datasets: other" in str(raised.value)


def test_an_unknown_experiment_lists_those_that_exist():
    with pytest.raises(ConfigError, match="quick"):
        load_experiment("nothing")


@pytest.mark.parametrize("name", sorted(MODELS))
def test_settings_that_are_left_out_of_a_record_do_not_reach_the_model(name, tmp_path):
    wild = {
        "model_defaults.num_sdns": 3,
        "model_defaults.dsm": [5],
        "model_defaults.temperature": 0.3,
        "model_defaults.gumbel": "none",
        "model_defaults.ce_weight": 0.1,
        "model_defaults.kl_weight": 0.2,
        "model_defaults.focal_exponent": 1.0,
        "model_defaults.sub_distributions": 2,
        "model_defaults.similarity": "rows",
        "model_defaults.error": "product",
        "model_defaults.rows": "all",
    }
    read = MODELS[name].config_class.model_fields
    wild = {k: v for k, v in wild.items() if name == "optdist" or k.split(".")[1] not in read}
    models = {"OptDist": {}, "M": {"model.name": name}}
    plain = grid(tmp_path, models=models, lightgbm=None)
    small = plain.experiment.set
    other = grid(tmp_path, models=models, set=small | wild, lightgbm=None)
    cell = Cell("made", "M", "lr0.01", 1)
    same = plain.settings(cell) == other.settings(cell)
    assert same == (name != "optdist")
    if not same:
        return
    rows = frame(300)
    schema = fit_schema(rows, FEATURES, "label")
    batch, y = next(iter(memory_dataset(rows, schema, "label", 300)))
    found = []
    for made in (plain, other):
        keras.utils.set_random_seed(1)
        model = build_model(schema, made.config("made", "M").model, 1)
        outputs = model(batch, training=True)
        loss = model.loss_terms(y, outputs, np.array([1, 2], np.int32))["loss"]
        found.append((float(loss), model.predict_distribution(batch)["predicted_cltv"].numpy()))
    assert found[0][0] == found[1][0]
    np.testing.assert_array_equal(found[0][1], found[1][1])
