"""How jobs end: the exit code of each kind of error, and one sentence for each."""

import argparse
import errno
import re
import sqlite3
import time
from pathlib import Path

import pytest
import shop

from optdist import errors
from optdist.errors import ConfigError, DiskError, GateError, StoreError, TrainingError
from optdist.files import locked, write_atomically, write_json
from optdist.tracking import Tracker
from pipelines import cli
from pipelines.drafting.request import DraftError
from pipelines.running.failures import explain

ROOT = Path(__file__).resolve().parents[3]


def documented():
    """The table of docs/operations.md: code -> meaning."""
    text = (ROOT / "docs" / "operations.md").read_text()
    return {int(code): words for code, words in re.findall(r"^\| (\d+) \| ([^|]+) \|", text, re.M)}


def exit_code(monkeypatch, run, *arguments):
    options = argparse.ArgumentParser("job")
    options.add_argument("--dry-run", action="store_true")
    monkeypatch.setattr("sys.argv", ["job", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main(run, options, run)
    return end.value.code


def test_each_kind_of_error_has_a_documented_code_of_its_own():
    codes = {
        kind.exit_code: kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and "exit_code" in vars(kind) and kind is not errors.OptDistError
    }
    assert {*codes} == {2, 3, 4, 5, 6, 7, 8, 9, 10}
    assert {*documented()} == {0, 1, *codes, 130, 143}
    assert DraftError("x").exit_code == 2


@pytest.mark.parametrize(
    "error, code",
    [
        (ConfigError("a.b is not a setting"), 2),
        (GateError(["rows: 3, allowed 10"], "Nothing was published."), 4),
        (StoreError("MLflow is away"), 7),
    ],
)
def test_a_job_exits_with_the_code_of_its_error_after_one_line(error, code, monkeypatch, capsys):
    def run(args):
        raise error

    assert exit_code(monkeypatch, run) == code
    assert capsys.readouterr().err == f"error: {error}\n"


def test_a_bug_is_a_traceback_and_code_1(monkeypatch, capsys):
    assert exit_code(monkeypatch, lambda args: {}[0]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_dry_run_with_problems_exits_as_a_wrong_configuration(monkeypatch, capsys):
    report = argparse.Namespace(problems=["one"])
    assert exit_code(monkeypatch, lambda args: report, "--dry-run") == 2


def caused(error, cause):
    error.__cause__ = cause
    return error


class Py4JJavaError(Exception):
    """Named as py4j's."""


@pytest.mark.parametrize(
    "error, code, words",
    [
        (OSError(errno.ENOSPC, "No space left on device", "/disk/x"), 9, "/disk/x cannot be"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/disk/x"), 9, "no space is left"),
        (OSError(errno.EROFS, "Read-only file system", "/disk/x"), 9, "no right to write"),
        (PermissionError(errno.EACCES, "Permission denied", "/disk/x"), 9, "/disk/x cannot be"),
        (OSError(errno.ENOSPC, "No space left on device"), 9, "below /artifacts"),
        (
            Py4JJavaError("o.save.\n: java.io.IOException: No space left on device\n\tat x.y(z)"),
            9,
            "a file of this job below /artifacts cannot be written: no space",
        ),
        (
            Py4JJavaError("Caused by: java.io.FileNotFoundException: /a/b.parquet (Permission de"
                          "nied)"),
            9,
            "/a/b.parquet cannot be written",
        ),
        (OSError(errno.EIO, "an error of the device", "/disk/x"), 1, "Traceback"),
        (caused(TrainingError("stopped"), OSError(errno.ENOSPC, "No space")), 9, "error: stopped"),
        (
            caused(errors.DataError("sales cannot be read"), PermissionError(13, "no", "/sales")),
            3,
            "error: sales cannot be read",
        ),
    ],
)  # fmt: skip
def test_no_space_and_no_right_to_write_are_one_sentence_with_a_path(error, code, words):
    try:
        raise error
    except Exception as raised:
        failure = explain(raised, Path("/artifacts"))
    assert failure.exit_code == code and words in failure.message
    assert code == 1 or "\n" not in failure.message


def test_a_full_disk_names_the_file_and_leaves_no_part_of_it(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")

    def full(file):
        with open("/dev/full", "wb", buffering=0) as device:
            device.write(b"x")

    with pytest.raises(OSError) as error:
        write_atomically(tmp_path / "wanted.json", full)
    assert error.value.errno == errno.ENOSPC and error.value.filename == f"{tmp_path}/wanted.json"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_for_lack_of_a_right_is_no_wrong_setting(monkeypatch):
    def refuse(self, **_):
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DiskError, match="/somewhere cannot be made"), locked(Path("/somewhere/x")):
        pass


@pytest.mark.parametrize(
    "uri, words",
    [
        ("http://127.0.0.1:9", "nothing listens there"),
        ("sqlite:////proc/none/mlflow.db", "its file cannot be opened or made"),
        ("postgresql://me:secret@127.0.0.1:9/db", "127.0.0.1:9/db cannot be used"),
        ("sqlite:///{folder}/damaged.db", "its file is damaged"),
    ],
)
def test_a_store_out_of_reach_is_one_sentence_within_seconds(uri, words, tmp_path, monkeypatch):
    (tmp_path / "damaged.db").write_text("this is no database" * 99)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(folder=tmp_path))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    started = time.monotonic()
    with pytest.raises(StoreError) as error:
        Tracker(shop.config(tmp_path / "root", tmp_path / "none.csv"))
    assert time.monotonic() - started < 20
    text = str(error.value)
    assert words in text and "secret" not in text and "\n" not in text and "SQL:" not in text


def test_a_locked_or_read_only_store_is_one_sentence_without_sql(tmp_path, monkeypatch, capfd):
    tracker = Tracker(shop.config(tmp_path / "root", tmp_path / "none.csv"))
    with pytest.raises(KeyboardInterrupt), tracker.run("stopped") as run:
        raise KeyboardInterrupt
    assert tracker.client.get_run(run.run_id).info.status == "KILLED"
    path = tmp_path / "root" / "mlflow.db"
    monkeypatch.setattr("mlflow.store.db.utils.sql.text", patient)
    with sqlite3.connect(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError) as locked_out, tracker.run("one"):
            pass
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///file:{path}?mode=ro&uri=true")
    reader = Tracker(shop.config(tmp_path / "root", tmp_path / "none.csv"))
    with pytest.raises(StoreError) as read_only, reader.run("two"):
        pass
    for error, words in [(locked_out, "locked by another process"), (read_only, "is read-only")]:
        assert words in str(error.value)
        assert "\n" not in str(error.value) and "INSERT" not in str(error.value)
    assert "Traceback" not in capfd.readouterr().err


def patient(text):
    """SQL of MLflow, with 0.2 seconds of patience instead of 20."""
    import sqlalchemy

    return sqlalchemy.text(text.replace("busy_timeout = 20000", "busy_timeout = 200"))


def test_json_is_whole_or_not_there(tmp_path):
    with pytest.raises(TypeError):
        write_json(tmp_path / "x.json", {"a": object()})
    assert list(tmp_path.iterdir()) == []
