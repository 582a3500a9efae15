import pytest
from registered import write_package
from table import FEATURES, frame

from optdist.config import load_config
from optdist.data.fitting import fit_schema
from optdist.errors import ModelError
from optdist.serving.package import Package
from pipelines.registry.compatibility import ineffective_settings


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    schema = fit_schema(frame(500), FEATURES, "label")
    return write_package(schema, tmp_path_factory.mktemp("package"), inference="hard")


@pytest.mark.parametrize(
    ("overrides", "ignored"),
    [
        ([], []),  # the configuration's soft is no one's wish
        (["model.inference=hard"], []),
        (["model.inference=top2"], ["model.inference"]),
        (["model.inference=hard", "model.interval=0.8"], ["model.interval"]),
        (["model.name=mdme", "model.buckets=7"], ["model.name", "model.buckets"]),
        (["training.epochs=3", "scoring.batch_rows=50"], ["training.epochs"]),
    ],
)
def test_what_a_trained_version_does_not_take_on_is_named(package, overrides, ignored):
    assert (
        ineffective_settings(overrides, load_config(overrides=overrides).model, package) == ignored
    )


def test_a_folder_without_settings_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ModelError, match="not a readable model package"):
        ineffective_settings([], load_config().model, Package(tmp_path))
