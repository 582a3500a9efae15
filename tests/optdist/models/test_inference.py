import pytest

from optdist.config import ModelConfig
from optdist.models import MODELS
from optdist.models.base import inference_of


@pytest.mark.parametrize(
    ("name", "configured", "expected"),
    [
        ("optdist", "hard", "hard"),  # Eq. 18
        ("optdist", "top2", "top2"),
        ("mdme", "soft", "soft"),
        ("mdme", "hard", "hard"),
        ("mdme", "top2", "soft"),  # a rule that it lacks
        ("ziln", "soft", "mean"),
    ],
)
def test_a_model_predicts_by_the_configured_rule_or_by_its_own(name, configured, expected):
    assert inference_of(MODELS[name], ModelConfig(name=name, inference=configured)) == expected
