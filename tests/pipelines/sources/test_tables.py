import gzip
import json

import pandas as pd
import pytest

from optdist.config import config_from, load_config
from optdist.config.tables import TableConfig
from optdist.errors import DataError
from pipelines.experiments.datasets import data_fingerprint
from pipelines.features.build import build_features
from pipelines.features.samples import build_samples
from pipelines.sources.columns import LABEL
from pipelines.sources.formats.registry import read_table


def samples_config(folder, tables, split_key=("user",), **source):
    return config_from(
        {
            "dataset": {
                "name": "table",
                "id": ["user"],
                "split_key": list(split_key),
                "source": {"kind": "samples", "tables": tables, "label": "value", **source},
                "features": {"numeric": ["age"]},
            },
            "build": {"max_quarantined_share": 1},
            "paths": {"root": str(folder / "root")},
        }
    )


def csv(path, frame):
    frame.to_csv(path, index=False)
    return {"path": str(path), "format": "csv"}


def test_a_join_can_aggregate_the_other_table_first(spark, tmp_path):
    policies = csv(tmp_path / "p.csv", pd.DataFrame({"user": ["1", "2", "3"], "age": [30, 40, 50]}))
    claims = pd.DataFrame({"user": ["1", "1", "3", "9"], "amount": [10.5, 2.0, 4.0, 99.0]})
    config = samples_config(
        tmp_path,
        {"policies": policies, "claims": csv(tmp_path / "c.csv", claims)},
        joins=[
            {
                "table": "claims",
                "by": ["user"],
                "aggregate": {"claimed": "sum(amount)", "claims": "count(*)"},
            }
        ],
        columns={"value": "coalesce(claimed, 0)", "age": "age + coalesce(claims, 0)"},
    )
    samples = build_samples(spark, config.dataset)
    rows = samples.rows.toPandas().sort_values("user")
    assert rows[["user", "age", LABEL]].values.tolist() == [
        ["1", 32.0, 12.5],
        ["2", 40.0, 0.0],
        ["3", 51.0, 4.0],
    ]
    assert samples.quarantine.count() == 0


def test_a_join_that_would_multiply_rows_is_refused(spark, tmp_path):
    main = csv(tmp_path / "m.csv", pd.DataFrame({"user": ["1"], "city": ["a"], "value": [5]}))
    ages = pd.DataFrame({"user": ["1", "2", "2"], "city": ["a", "b", "b"], "age": [3, 4, 5]})
    tables = {"main": main, "ages": csv(tmp_path / "a.csv", ages)}
    config = samples_config(
        tmp_path, tables, joins=[{"table": "ages", "by": ["user", "city"], "how": "inner"}]
    )
    message = r"ages has 2 rows of one key \(user, city\): .*joins\[\]\.aggregate"
    with pytest.raises(DataError, match=message):
        build_samples(spark, config.dataset)


def test_keys_that_differ_in_part_or_are_null_multiply_nothing(spark, tmp_path):
    main = csv(tmp_path / "m.csv", pd.DataFrame({"user": ["1"], "city": ["a"], "value": [5]}))
    ages = [("1", "a", 3), ("1", "b", 4), (None, "a", 5), (None, "a", 6), ("1", None, 7)]
    ages = pd.DataFrame([*ages, ("1", None, 8)], columns=["user", "city", "age"])
    tables = {"main": main, "ages": csv(tmp_path / "a.csv", ages)}
    config = samples_config(tmp_path, tables, joins=[{"table": "ages", "by": ["user", "city"]}])
    rows = build_samples(spark, config.dataset).rows.select("user", "age", LABEL).collect()
    assert [tuple(row) for row in rows] == [("1", 3.0, 5.0)]


def test_a_whole_number_as_key_joins_however_it_is_written(spark, tmp_path):
    main = pd.DataFrame({"user": ["1.0", "2", "v3.0", "4"], "value": [1, 2, 3, 4]})
    ages = pd.DataFrame({"user": ["1", "2.0", "v3", "4"], "age": [30, 40, 50, 60]})
    tables = {"main": csv(tmp_path / "m.csv", main), "ages": csv(tmp_path / "a.csv", ages)}
    for aggregate in ({}, {"age": "max(cast(age AS int))"}):
        joins = [{"table": "ages", "by": ["user"], "aggregate": aggregate}]
        config = samples_config(tmp_path, tables, joins=joins)
        rows = build_samples(spark, config.dataset).rows.select("user", "age").collect()
        ages_of = {row["user"]: row["age"] for row in rows}
        assert ages_of == {"1.0": 30, "2": 40, "v3.0": None, "4": 60}


def test_a_wrong_aggregate_names_the_join_and_the_columns(spark, tmp_path):
    table = csv(tmp_path / "t.csv", pd.DataFrame({"user": ["1"], "age": [3], "value": [1]}))
    join = {"table": "other", "by": ["user"], "aggregate": {"n": "sum(no_such_column)"}}
    config = samples_config(tmp_path, {"main": table, "other": table}, joins=[join])
    with pytest.raises(DataError, match=r"join with other does not work.*found: user, age, value"):
        build_samples(spark, config.dataset)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_without_header_but_with_tabs_and_a_byte_order_mark(spark, tmp_path, compressed):
    file = tmp_path / ("t.txt.gz" if compressed else "t.txt")
    content = "\ufeff1\t30\t2.5\n2\t\t0\n".encode()
    file.write_bytes(gzip.compress(content) if compressed else content)
    table = {"path": str(file), "format": "csv", "options": {"header": False, "sep": "\t"}}
    columns = {"user": "_c0", "age": "_c1", "value": "_c2"}
    rows = build_samples(
        spark, samples_config(tmp_path, {"main": table}, columns=columns).dataset
    ).rows
    assert [tuple(r) for r in rows.select("user", "age", LABEL).orderBy("user").collect()] == [
        ("1", 30.0, 2.5),
        ("2", None, 0.0),
    ]


def test_a_header_after_a_byte_order_mark_is_read_whole(spark, tmp_path):
    (tmp_path / "t.csv").write_bytes('\ufeff"user","age"\n"1","a ""b"""\n'.encode())
    rows = read_table(spark, "t", TableConfig(path=str(tmp_path / "t.csv"), format="csv"))
    assert rows.columns == ["user", "age"]
    assert rows.first()["age"] == 'a "b"'


@pytest.mark.parametrize("columns", [["user", "value", "age"], ["user", "age"]])
def test_a_folder_of_csv_files_with_other_headers_is_an_error_that_names_a_file(
    spark, tmp_path, columns
):
    frame = pd.DataFrame({"user": ["1"], "age": ["3"], "value": ["1"]})
    folder = tmp_path / "parts"
    folder.mkdir()
    frame.to_csv(folder / "0.csv", index=False)
    frame[columns].to_csv(folder / "1.csv", index=False)
    table = {"path": str(folder), "format": "csv"}
    with pytest.raises(DataError, match=r"The header of file:.*\.csv differs"):
        build_features(spark, samples_config(tmp_path, {"main": table}))


def test_a_row_without_a_split_key_is_set_aside(spark, tmp_path):
    frame = pd.DataFrame(
        {"user": ["1", "2"], "group": ["g", None], "age": ["3", "4"], "value": ["1", "2"]}
    )
    tables = {"main": csv(tmp_path / "t.csv", frame)}
    samples = build_samples(spark, samples_config(tmp_path, tables, split_key=["group"]).dataset)
    assert [row["user"] for row in samples.rows.collect()] == ["1"]
    assert [row["reason"] for row in samples.quarantine.collect()] == ["null group"]


@pytest.fixture
def secret_folder(tmp_path, monkeypatch):
    """A folder whose name is a secret, and a configuration that names it by its variable."""
    (tmp_path / "hunter2").mkdir()
    monkeypatch.setenv("OPTDIST_TEST_SECRET", f"{tmp_path}//hunter2")
    made = tmp_path / "made.yaml"

    def load(file, name="csv"):
        path = f"${{env:OPTDIST_TEST_SECRET}}/{file}"
        source = {"kind": "samples", "label": "value", "tables": {"main": {"path": path}}}
        source["tables"]["main"]["format"] = name
        keys = {"name": "made", "id": ["user"], "split_key": ["user"]}
        made.write_text(json.dumps({**keys, "source": source, "features": {"numeric": ["age"]}}))
        return load_config(made, overrides=[f"paths.root={tmp_path}/root"])

    return tmp_path / "hunter2", load


def test_a_path_with_a_secret_is_quoted_as_it_was_written(spark, secret_folder):
    folder, load = secret_folder
    missing = load("missing.csv")
    for use in (lambda: build_features(spark, missing), lambda: data_fingerprint(missing)):
        with pytest.raises(DataError) as error:
            use()
        assert "${env:OPTDIST_TEST_SECRET}/missing.csv does not exist" in str(error.value)
        assert "hunter2" not in str(error.value)


def test_what_spark_says_of_a_path_with_a_secret_is_quoted_as_it_was_written(spark, secret_folder):
    folder, load = secret_folder
    (folder / "empty").mkdir()
    parts = folder / "parts"
    parts.mkdir()
    (parts / "0.csv").write_text("user,age,value\n1,3,1\n")
    (parts / "1.csv").write_text("user,value,age\n1,1,3\n")
    for config, problem in [
        (load("empty", "parquet"), "cannot be read from ${env:OPTDIST_TEST_SECRET}/empty"),
        (load("parts"), "header of file://${env:OPTDIST_TEST_SECRET}/parts/"),
    ]:
        with pytest.raises(DataError) as error:
            build_features(spark, config)
        assert problem in str(error.value)
        assert "hunter2" not in str(error.value)
        assert error.value.__suppress_context__


def joined_config(tmp_path, users, keys, **join):
    """Samples of `users` joined with a table of `keys` that has an age."""
    main = pd.DataFrame({"user": users, "value": 1})
    ages = pd.DataFrame({"user": keys, "age": 30})
    tables = {"main": csv(tmp_path / "m.csv", main), "ages": csv(tmp_path / "a.csv", ages)}
    return samples_config(tmp_path, tables, joins=[{"table": "ages", "by": ["user"], **join}])


def test_a_join_that_matches_nothing_shows_the_shape_of_a_key_of_each_side(spark, tmp_path):
    config = joined_config(tmp_path, ["017850", "017851"], ["17850", "17851"])
    message = r"join with ages by user .*`999999` .*`99999` in ages\. Both are numbers"
    with pytest.raises(DataError, match=message):
        build_samples(spark, config.dataset)


def test_the_matched_share_of_a_join_is_printed_and_has_a_limit(spark, tmp_path, capsys):
    config = joined_config(tmp_path, ["a", "b", "c", "d"], ["a"])
    assert build_samples(spark, config.dataset).rows.count() == 4
    assert "join with ages: 1 of 4 rows (25.0%) have a partner" in capsys.readouterr().out
    config = joined_config(tmp_path, ["a", "b", "c", "d"], ["a"], min_matched=0.5)
    with pytest.raises(DataError, match=r"1 of 4 rows \(25\.0%\).* requires 50\.0%"):
        build_samples(spark, config.dataset)
