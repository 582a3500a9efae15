import os
import subprocess
import sys

import pytest

import optdist

# an environment where TensorFlow is not installed
WITHOUT_TENSORFLOW = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import optdist
optdist.load_config, optdist.FeaturesConfig
try:
    optdist.OptDist
except ImportError as error:
    print(error)
"""


def python(code, folder):
    environment = os.environ | {"KERAS_BACKEND": "tensorflow"}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_dir_lists_every_public_name_and_each_can_be_imported():
    assert {*dir(optdist)} == {*optdist.__all__, "__version__"}
    for name in optdist.__all__:
        assert getattr(optdist, name) is not None


def test_a_name_that_is_not_there_lists_those_that_are():
    message = r"optdist has no attribute OptDits\. Available: .*OptDist"
    with pytest.raises(AttributeError, match=message):
        optdist.OptDits  # noqa: B018


@pytest.mark.slow
def test_mypy_knows_every_public_name(tmp_path):
    snippet = tmp_path / "snippet.py"
    lines = [f"reveal_type(optdist.{name})" for name in optdist.__all__]
    snippet.write_text("\n".join(["import optdist", *lines]) + "\n")
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", "--ignore-missing-imports"]
    result = subprocess.run(
        [*command, "--cache-dir", str(tmp_path / "cache"), str(snippet)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    types = [line.partition("Revealed type is ")[2] for line in result.stdout.splitlines()]
    types = dict(zip(optdist.__all__, types, strict=False))
    assert result.returncode == 0, result.stdout
    assert not [name for name, text in types.items() if text.strip('"') in ("Any", "")], types
    assert "-> optdist.models.optdist.OptDist" in types["OptDist"]
    assert "-> optdist.data.schema.FeatureSchema" in types["fit_schema"]


def test_importing_the_library_starts_neither_tensorflow_nor_spark(tmp_path):
    code = "import optdist, sys; print({'tensorflow', 'pyspark', 'mlflow'} & {*sys.modules})"
    assert python(code, tmp_path).stdout == "set()\n"


def test_without_tensorflow_a_name_that_needs_it_says_what_to_install(tmp_path):
    result = python(WITHOUT_TENSORFLOW, tmp_path)
    assert result.returncode == 0, result.stderr
    assert "optdist.OptDist needs TensorFlow: pip install 'optdist[cpu]'" in result.stdout
