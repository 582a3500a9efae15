"""What a job tells machines: lines of JSON, a result file, and a hook where it fails."""

import datetime as dt
import http.server
import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from optdist.config.loading import read_on_failure
from optdist.config.on_failure import OnFailureConfig
from optdist.errors import ConfigError
from optdist.log import captured_lines
from pipelines.running.hook import call_hook
from pipelines.running.results import LATEST, JobResult, default_places, plain, write_result

ROOT = Path(__file__).resolve().parents[3]
JOB = """
import argparse, warnings
from optdist.errors import CheckError
from optdist.log import LOG
from pipelines import cli

def run(args):
    config = cli.load(args)
    LOG.info("looks at 3 rows\\nof two lines")
    LOG.warning("one is odd")
    warnings.warn("a library's warning", RuntimeWarning)
    if args.as_of:
        raise CheckError(["rows: 3, allowed 10"], "My password is hunter22.")
    return {"rows": 3, "path": config.root}

options = cli.parser("A job.")
cli.add_as_of(options)
cli.main(run, options, run)
"""


@pytest.fixture
def shop(tmp_path):
    """A data set's file that names a secret and a hook."""
    path = tmp_path / "shop.yaml"
    path.write_text(f"""
name: shop
id: [customer]
split_key: [customer]
source: {{kind: samples, tables: {{sales: {{path: "${{env:SECRET}}/x.csv"}}}}, label: spend}}
features: {{numeric: [visits]}}
paths: {{root: {tmp_path}/root}}
on_failure: {{command: [tee, "{tmp_path}/told.json"]}}
""")
    return path


def run(shop, *arguments):
    command = [sys.executable, "-c", JOB, "--dataset", str(shop), *arguments]
    environment = os.environ | {"SECRET": "hunter22"}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT
    )


def test_every_line_is_json_and_the_result_says_what_happened(shop, tmp_path):
    done = run(shop, "--log-format", "json", "--as-of", "2024-01-31")
    assert done.returncode == 3, done.stderr
    [line] = map(json.loads, done.stdout.splitlines())
    assert {*line} == {"timestamp", "level", "job", "run", "date", "message"}
    assert dt.datetime.fromisoformat(line["timestamp"]).tzinfo == dt.UTC
    assert line["date"] == "2024-01-31"
    assert line["message"] == "looks at 3 rows\nof two lines"
    others = [json.loads(text) for text in done.stderr.splitlines()]
    assert [other["level"] for other in others] == ["warning", "warning", "error"]
    assert others[1]["logger"] == "py.warnings" and "a library's" in others[1]["message"]
    assert {other["run"] for other in others} == {line["run"]}
    results = tmp_path / "root" / "results" / line["job"] / "shop"
    assert {path.name for path in results.iterdir()} == {f"{line['run']}.json", LATEST}
    result = json.loads((results / LATEST).read_text())
    assert (result["status"], result["exit_code"]) == ("failed", 3)
    assert result["checks"] == ["rows: 3, allowed 10"]
    hidden = "rows: 3, allowed 10. My password is ${env:SECRET}."
    assert result["error"] == {"kind": "CheckError", "message": hidden}
    assert json.loads((tmp_path / "told.json").read_text()) == result


def test_text_has_warnings_on_stderr_and_a_job_that_works_tells_no_hook(shop, tmp_path):
    done = run(shop, "--result", str(tmp_path / "result.json"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "looks at 3 rows\nof two lines\n"
    assert done.stderr.startswith("  WARNING: one is odd\n")
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["status"], result["error"], result["dataset"]) == ("succeeded", None, str(shop))
    assert result["facts"] == {"rows": 3, "path": str(tmp_path / "root")}
    assert not (tmp_path / "told.json").exists() and not (tmp_path / "root").exists()


def test_the_hook_is_told_of_a_configuration_that_is_wrong(shop, tmp_path):
    done = run(shop, "--set", "training.epoch=3")
    assert done.returncode == 2
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["error"]["kind"] == "ConfigError" and "training.epoch" in told["error"]["message"]


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.got.append((self.path, self.headers["Authorization"], content))
        if self.path.startswith("/slow"):
            self.server.release.wait(20)
        self.send_response(500 if self.path.startswith("/broken") else 204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    made.got, made.release = [], threading.Event()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.release.set()
    made.shutdown()
    made.server_close()


def test_a_url_gets_the_result_and_its_failure_is_a_warning_without_the_url(server):
    base = f"http://127.0.0.1:{server.server_address[1]}"
    told = OnFailureConfig(url=f"{base}/key123", headers={"Authorization": "Bearer x"})
    with captured_lines() as lines:
        call_hook(told, '{"exit_code": 3}')
    assert server.got == [("/key123", "Bearer x", '{"exit_code": 3}')] and lines == []
    for path, words in [("/broken", "answered 500"), ("/slow", "timed out|TimeoutError")]:
        hook = OnFailureConfig(url=f"{base}{path}/key123", timeout_seconds=0.5)
        with captured_lines() as lines:
            call_hook(hook, "{}")
        [line] = lines
        assert line.levelno == logging.WARNING and "key123" not in line.getMessage()
        assert any(word in line.getMessage() for word in words.split("|"))
    with captured_lines() as lines:
        call_hook(OnFailureConfig(url="http://127.0.0.1:9/key123"), "{}")
    assert "127.0.0.1: Connection refused" in lines[0].getMessage()


@pytest.mark.parametrize(
    "command, words",
    [
        (["false"], "exit code 1"),
        (["/no/such/program"], "No such file"),
        (["sleep", "9"], "more than 0.3 seconds"),
    ],
)
def test_a_command_that_fails_is_a_warning(command, words):
    with captured_lines() as lines:
        call_hook(OnFailureConfig(command=command, timeout_seconds=0.3), "{}")
    assert words in lines[0].getMessage() and lines[0].levelno == logging.WARNING


def test_the_command_is_not_read_by_a_shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call_hook(OnFailureConfig(command=["tee", "a; touch b; $(id)"]), "{}")
    assert [path.name for path in tmp_path.iterdir()] == ["a; touch b; $(id)"]


def test_a_secret_of_the_hook_comes_from_the_environment(shop, monkeypatch):
    monkeypatch.setenv("KEY", "k")
    change = ["on_failure.url=https://hooks.example.com/${env:KEY}"]
    assert read_on_failure(shop, "local", change).url == "https://hooks.example.com/k"
    with pytest.raises(ConfigError, match="cannot be used"):
        read_on_failure(None, "local", ["on_failure.url=ftp://example.com"])


def test_of_many_results_the_newest_are_kept(tmp_path):
    result = JobResult(job="score", run="x", started=dt.datetime.now(dt.UTC))
    for number in range(510):
        (tmp_path / f"{number:04d}.json").write_text("{}")
    write_result(result, default_places(tmp_path, "0999"))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 502 and names[0] == "0010.json" and names[-1] == LATEST
    assert (tmp_path / "0999.json").read_text() == (tmp_path / LATEST).read_text()


def test_facts_are_plain_json():
    facts = {"nan": float("nan"), "days": [dt.date(2024, 1, 31)], "path": Path("/x"), "n": 3}
    assert plain(facts) == {"nan": None, "days": ["2024-01-31"], "path": "/x", "n": 3}
    assert plain(None) == {}
