import pytest

from pipelines.sources.date_hints import suggest_timestamp, suggest_timestamps
from pipelines.sources.hints import remedy, suggest_amount, suggest_amounts

DATES = [
    (["31/01/2024", "06/02/2024"], "to_date(day, 'dd/MM/yyyy')", "2024-01-31"),
    (["31.01.2024"], "to_date(day, 'dd.MM.yyyy')", "2024-01-31"),
    (["31/1/2024", "6/2/2024"], "to_date(day, 'd/M/yyyy')", "2024-01-31"),
    (["01/31/2024", "02/06/2024"], "to_date(day, 'MM/dd/yyyy')", "2024-01-31"),
    (["31/01/24"], "to_date(day, 'dd/MM/yy')", "2024-01-31"),
    (["2024/01/31"], "to_date(day, 'yyyy/MM/dd')", "2024-01-31"),
    (["24-01-31", "24-02-06"], "to_date(day, 'yy-MM-dd')", "2024-01-31"),
    (["01/31/24", "02/06/24"], "to_date(day, 'MM/dd/yy')", "2024-01-31"),
    (["2024.31.01", "2024.03.02"], "to_date(day, 'yyyy.dd.MM')", "2024-01-31"),
    (["31-Jan-2024"], "to_date(day, 'dd-MMM-yyyy')", "2024-01-31"),
    (["31 JANUARY 2024", "6 May 2024"], "to_date(day, 'd MMMM yyyy')", "2024-01-31"),
    (["24-Jan-31", "24-Feb-06"], "to_date(day, 'yy-MMM-dd')", "2024-01-31"),
    (["31/01/2024 9:05"], "to_timestamp(day, 'dd/MM/yyyy H:mm[:ss]')", "2024-01-31"),
    (["1/31/2024 9:05:01 PM"], "to_timestamp(day, 'M/d/yyyy h:mm[:ss] a')", "2024-01-31"),
    (["20240131"], "to_date(day, 'yyyyMMdd')", "2024-01-31"),
    (["20240131.0"], "to_date(cast(cast(day AS bigint) AS string), 'yyyyMMdd')", "2024-01-31"),
    (["1706659200"], "timestamp_seconds(cast(day AS bigint))", "2024-01-31"),
    (["1706659200000"], "timestamp_millis(cast(day AS bigint))", "2024-01-31"),
    (["1706659200123456789"], "timestamp_micros(cast(day AS bigint) div 1000)", "2024-01-31"),
    (["Jan 31, 2024", "Feb 6, 2024"], "to_date(day, 'MMM d, yyyy')", "2024-01-31"),
    (["January 31 2024", "May 6 2024"], "to_date(day, 'MMMM d yyyy')", "2024-01-31"),
    (["20240131 09:05:01"], "to_timestamp(day, 'yyyyMMdd HH:mm:ss')", "2024-01-31"),
    (["20240131T090501"], "to_timestamp(day, 'yyyyMMdd\\'T\\'HHmmss')", "2024-01-31"),
    (["20240131090501"], "to_timestamp(day, 'yyyyMMddHHmmss')", "2024-01-31"),
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
ODD = [  # amounts whose sign is not a hyphen in front
    (["(9.99)", "12.50"], "point", -9.99),
    (["$(1,234.50)"], "point", -1234.5),
    (["9.99-", "$3.00"], "point", -9.99),
    (["\u22129,99 €", "3,50 €"], "comma", -9.99),
    (["(9.99)"], "point", -9.99),
    (["Rs.1,234.50", "Rs. 5"], "point", 1234.5),
    (["kr. 12,50"], "comma", 12.5),
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
    columns += [suggest_amount("amount", ts).replace("amount", repr(ts[0])) for ts, _, _ in ODD]
    columns += [
        suggest_amount("amount", ["(1.0)"]).replace("amount", repr(t)) for t in ("2", "-1e-2")
    ]
    [late] = suggest_timestamps("day", ["31/12/97", "29/02/00"])
    columns += [f"date({late.replace('day', repr(text))})" for text in ("31/12/97", "29/02/00")]
    [row] = rows.selectExpr(*columns).collect()
    expected = [value for _, _, value in [*DATES, *AMOUNTS, *ODD]]
    expected += [2.0, -0.01, "1997-12-31", "2000-02-29"]
    assert [value if isinstance(value, float) else str(value) for value in row] == expected


def test_all_orders_of_day_month_and_year_that_read_the_values_are_named():
    assert suggest_timestamps("day", ["03/04/2024"]) == [
        "to_date(day, 'dd/MM/yyyy')",
        "to_date(day, 'MM/dd/yyyy')",
    ]
    texts = ["24-01-05", "24-03-04"]  # the years of yy-MM-dd are the same
    assert suggest_timestamps("day", texts)[0] == "to_date(day, 'yy-MM-dd')"
    assert len(suggest_timestamps("day", texts)) == 2
    assert remedy("day", ["03/04/2024"], suggest_timestamps) == (
        "day looks like `99/99/9999`: set source.columns.day: to_date(day, 'dd/MM/yyyy'), or "
        "to_date(day, 'MM/dd/yyyy') (each of them reads these values, so you must know which is "
        "meant)."
    )


def test_a_comma_that_may_stand_before_decimals_or_thousands_is_read_in_both_ways():
    assert suggest_amounts("amount", ["1,234", "5,678"]) == [SQL["point"], SQL["comma"]]
    assert suggest_amounts("amount", ["1,234", "9,99"]) == [SQL["comma"]]


@pytest.mark.parametrize("texts", [["yesterday"], ["31/01/2024", "20240131"], ["12"]])
def test_no_date_is_suggested_for_what_is_not_recognised(texts):
    assert suggest_timestamp("day", texts) is None


@pytest.mark.parametrize(
    "texts",
    [
        ["free"],
        ["1.234,56", "1,234.56"],
        ["9.99 CR"],
        ["12.-"],
        ["12.5k"],
        ["3 Mio"],
        ["\uff11\uff12"],
    ],
)
def test_no_amount_is_suggested_for_what_is_not_recognised(texts):
    assert suggest_amount("amount", texts) is None


def test_a_name_that_sql_would_not_read_is_quoted():
    assert suggest_timestamp("Order.Date", ["20240131"]) == "to_date(`Order.Date`, 'yyyyMMdd')"
