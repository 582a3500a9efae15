import pandas as pd
import pytest
from registered import register, write_package
from shop import config, transactions

from optdist.config import Gate, Promotion
from optdist.errors import DataError
from optdist.metrics import evaluate
from optdist.package import load_predictor
from optdist.schema import CategoricalFeature
from optdist.tracking import CHALLENGER, CHAMPION, Tracker
from pipelines.features import build_features
from pipelines.promotion import decide, metrics_on_test, promote

RULE = Promotion(gates={"normalized_gini": Gate(min=0.2), "total_ratio": Gate(min=0.5, max=2.0)})
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
    transactions(300).to_csv(folder / "sales.csv", index=False)
    rule = {"gates": {"total_ratio": {"min": 0.0, "max": 1e6}}, "min_improvement": -2.0}
    made = config(folder / "root", folder / "sales.csv", promotion=rule)
    table, tracker = build_features(spark, made), Tracker(made)
    for seed in (1, 2, 3):
        register(tracker, write_package(table.schema, folder / str(seed), seed))
    return made, tracker, table


@pytest.mark.slow
def test_versions_pass_through_challenger_to_champion_and_carry_the_reason(spark, shop):
    made, tracker, table = shop
    first = promote(spark, made, tracker, table, "1")
    assert first.promoted and tracker.resolve(CHAMPION) == tracker.resolve(CHALLENGER) == "1"

    strict = made.model_copy(update={"promotion": Promotion(min_improvement=2.0)})
    second = promote(spark, strict, tracker, table, "2")
    assert not second.promoted
    assert (tracker.resolve(CHALLENGER), tracker.resolve(CHAMPION)) == ("2", "1")

    third = promote(spark, made, tracker, table, "3")  # a margin of -2 lets everyone through
    assert third.promoted and tracker.resolve(CHAMPION) == "3"
    for version, decision in [("1", first), ("2", second), ("3", third)]:
        tags = tracker.client.get_model_version(tracker.model_name, version).tags
        assert tags["promotion_reason"] == decision.reason
        assert tags["promotion_data_fingerprint"] == table.manifest["fingerprint"]

    again = promote(spark, made, tracker, table, "3")
    assert again.reason == "version 3 is champion already"
    tags = tracker.client.get_model_version(tracker.model_name, "3").tags
    assert tags["promotion_reason"] == third.reason


@pytest.mark.slow
def test_the_metrics_are_those_of_the_raw_test_rows(spark, shop):
    made, tracker, table = shop
    found = metrics_on_test(spark, made, tracker, table, "2")
    raw = pd.read_parquet(table.samples_path("test"))
    predicted = load_predictor(tracker.package("2")).predict(raw)["predicted_cltv"]
    expected = evaluate(raw["label"], predicted, table.schema.label)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_a_champion_that_needs_another_column_is_an_error_that_names_it(spark, shop, tmp_path):
    made, tracker, table = shop
    feature = CategoricalFeature(name="colour", vocabulary=["red"])
    schema = table.schema.model_copy(update={"categorical": [feature]})
    version = register(tracker, write_package(schema, tmp_path / "other"))
    with pytest.raises(DataError, match=rf"Version {version} needs .* lack: colour\."):
        metrics_on_test(spark, made, tracker, table, version)
