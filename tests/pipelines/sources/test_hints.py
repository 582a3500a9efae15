import pytest

from pipelines.sources.hints import suggest_amount, suggest_timestamp

DATES = [
    (["31/01/2024", "06/02/2024"], "to_date(day, 'dd/MM/yyyy')", "2024-01-31"),
    (["31.01.2024"], "to_date(day, 'dd.MM.yyyy')", "2024-01-31"),
    (["31/1/2024", "6/2/2024"], "to_date(day, 'd/M/yyyy')", "2024-01-31"),
    (["01/31/2024", "02/06/2024"], "to_date(day, 'MM/dd/yyyy')", "2024-01-31"),
    (["31/01/24"], "to_date(day, 'dd/MM/yy')", "2024-01-31"),
    (["2024/01/31"], "to_date(day, 'yyyy/MM/dd')", "2024-01-31"),
    (["31-Jan-2024"], "to_date(day, 'dd-MMM-yyyy')", "2024-01-31"),
    (["31/01/2024 9:05"], "to_timestamp(day, 'dd/MM/yyyy H:mm[:ss]')", "2024-01-31"),
    (["1/31/2024 9:05:01 PM"], "to_timestamp(day, 'M/d/yyyy h:mm[:ss] a')", "2024-01-31"),
    (["20240131"], "to_date(day, 'yyyyMMdd')", "2024-01-31"),
    (["20240131.0"], "to_date(cast(cast(day AS bigint) AS string), 'yyyyMMdd')", "2024-01-31"),
    (["1706659200"], "timestamp_seconds(cast(day AS bigint))", "2024-01-31"),
    (["1706659200000"], "timestamp_millis(cast(day AS bigint))", "2024-01-31"),
    (["45322", "45323.5"], "date_add('1899-12-30', cast(day AS int))", "2024-01-31"),
]
AMOUNTS = [
    (["$9.29", "$1,234.50"], "point", 9.29),
    (["12.50 EUR"], "point", 12.5),
    (["1,234.56"], "point", 1234.56),
    (["-$3.10"], "point", -3.1),
    (["1,234"], "point", 1234.0),
    (["1.234,56"], "comma", 1234.56),
    (["9,29", "1.234,00"], "comma", 9.29),
    (["9,99 €"], "comma", 9.99),
    (["1 234,56"], "comma", 1234.56),
]
SQL = {
    "point": "cast(regexp_replace(amount, '[^0-9.-]', '') AS double)",
    "comma": "cast(replace(regexp_replace(amount, '[^0-9,-]', ''), ',', '.') AS double)",
}


@pytest.mark.parametrize(("texts", "sql", "_"), DATES)
def test_the_notation_of_dates_is_recognised(texts, sql, _):
    assert suggest_timestamp("day", texts) == sql


@pytest.mark.parametrize(("texts", "style", "_"), AMOUNTS)
def test_the_notation_of_amounts_is_recognised(texts, style, _):
    assert suggest_amount("amount", texts) == SQL[style]


def test_each_suggestion_reads_the_text_it_was_made_for(spark):
    rows = spark.createDataFrame([("x",)], "x string")
    columns = [f"date({sql.replace('day', repr(texts[0]), 1)})" for texts, sql, _ in DATES]
    columns += [SQL[style].replace("amount", repr(texts[0])) for texts, style, _ in AMOUNTS]
    [row] = rows.selectExpr(*columns).collect()
    assert [value if isinstance(value, float) else str(value) for value in row] == [
        expected for _, _, expected in [*DATES, *AMOUNTS]
    ]


@pytest.mark.parametrize("texts", [["yesterday"], ["31/01/2024", "20240131"], ["12"]])
def test_no_date_is_suggested_for_what_is_not_recognised(texts):
    assert suggest_timestamp("day", texts) is None


@pytest.mark.parametrize("texts", [["free"], ["1.234,56", "1,234.56"], ["(9.99)"]])
def test_no_amount_is_suggested_for_what_is_not_recognised(texts):
    assert suggest_amount("amount", texts) is None


def test_a_name_that_sql_would_not_read_is_quoted():
    assert suggest_timestamp("Order.Date", ["20240131"]) == "to_date(`Order.Date`, 'yyyyMMdd')"
