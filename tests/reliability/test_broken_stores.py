"""MLflow stores that fail: one sentence, within a minute or two."""

import signal
import time

import pytest
import servers
from processes import read_only
from reliability_page import record, sentence
from shop import config as shop_config

from optdist.errors import StoreError
from optdist.tracking import Tracker, store

pytestmark = pytest.mark.slow


def statuses(tracker):
    runs = tracker.client.search_runs([tracker.experiment_id])
    return sorted(run.info.status for run in runs if run.info.run_name != "made")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server's port and process."""
    folder, port = tmp_path_factory.mktemp("server"), servers.free_port()
    process = servers.start_mlflow(folder, port)
    yield port, process
    servers.stop(process)


def test_a_server_that_hangs_is_spoken_of_and_given_up(server, tmp_path, monkeypatch, capsys):
    port, process = server
    for name, value in {
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",  # 20 otherwise
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # 3 otherwise
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(store, "_PATIENCE", 1)  # 10 otherwise
    tracker = Tracker(shop_config(tmp_path, tmp_path / "unused.csv"))
    with pytest.raises(StoreError, match="does not answer") as error, tracker.run("hung") as run:
        servers.send(process, signal.SIGSTOP)
        started = time.monotonic()
        run.log_metrics({"loss": 1.0})
    seconds = time.monotonic() - started
    servers.send(process, signal.SIGCONT)
    assert "has not answered for 1 seconds; the job waits for it" in capsys.readouterr().err
    assert seconds < 20
    tracker.end_interrupted(run.run_id)  # as the next start does
    assert "RUNNING" not in statuses(tracker)
    text = sentence(error.value).replace(str(port), "PORT")
    record("server_hangs", f"A warning says that the job waits; then exit code 7: {text}", seconds)


def test_a_store_that_may_only_be_read(tmp_path):
    (tmp_path / "store").mkdir()
    Tracker(at_store(tmp_path / "store"))
    with read_only(tmp_path / "store", tmp_path / "frozen") as frozen:
        tracker, started = Tracker(at_store(frozen)), time.monotonic()
        with pytest.raises(StoreError, match="it is read-only") as error, tracker.run("a run"):
            raise AssertionError("a run was made")
        seconds = time.monotonic() - started
    assert "INSERT" not in str(error.value) and "\n" not in str(error.value)
    assert seconds < 60
    record("store_read_only", f"Exit code 7: {sentence(error.value, tmp_path)}", seconds)


def at_store(folder):
    """The settings of a shop whose MLflow is in a folder."""
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    return shop_config(folder.parent / "root", folder / "unused.csv", tracking={"uri": uri})
