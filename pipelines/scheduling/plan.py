"""Reads and checks a schedule: jobs, their times, data sets, retries and notification."""

from __future__ import annotations

import datetime as dt
import re
import shlex
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, available_timezones

from croniter import CroniterBadDateError, croniter
from pydantic import Field, ValidationError, field_validator, model_validator

from optdist.config.loading import conf_folder, read_yaml
from optdist.config.problems import problems
from optdist.config.secrets import secret_name
from optdist.config.section import Positive, Section
from optdist.errors import ConfigError

DATE = "{date}"
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_FIELD = re.compile(r"[0-9A-Za-z*,/-]+")  # what every scheduler reads alike
_STEP = re.compile(r"jobs/[a-z_]+\.py")
_ENV = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
# Jinja, which Airflow renders commands with, and Kubernetes' own variables
_FOREIGN = re.compile(r"\{[{%#]|\$\(|[\r\n\0]")
_LONGEST = 52  # characters of a CronJob's name


class RetryConfig(Section):
    """Which failures are tried again."""

    exit_codes: list[Annotated[int, Field(ge=1, le=255)]] = Field(
        default=[5, 6, 7, 9, 130, 137, 143],
        description="Exit codes that are worth another try (docs/operations.md); the others fail "
        "again until somebody changes something",
    )
    times: Annotated[int, Field(ge=0, le=20)] = Field(
        default=3, description="Tries after the first one [tries]"
    )
    delay_minutes: Positive = Field(default=10, description="Before the next try [minutes]")


class NotificationConfig(Section):
    """Who is told of a failure."""

    url: str | None = Field(
        default=None, description="Gets the failed job's result as JSON (`on_failure.url`)"
    )
    command: list[str] = Field(
        default=[], description="Gets it on its standard input (`on_failure.command`)"
    )
    mail_to: str | None = Field(
        default=None, description="Gets what a job prints, by cron's own mail (MAILTO)"
    )


class KubernetesConfig(Section):
    """What only Kubernetes needs to know."""

    image: str = Field(default="optdist:latest", description="The image of the Dockerfile")
    namespace: str = Field(default="default", description="Where the CronJobs are")
    claim: str = Field(
        default="optdist-artifacts",
        description="The PersistentVolumeClaim with paths.root, and data, that pods share",
    )
    mount: str = Field(default="/artifacts", description="Where the claim is mounted")
    secret: str | None = Field(
        default=None, description="A Secret whose keys become environment variables"
    )
    cpu: str = Field(default="2", description="CPUs of a pod")
    memory: str = Field(default="8Gi", description="Memory of a pod")


class JobConfig(Section):
    """A chain of commands at a time, once for each data set."""

    cron: str = Field(description="Minute, hour, day of the month, month, day of the week")
    steps: Annotated[dict[str, str], Field(min_length=1)] = Field(
        description="Name -> a script of jobs/ with its options, one after the other. `{date}` is "
        "the last whole day before the scheduled time"
    )
    datasets: list[str] = Field(default=[], description="Data sets; empty: the schedule's")
    days_back: Annotated[int, Field(ge=0)] = Field(
        default=1, description="How many days `{date}` lies before the scheduled day [days]"
    )
    catch_up: bool = Field(
        default=False, description="Airflow also runs what was missed since `start`"
    )
    hours_at_most: Positive = Field(default=12, description="After which a run is ended [hours]")
    retries: RetryConfig | None = Field(default=None, description="Null: the schedule's")

    @field_validator("cron")
    @classmethod
    def _fires(cls, cron: str) -> str:
        fields = cron.split()
        is_common = len(fields) == 5 and all(_FIELD.fullmatch(field) for field in fields)
        if not is_common or not croniter.is_valid(cron):
            raise ValueError("it is no cron of five fields, such as 0 5 * * *")
        try:
            croniter(cron, dt.datetime(2024, 1, 1)).get_next()
        except CroniterBadDateError as error:
            raise ValueError("it names a day that never comes") from error
        return " ".join(fields)

    @field_validator("steps")
    @classmethod
    def _are_jobs(cls, steps: dict[str, str]) -> dict[str, str]:
        for name, text in steps.items():
            words = shlex.split(text)
            if not NAME.fullmatch(name):
                raise ValueError(f"a step's name is made of a-z, 0-9 and _, not {name!r}")
            if not words or not _STEP.fullmatch(words[0]):
                raise ValueError(f"step {name} must begin with a script such as jobs/score.py")
            if _FOREIGN.search(text):
                raise ValueError(f"step {name} has text that a scheduler would replace")
        return steps


class Schedule(Section):
    """What runs when."""

    time_zone: str = Field(default="UTC", description="Of the crons, and of a day's end")
    start: dt.date = Field(description="The first day")
    project: str = Field(
        default="/opt/optdist", description="The folder of this repository where jobs run"
    )
    datasets: Annotated[list[str], Field(min_length=1)] = Field(
        description="Names in conf/datasets, or YAML files below `project`"
    )
    env: str = Field(default="local", description="A name in conf/env")
    settings: list[str] = Field(
        default=[], description="`--set` of every job; secrets as `${env:NAME}`"
    )
    spark: list[str] = Field(default=[], description="Options of spark-submit, as --master=...")
    variables: dict[str, str] = Field(
        default={}, description="Environment variables; secrets belong elsewhere"
    )
    retries: RetryConfig = RetryConfig()
    notification: NotificationConfig = NotificationConfig()
    kubernetes: KubernetesConfig = KubernetesConfig()
    jobs: Annotated[dict[str, JobConfig], Field(min_length=1)]

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"{name!r} is no time zone, such as Europe/Berlin")
        return name

    @field_validator("project")
    @classmethod
    def _is_absolute(cls, path: str) -> str:
        if not path.startswith("/"):
            raise ValueError("must be an absolute path")
        return path

    @model_validator(mode="after")
    def _can_be_rendered(self) -> Self:
        texts = [self.project, self.env, *self.settings, *self.spark, *self.variables.values()]
        texts += [name for job in ("", *self.jobs) for name in self.datasets_of(job)]
        texts += [self.notification.url or "", *self.notification.command]
        bad = [text for text in texts if _FOREIGN.search(text)]
        if bad:
            raise ValueError(f"a scheduler would replace a part of {bad[0]!r}, or break its line")
        wrong = [name for name in self.variables if not _ENV.match(name)]
        wrong += [name for name in self.jobs if not NAME.fullmatch(name)]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: names of jobs and variables are plain words")
        secrets = [name for name in self.variables if secret_name(name)]
        if secrets:
            raise ValueError(
                f"variables.{secrets[0]} would stand in what is rendered: give a secret to the "
                f"scheduler's workers (kubernetes.secret)"
            )
        names = [run_name(job, dataset) for job in self.jobs for dataset in self.datasets_of(job)]
        long = [name for name in names if len(name) > _LONGEST]
        if long or len(set(names)) < len(names):
            why = f"longer than {_LONGEST} characters: {long[0]}" if long else "there twice"
            raise ValueError(f"the name of a job with its data set is {why}")
        return self

    def datasets_of(self, job: str) -> list[str]:
        """The data sets of a job."""
        own = self.jobs[job].datasets if job in self.jobs else []
        return own or self.datasets

    def retries_of(self, job: str) -> RetryConfig:
        """Which failures of a job are tried again."""
        return self.jobs[job].retries or self.retries

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.time_zone)


def run_name(job: str, dataset: str) -> str:
    """What a job on a data set is called in every scheduler, such as optdist-score-ta-feng."""
    plain = re.sub(r"[^a-z0-9]+", "-", Path(dataset).stem.lower()).strip("-")
    return f"optdist-{job.replace('_', '-')}-{plain}"


def load_schedule(file: Path | None = None) -> Schedule:
    """Read and check a schedule.

    Args:
        file: its YAML file; None: `schedule.yaml` in the conf folder.

    Raises:
        ConfigError: listing every problem.
    """
    if file is None:
        conf = conf_folder()
        if conf is None:
            raise ConfigError("There is no conf folder: name the schedule's file by --schedule.")
        file = conf / "schedule.yaml"
    content: dict[str, Any] = read_yaml(file)
    try:
        return Schedule.model_validate(content)
    except ValidationError as error:
        lines = "\n  - ".join(problems(error, content, Schedule))
        raise ConfigError(f"The schedule {file} is not valid:\n  - {lines}") from error
