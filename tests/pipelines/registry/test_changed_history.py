from optdist.data.schema import FeatureSchema, LabelStatistics, NumericFeature
from pipelines.features.auto_blocks import write_history
from pipelines.registry.compatibility import changed_history

LABEL = LabelStatistics(
    count=2, positives=1, total=1, median=0, log_mean=0, log_std=1, log_min=0, log_max=0
)


def schema(learned=None):
    names = learned.numeric if learned else ["age"]
    numeric = [
        NumericFeature(name=name, log1p=True, mean=0, std=1, indicator=False) for name in names
    ]
    return FeatureSchema(categorical=[], numeric=numeric, label=LABEL, history=learned)


def test_features_of_one_name_made_of_other_categories_are_named():
    then, now = (
        schema(write_history(["id"], {"all": None}, "amount", categories={"c": texts}))
        for texts in (["A b", "tea"], ["a-b", "tea"])
    )
    assert changed_history(then, then) == []
    assert changed_history(then, now) == ["events_c_a_b_all", "amount_sum_c_a_b_all"]
    assert changed_history(schema(), now) == []
