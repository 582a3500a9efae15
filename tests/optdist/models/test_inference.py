import pytest
from pydantic import ValidationError

from optdist.config import model_section
from optdist.models import MODELS


@pytest.mark.parametrize(
    ("name", "configured", "expected"),
    [
        ("optdist", "hard", "hard"),  # Eq. 18
        ("optdist", "top2", "top2"),
        ("mdme", "soft", "soft"),
        ("mdme", "hard", "hard"),
        ("mdme", None, "soft"),
        ("ziln", None, "mean"),
    ],
)
def test_a_model_predicts_by_the_configured_rule_or_by_its_own(name, configured, expected):
    rule = {"inference": configured} if configured else {}
    assert model_section({"name": name} | rule).rule == expected
    assert expected in MODELS[name].inferences


@pytest.mark.parametrize(("name", "rule"), [("mdme", "top2"), ("ziln", "soft"), ("optdist", "x")])
def test_a_rule_that_the_model_lacks_is_refused(name, rule):
    with pytest.raises(ValidationError, match="inference"):
        model_section({"name": name, "inference": rule})
