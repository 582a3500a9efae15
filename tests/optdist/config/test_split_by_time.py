import pytest
from shop import config

from optdist.config import SplitConfig, config_from
from optdist.errors import ConfigError


def written(tmp_path, **source):
    made = config(tmp_path, tmp_path / "sales.csv").model_dump(mode="json", exclude_defaults=True)
    if source:
        tables = made["dataset"]["source"]["tables"]
        made["dataset"]["source"] = {
            "kind": "samples",
            "tables": tables,
            "label": "amount",
        } | source
    return made


def test_the_rule_reads_the_newest_dates_only_where_they_are_held_out(tmp_path):
    for rule in ({"split": "out_of_time"}, {"out_of_time_gates": {"mae": {"max": 9}}}):
        sections = written(tmp_path) | {"promotion": rule}
        with pytest.raises(ConfigError, match=r"out_of_time_gates need split\.by: time"):
            config_from(sections)
        assert config_from(sections | {"split": {"by": "time"}}).promotion.reads_out_of_time


@pytest.mark.parametrize(
    ("source", "split", "message"),
    [
        ({"where": "true"}, {}, r"set dataset\.source\.date to the column that has it"),
        ({"date": "day"}, {}, r"set split\.gap_days to the days after a sample's"),
        ({}, {"gap_days": 3}, r"split\.gap_days is for tables of samples"),
    ],
)
def test_a_source_without_days_or_without_a_window_is_refused_at_once(
    tmp_path, source, split, message
):
    with pytest.raises(ConfigError, match=message):
        config_from(written(tmp_path, **source) | {"split": {"by": "time"} | split})


def test_the_settings_of_time_decide_no_table_that_is_split_by_customer():
    assert SplitConfig(newest=0.3).content == SplitConfig().content
    assert SplitConfig(by="time", newest=0.3).content != SplitConfig(by="time").content
