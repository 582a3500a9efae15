import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from registered import write_package
from table import FEATURES, frame

from optdist.data.fitting import fit_schema
from optdist.errors import ModelError
from optdist.files import sha256_of
from optdist.models import OptDist
from optdist.serving.package import Package, load_model
from optdist.serving.predictor import load_predictor


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "package"
    return write_package(fit_schema(frame(500), FEATURES, "label"), folder, inference="top2")


@pytest.fixture
def copied(saved, tmp_path):
    return Package(shutil.copytree(saved, tmp_path / "copied"))


FILES = ["calibration.json", "model.json", "model.weights.h5", "schema.json"]


def test_a_package_says_what_it_holds_without_its_weights(copied):
    (copied.path / "model.weights.h5").unlink()
    assert (copied.model_class, copied.inference) == (OptDist, "top2")
    assert copied.settings.num_sdns == 3 and copied.calibrations == {}
    assert copied.schema.raw_columns == ["city", "spend"]


def test_the_settings_and_the_schema_are_read_without_tensorflow(saved):
    code = """
import sys
from pathlib import Path
from optdist.serving.package import Package
package = Package(Path(sys.argv[1]))
print(package.settings.name, len(package.schema.categorical), "tensorflow" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, saved.path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "optdist 1 False\n"


def test_each_file_has_its_checksum_and_no_other_file_is_written(saved):
    assert sorted(path.name for path in saved.path.iterdir()) == sorted([*FILES, "checksums.json"])
    assert sorted(json.loads((saved.path / "checksums.json").read_text())) == FILES


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_refused_and_the_message_names_the_file(copied, name):
    file = copied.path / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(
        ModelError, match=rf"readable model package: \S*/{name} is damaged"
    ) as error:
        load_model(copied)
    assert str(error.value).count("not a readable") == 1


def test_a_file_that_is_missing_is_named(copied):
    (copied.path / "schema.json").unlink()
    with pytest.raises(ModelError, match=r"readable model package: .*schema\.json"):
        load_predictor(copied)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"model.json": "0"}'])
def test_checksums_that_are_damaged_refuse_the_package(copied, text):
    (copied.path / "checksums.json").write_text(text)
    with pytest.raises(ModelError, match=r"not a readable model package: (?s:.)*"):
        load_model(copied)


def rewrite_sums(package):
    """Checksums that agree with the files as they are now."""
    sums = {name: sha256_of(package.path / name) for name in FILES}
    (package.path / "checksums.json").write_text(json.dumps(sums))


def test_a_whole_package_is_the_expected_one(saved):
    Package(saved.path, saved.digest).verify()
    load_predictor(Package(saved.path, saved.digest))


@pytest.mark.parametrize("use", [Package.verify, load_predictor])
def test_a_changed_package_whose_checksums_were_changed_too_is_not_the_expected_one(
    saved, copied, use
):
    settings = copied.path / "model.json"
    settings.write_text(settings.read_text().replace("top2", "hard"))
    rewrite_sums(copied)
    use(Package(copied.path))  # by its own checksums it is whole
    with pytest.raises(ModelError, match=rf"checksums\.json is another one: .* {saved.digest}"):
        use(Package(copied.path, saved.digest))
    (copied.path / "checksums.json").unlink()
    with pytest.raises(ModelError, match=r"checksums\.json is missing: the registry"):
        use(Package(copied.path, saved.digest))


def test_checksums_name_each_file_of_a_package(copied):
    (copied.path / "checksums.json").write_text('{"model.json": "0"}')
    with pytest.raises(ModelError, match=r"checksums\.json does not name model\.weights\.h5"):
        load_predictor(copied)


def test_a_file_that_the_checksums_name_must_be_there(copied):
    sums = json.loads((copied.path / "checksums.json").read_text()) | {"notes.json": "0"}
    (copied.path / "checksums.json").write_text(json.dumps(sums))
    with pytest.raises(ModelError, match=r"notes\.json"):
        copied.verify()


def test_a_file_that_no_package_has_is_named(copied):
    (copied.path / ".left-by-an-editor").write_text("")
    copied.verify()
    (copied.path / "model.pkl").write_text("")
    with pytest.raises(ModelError, match=r"it contains model\.pkl"):
        copied.verify()


def test_a_package_of_an_older_version_has_no_checksums_and_is_read(saved, copied):
    (copied.path / "checksums.json").unlink()
    rows = frame(50, seed=3)
    before, after = load_predictor(saved).predict(rows), load_predictor(copied).predict(rows)
    np.testing.assert_array_equal(before["predicted_cltv"], after["predicted_cltv"])


def test_a_package_is_found_below_a_logged_models_folder(saved, tmp_path):
    assert Package.find(tmp_path) is None
    folder = shutil.copytree(saved, tmp_path / "artifacts" / "package")
    assert Package.find(tmp_path) == Package(folder)
