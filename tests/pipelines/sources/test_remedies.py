"""Too many bad rows, and timestamps that are numbers, come with the SQL that reads them."""

import pytest
from test_bad_rows import events_config

from optdist.config import config_from
from optdist.errors import CheckError, DataError
from pipelines.features.build import build_features
from pipelines.features.samples import build_samples

HEADER = "customer,day,amount\n"
GOOD = ["c1,2024-01-05,10.50", "c2,2024-01-07,9", "c3,2024-02-10,5"]


def refusal(spark, tmp_path, *lines, **source):
    path = tmp_path / "sales.csv"
    path.write_text(HEADER + "\n".join([*GOOD, *lines]) + "\n")
    with pytest.raises(CheckError) as caught:
        build_features(spark, events_config(path, **source))
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        (
            "c1,2024-01-08,$9.99",
            "amount looks like `$9.99`: set source.columns.amount: "
            "cast(regexp_replace(amount, '[^0-9.-]', '') AS double).",
        ),
        (
            "c1,31/01/2024,9.99",
            "day looks like `99/99/9999`: set source.columns.day: "
            "coalesce(try_cast(day AS timestamp), to_date(day, 'dd/MM/yyyy')).",
        ),
        (
            "c1,2024-01-08,1,234.50",
            "Amounts with a thousands separator outside of quotes, such as `9,999.99`, make such "
            "lines: export the file with quotes around them, or without the separator.",
        ),
    ],
)
def test_too_many_bad_rows_come_with_what_reads_them(spark, tmp_path, line, remedy):
    assert remedy in refusal(spark, tmp_path, line)


def test_what_is_set_as_the_refusal_says_reads_the_rows(spark, tmp_path):
    lines = ["c1,31/01/2024,$9.99", "c1,2024-01-09,x"]
    columns = {
        "amount": "cast(regexp_replace(amount, '[^0-9.-]', '') AS double)",
        "day": "coalesce(try_cast(day AS timestamp), to_date(day, 'dd/MM/yyyy'))",
    }
    path = tmp_path / "sales.csv"
    path.write_text(HEADER + "\n".join([*GOOD, lines[0]]) + "\n")
    samples = build_samples(spark, events_config(path, columns=columns).dataset)
    assert samples.quarantine.isEmpty()
    assert samples.events.count() == 4


def test_a_label_that_is_no_number_comes_with_what_reads_it(spark, tmp_path):
    (tmp_path / "t.csv").write_text("user,age,spend\n1,3,5\n2,3,12.50 EUR\n")
    config = config_from(
        {
            "dataset": {
                "name": "t",
                "id": ["user"],
                "split_key": ["user"],
                "source": {
                    "kind": "samples",
                    "tables": {"t": {"path": str(tmp_path / "t.csv"), "format": "csv"}},
                    "label": "spend",
                },
                "features": {"numeric": ["age"]},
            },
            "paths": {"root": str(tmp_path / "root")},
        }
    )
    with pytest.raises(CheckError, match=r"set source\.columns\.spend: cast\(regexp_replace"):
        build_features(spark, config)


@pytest.mark.parametrize(
    ("made", "sql"),
    [
        ("20240131", "to_date(cast(number AS string), 'yyyyMMdd')"),
        ("20240131.0D", "to_date(cast(cast(number AS bigint) AS string), 'yyyyMMdd')"),
        ("1706659200L", "timestamp_seconds(cast(number AS bigint))"),
        ("1706659200000L", "timestamp_millis(cast(number AS bigint))"),
        ("1.7066592e9D", "timestamp_seconds(cast(number AS bigint))"),
        ("45322.5D", "date_add('1899-12-30', cast(number AS int))"),
    ],
)
def test_a_timestamp_that_is_a_number_comes_with_what_reads_its_values(spark, tmp_path, made, sql):
    folder = tmp_path / "sales"
    frame = spark.sql(f"SELECT 'c1' customer, {made} number, 5D amount")
    frame.write.parquet(str(folder))
    config = events_config(folder, tables={"sales": {"path": str(folder)}}, timestamp="number")
    with pytest.raises(DataError) as caught:
        build_samples(spark, config.dataset)
    assert f"Set source.columns.number: {sql} (" in str(caught.value)
    assert str(frame.selectExpr(f"date({sql})").first()[0]) == "2024-01-31"


def test_a_number_that_is_an_id_in_two_texts_is_refused_and_read_as_the_refusal_says(
    spark, tmp_path
):
    path = tmp_path / "sales.csv"
    lines = ["17,2024-01-05,1", "17.0,2024-01-06,2", "v1.0,2024-01-07,3", "8.0,2024-02-10,4"]
    path.write_text(HEADER + "\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"1 values of customer.* both as `99999` and") as caught:
        build_samples(spark, events_config(path).dataset)
    sql = str(caught.value).partition("source.columns.customer: ")[2].removesuffix(".")
    samples = build_samples(spark, events_config(path, columns={"customer": sql}).dataset)
    events = samples.events.groupBy("customer").count().collect()
    assert dict(map(tuple, events)) == {"17": 2, "v1.0": 1, "8": 1}


def test_an_amount_that_only_a_joined_table_has_says_which_table_is_the_main_one(spark, tmp_path):
    for name, text in {"users": "user\nc1\n", "sales": HEADER + "\n".join(GOOD)}.items():
        (tmp_path / f"{name}.csv").write_text(text)
    tables = {name: {"path": str(tmp_path / f"{name}.csv")} for name in ("users", "sales")}
    config = events_config(tmp_path / "users.csv", tables=tables)
    with pytest.raises(DataError, match=r"first of source\.tables, users, is the main table"):
        build_samples(spark, config.dataset)
