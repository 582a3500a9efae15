import pandas as pd
import pytest

from optdist.config import config_from
from optdist.errors import ConfigError, DataError
from pipelines.features.samples import build_samples


@pytest.fixture
def write(tmp_path):
    """A function that writes tables, the first one the main table, and returns a config."""

    def make(tables, joins, features, types=None, **source):
        for name, frame in tables.items():
            frame.to_csv(tmp_path / f"{name}.csv", index=False)
        dataset = {
            "name": "t",
            "id": ["user"],
            "split_key": ["user"],
            "source": {
                "kind": "samples",
                "tables": {
                    name: {
                        "path": str(tmp_path / f"{name}.csv"),
                        "types": (types or {}).get(name, {}),
                    }
                    for name in tables
                },
                "joins": joins,
                "label": "value",
                **source,
            },
            "features": {"numeric": features},
        }
        return config_from({"dataset": dataset, "build": {"max_quarantined_share": 1}}).dataset

    return make


USERS = pd.DataFrame({"user": ["1", "2"], "age": [30, 40], "city": ["x", "y"], "value": [1, 2]})
CITIES = pd.DataFrame({"city": ["x", "y"], "Age": [300, 900], "user": ["u", "v"]})
SHOPS = pd.DataFrame({"user": ["1", "2"], "Age": [7, 8], "size": [1, 2]})
JOINS = [{"table": "cities", "by": ["city"]}, {"table": "shops", "by": ["user"]}]
TABLES = {"users": USERS, "cities": CITIES, "shops": SHOPS}


def test_a_column_that_several_tables_have_goes_by_the_name_of_its_table_too(spark, write, capsys):
    names = ["users_age", "cities_Age", "shops_Age", "size"]
    rows = build_samples(spark, write(TABLES, JOINS, names)).rows
    values = [[row[name] for name in names] for row in rows.orderBy("user").collect()]
    assert values == [[30, 300, 7, 1], [40, 900, 8, 2]]
    named = "users_age, cities_Age, cities_user, shops_Age"
    assert f"columns of one name in several tables are now {named}" in capsys.readouterr().out


def test_the_plain_name_of_such_a_column_is_refused(spark, write):
    with pytest.raises(DataError, match=r"not there: age\. Found: .*users_age.*cities_Age"):
        build_samples(spark, write(TABLES, JOINS, ["age"]))
    with pytest.raises(DataError, match=r"column twice does not work: .*users_age.*shops_Age"):
        build_samples(spark, write(TABLES, JOINS, ["size"], columns={"twice": "2 * age"}))


def test_numbers_of_such_a_column_are_compared_as_numbers(spark, write):
    columns = {"older": "cities_Age > users_age", "most": "greatest(cities_Age, users_age)"}
    dataset = write(TABLES, JOINS, ["most"], columns=columns)
    frames = TABLES | {"cities": CITIES.assign(Age=[1000, 9])}
    dataset = write(frames, JOINS, ["most"], columns=columns)
    rows = build_samples(spark, dataset).rows.orderBy("user").collect()
    assert [row["most"] for row in rows] == [1000, 40]


def test_a_declared_type_follows_its_column_to_the_new_name(spark, write):
    frames = TABLES | {"shops": SHOPS.assign(Age=["7", "many"])}
    dataset = write(frames, JOINS, ["shops_Age"], types={"shops": {"age": "int"}})
    [bad] = build_samples(spark, dataset).quarantine.collect()
    assert (bad["reason"], bad["example"]) == ("unparsable shops_Age", "aaaa")
    assert '"shops_Age":"many"' in bad["row"]


def test_a_bad_row_of_either_table_keeps_its_text(spark, write):
    frames = TABLES | {
        "users": USERS.assign(age=["old", "40"]),
        "shops": SHOPS.assign(size=["1", "huge"]),
    }
    types = {"users": {"age": "int"}, "shops": {"size": "int"}}
    dataset = write(frames, JOINS, ["size", "users_age"], types=types)
    rows = build_samples(spark, dataset).quarantine.collect()
    found = {row["reason"]: row["row"] for row in rows}
    assert '"users_age":"old"' in found["unparsable users_age"]
    assert '"size":"huge"' in found["unparsable size"]


def test_a_bad_row_in_an_aggregate_is_a_bad_row_of_the_sample(spark, write):
    frames = TABLES | {"shops": SHOPS.assign(size=["1", "huge"])}
    join = {"table": "shops", "by": ["user"], "aggregate": {"sizes": "sum(size)"}}
    dataset = write(frames, [join], ["sizes"], types={"shops": {"size": "int"}})
    samples = build_samples(spark, dataset)
    assert [row["reason"] for row in samples.quarantine.collect()] == ["unparsable size"]
    assert [row["user"] for row in samples.rows.collect()] == ["1"]


def test_an_aggregate_may_not_take_the_name_of_a_column_or_of_another_aggregate(spark, write):
    join = {"table": "shops", "by": ["user"], "aggregate": {"AGE": "max(Age)"}}
    with pytest.raises(DataError, match=r"aggregate makes the column AGE, and a table has one"):
        build_samples(spark, write(TABLES, [join], ["size"]))
    joins = [{**join, "aggregate": {"n": "count(*)"}}, {**join, "aggregate": {"N": "sum(size)"}}]
    with pytest.raises(ConfigError, match="aggregates make the same column: n"):
        write(TABLES, joins, ["n"])


def test_two_joins_with_one_table_need_two_names(spark, write):
    joins = [{"table": "shops", "by": ["user"]}, {"table": "shops", "by": ["user", "size"]}]
    with pytest.raises(DataError, match="The table shops is joined twice"):
        build_samples(spark, write(TABLES, joins, ["size"]))


def test_a_qualified_name_that_a_table_has_is_refused(spark, write):
    frames = TABLES | {"users": USERS.assign(shops_age=1)}
    with pytest.raises(DataError, match="column Age, and shops_Age is taken too"):
        build_samples(spark, write(frames, JOINS, ["size"]))
