"""The image is not built here: no Docker daemon. What can be checked without one is."""

import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

import yaml

from pipelines.scheduling.kubernetes import render_kubernetes
from pipelines.scheduling.plan import load_schedule

ROOT = Path(__file__).parents[1]
LINES = re.sub(r"\\\n", "", (ROOT / "Dockerfile").read_text()).splitlines()


def instructions(name):
    return [line.split(maxsplit=1)[1] for line in LINES if line.startswith(f"{name} ")]


def test_everything_that_is_copied_is_there_and_not_ignored():
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    for words in map(shlex.split, instructions("COPY")):
        if words[0].startswith("--from"):
            continue
        for source in words[:-1]:
            assert (ROOT / source).exists(), source
            assert not any(fnmatch(source, pattern) for pattern in ignored if pattern), source


def test_the_image_runs_as_the_user_that_kubernetes_asks_for_and_where_the_schedule_says():
    [user] = instructions("USER")
    schedule = load_schedule()
    for job in yaml.safe_load_all(render_kubernetes(schedule)):
        pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsUser"] == int(user) > 0
    assert set(instructions("WORKDIR")) == {schedule.project}


def test_no_secret_is_in_the_image():
    assert not instructions("ARG")
    assert instructions("ENV") == ["PYTHONDONTWRITEBYTECODE=1"]
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".env*", "artifacts", "data", ".git", "**/*.key", "**/*.pem"} <= set(ignored)
