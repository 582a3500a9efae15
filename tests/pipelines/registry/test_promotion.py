import numpy as np
import pandas as pd
import pytest
from registered import built_shop, register, write_package

from optdist.config import FeaturesConfig, LimitsConfig, NumericConfig, PromotionConfig, config_from
from optdist.config.identity import identity
from optdist.config.metrics import METRICS
from optdist.data.schema import CategoricalFeature
from optdist.errors import ModelError
from optdist.evaluation.metrics import evaluate, evaluate_distribution
from optdist.serving.predictor import load_predictor
from optdist.tracking import CHALLENGER, CHAMPION, OUT_OF_TIME_FROM
from pipelines.registry.compatibility import unusable_features
from pipelines.registry.promotion import Arena, find_seen_dates, promote, promote_by_force
from pipelines.registry.rule import (
    beat_champion,
    dump_gates,
    gate_statistics,
    load_gates,
    pass_gates,
    stop_open_alarms,
)

RULE = PromotionConfig(
    gates={"normalized_gini": LimitsConfig(min=0.2), "total_ratio": LimitsConfig(min=0.5, max=2.0)}
)
GOOD = {"normalized_gini": 0.5, "total_ratio": 1.0, "mae": 3.0}


def against(rule, new, old, noise=0.0):
    """The decision where the gain on each of 100 resamples is the one on the rows, plus noise."""
    gain = METRICS[rule.metric].sign * (new[rule.metric] - old[rule.metric])
    return beat_champion(rule, new, old, gain + noise * np.linspace(-1, 1, 100), "1")


def test_the_first_version_needs_the_gates_alone():
    assert pass_gates(RULE, GOOD).promoted


@pytest.mark.parametrize(
    "change", [{"normalized_gini": 0.1}, {"total_ratio": 2.1}, {"total_ratio": float("nan")}]
)
def test_a_version_outside_a_gate_is_not_promoted_and_the_reason_names_it(change):
    decision = pass_gates(RULE, GOOD | change)
    assert not decision.promoted
    assert next(iter(change)) in decision.reason


def test_the_reason_has_every_gate_that_failed_with_both_numbers():
    decision = pass_gates(RULE, {"normalized_gini": 0.1, "total_ratio": 2.125})
    assert decision.reason == (
        "not promoted: Norm-GINI is 0.1; promotion.gates.normalized_gini requires at least 0.2; "
        "total ratio is 2.125; promotion.gates.total_ratio requires between 0.5 and 2"
    )


@pytest.mark.parametrize("name", METRICS)
def test_a_gate_on_any_metric_of_the_registry_stops_a_promotion(name):
    rule = PromotionConfig(gates={name: LimitsConfig(max=0.7)})
    assert pass_gates(rule, {name: 0.7}).promoted
    assert not pass_gates(rule, {name: 0.71}).promoted
    assert f"{METRICS[name].title} was not measured" in pass_gates(rule, {}).reason


def test_too_few_rows_or_positives_decide_nothing():
    rule = PromotionConfig(min_rows=100, min_positives=30)
    label = np.concatenate([np.ones(30), np.zeros(70)])
    assert pass_gates(rule, gate_statistics(label, GOOD, {})).promoted
    assert pass_gates(rule, gate_statistics(label[1:], GOOD, {})).reason == (
        "not promoted: number of rows of test is 99; promotion.min_rows requires at least 100; "
        "number of positives of test is 29; promotion.min_positives requires at least 30"
    )


def test_a_gate_on_the_newest_dates_reads_their_metrics_and_not_those_of_the_test_rows():
    limits = {"normalized_gini": LimitsConfig(min=0.4)}
    rule = PromotionConfig(gates=limits, out_of_time_gates=limits)
    label = np.ones(3)
    decision = pass_gates(rule, gate_statistics(label, GOOD, {"normalized_gini": 0.3}))
    assert decision.reason == (
        "not promoted: out-of-time Norm-GINI is 0.3; "
        "promotion.out_of_time_gates.normalized_gini requires at least 0.4"
    )
    assert [(gate.title, gate.passed) for gate in decision.gates] == [
        ("Norm-GINI", True),
        ("out-of-time Norm-GINI", False),
    ]
    assert load_gates(dump_gates(decision.gates)) == decision.gates
    assert "was not measured" in pass_gates(rule, gate_statistics(label, GOOD, {})).reason


def test_an_open_alarm_stops_a_promotion_unless_the_rule_allows_it():
    stopped = stop_open_alarms(RULE, ["amounts"], "--force")
    assert not stopped.promoted and "failed amounts and was accepted" in stopped.reason
    assert stop_open_alarms(RULE, [], "--force") is None
    allowed = RULE.model_copy(update={"allow_open_alarms": True})
    assert stop_open_alarms(allowed, ["amounts"], "--force") is None


@pytest.mark.parametrize(
    ("before", "why"),
    [("2024-05-01", None), ("2024-05-02", "know labels until"), (None, "without split.by: time")],
)
def test_a_version_that_may_have_seen_the_newest_dates_is_not_compared_on_them(before, why):
    tags = {OUT_OF_TIME_FROM: before} if before else {}
    obstacle = find_seen_dates(tags, "2024-05-01")
    assert obstacle is None if why is None else why in obstacle


def test_a_challenger_must_beat_the_champion_by_more_than_the_margin():
    rule = RULE.model_copy(update={"min_improvement": 0.01})
    assert against(rule, GOOD | {"normalized_gini": 0.52}, GOOD).promoted
    assert not against(rule, GOOD | {"normalized_gini": 0.505}, GOOD).promoted
    assert not against(RULE, GOOD, GOOD).promoted  # a tie keeps the champion


def test_a_smaller_error_is_better():
    rule = RULE.model_copy(update={"metric": "mae"})
    assert against(rule, GOOD | {"mae": 2.9}, GOOD).promoted
    assert not against(rule, GOOD | {"mae": 3.1}, GOOD).promoted


def test_a_gain_that_most_resamples_do_not_confirm_keeps_the_champion():
    new = GOOD | {"normalized_gini": 0.51}
    assert against(RULE, new, GOOD, noise=0.012).promoted  # above 0 in 92%
    doubtful = against(RULE, new, GOOD, noise=0.015)  # in 83%
    assert doubtful.reason == (
        "not promoted: Norm-GINI 0.5100 against 0.5000 of champion version 1 on the same rows; "
        "gain +0.0100, above 0 in 83.0% of the resamples; promotion.confidence requires 90%"
    )
    certain = RULE.model_copy(update={"confidence": 0.8})
    assert against(certain, new, GOOD, noise=0.015).promoted


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
@pytest.mark.parametrize("distribution", [False, True])
def test_the_metrics_are_those_of_the_raw_test_rows(spark, shop, distribution):
    made, tracker, table = shop
    gates = {"nll": LimitsConfig(max=9.0)} if distribution else {}
    rule = PromotionConfig(gates=gates)
    found = Arena.of(spark, made, table).score(tracker, "2", rule).metrics(table.schema.label)
    raw = pd.read_parquet(table.samples_path("test"))
    predictor = load_predictor(tracker.package("2"))
    predicted = predictor.predict(raw, (0.5,))
    expected = evaluate(raw["label"], predicted["predicted_cltv"], table.schema.label)
    if distribution:
        rows = predicted | {"nll": predictor.nll(raw, raw["label"])}
        expected |= evaluate_distribution(raw["label"], rows)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "limits"), [("coverage", {"min": 1.01}), ("nll", {"max": -9.0})])
def test_a_gate_on_coverage_or_likelihood_stops_a_promotion(spark, shop, name, limits):
    made, tracker, table = shop
    rule = PromotionConfig(gates={name: LimitsConfig(**limits)}, min_improvement=-2.0)
    strict = made.model_copy(update={"promotion": rule})
    tracker.set_alias(CHAMPION, "1")
    decision = promote(spark, strict, tracker, table, "2")
    assert not decision.promoted and tracker.resolve(CHAMPION) == "1"
    assert f"{METRICS[name].title} is " in decision.reason
    open_gate = rule.model_copy(update={"gates": {name: LimitsConfig(min=-99, max=99)}})
    relaxed = made.model_copy(update={"promotion": open_gate})
    assert promote(spark, relaxed, tracker, table, "2").promoted
    tracker.set_alias(CHAMPION, "3")


@pytest.mark.slow
def test_versions_are_compared_by_likelihood_too(spark, shop):
    made, tracker, table = shop
    by_nll = made.model_copy(update={"promotion": PromotionConfig(metric="nll")})
    tracker.set_alias(CHAMPION, "1")
    reason = promote(spark, by_nll, tracker, table, "2").reason
    assert "NLL" in reason and "of champion version 1 on the same rows; gain" in reason
    tracker.set_alias(CHAMPION, "3")


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
def test_a_version_that_knows_few_of_the_test_rows_categories_is_named(
    spark, shop, tmp_path, capsys
):
    made, tracker, table = shop
    features = [
        CategoricalFeature(name=f.name, vocabulary=["x"], unknown_share=0.0)
        if f.name == "segment"
        else f
        for f in table.schema.categorical
    ]
    schema = table.schema.model_copy(update={"categorical": features})
    version = register(tracker, write_package(schema, tmp_path / "few"))
    promote(spark, made, tracker, table, version)
    printed = capsys.readouterr().err
    assert f"categories of segment are unknown to version {version} (0.0% in training)" in printed
    assert f"scoring such rows with version {version} stops" in printed


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
    assert unusable_features(table.schema, features) == []
    numeric = dict(features.numeric) | {"weekday": NumericConfig()}
    moved = FeaturesConfig(categorical=["segment"], numeric=numeric)
    assert unusable_features(table.schema, moved) == ["weekday"]


def tags(tracker, version):
    return tracker.client.get_model_version(tracker.model_name, version).tags
