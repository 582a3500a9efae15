"""Runs and the registry over HTTP, as a team has them: a real MLflow server on the loopback."""

import pytest
import shop
from registered import register, write_package
from servers import mlflow_server
from table import FEATURES, frame

from optdist.data.fitting import fit_schema
from optdist.serving.predictor import load_predictor
from optdist.tracking import CHAMPION, Tracker

pytestmark = [pytest.mark.slow, pytest.mark.integration]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("server")) as uri:
        yield uri


def test_a_model_is_logged_registered_and_read_back_over_http(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    tracker = Tracker(shop.config(tmp_path / "root", tmp_path / "unused.csv"))
    raw = frame(200)
    package = write_package(fit_schema(raw, FEATURES, "label"), tmp_path / "package")
    version = register(tracker, package)
    tracker.set_alias(CHAMPION, version)
    assert tracker.describe()["tracking_uri"] == server
    assert tracker.resolve(CHAMPION) == version == "1"
    found = load_predictor(tracker.package(version)).predict(raw)["predicted_cltv"]
    expected = load_predictor(package).predict(raw)["predicted_cltv"]
    assert (found == expected).all()
