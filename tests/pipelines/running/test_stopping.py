"""A job that is stopped: its exit code and line, its locks, and the processes that it started."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[3]
JOB = """
import argparse, subprocess, sys, time
from pathlib import Path
from optdist.files import locked
from pipelines import cli

def run(args):
    with locked(Path(args.folder) / "table"):
        # a child that ignores SIGTERM and has a child of its own
        child = "import signal, subprocess; signal.signal(signal.SIGTERM, signal.SIG_IGN); " \\
                "subprocess.run(['sleep', '300'])"
        subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
        time.sleep(0.5)
        print("ready", flush=True)
        time.sleep(300)

options = cli.settings_parser("A job.", "a.b=1")
options.add_argument("folder")
cli.main(run, options, run)
"""
SPARK_JOB = """
import sys, time
from pipelines import cli
from pipelines.session import spark_session

def run(args):
    spark = spark_session({}, "stopped")
    def slow(rows):
        print("ready", file=sys.stderr, flush=True)
        time.sleep(300)
        return rows
    spark.sparkContext.parallelize([1, 2], 2).mapPartitions(slow).count()

cli.main(run, cli.settings_parser("A job.", "a.b=1"), run)
"""


def alive(mark):
    """The processes whose environment has the mark."""
    processes = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MARK") == mark and process.status() != "zombie":
                processes.append(process)
        except psutil.Error:
            continue
    return processes


def stopped(command, number, mark, ready):
    """Start a job, wait until it is ready, stop it; its exit code, output, and what is left."""
    with subprocess.Popen(
        command,
        env=os.environ | {"MARK": mark},
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        lines = getattr(process, ready)
        while (line := lines.readline()).strip() != "ready":
            assert line, process.stderr.read()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    deadline = time.monotonic() + 10  # Spark's Python workers look for their parent now and then
    while alive(mark) and time.monotonic() < deadline:
        time.sleep(0.2)
    left = alive(mark)
    for orphan in left:
        orphan.kill()
    return process.returncode, out, err, left


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_job_says_so_in_one_line_and_leaves_neither_lock_nor_process(number, tmp_path):
    result = tmp_path / "result.json"
    command = [sys.executable, "-c", JOB, str(tmp_path), "--result", str(result)]
    code, _, err, left = stopped(command, number, f"stopped {number} {os.getpid()}", "stdout")
    assert code == 128 + number and left == []
    name = signal.Signals(number).name
    line = f"error: stopped by {name}. The same command continues or starts again."
    assert err == f"{line}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    written = json.loads(result.read_text())
    assert (written["status"], written["exit_code"]) == ("stopped", code)
    assert f"error: {written['error']['message']}" == line


@pytest.mark.slow
def test_a_stopped_job_ends_its_spark_and_the_workers_of_spark(tmp_path):
    script = tmp_path / "job.py"
    script.write_text(SPARK_JOB)
    command = [str(ROOT / "spark-submit.sh"), "--master", "local[2]", str(script)]
    mark = f"spark {os.getpid()}"
    code, _, err, left = stopped(command, signal.SIGTERM, mark, "stderr")
    assert code == 143 and left == []
    lines = err.splitlines()
    assert sum("error: stopped by SIGTERM" in line for line in lines) == 1, err
    assert not any(word in err for word in ("Traceback", "ERROR", "Exception")), err
