import re

import pytest
import yaml

from optdist.config import config_from, fingerprint, load_config
from optdist.errors import ConfigError


def test_the_default_configuration_is_whole():
    config = load_config()
    assert config.dataset.name == "complete_journey"
    assert config.training.ranks == 2
    assert config.model.num_sdns == 4


def test_overrides_win_over_files():
    config = load_config(overrides=["model.num_sdns=6", "model.sdn=[8,4]"])
    assert config.model.num_sdns == 6
    assert config.model.sdn == [8, 4]


def test_every_problem_is_in_one_error_by_name():
    with pytest.raises(ConfigError) as error:
        load_config(overrides=["model.temperature=-1", "training.epoch=3", "dataset.id=null"])
    text = str(error.value)
    assert "model.temperature: Input should be greater than 0. Received: -1" in text
    assert "training.epoch is not a setting. Did you mean training.epochs?" in text
    assert "dataset.id" in text


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("modle.num_sdns", "model"),
        ("epochs", "training.epochs"),
        ("dataset.sourc.kind", "dataset.source"),
        ("dataset.source.tables.main.fromat", "dataset.source.tables.main.format"),
        ("dataset.features.numeric.basket.log", "dataset.features.numeric.basket.log1p"),
    ],
)
def test_a_misspelt_key_suggests_the_nearest_name(key, meant):
    with pytest.raises(ConfigError, match=rf"is not a setting\. Did you mean {meant}\?"):
        load_config(overrides=[f"{key}=3"])


def test_a_key_that_is_like_no_other_suggests_none():
    with pytest.raises(ConfigError, match=r"- zzz is not a setting\.$"):
        load_config(overrides=["zzz=3"])


def test_a_misspelt_key_of_a_data_sets_file_suggests_the_nearest_name(tmp_path):
    path = tmp_path / "own.yaml"
    own = {key: value for key, value in TABLE.items() if key != "split_key"}
    path.write_text(yaml.safe_dump(own | {"splitkey": ["user"]}))
    with pytest.raises(
        ConfigError, match=r"splitkey is not a .* Did you mean dataset\.split_key\?"
    ):
        load_config(path)


def test_a_secret_is_used_but_never_written(monkeypatch):
    monkeypatch.setenv("OPTDIST_TEST_SECRET", "hunter2")
    config = load_config(overrides=["spark.spark.some.key=${env:OPTDIST_TEST_SECRET}"])
    assert "hunter2" not in str(config.written)
    assert "${env:OPTDIST_TEST_SECRET}" in str(config.written)
    monkeypatch.setenv("OPTDIST_TEST_SECRET", "other")
    again = load_config(overrides=["spark.spark.some.key=${env:OPTDIST_TEST_SECRET}"])
    assert fingerprint(again.written) == fingerprint(config.written)


def test_a_wrong_secret_is_not_shown_in_the_error(monkeypatch):
    monkeypatch.setenv("OPTDIST_TEST_SECRET", "hunter2")
    with pytest.raises(ConfigError) as error:
        load_config(overrides=["training.epochs=${env:OPTDIST_TEST_SECRET}"])
    assert "hunter2" not in str(error.value)


def test_a_secret_that_a_check_would_quote_is_not_shown_either(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTDIST_TEST_SECRET", "hunter2")
    made = tmp_path / "made.yaml"
    made.write_text(
        "{name: made, id: [user], split_key: [user], features: {numeric: [age]}, source: {"
        "kind: samples, label: y, tables: {main: {path: x.csv}},"
        "joins: [{table: '${env:OPTDIST_TEST_SECRET}', by: [user]}]}}"
    )
    with pytest.raises(ConfigError) as error:
        load_config(made)
    assert "not in tables: ${env:OPTDIST_TEST_SECRET}" in str(error.value)
    assert "hunter2" not in str(error.value)


def test_an_unset_variable_is_named():
    with pytest.raises(ConfigError, match="OPTDIST_UNSET"):
        load_config(overrides=["paths.root=${env:OPTDIST_UNSET}"])


def test_an_unknown_data_set_lists_those_found():
    with pytest.raises(ConfigError, match="Found there: complete_journey"):
        load_config("no_such_data_set")


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("model.name=optdits", "`model.name` must be one of optdist, ziln"),
        ("model.representation=autodis", "model.representation: String should match pattern"),
        ("model.sigma_min=3", "sigma_min must be below sigma_max"),
        ("promotion.gates.gini.min=0.2", "promotion.gates.gini"),
        ("dataset.features.categorical=[label]", "the pipeline's own: label"),
        ("dataset.id=[]", "dataset.id: List should have at least 1 item"),
        ("dataset.source.tables=null", "dataset.source.tables"),
        ("tracking.model_name=../shop", "tracking.model_name: .*a slash or backslash"),
        ("tracking.model_name=..", "tracking.model_name: .*must not be empty"),
        ("split={train: 0.8, validation: 0, test: 0.2}", "must each be more than 0"),
        ("promotion.gates.mae={min: 2, max: 1}", "min 2.0 is above max 1.0"),
        ("scoring.quantiles=[0.0501]", "at most one decimal of a percent"),
        ("scoring.quantiles=[0.5, 0.5]", "quantiles must differ"),
        ("scoring.quantiles=[]", "at least 1 item"),
        ("model.sdn=[64", "cannot be merged"),
        ("training.nics=[eth0]", r"training\.nics is now horovod\.nics: move it there"),
        ("training.start_timeout_seconds=9", r"is now horovod\.start_timeout_seconds"),
        ("training.ranks=50", r"training.ranks \(50\) is more than build.min_row_groups"),
    ],
)
def test_what_would_fail_only_after_hours_is_refused_at_the_start(override, problem):
    with pytest.raises(ConfigError, match=problem):
        load_config(overrides=[override])


TABLE = {
    "name": "own",
    "id": ["user"],
    "split_key": ["user"],
    "source": {"kind": "samples", "tables": {"main": {"path": "x.csv"}}, "label": "spend"},
    "features": {"categorical": ["country"]},
}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"features": {"numeric": ["spend"]}}, "the label, spend, cannot be a feature too"),
        (
            {"source": TABLE["source"] | {"label_floor": 0}},
            "source: kind: samples does not read label_floor",
        ),
        ({"source": TABLE["source"] | {"horizon_days": 9}}, "does not read horizon_days"),
        ({"source": TABLE["source"] | {"tables": {}}}, "at least 1 item"),
    ],
)
def test_a_description_that_contradicts_itself_is_refused(tmp_path, changes, problem):
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(TABLE))
    load_config(path)
    path.write_text(yaml.safe_dump(TABLE | changes))
    with pytest.raises(ConfigError, match=problem):
        load_config(path)


def test_two_histories_may_not_make_one_column():
    one = {"key": ["household_id"], "windows": {"28d": 28}, "features": {"spend": "count(*)"}}
    history = yaml.safe_dump([one, one], default_flow_style=True).strip()
    with pytest.raises(ConfigError, match="same column: spend_28d"):
        load_config(overrides=[f"dataset.source.history={history}"])


@pytest.mark.parametrize(
    "override",
    ["training.stop_metric=nll", "promotion.metric=nll", "promotion.gates.coverage.min=0.85"],
)
def test_a_model_without_a_distribution_has_no_metric_of_distributions(override):
    setting = re.match(r"\w+\.\w+", override)[0]
    problem = f"mdan does not predict a distribution: {setting} cannot use "
    with pytest.raises(ConfigError, match=problem):
        load_config(overrides=["model.name=mdan", override])
    assert load_config(overrides=[override]).model.name == "optdist"


@pytest.mark.parametrize(
    "override", ["training.stop_metric=coverage", "promotion.metric=total_ratio"]
)
def test_a_metric_without_a_better_side_chooses_nothing(override):
    with pytest.raises(ConfigError, match="must be one of mae, normalized_gini"):
        load_config(overrides=[override])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("label=sales_value", "kind: transactions does not read label"),
        ("label=sales_value", "its label is the sum of `amount`.* is kind: samples"),
        ("kind=shop", "kind` must be one of samples, transactions or `package.module:Class`"),
        ("first_purchase=null", "kind: transactions needs either first_purchase or snapshots"),
        ("horizon_days=0", r"dataset.source.horizon_days: Input should be greater than 0.*: 0"),
    ],
)
def test_a_setting_that_its_kind_of_source_does_not_read_is_refused(setting, message):
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=[f"dataset.source.{setting}"])


def test_a_configuration_of_an_earlier_version_with_every_setting_written_out_is_read():
    written = load_config().printable()
    written["dataset"]["source"] |= {"label": None, "snapshots": None}
    assert config_from(written).dataset == load_config().dataset
