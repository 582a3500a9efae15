import pytest

from optdist.config import LimitsConfig
from optdist.errors import CheckError, DataError
from pipelines.checks import Within, enforce, failures, within

STATISTICS = {"rows": 2999, "share": 0.31, "mean": float("nan")}


def test_one_error_has_every_check_that_failed_with_both_numbers():
    checks = [
        (Within("rows", "number of rows"), LimitsConfig(min=3000, max=3000)),
        (Within("share", setting="scoring.max_share"), LimitsConfig(max=0.3)),
        (Within("share"), LimitsConfig(min=0.3)),
    ]
    with pytest.raises(CheckError) as error:
        enforce(STATISTICS, checks, "Nothing was published.")
    assert isinstance(error.value, DataError)
    assert str(error.value) == (
        "number of rows is 2,999; the check requires exactly 3,000; "
        "share is 0.31; scoring.max_share requires at most 0.3. Nothing was published."
    )
    assert len(error.value.reasons) == 2


def test_a_value_that_is_missing_or_not_a_number_fails():
    assert failures(STATISTICS, [(Within("mean"), LimitsConfig())]) == [
        "mean is nan; the check requires any number"
    ]
    assert failures({}, [(Within("mean"), LimitsConfig(max=1))]) == [
        "mean was not measured; the check requires at most 1"
    ]


def test_limits_of_a_configuration_are_checks_by_the_names_of_statistics():
    limits = {"share": LimitsConfig(max=0.3), "rows": LimitsConfig(min=1)}
    assert failures(STATISTICS, within(limits, "scoring.checks")) == [
        "share is 0.31; scoring.checks.share requires at most 0.3"
    ]


def test_a_function_is_a_check():
    def doubled(statistics, limits):
        growth = statistics["rows"] / statistics["rows_before"]
        return None if limits.contain(growth) else f"rows grew by {growth:g}, not {limits}"

    statistics = STATISTICS | {"rows_before": 1000}
    assert failures(statistics, [(doubled, LimitsConfig(max=2))]) == [
        "rows grew by 2.999, not at most 2"
    ]
