"""Passwords that a configuration has as they are are refused, for each run logs it."""

import pytest

from optdist.config import load_config
from optdist.config.secrets import plain_secrets
from optdist.errors import ConfigError

OPTIONS = "dataset.source.tables.main.options"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("password", "hunter2"),
        ("sfPassword", "hunter2"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("AZURE_STORAGE_SAS_TOKEN", "hunter2"),
        ("url", "jdbc:postgresql://host/shop?user=a&password=hunter2"),
        ("url", "jdbc:sqlserver://host;databaseName=shop;password=hunter2;encrypt=true"),
        ("url", "mongodb://reader:hunter2@host/shop"),
    ],
)
def test_a_secret_that_is_written_as_it_is_is_refused_by_its_option(option, value):
    tables = {"main": {"options": {option: value}}}
    assert plain_secrets({"dataset": {"source": {"tables": tables}}}) == [f"{OPTIONS}.{option}"]
    hidden = {"main": {"options": {option: value.replace("hunter2", "${env:PW}")}}}
    assert plain_secrets({"dataset": {"source": {"tables": hidden}}}) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("user", "reader"),
        ("url", "jdbc:postgresql://db.example.com:5432/shop?ssl=true"),
        ("dbtable", "password_resets"),
        ("query", "SELECT token FROM t"),
        ("sep", ";"),
    ],
)
def test_what_is_no_secret_may_be_written(option, value):
    tables = {"main": {"options": {option: value}}}
    assert plain_secrets({"dataset": {"source": {"tables": tables}}}) == []


def test_the_message_names_the_option_and_not_the_value():
    with pytest.raises(ConfigError, match=r"options\.password: a secret .*\$\{env:NAME\}") as error:
        load_config(overrides=["dataset.source.tables.transactions.options.password=hunter2"])
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        "dataset.source.tables.transactions.options.password=hunter2",
        "dataset.source.tables.transactions.options.password={a: hunter2}",
        "dataset.source.tables.transactions.options.password=[hunter2",
        "dataset.source.tables.transactions.options.password=!hunter2 x",
        "dataset.source.tables.transactions.options.password=*hunter2",
        "dataset.source.tables.transactions.options password=hunter2",
        "spark.spark.hadoop.fs.s3a.secret.key=hunter2",
        "spark.spark.ssl.keyPassword=hunter2",
        "tracking.uri=postgresql://me:hunter2@host/mlflow",
        "dataset.source.tables.transactions.path=s3a://me:hunter2@bucket/sales",
    ],
)
def test_a_literal_password_on_the_command_line_is_refused_and_shown_nowhere(change):
    wrong = "training.epochs=none"  # another problem, whose report could quote the rest
    with pytest.raises(ConfigError) as error:
        load_config(overrides=[change, wrong])
    assert "hunter2" not in str(error.value) and "hunter2" not in repr(error.value.__cause__)


@pytest.mark.parametrize(
    "change",
    [
        "spark.spark.hadoop.fs.s3a.aws.credentials.provider=org.example.Provider",
        "spark.spark.kubernetes.driver.secrets.name=/mnt/secret",
        "spark.spark.security.credentials.hive.enabled=false",
        "spark.spark.hadoop.fs.s3a.secret.key=${env:HOME}",
    ],
)
def test_settings_of_spark_that_say_where_a_secret_is_are_not_refused(change):
    load_config(overrides=[change])
