import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from registered import register, write_package
from shop import config
from table import FEATURES, frame

from optdist.config import OptDistConfig, config_from
from optdist.data.feature_table import Manifest
from optdist.data.fitting import fit_schema
from optdist.errors import ModelError
from optdist.serving.predictor import load_predictor
from optdist.tracking import CHAMPION, Tracker
from optdist.tracking.logged_model import code_from_outside, synthetic_rows
from optdist.tracking.mlflow_globals import hide_credentials
from optdist.training import EpochRecord

SECRET = "swordfish-7"


def manifest(**counts):
    return Manifest(dataset="shop", fingerprint="abc", counts=counts, splits={})


@pytest.fixture(scope="module")
def schema():
    return fit_schema(frame(500), FEATURES, "label")


@pytest.fixture
def settings(tmp_path):
    return config(tmp_path / "root", tmp_path / "sales.csv")


@pytest.fixture(scope="module")
def logged(tmp_path_factory, schema):
    folder = tmp_path_factory.mktemp("logged")
    tracker = Tracker(config(folder / "root", folder / "sales.csv"))
    package = write_package(schema, folder / "package")
    return tracker, package, register(tracker, package)


def test_without_a_server_runs_are_in_sqlite_and_artifacts_under_the_root(settings):
    tracker = Tracker(settings)
    with tracker.run("first") as run:
        run.log_metrics({"mae": 2.5}, prefix="test_")
    assert tracker.describe()["tracking_uri"] == f"sqlite:///{settings.root}/mlflow.db"
    found = tracker.client.get_run(run.run_id)
    assert found.data.metrics == {"test_mae": 2.5}
    assert found.info.artifact_uri.startswith((settings.root / "mlartifacts").as_uri())
    assert Tracker(settings).experiment_id == tracker.experiment_id


def test_the_environment_variable_names_the_store(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    monkeypatch.chdir(tmp_path)
    with Tracker(settings).run("first") as run:
        run.log_table(manifest(train=7))
    assert (tmp_path / "other.db").exists()
    assert not (settings.root / "mlflow.db").exists()
    assert not (tmp_path / "mlruns").exists()


def test_a_second_tracker_does_not_inherit_the_store_of_the_first(settings, tmp_path):
    first, other = Tracker(settings), config(tmp_path / "other", tmp_path / "sales.csv")
    assert Tracker(other).uri == f"sqlite:///{tmp_path}/other/mlflow.db" != first.uri


def test_a_store_that_does_not_answer_is_one_error_that_says_where_to_set_it(settings, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/none/mlflow.db")
    with pytest.raises(ModelError, match="MLFLOW_TRACKING_URI"):
        Tracker(settings)


def test_an_error_in_a_run_marks_it_as_failed(settings):
    tracker = Tracker(settings)
    with pytest.raises(ValueError, match="broken"), tracker.run("first") as run:
        raise ValueError("broken")
    assert tracker.client.get_run(run.run_id).info.status == "FAILED"


def test_config_table_and_epochs_are_logged_and_a_secret_stays_as_it_was_written(
    settings, tmp_path
):
    def settled(password):
        sections = settings.model_dump(mode="json", exclude={"written"})
        tables = sections["dataset"]["source"]["tables"]
        tables["sales"]["options"] = {"password": password}
        sections["tracking"]["uri"] = f"sqlite:///{tmp_path}/{password}.db"
        return sections

    made = config_from(settled(SECRET), settled("${env:SHOP_PASSWORD}"))
    tracker = Tracker(made.model_copy(update={"tracking": settings.tracking}))
    with tracker.run("first") as run:
        run.log_config(made)
        run.log_table(manifest(train=7, test=2))
        for epoch in (1, 2):
            run.log_epoch(
                EpochRecord(
                    epoch=epoch,
                    loss=3.0 - epoch,
                    learning_rate=0.1,
                    rows_per_second=5.0,
                    seconds=2.0,
                    validation={"normalized_gini": epoch / 4},
                    sdn_share=[0.25, 0.75],
                )
            )
    found = tracker.client.get_run(run.run_id)
    assert found.data.params["model.num_sdns"] == "3"
    assert found.data.params["training.learning_rate"] == "0.002"
    assert found.data.params["data.fingerprint"] == "abc"
    assert found.data.params["data.test"] == "2"
    assert found.data.metrics["val_normalized_gini"] == 0.5
    assert found.data.metrics["sdn_share_1"] == 0.75
    history = tracker.client.get_metric_history(run.run_id, "loss")
    assert [(m.step, m.value) for m in history] == [(1, 2.0), (2, 1.0)]
    written = yaml.safe_load(
        Path(tracker.client.download_artifacts(run.run_id, "config.yaml")).read_text()
    )
    options = written["dataset"]["source"]["tables"]["sales"]["options"]
    assert options == {"password": "${env:SHOP_PASSWORD}"}
    assert written["tracking"]["uri"].endswith("/${env:SHOP_PASSWORD}.db")
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file


def test_each_split_is_an_input_of_the_run_with_its_raw_tables_but_no_credentials(settings, schema):
    tables = {
        "sales": {"path": "s3a://key:secret@bucket/sales.csv?token=abc", "format": "csv"},
        "base": {"format": "jdbc", "options": {"URL": "jdbc:x://me:pw@host/db", "password": "p"}},
    }
    about = manifest(train=7, train_positive=3, out_of_time=2)
    written = {"dataset": {"source": {"tables": tables}}}
    about = about.model_copy(update={"written": written, "versions": {"sales": 12}})
    tracker = Tracker(settings)
    with tracker.run("first") as run:
        run.log_table(about, schema)
    inputs = tracker.client.get_run(run.run_id).inputs.dataset_inputs
    by_context = {one.tags[0].value: one.dataset for one in inputs}
    assert by_context.keys() == {"training", "out_of_time"}
    training = by_context["training"]
    assert (training.name, training.digest) == ("shop.train", "abc")
    assert json.loads(training.source) == {
        "sales": {"path": "s3a://bucket/sales.csv", "format": "csv", "version": 12},
        "base": {"format": "jdbc", "url": "jdbc:x://host/db"},
    }
    assert [c["name"] for c in json.loads(training.schema)["mlflow_colspec"]] == ["city", "spend"]
    assert json.loads(training.profile)["positives"] == 3


def test_a_printed_uri_holds_no_password():
    assert hide_credentials("https://me:secret@host:5000/x") == "https://host:5000/x"
    assert hide_credentials("postgresql://me:secret@host/db") == "postgresql://host/db"
    assert hide_credentials("sqlite:////tmp/a@b/mlflow.db") == "sqlite:////tmp/a@b/mlflow.db"


def test_the_logged_model_has_a_signature_and_a_synthetic_example(logged, schema):
    tracker, _, version = logged
    import mlflow

    stored = tracker.client.get_model_version_download_uri(tracker.model_name, version)
    folder = Path(mlflow.artifacts.download_artifacts(stored))
    info = mlflow.models.get_model_info(str(folder))
    inputs = {c.name: str(c.type) for c in info.signature.inputs}
    assert inputs == {"city": "Any", "spend": "Any"}  # 5, 5.0 and "5" are one category
    outputs = [c.name for c in info.signature.outputs]
    assert outputs[:3] == ["predicted_cltv", "p", "mu"]
    assert outputs[-7:-4] == ["q05", "q50", "q95"]
    example = json.loads((folder / "input_example.json").read_text())
    made = synthetic_rows(schema)
    assert example["columns"] == list(made.columns)
    assert example["data"] == made.to_numpy().tolist()


def test_the_synthetic_rows_hold_no_category_of_the_data(schema):
    rows = synthetic_rows(schema)
    number = schema.numeric[0]
    assert not set(rows["city"]) & set(schema.categorical[0].vocabulary)
    assert rows["spend"].iloc[1] == pytest.approx(np.expm1(number.mean), abs=0.005)


def test_an_alias_leads_to_the_version_and_its_package(logged):
    tracker, package, version = logged
    tracker.set_alias(CHAMPION, version)
    tracker.tag_version(version, "promotion_reason", "good")
    assert tracker.resolve(CHAMPION) == tracker.resolve(version) == version
    raw = frame(50)
    found = load_predictor(tracker.package(tracker.resolve(CHAMPION))).predict(raw)
    expected = load_predictor(package).predict(raw)
    np.testing.assert_array_equal(found["predicted_cltv"], expected["predicted_cltv"])


@pytest.mark.parametrize("place", ["kept", "fetched"])
def test_a_package_that_was_changed_with_its_checksums_is_refused(logged, schema, tmp_path, place):
    tracker, _, _ = logged
    version = register(tracker, write_package(schema, tmp_path / "true", seed=5))
    other = write_package(schema, tmp_path / "other", seed=6)  # whole, but not what was registered
    if place == "kept":
        folder = tracker.package(version).path
    else:
        source = tracker.client.get_model_version(tracker.model_name, version).source
        model = tracker.client.get_logged_model(source.removeprefix("models:/"))
        [folder] = Path(model.artifact_location.removeprefix("file://")).glob("artifacts/*")
    for file in other.path.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ModelError, match=r"checksums\.json is another one: the registry has"):
        tracker.package(version)
    with (
        pytest.raises(ModelError, match=r"checksums\.json is another one"),
        tracker.borrowed_package(version),
    ):
        pass


def test_a_version_of_an_older_optdist_has_no_digest_and_is_used(logged, schema, tmp_path):
    tracker, package, _ = logged
    version = register(tracker, package, package_sha256="")
    assert tracker.package(version).expected is None
    load_predictor(tracker.package(version))


def test_a_reference_that_does_not_exist_is_none_or_an_error_that_says_to_train(logged):
    tracker, _, _ = logged
    assert tracker.find("nobody") is None
    assert tracker.find("77") is None
    with pytest.raises(ModelError, match=r"nobody.*jobs/train\.py"):
        tracker.resolve("nobody")


def test_without_a_champion_the_newest_version_says_why_it_is_none(settings, schema, tmp_path):
    tracker = Tracker(settings)
    with pytest.raises(ModelError, match="Train a model first"):
        tracker.resolve(CHAMPION)
    package = write_package(schema, tmp_path / "package")
    assert [register(tracker, package) for _ in range(2)] == ["1", "2"]
    with pytest.raises(ModelError, match="Version 2 is not champion: it was not compared"):
        tracker.resolve(CHAMPION)
    tracker.tag_version("2", "promotion_reason", "not promoted: mae 7 is outside [0, 1]")
    with pytest.raises(ModelError, match=r"mae 7 is outside.*promote\.py --version 2 --force"):
        tracker.resolve(CHAMPION)


def test_a_registry_that_fails_is_not_taken_for_one_without_a_champion(logged, monkeypatch):
    from mlflow.exceptions import MlflowException

    tracker, _, _ = logged

    class Failing:
        def get_model_version_by_alias(self, *_):
            raise MlflowException("the data base is locked")

    monkeypatch.setattr(tracker, "client", Failing())
    with pytest.raises(ModelError, match="data base is locked"):
        tracker.find(CHAMPION)


def test_another_registrys_version_of_the_same_number_is_another_package(
    settings, schema, tmp_path, monkeypatch
):
    predicted = []
    for seed in (1, 2):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/{seed}.db")
        tracker = Tracker(settings)  # one root for both registries
        version = register(tracker, write_package(schema, tmp_path / f"package{seed}", seed))
        assert version == "1"
        package = tracker.package(version)
        predicted.append(load_predictor(package).predict(frame(9))["mu"])
    assert not np.allclose(*predicted)


ALONE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"pyspark", "horovod", "petastorm", "matplotlib"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import mlflow, pandas as pd
uri, rows, out, *gone = sys.argv[1:]
sys.path = [p for p in sys.path if p not in gone]
model = mlflow.pyfunc.load_model(uri)
import optdist
assert optdist.__file__.startswith(uri), optdist.__file__
model.predict(pd.read_csv(rows), params={"quantiles": [0.5]}).to_csv(out, index=False)
"""


@pytest.mark.slow
def test_the_logged_model_scores_with_neither_spark_nor_horovod_nor_the_repository(
    logged, tmp_path
):
    import mlflow

    tracker, package, version = logged
    stored = tracker.client.get_model_version_download_uri(tracker.model_name, version)
    folder = mlflow.artifacts.download_artifacts(stored, dst_path=str(tmp_path / "model"))
    raw = frame(20)
    raw[["city", "spend"]].to_csv(tmp_path / "rows.csv", index=False)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    root = str(Path(__file__).resolve().parents[3])
    subprocess.run(
        [sys.executable, "-c", ALONE, folder.rstrip("/"), "rows.csv", "out.csv", root],
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    found, expected = pd.read_csv(tmp_path / "out.csv"), load_predictor(package).predict(raw, [0.5])
    np.testing.assert_allclose(found["predicted_cltv"], expected["predicted_cltv"], rtol=1e-4)
    np.testing.assert_allclose(found["q50"], expected["q50"], rtol=1e-4)
    assert list(found) == list(expected)


@pytest.mark.parametrize(
    ("representation", "files"),
    [
        ("embedding", []),
        ("optdist.layers.autodis:AutoDisEmbedding", []),
        ("own_launcher:NewProcess", ["own_launcher.py"]),
        ("yaml.nodes:Node", ["yaml"]),
    ],
)
def test_the_logged_model_takes_along_the_code_of_classes_from_outside(representation, files):
    settings = OptDistConfig(representation=representation)
    assert [path.name for path in code_from_outside(settings)] == files
