import pytest

from optdist.config import conf_folder, load_config
from optdist.config.models import SECTIONS

NAMES = sorted(path.stem for path in (conf_folder() / "datasets").glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_data_set_in_conf_loads(name):
    dataset = load_config(name).dataset
    assert dataset.name == name
    assert dataset.description


@pytest.mark.parametrize("name", NAMES)
def test_a_head_says_what_the_data_and_a_sample_are(name):
    text = (conf_folder() / "datasets" / f"{name}.yaml").read_text()
    head = " ".join(line for line in text.partition("\nname:")[0].splitlines())
    assert head.startswith("#")
    assert "sample" in head.lower()


def test_no_feature_of_criteo_is_known_only_after_the_sale():
    dataset = load_config("criteo_ssc").dataset
    used = {*dataset.features.categorical, *dataset.features.numeric}
    made_of = {name: sql for name, sql in dataset.source.columns.items() if name in used}
    assert "content" not in used and "copy" not in used  # the ids are made of every column
    assert used == set(made_of)
    raw = " ".join([*made_of.values(), dataset.source.columns["clicked_at"]])
    assert not {"_c0", "_c1", "_c2", "_c5"} & {word.strip("(),") for word in raw.split()}


@pytest.mark.parametrize(
    ("name", "tower", "sdn", "sdns", "embedding", "batch"),
    [
        ("kaggle_avs", [64, 64, 64], [64, 32, 32], 4, 5, 2048),
        ("criteo_ssc", [512, 256, 64], [256, 128, 64], 4, 5, 2048),
        ("industrial", [512, 256, 128], [256, 128, 64], 5, 12, 512),
    ],
)
def test_the_papers_data_sets_have_the_papers_sizes(name, tower, sdn, sdns, embedding, batch):
    config = load_config(name)
    baseline = load_config(name, overrides=["model.name=ziln"])
    assert (baseline.model.tower, config.model.sdn) == (tower, sdn)
    assert (config.model.num_sdns, config.model.embedding_dim) == (sdns, embedding)
    assert config.training.batch_size == batch


@pytest.mark.parametrize("model", SECTIONS)
@pytest.mark.parametrize("name", NAMES)
def test_every_model_can_be_chosen_for_every_data_set(name, model):
    assert load_config(name, overrides=[f"model.name={model}"]).model.name == model
