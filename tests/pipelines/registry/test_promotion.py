import pandas as pd
import pytest
from registered import built_shop, register, write_package

from optdist.config import FeaturesConfig, GateConfig, NumericConfig, PromotionConfig, config_from
from optdist.config.identity import identity
from optdist.data.schema import CategoricalFeature
from optdist.errors import ModelError
from optdist.evaluation.metrics import evaluate
from optdist.serving.predictor import load_predictor
from optdist.tracking import CHALLENGER, CHAMPION
from pipelines.registry.compatibility import misread
from pipelines.registry.promotion import decide, metrics_on_test, promote, promote_by_force

RULE = PromotionConfig(
    gates={"normalized_gini": GateConfig(min=0.2), "total_ratio": GateConfig(min=0.5, max=2.0)}
)
GOOD = {"normalized_gini": 0.5, "total_ratio": 1.0, "mae": 3.0}


def test_the_first_version_needs_the_gates_alone():
    assert decide(RULE, GOOD, None, None).promoted


@pytest.mark.parametrize(
    "change", [{"normalized_gini": 0.1}, {"total_ratio": 2.1}, {"total_ratio": float("nan")}]
)
def test_a_version_outside_a_gate_is_not_promoted_and_the_reason_names_it(change):
    decision = decide(RULE, GOOD | change, None, None)
    assert not decision.promoted
    assert next(iter(change)) in decision.reason


def test_a_challenger_must_beat_the_champion_by_more_than_the_margin():
    rule = RULE.model_copy(update={"min_improvement": 0.01})
    assert decide(rule, GOOD | {"normalized_gini": 0.52}, GOOD, "1").promoted
    assert not decide(rule, GOOD | {"normalized_gini": 0.505}, GOOD, "1").promoted
    assert not decide(RULE, GOOD, GOOD, "1").promoted  # a tie keeps the champion


def test_a_smaller_error_is_better():
    rule = RULE.model_copy(update={"metric": "mae"})
    assert decide(rule, GOOD | {"mae": 2.9}, GOOD, "1").promoted
    assert not decide(rule, GOOD | {"mae": 3.1}, GOOD, "1").promoted


@pytest.fixture(scope="module")
def shop(spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("promotion")
    rule = {"gates": {"total_ratio": {"min": 0.0, "max": 1e6}}, "min_improvement": -2.0}
    made, table, tracker = built_shop(spark, folder, promotion=rule)
    for seed in (1, 2, 3):
        register(tracker, write_package(table.schema, folder / str(seed), seed))
    return made, tracker, table


@pytest.mark.slow
def test_versions_pass_through_challenger_to_champion_and_carry_the_reason(spark, shop):
    made, tracker, table = shop
    first = promote(spark, made, tracker, table, "1")
    assert first.promoted and tracker.resolve(CHAMPION) == tracker.resolve(CHALLENGER) == "1"

    strict = made.model_copy(update={"promotion": PromotionConfig(min_improvement=2.0)})
    second = promote(spark, strict, tracker, table, "2")
    assert not second.promoted
    assert (tracker.resolve(CHALLENGER), tracker.resolve(CHAMPION)) == ("2", "1")

    third = promote(spark, made, tracker, table, "3")  # a margin of -2 lets everyone through
    assert third.promoted and tracker.resolve(CHAMPION) == "3"
    for version, decision in [("1", first), ("2", second), ("3", third)]:
        said = tags(tracker, version)
        assert said["promotion_reason"] == decision.reason
        assert said["promotion_data_fingerprint"] == table.manifest.fingerprint

    again = promote(spark, made, tracker, table, "3")
    assert again.reason == "version 3 is champion already"
    assert tags(tracker, "3")["promotion_reason"] == third.reason


@pytest.mark.slow
def test_the_metrics_are_those_of_the_raw_test_rows(spark, shop):
    made, tracker, table = shop
    found = metrics_on_test(spark, made, tracker, table, "2")
    raw = pd.read_parquet(table.samples_path("test"))
    predicted = load_predictor(tracker.package("2")).predict(raw)["predicted_cltv"]
    expected = evaluate(raw["label"], predicted, table.schema.label)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_a_champion_of_dropped_columns_keeps_its_place_until_another_is_forced(
    spark, shop, tmp_path
):
    made, tracker, table = shop
    feature = CategoricalFeature(name="colour", vocabulary=["red"])
    schema = table.schema.model_copy(update={"categorical": [feature]})
    old = register(tracker, write_package(schema, tmp_path / "other"))
    with pytest.raises(ModelError, match=rf"{old} cannot be compared \(it reads colour, which"):
        promote(spark, made, tracker, table, old)

    assert promote_by_force(tracker, old).promoted and tracker.resolve(CHAMPION) == old
    decision = promote(spark, made, tracker, table, "1")
    assert not decision.promoted and tracker.resolve(CHAMPION) == old
    assert f"champion version {old} cannot be compared (it reads colour" in decision.reason
    assert "jobs/promote.py --version 1 --force" in decision.reason
    assert tags(tracker, "1")["promotion_reason"] == decision.reason

    forced = promote_by_force(tracker, "1")
    assert forced.promoted and tracker.resolve(CHAMPION) == "1"
    assert tags(tracker, "1")["promotion_reason"] == forced.reason
    assert forced.reason == f"promoted by --force, instead of version {old}"
    assert promote_by_force(tracker, "1").reason == "version 1 is champion already"


@pytest.mark.slow
def test_a_champion_whose_package_is_damaged_is_no_error(spark, shop):
    made, tracker, table = shop
    tracker.set_alias(CHAMPION, "3")
    weights = tracker.package("3").path / "model.weights.h5"
    weights.write_bytes(b"")
    decision = promote(spark, made, tracker, table, "1")
    assert not decision.promoted and "champion version 3 cannot be compared" in decision.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sections", "named"), [({"split": {"seed": 7}}, "split.seed"), ({}, "source.horizon_days")]
)
def test_a_champion_of_another_split_or_label_is_not_compared(
    spark, shop, tmp_path, sections, named
):
    made, tracker, table = shop
    other = made.model_dump(mode="json") | sections
    if not sections:
        other["dataset"]["source"]["horizon_days"] = 60
    package = write_package(table.schema, tmp_path / "other")
    old = register(tracker, package, **identity(config_from(other)))
    new = register(tracker, package, **identity(made))
    tracker.set_alias(CHAMPION, old)
    decision = promote(spark, made, tracker, table, new)
    assert not decision.promoted and tracker.resolve(CHAMPION) == old
    assert f"{old} cannot be compared (since it was trained, {named} changed)" in decision.reason
    tracker.set_alias(CHAMPION, "1")  # which does not say what it was trained on
    assert "of champion version 1 on the same rows" in (
        promote(spark, made, tracker, table, new).reason
    )


def test_a_column_of_another_kind_is_misread(shop):
    made, _, table = shop
    features = made.dataset.features
    assert misread(table.schema, features) == []
    numeric = dict(features.numeric) | {"weekday": NumericConfig()}
    moved = FeaturesConfig(categorical=["segment"], numeric=numeric)
    assert misread(table.schema, moved) == ["weekday"]


def tags(tracker, version):
    return tracker.client.get_model_version(tracker.model_name, version).tags
