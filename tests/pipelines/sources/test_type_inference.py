"""Columns of text get the types that SQL expressions need, or a refusal says how to cast."""

import pandas as pd
import pytest
from test_bad_rows import events_config

from optdist.errors import DataError
from pipelines.features.samples import build_samples, scoring_samples
from pipelines.sources.inference import infer_types
from pipelines.sources.needs import calendar_columns
from pipelines.sources.typed import with_types

HEADER = "customer,day,amount,units,code,price,note\n"
ROWS = [
    "c1,2024-01-05,9.5,9,007,9.99,a",
    "c1,2024-01-06,10.25,10,012,10.50,b",
    "c1,2024-01-07,0.4,,100,0.75,",
    "c3,2024-02-10,5,2,001,1.00,c",
]


@pytest.fixture
def table(tmp_path):
    def write(*more, rows=ROWS):
        path = tmp_path / "sales.csv"
        path.write_text(HEADER + "\n".join([*rows, *more]) + "\n")
        return path

    return write


def history(**features):
    return {"history": [{"key": ["customer"], "features": {"orders": "count(*)", **features}}]}


def features_of(spark, path, *names, **source):
    config = events_config(path, **source)
    dataset = config.dataset.model_copy(
        update={
            "features": config.dataset.features.model_copy(
                update={"numeric": {n: {"log1p": False} for n in ("orders_all", *names)}}
            )
        }
    )
    samples = build_samples(spark, dataset)
    row = samples.rows.first()
    return tuple(row[name] for name in names), samples


def test_aggregates_and_conditions_see_numbers_where_the_file_has_text(spark, table):
    values, samples = features_of(
        spark,
        table(),
        "top_all",
        "units_all",
        "least_all",
        where="amount > 0",
        **history(top="max(amount)", units="max(units)", least="min(price)"),
    )
    assert values == (10.25, 10.0, 0.75)
    types = {"amount": "double", "units": "bigint", "price": "double"}
    assert samples.types == {"sales": types}
    assert samples.rows.first()["orders_all"] == 3.0  # 0.4 > 0, though the whole number is not


def test_a_number_that_is_ordered_by_way_of_a_derived_column_is_typed_too(spark, table):
    columns = {"cost": "coalesce(price, 0)", "same": "cost"}
    values, _ = features_of(
        spark, table(), "top_all", columns=columns, **history(top="max(struct(same)).same")
    )
    assert values == (10.5,)


def test_columns_that_nothing_orders_or_that_are_seen_as_text_stay_text(spark, table):
    config = events_config(
        table(),
        columns={"short": "substring(price, 1, 2)", "known": "code IS NOT NULL"},
        where="note != '' OR note IS NULL",
        **history(codes="count(DISTINCT code)", units="sum(cast(units AS double))"),
    )
    assert infer_types(spark, config.dataset) == {}


@pytest.mark.parametrize(
    ("expression", "more", "message"),
    [
        (
            "max(price)",
            'c1,2024-01-08,1,1,1,"9,999.99",d',
            r"1 of its 5 values are not numbers "
            r"\(such as `9,999\.99`\).*cast\(price AS double\).*types: \{price: double\}",
        ),
        ("sum(price)", "c1,2024-01-08,1,1,1,n/a,d", r"1 of its 5 values are not numbers"),
        ("max_by(note, price)", "c1,2024-01-08,1,1,1,1.2.3,d", r"history.*max_by\(note, price\)"),
        ("count_if(price > 5)", "c1,2024-01-08,1,1,1,free,d", r"such as `aaaa`"),
        ("sum(note)", "c1,2024-01-08,1,1,1,1,d", r"4 of its 4 values are not numbers"),
        ("array_max(filter(collect_list(price), x -> x > 1))", "c1,2024-01-08,1,1,1,x,d", "`a`"),
    ],
)
def test_what_would_compare_text_with_a_number_is_refused(spark, table, expression, more, message):
    config = events_config(table(more), **history(value=expression))
    with pytest.raises(DataError, match=message):
        build_samples(spark, config.dataset)


DATED = [f"c1,2024-01-{day:02},{day}.5,{day},1,$9.{day},{day}.1.2024" for day in range(5, 20)]
MADE = {"made": "replace(price, '$', '')", "same": "made"}


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("max(replace(price, '$', ''))", r"replace\(price, '\$', ''\) for text.*cast"),
        ("max(same)", r"replace\(price, '\$', ''\) for text.*15 of its 15 values are numbers"),
        ("max_by(note, substring(price, 2))", r"substring\(price, 2\) for text"),
        ("count_if(replace(price, '$', '') > 9)", r"for text, in which 9 is more than 10"),
        ("max(cast(substring(price, 2) AS double))", None),
        ("max(cast(substring(price, 2) AS string))", None),
        ("sum(substring(price, 2))", None),
        ("max(substring(day, 1, 7))", None),
        ("max(note)", r"note for text, in which days such as `9\.9\.9999` have another order"),
        ("count_if(note > '31.12.2023')", r"days such as `9\.9\.9999`"),
        ("max(right(note, 9))", r"right\(note, 9\) for text, in which days such as"),
        ("max(to_date(note, 'd.M.yyyy'))", None),
    ],
)
def test_text_that_an_expression_makes_is_not_ordered_where_it_is_numbers_or_days(
    spark, table, expression, message
):
    path = table(rows=DATED)
    config = events_config(path, columns=MADE, **history(value=expression))
    if message is None:
        infer_types(spark, config.dataset)
        return
    with pytest.raises(DataError, match=message):
        infer_types(spark, config.dataset)


def test_the_maximum_of_a_joined_table_is_looked_at_in_its_own_rows(spark, table, tmp_path):
    prices = [f"c{i},{i}.50 EUR" for i in range(5, 15)]
    (tmp_path / "prices.csv").write_text("customer,paid\n" + "\n".join(prices) + "\n")
    path = table(rows=DATED)
    tables = {"sales": {"path": str(path)}, "prices": {"path": str(tmp_path / "prices.csv")}}
    join = {"table": "prices", "by": ["customer"], "aggregate": {"top": "max(left(paid, 4))"}}
    with pytest.raises(DataError, match=r"joins.*left\(paid, 4\) for text.*10 of its 10"):
        infer_types(spark, events_config(path, tables=tables, joins=[join]).dataset)


@pytest.mark.parametrize(
    ("where", "orders"),
    [
        ("day >= '2024-1-6'", 2.0),
        ("array_max(array(price, units)) > 10", 1.0),
        ("units > '9'", 1.0),
    ],
)
def test_a_condition_compares_days_and_numbers_as_such(spark, table, where, orders):
    where = f"{where} OR customer = 'c3'"
    _, samples = features_of(spark, table(), where=where, **history())
    assert samples.rows.first()["orders_all"] == orders


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    "expression", ["max(coalesce(units, '0'))", "max(filled)", "max(if(units > 5, units + 1, '0'))"]
)
def test_a_number_that_a_text_literal_makes_text_is_not_ordered(
    spark, table, tmp_path, expression, suffix
):
    path = table()
    if suffix == "parquet":
        rows = pd.read_csv(path).astype({"amount": float, "units": float})
        rows.to_parquet(path := tmp_path / "sales.parquet")
    columns = {"filled": "ifnull(units, '0')"}
    tables = {"sales": {"path": str(path)}}
    config = events_config(path, tables=tables, columns=columns, **history(value=expression))
    with pytest.raises(DataError, match=r"would order units .* as text.*without quotes"):
        build_samples(spark, config.dataset)


@pytest.mark.parametrize("expression", ["max(note)", "max(code)", "max(day)", "first(price)"])
def test_text_that_orders_right_as_text_is_not_refused(spark, table, expression):
    infer_types(spark, events_config(table(), **history(value=expression)).dataset)


def test_a_condition_does_not_hide_an_amount_that_cannot_be_read(spark, table):
    path = table("c1,2024-01-08,many,1,1,1,void", "c1,2024-01-08,many,1,1,1,d")
    where = "amount > 0 AND coalesce(note, '') != 'void'"
    samples = build_samples(spark, events_config(path, where=where).dataset)
    [row] = samples.quarantine.collect()
    assert (row["reason"], row["example"]) == ("unparsable amount", "aaaa")
    assert '"amount":"many"' in row["row"] and '"note":"d"' in row["row"]


def test_a_condition_does_not_hide_a_derived_amount_that_cannot_be_read(spark, table):
    rows = ["c1,2024-01-08,,1,1,free,1", "c1,2024-01-08,,1,1,,2", "c1,2024-01-08,,0,1,free,3"]
    source = {
        "columns": {"unit": "cast(price AS double)", "paid": "unit * 2"},
        "amount": "paid",
        "where": "paid > 0 AND units > 0",
    }
    samples = build_samples(spark, events_config(table(*rows), **source).dataset)
    [row] = samples.quarantine.collect()
    assert row["reason"] == "unparsable amount" and '"note":"1"' in row["row"]


def test_a_declared_type_quarantines_what_is_not_of_it(spark, table):
    path = table('c1,2024-01-08,1,1,1,"9,999.99",d')
    tables = {"sales": {"path": str(path), "format": "csv", "types": {"price": "double"}}}
    values, samples = features_of(
        spark, path, "top_all", tables=tables, **history(top="max(price)")
    )
    [row] = samples.quarantine.collect()
    assert values == (10.5,)
    assert (row["reason"], row["example"]) == ("unparsable price", "9,999.99")


def test_a_declared_column_that_is_not_there_is_refused(spark, table):
    tables = {"sales": {"path": str(table()), "format": "csv", "types": {"prize": "double"}}}
    with pytest.raises(DataError, match=r"sales\.types names columns.*prize.*Found: customer"):
        build_samples(spark, events_config(table(), tables=tables).dataset)


def test_scoring_reads_with_the_types_of_training(spark, table):
    day = __import__("datetime").date(2024, 1, 31)
    source = history(top="max(units)")
    config = events_config(table(), **source)
    types = infer_types(spark, config.dataset)
    assert types == {"sales": {"units": "bigint"}}
    path = table("c1,2024-01-09,1,x9,1,1,d", "c1,2024-01-09,1,11.0,1,1,d")
    samples = scoring_samples(spark, events_config(path, **source).dataset, day, types=types)
    [row] = samples.quarantine.collect()
    assert (row["reason"], row["example"]) == ("unparsable units", "a9")
    assert samples.types == {} or samples.types == types


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("bigint", "3.0", 3),
        ("bigint", "3.5", None),
        ("double", "1f", None),
        ("double", " 2.5 ", 2.5),
        ("boolean", "True", True),
        ("date", "2024-02-30", None),
    ],
)
def test_a_text_is_read_as_a_type_or_kept_as_it_was(spark, kind, text, value):
    row = with_types(spark.createDataFrame([(text,)], "x string"), {"x": kind}).first()
    assert row["x"] == value
    assert row["_unparsed"] == (None if value is not None else {"x": text})


def test_what_the_samples_day_alone_decides_is_calendar(spark, table):
    columns = {
        "month": "month(snapshot_date)",
        "is_summer": "MONTH BETWEEN 6 AND 8",
        "rate": "orders_all / datediff(snapshot_date, '2024-01-01')",
        "kind": "'a'",
    }
    config = events_config(table(), sample_columns=columns)
    assert calendar_columns(spark, config.dataset.source) == {"month", "is_summer"}
