import pytest

from optdist.config import Gate, Promotion
from optdist.errors import DataError
from pipelines.promotion import decide

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


def test_a_gate_of_an_unknown_metric_is_an_error():
    with pytest.raises(DataError, match=r"gates names auc"):
        decide(Promotion(gates={"auc": Gate(min=0.5)}), GOOD, None, None)
