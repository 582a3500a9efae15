import pytest

from optdist.config import ZilnConfig, load_config
from optdist.config.model_choice import readers
from optdist.config.models import SECTIONS, ModelConfig
from optdist.errors import ConfigError


def problems(*overrides, dataset="complete_journey"):
    with pytest.raises(ConfigError) as error:
        load_config(dataset, overrides=overrides)
    return str(error.value)


def test_a_setting_that_the_model_does_not_read_is_refused_and_its_readers_are_named():
    text = problems("model.name=ziln", "model.temperature=0.5", "model.tower=3")
    assert "model.temperature: ziln does not read this setting; it is one of optdist" in text
    assert "model.tower: Input should be a valid list" in text  # both in one error


def test_a_setting_that_no_model_reads_is_an_unknown_one():
    assert "model.temprature is not a setting. Did you mean model.temperature" in problems(
        "model.temprature=1"
    )


def test_a_subsection_of_an_older_version_is_an_error_that_says_what_to_write():
    text = problems("model.two_stage.rows=all")
    assert "two_stage is no longer a subsection of model" in text
    assert "Set model.name to two_stage, and write model.rows" in text


def test_each_model_takes_its_own_settings_from_model_defaults():
    sizes = ["model_defaults.tower=[8]", "model_defaults.sdn=[9]", "model_defaults.num_sdns=2"]
    ziln = load_config(overrides=["model.name=ziln", *sizes]).model
    optdist = load_config(overrides=sizes).model
    assert ziln == ZilnConfig(tower=[8], cross_layers=1)  # the data set's own
    assert (optdist.sdn, optdist.num_sdns) == ([9], 2)
    assert load_config(overrides=[*sizes, "model.num_sdns=3"]).model.num_sdns == 3


def test_a_name_that_no_model_reads_is_refused_in_model_defaults_too():
    assert "no model reads twoer" in problems("model_defaults.twoer=[8]")
    assert "choose the model by model.name" in problems("model_defaults.name=ziln")


def test_a_wrong_model_next_to_model_defaults_is_one_clear_error():
    text = problems("model_defaults.tower=[8]", "model.num_sdns=0")
    assert "model.num_sdns: Input should be greater than 0" in text


def test_a_model_that_cannot_be_imported_is_an_error_that_says_what_to_do():
    text = problems("model.name=nowhere.at_all:Model")
    assert "No module named 'nowhere'" in text and "PYTHONPATH" in text


def test_a_class_without_a_section_is_no_model():
    assert "which is not a model: it needs" in problems("model.name=collections:Counter")


def test_a_printed_configuration_names_its_model():
    config = load_config(overrides=["model.name=ziln"])
    assert config.printable(defaults=False)["model"] == {"name": "ziln", "cross_layers": 1}


@pytest.mark.parametrize("name", SECTIONS)
def test_every_setting_of_a_model_describes_itself(name):
    for field in SECTIONS[name].model_fields.values():
        assert field.description


def test_settings_that_all_models_share_have_all_models_as_readers():
    assert readers("embedding_dim") == list(SECTIONS)
    assert set(readers("tower")) == {"ziln", "two_stage", "mtl_mse", "mdan"}
    assert ModelConfig.inferences() == ("mean",)
