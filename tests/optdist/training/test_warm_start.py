"""What a run takes over from another model's weights, and what it must not."""

import numpy as np
import pandas as pd
import pytest
from table import write_table

from optdist.config import FeaturesConfig, OptDistConfig, TrainingConfig, fingerprint
from optdist.data.fitting import fit_schema
from optdist.models import build_model
from optdist.serving.package import Package
from optdist.training.local_launcher import OneProcess
from optdist.training.plan import TrainingPlan
from optdist.training.warm_start import WarmStart, carry_weights

FEATURES = FeaturesConfig(categorical=["city", "plan"], numeric={"spend": {}}, min_frequency=1)
SIZES = OptDistConfig(num_sdns=2, sdn=[8], dsm=[8], embedding_dim=3, numeric_bins=4)


def raw(cities="abc", shift=0.0, **columns):
    rows = 240
    spend = np.linspace(0, 10, rows) + shift * (np.arange(rows) > rows / 2)
    values = {"city": [cities[i % len(cities)] for i in range(rows)], "plan": ["x", "y"] * 120}
    return pd.DataFrame(values | {"spend": spend, "label": np.arange(rows) % 5.0} | columns)


def model(rows, seed, config=SIZES, features=FEATURES):
    made = build_model(fit_schema(rows, features, "label"), config, seed)
    made.build_variables()
    return made


def embedding(made, feature, text):
    """The embedding of a category, by its text."""
    index = [f.name for f in made.schema.categorical].index(feature)
    number = 2 + made.schema.categorical[index].vocabulary.index(text)
    return np.array(made.representation.table)[made.representation.offsets[index] + number]


def test_a_category_keeps_its_embedding_by_its_text_and_a_new_one_starts_anew():
    old, new = model(raw("abc"), 1), model(raw("zcab"), 2)
    before = embedding(new, "city", "z").copy()
    carried = carry_weights(old, new, "7")
    for text in "abc":
        np.testing.assert_array_equal(embedding(new, "city", text), embedding(old, "city", text))
    np.testing.assert_array_equal(embedding(new, "plan", "y"), embedding(old, "plan", "y"))
    np.testing.assert_array_equal(embedding(new, "city", "z"), before)
    assert carried.categories == (9, 10)  # of each feature also missing and unknown
    assert carried.variables[0] == carried.variables[1]
    assert "warm start from version 7: 9 of 10 categories" in str(carried)


def test_the_same_schema_carries_everything_and_predicts_the_same():
    old, new = model(raw(), 1), model(raw(), 2)
    carried = carry_weights(old, new, "1")
    assert carried.parameters == (387, 387)
    for theirs, ours in zip(old.trainable_variables, new.trainable_variables, strict=True):
        np.testing.assert_array_equal(np.array(theirs), np.array(ours))


def test_a_bin_that_has_moved_and_a_new_feature_keep_their_initial_weights():
    more = FEATURES.model_copy(
        update={"numeric": FEATURES.numeric | {"age": FEATURES.numeric["spend"]}}
    )
    old = model(raw(), 1)
    new = model(raw(shift=40.0, age=np.arange(240.0) % 50), 2, features=more)
    kernel = next(v for v in new.trainable_variables if v.name == "kernel_0")
    before = np.array(kernel)
    carried = carry_weights(old, new, "1")
    theirs = np.array(next(v for v in old.trainable_variables if v.name == "kernel_0"))
    after = np.array(kernel)
    same = 6 + 1  # both embeddings and the z-score of spend
    np.testing.assert_array_equal(after[:, :6], theirs[:, :6])
    np.testing.assert_array_equal(after[:, 6], theirs[:, 6])
    np.testing.assert_array_equal(after[:, 7], before[:, 7])  # the z-score of age
    assert same <= carried.inputs[0] < carried.inputs[1] == after.shape[1]
    untouched = [i for i in range(8, after.shape[1]) if (after[:, i] == before[:, i]).all()]
    assert untouched and carried.parameters[0] < carried.parameters[1]


def test_other_layers_carry_what_agrees_or_nothing():
    old = model(raw(), 1)
    wider = model(raw(), 2, SIZES.model_copy(update={"sdn": [16]}))
    first, total = carry_weights(old, wider, "1").parameters
    assert 0 < first < total
    deeper = model(raw(), 2, SIZES.model_copy(update={"sdn": [8, 8]}))
    values = [np.array(v) for v in deeper.trainable_variables]
    assert carry_weights(old, deeper, "1").parameters[0] == 0
    for value, variable in zip(values, deeper.trainable_variables, strict=True):
        np.testing.assert_array_equal(value, np.array(variable))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A cold run, and one that starts from its package."""
    folder = tmp_path_factory.mktemp("warm")
    table = write_table(folder / "table", rows=3000)
    training = TrainingConfig(ranks=1, epochs=2, batch_size=256, threads_per_rank=1)
    shared = {"table": str(table.path), "table_fingerprint": "made", "model": SIZES}
    cold = TrainingPlan(folder=str(folder / "cold"), training=training, **shared)
    OneProcess().launch(cold, lambda event: None)
    package = Package(folder / "cold" / "package")
    start = WarmStart(package=str(package.path), version="3", digest=package.digest)
    again = training.model_copy(update={"epochs": 1, "warm_start": "champion"})
    warm = TrainingPlan(folder=str(folder / "warm"), training=again, warm_start=start, **shared)
    events = []
    OneProcess().launch(warm, events.append)
    return cold, warm, events


def test_a_warm_run_says_what_it_carried_and_begins_where_the_other_ended(runs):
    cold, warm, events = runs
    assert events[0]["event"] == "warm_start" and "from version 3" in events[0]["text"]
    assert warm.run_folder.carried().parameters[0] == warm.run_folder.carried().parameters[1]
    assert cold.run_folder.carried() is None
    first, second = (plan.run_folder.history() for plan in (cold, warm))
    assert second[0].loss < first[0].loss


def test_a_plan_without_a_warm_start_is_named_as_before_and_one_with_it_is_another(runs):
    cold, warm, _ = runs
    dump = cold.training.model_dump(exclude={"engine", "threads_per_rank"})
    assert "warm_start" in dump
    del dump["warm_start"]
    assert cold.fingerprint == fingerprint(["made", cold.model.model_dump(), dump])
    other = warm.model_copy(update={"warm_start": None})
    assert other.fingerprint != warm.fingerprint
