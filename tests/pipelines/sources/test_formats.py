import json

import pytest
from shop import config as shop_config

from optdist.config import config_from
from optdist.config.tables import TableConfig
from optdist.errors import ConfigError, DataError
from pipelines.features.samples import build_samples
from pipelines.sources.columns import LABEL
from pipelines.sources.formats.registry import explain_read_errors, input_fingerprint, table_format


def dataset(path, format, **options):
    table = {"path": str(path), "format": format, "options": options}
    source = {"kind": "samples", "tables": {"users": table}, "label": "value"}
    names = {"name": "t", "id": ["user"], "split_key": ["user"]}
    return config_from(
        {"dataset": {**names, "source": source, "features": {"numeric": ["age"]}}}
    ).dataset


def test_a_format_of_ones_own_is_a_class_that_the_table_names(spark, tmp_path):
    (tmp_path / "users.txt").write_text("u1  30 2.5\nu2     0\n")
    widths = {"width.user": 4, "width.age": 3, "width.value": 3}
    own = dataset(tmp_path / "users.txt", "fixed_width:FixedWidth", **widths)
    rows = build_samples(spark, own).rows.select("user", "age", LABEL).orderBy("user").collect()
    assert [tuple(row) for row in rows] == [("u1", 30.0, 2.5), ("u2", None, 0.0)]
    assert input_fingerprint(own.source) == [["users", "u1  30 2.5\nu2     0\n"]]


def test_a_format_of_ones_own_explains_sparks_errors(spark):
    table_format("fixed_width:FixedWidth")
    with pytest.raises(DataError, match=r"^A line is too short\.$"), explain_read_errors():
        spark.sql("SELECT raise_error('short line')").collect()


def test_json_lines_are_read(spark, tmp_path):
    lines = [{"user": "007", "age": 30, "value": 2.5}, {"user": "8", "value": 0}]
    (tmp_path / "users.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    rows = build_samples(spark, dataset(tmp_path / "users.jsonl", "json")).rows
    assert [tuple(row) for row in rows.select("user", "age", LABEL).orderBy("user").collect()] == [
        ("007", 30.0, 2.5),
        ("8", None, 0.0),
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "cvs",
            r"format` must be one of csv, json, parquet, .*jdbc.* or `package\.module:Class`.*cvs",
        ),
        ("fixed_width:NoFormat", "NoFormat lacks a method of .*TableFormat"),
        ("no_such_module:Format", "No module named 'no_such_module'"),
    ],
)
def test_a_format_that_is_not_known_says_what_to_write(name, message):
    table = TableConfig(path="x", format=name)
    with pytest.raises(ConfigError, match=message):
        table_format(table.format)


def test_a_format_that_cannot_be_a_name_is_refused_at_the_start(tmp_path):
    written = shop_config(tmp_path, "x").model_dump(mode="json")
    written["dataset"]["source"]["tables"]["sales"]["format"] = "a b"
    with pytest.raises(ConfigError, match=r"source\.tables\.sales\.format"):
        config_from(written)
