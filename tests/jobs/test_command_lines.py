"""The jobs as a user starts them, as far as that needs no Spark."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
JOBS = sorted(path.name for path in (ROOT / "jobs").glob("*.py"))
# the job as a script, and then what it has imported
RUN = """
import runpy, sys
script, *sys.argv[1:] = sys.argv[1:]
sys.argv[0] = script
try:
    runpy.run_path(script, run_name="__main__")
finally:
    assert "pyspark" not in sys.modules, "Spark was imported"
"""


def run(job, *arguments):
    command = [sys.executable, "-c", RUN, str(ROOT / "jobs" / job), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("job", JOBS)
def test_help_explains_a_job_without_starting_spark(job):
    found = run(job, "--help")
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith(f"usage: {job}") and "--set SECTION.KEY=VALUE" in found.stdout


@pytest.mark.parametrize("job", sorted({*JOBS} - {"experiment.py"}))
def test_a_wrong_setting_is_one_message_before_spark_starts(job):
    needed = {
        "backtest.py": ["--run-date", "2024-01-31", "--run-date", "2024-02-29"],
        "score.py": ["--run-date", "2024-01-31"],
        "draft.py": ["sales.csv"],
        "schedule.py": ["list"],
    }.get(job, [])
    found = run(job, *needed, "--set", "training.epoch=3")
    assert found.returncode == 2
    assert found.stderr.startswith("error: The configuration has these problems:\n  - training.ep")
    assert "training.epoch is not a setting. Did you mean training.epochs?" in found.stderr


def test_a_draft_does_not_write_over_a_file_unless_forced(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\n")
    found = run("draft.py", "sales.csv", "--out", str(path))
    assert found.returncode == 2
    assert (
        found.stderr == f"error: {path} exists. Give another --out, or --force to write over it.\n"
    )
    assert path.read_text() == "name: mine\n"


def test_a_draft_that_no_job_would_find_is_not_written(tmp_path):
    found = run("draft.py", "sales.csv", "--out", str(tmp_path / "mine.txt"))
    assert found.returncode == 2 and "must end in .yaml" in found.stderr


def test_text_that_is_not_a_date_is_refused():
    found = run("score.py", "--run-date", "2024-02-30")
    assert found.returncode == 2
    assert "2024-02-30 is not a date of the form YYYY-MM-DD" in found.stderr


@pytest.mark.parametrize("job", JOBS)
def test_help_settings_explains_settings_whatever_else_a_job_needs(job):
    found = run(job, "--help-settings", "training.ep")
    assert found.returncode == 0, found.stderr
    name, meaning = found.stdout.split("\n", 1)
    assert name.startswith("training.epochs = 12") and "Values: whole number > 0." in meaning


def test_help_settings_of_a_section_that_does_not_exist_is_refused():
    found = run("train.py", "--help-settings", "trainign")
    assert found.returncode == 2
    assert "no setting begins with trainign" in found.stderr


@pytest.mark.parametrize("job", sorted({*JOBS} - {"draft.py", "experiment.py"}))
def test_a_dry_run_lists_all_problems_of_settings_and_fails(job):
    needed = {"score.py": ["--run-date", "2024-01-31"], "schedule.py": ["list"]}.get(job, [])
    wrong = ["--set", "training.epoch=3", "--set", "model.nme=x"]
    command = [sys.executable, str(ROOT / "jobs" / job), "--dry-run", *needed, *wrong]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert found.returncode == 2, found.stderr
    lines = [" ".join(line.split()) for line in found.stdout.splitlines()]
    assert lines[0].endswith("nothing is written")
    for setting in ("training.epoch is not a setting", "model.nme is not a setting"):
        assert any(line.startswith(f"configuration problem {setting}") for line in lines)
    assert lines[-1] == "2 problems: the job would stop"


@pytest.mark.parametrize("job", ["score.py", "train.py"])
def test_accepting_a_check_that_there_is_not_lists_those_that_there_are(job):
    found = run(
        job, *(["--run-date", "2024-01-31"] if job == "score.py" else []), "--accept", "men"
    )
    assert found.returncode == 2
    assert "invalid choice: 'men'" in found.stderr and "'history'" in found.stderr
