import datetime as dt
import os
import shlex
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from optdist.config.loading import read_on_failure
from optdist.errors import ConfigError
from pipelines.scheduling.airflow import render_airflow
from pipelines.scheduling.checking import check_settings
from pipelines.scheduling.commands import hook_settings
from pipelines.scheduling.crontab import render_crontab
from pipelines.scheduling.kubernetes import render_kubernetes
from pipelines.scheduling.plan import (
    JobConfig,
    KubernetesConfig,
    NotificationConfig,
    RetryConfig,
    Schedule,
    load_schedule,
)
from pipelines.scheduling.running import StepError, plan_run, run_steps
from pipelines.scheduling.slots import date_of, last_slot, named_slot, next_slot

BERLIN = ZoneInfo("Europe/Berlin")
SCORE = {"cron": "30 0 * * *", "steps": {"score": "jobs/score.py --run-date {date}"}}


def schedule(**changes):
    content = {
        "time_zone": "Europe/Berlin",
        "start": "2026-01-01",
        "datasets": ["ta_feng", "my/Own Table.yaml"],
        "jobs": {
            "score": {"cron": "30 0 * * *", "steps": {"score": "jobs/score.py --run-date {date}"}}
        },
    }
    return Schedule.model_validate(content | changes)


def at(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def test_the_schedule_in_conf_is_valid_and_scores_daily_and_learns_weekly():
    plan = load_schedule()
    assert [*plan.jobs["learn"].steps] == ["train", "evaluate", "promote", "backtest"]
    run = plan_run(plan, "score", None, None, at("2026-03-02 05:00:30"))
    assert str(run.date) == "2026-03-01"
    assert run.commands["score"][-2:] == ["--run-date", "2026-03-01"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time_zone": "Europe/Bärlin"}, "no time zone"),
        ({"jobs": {"a": {"cron": "61 0 * * *", "steps": {"s": "jobs/a.py"}}}}, "no cron"),
        ({"jobs": {"a": {"cron": "@daily", "steps": {"s": "jobs/a.py"}}}}, "no cron"),
        ({"jobs": {"a": {"cron": "0 0 30 2 *", "steps": {"s": "jobs/a.py"}}}}, "never comes"),
        ({"jobs": {"a": {"cron": "0 0 * * *", "steps": {"s": "rm -r /"}}}}, "must begin with"),
        ({"jobs": {"a": {"cron": "0 0 * * *", "steps": {"s": "jobs/a.py {{ x }}"}}}}, "replace"),
        ({"settings": ["a.b=x\n* * * * * rm"]}, "break its line"),
        ({"datasets": ["a.yaml", "b/a.yaml"]}, "there twice"),
        ({"datasets": ["a" * 50]}, "longer than 52"),
        ({"project": "here"}, "absolute"),
        ({"variables": {"DB_PASSWORD": "x"}}, "would stand in what is rendered"),
        ({"retries": {"exit_codes": [0]}}, "greater than"),
        ({"jbos": {}}, "not permitted"),
    ],
)
def test_a_schedule_that_no_scheduler_could_follow_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        schedule(**changes)


def test_a_file_with_mistakes_lists_them_all(tmp_path):
    file = tmp_path / "schedule.yaml"
    file.write_text("time_zone: Mars\nstart: soon\ndatasets: []\njobs: {}\n")
    with pytest.raises(ConfigError) as caught:
        load_schedule(file)
    assert [line.split(":")[0].strip(" -") for line in str(caught.value).splitlines()[1:]] == [
        "time_zone", "start", "datasets", "jobs",
    ]  # fmt: skip


@pytest.mark.parametrize("cron", ["30 0 * * *", "30 2 * * *", "59 23 * * *", "0 3 * * *"])
def test_each_day_of_a_year_is_worked_on_once_also_where_clocks_change(cron):
    now, dates = at("2026-01-01 12:00"), []
    while now < at("2027-01-01 12:00"):
        now = next_slot(cron, BERLIN, now).astimezone(dt.UTC)
        assert last_slot(cron, BERLIN, now + dt.timedelta(minutes=7)).astimezone(dt.UTC) == now
        dates.append(date_of(now, BERLIN, 1))
    assert dates == [dates[0] + dt.timedelta(i) for i in range(len(dates))]
    assert len(dates) == 366


def test_a_run_that_starts_late_works_on_the_date_that_it_was_scheduled_for():
    plan = schedule()
    # half past midnight in Berlin is the day before in UTC
    on_time = plan_run(plan, "score", "ta_feng", None, at("2026-06-09 22:30"))
    late = plan_run(plan, "score", "ta_feng", None, at("2026-06-10 21:00"))
    assert str(on_time.date) == str(late.date) == "2026-06-09"
    minutes = int(at("2026-06-09 22:30").timestamp()) // 60
    again = plan_run(plan, "score", "ta_feng", f"optdist-score-ta-feng-{minutes}", at("2026-06-20"))
    assert again.date == on_time.date
    by_hand = plan_run(plan, "score", "ta_feng", "my-try", at("2026-06-10 21:00"))
    assert by_hand.date == late.date
    assert named_slot("2026-06-10T00:30", BERLIN) == on_time.slot
    with pytest.raises(ConfigError, match="neither a time nor"):
        named_slot("Yesterday!", BERLIN)
    with pytest.raises(ConfigError, match="by --dataset: ta_feng, my/Own"):
        plan_run(plan, "score", None, None, at("2026-06-10"))
    with pytest.raises(ConfigError, match="no job train"):
        plan_run(plan, "train", None, None, at("2026-06-10"))


def test_every_text_reaches_the_command_as_it_is_written():
    odd = "where=\"day > '50%' and $HOME\""
    plan = schedule(settings=[odd], notification={"url": "${env:URL}", "mail_to": "a@b.c"})
    for text in (render_crontab(plan), render_airflow(plan)):
        assert "my/Own Table.yaml" in text
    for line in render_crontab(plan).splitlines():
        assert not line.replace("\\%", "").count("%")
    command = plan_run(plan, "score", "my/Own Table.yaml", None, at("2026-06-10")).commands["score"]
    assert command.count("--set") == 2 and odd in command and "on_failure.url=${env:URL}" in command
    scope = {}
    head = render_airflow(plan).split("SCHEDULE = ")[1].split("# The scheduled")[0]
    exec(f"import json\nSCHEDULE = {head}", scope)
    [_, run] = scope["SCHEDULE"]["runs"]
    rendered = shlex.split(run["steps"]["score"])
    assert [word.replace("{date}", "2026-06-09") for word in rendered] == command
    assert run["dag_id"] == "optdist_score_own_table"


def test_a_cron_job_follows_the_rules_of_kubernetes_for_dates_retries_and_rights():
    [first, second] = yaml.safe_load_all(render_kubernetes(schedule(kubernetes={"secret": "s"})))
    assert first["metadata"]["name"] == "optdist-score-ta-feng"
    assert second["metadata"]["name"] == "optdist-score-own-table"
    spec = first["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("30 0 * * *", "Europe/Berlin")
    job = spec["jobTemplate"]["spec"]
    assert job["podFailurePolicy"]["rules"][1]["onExitCodes"]["values"] == [137, 143]
    pod = job["template"]["spec"]
    assert pod["restartPolicy"] == "Never"  # which a podFailurePolicy requires
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["containers"][0]["command"][-2:] == ["--slot", "$(JOB_NAME)"]


@pytest.fixture
def project(tmp_path):
    """A folder whose command ends with the exit codes in a file, one after the other."""
    script = tmp_path / "spark-submit.sh"
    script.write_text(
        '#!/bin/bash\necho "$@" >>calls\nread -r code <codes\nsed -i 1d codes\n'
        '[[ $code != TERM ]] || kill -TERM $$\nexit "$code"\n'
    )
    script.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("codes", "calls", "ends_with"),
    [
        ("0 0", 2, None),
        ("5 7 0 0", 4, None),  # busy, then without a registry, then done
        ("3", 1, 3),  # bad input: another try would fail too
        ("0 4", 2, 4),  # the second step is refused
        ("5 5 5", 3, 5),  # three tries at most
        ("TERM 0 0", 3, None),  # killed from outside
    ],
)
def test_the_exit_code_of_a_step_decides_whether_it_is_tried_again(
    project, codes, calls, ends_with
):
    (project / "codes").write_text(codes.replace(" ", "\n") + "\n")
    steps = {"train": "jobs/train.py --as-of {date}", "promote": "jobs/promote.py"}
    plan = schedule(jobs={"learn": {"cron": "0 1 * * 0", "steps": steps}}, retries={"times": 2})
    run, waits = plan_run(plan, "learn", "ta_feng", None, at("2026-06-10")), []
    if ends_with is None:
        assert run_steps(run, project, waits.append) == ["train", "promote"]
    else:
        with pytest.raises(StepError) as caught:
            run_steps(run, project, waits.append)
        assert caught.value.exit_code == ends_with
    lines = (project / "calls").read_text().splitlines()
    assert len(lines) == calls
    assert lines[0] == "jobs/train.py --dataset ta_feng --env local --as-of 2026-06-06"
    assert set(waits) <= {600.0}


def test_the_page_explains_every_setting():
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    names = [*Schedule.model_fields, *JobConfig.model_fields]
    for section in (RetryConfig, NotificationConfig, KubernetesConfig):
        names += section.model_fields
    missing = [name for name in names if f"{name}`" not in page and f"{name}." not in page]
    assert not missing


def test_settings_are_checked_before_night_and_variables_may_be_set_only_there(caplog):
    plan = schedule(datasets=["ta_feng"], notification={"url": "${env:ALERT_URL_OF_A_TEST}"})
    check_settings(plan)
    assert "not set here: ALERT_URL_OF_A_TEST" in caplog.text
    assert "ALERT_URL_OF_A_TEST" not in os.environ
    with pytest.raises(ConfigError, match=r"training\.epoch is not a setting"):
        check_settings(schedule(datasets=["ta_feng"], settings=["training.epoch=3"]))
    with pytest.raises(ConfigError, match=r"my/Own Table.yaml does not exist"):
        check_settings(schedule())


def test_only_a_step_that_could_not_tell_is_told_of_by_the_schedule():
    plan = schedule(notification={"url": "http://alerts.example/x", "command": ["mail", "me"]})
    hook = read_on_failure("ta_feng", "local", hook_settings(plan))
    assert (hook.url, hook.command) == ("http://alerts.example/x", ["mail", "me"])
    none = read_on_failure("ta_feng", "local", hook_settings(plan, told=True))
    assert (none.url, none.command) == (None, [])
    assert StepError("", 3).was_told and not StepError("", 137).was_told
