"""Drafts of tables of events: which column is what, and what is made of it."""

import pandas as pd
import pytest
from drafts import draft, event_roles, purchases, write

from optdist.errors import DataError
from pipelines.drafting.request import DraftError


def test_a_table_of_purchases_becomes_snapshots_of_customers(spark, tmp_path):
    made = draft(spark, write(tmp_path, purchases()))
    assert made.content["name"] == "sales"
    assert made.content["id"] == made.content["split_key"] == ["customer"]
    assert (made.source["amount"], made.source["timestamp"]) == ("amount", "day")
    assert made.source["horizon_days"] == 90
    assert made.source["snapshots"]["every"] in {"2 weeks", "week"}
    table = made.source["tables"]["sales"]
    assert table["format"] == "csv" and table["types"] == {"amount": "double", "day": "date"}
    history = made.source["history"]
    assert history[0]["features"]["spend"] == "coalesce(sum(amount), 0)"
    assert history[1]["windows"] == {"30d": 30, "90d": 90, "prior_90d": [91, 180]}
    assert {"spend_90d", "days_since_last_all", "overdue"} <= set(
        made.content["features"]["numeric"]
    )


def test_comments_say_what_a_guess_is_made_of_and_which_flag_changes_it(spark, tmp_path):
    made = draft(spark, write(tmp_path, purchases()))
    rows = len(purchases())
    assert f"# customer has about 40 different values in {rows:,} rows" in made.text
    for flag in ("--id", "--time", "--amount", "--horizon", "--kind snapshots"):
        assert flag in made.text
    assert "40 customers, 40 of them (100.0%) with purchases on two or more days" in made.text
    assert "WARNING: 40 customers are few" in made.text


def test_no_value_of_a_customer_is_in_the_draft(spark, tmp_path):
    made = draft(spark, write(tmp_path, purchases().assign(email="someone@example.com")))
    assert "C001" not in made.text and "someone@example.com" not in made.text


def test_the_value_is_quantity_times_unit_price_and_returns_are_netted(spark, tmp_path):
    frame = purchases().rename(columns={"amount": "UnitPrice"})
    frame["Quantity"] = [(-1 if i % 11 == 0 else 1 + i % 3) for i in range(len(frame))]
    made = draft(spark, write(tmp_path, frame))
    assert made.source["columns"] == {"value": "Quantity * UnitPrice"}
    assert made.source["amount"] == "value" and made.source["label_floor"] == 0
    assert "returned_all" in made.content["features"]["numeric"]


def test_a_price_that_grows_with_the_units_is_the_lines_and_not_multiplied(spark, tmp_path):
    frame = purchases().rename(columns={"amount": "PRICE"})
    frame["QUANTITY"] = [1 + i % 2 for i in range(len(frame))]
    frame["PRICE"] = frame["PRICE"] * frame["QUANTITY"]
    made = event_roles(spark, write(tmp_path, frame))
    assert made.amount == "PRICE"


def test_an_amount_that_counts_units_is_not_the_value(spark, tmp_path):
    frame = purchases().rename(columns={"amount": "SALES_PRICE"})
    frame["AMOUNT"] = [1 + (i % 5 == 0) for i in range(len(frame))]
    frame["SALES_PRICE"] = frame["SALES_PRICE"] * frame["AMOUNT"]
    made = event_roles(spark, write(tmp_path, frame))
    assert made.amount == "SALES_PRICE"


def test_a_table_without_header_gets_names(spark, tmp_path):
    frame = purchases()
    frame["customer"] = frame["customer"].str[1:].astype(int) + 100
    frame["day"] = frame["day"].dt.strftime("%-m/%-d/%Y")
    path = write(tmp_path, frame[["customer", "amount", "day"]], "log.txt", sep="\t", header=False)
    made = draft(spark, path)
    assert made.source["tables"]["log"]["options"] == {"sep": "\t", "header": False}
    assert made.source["columns"] == {
        "customer": "_c0",
        "day": "to_date(_c2, 'M/d/yyyy')",
        "amount": "_c1",
    }
    assert made.content["id"] == ["customer"]


@pytest.mark.parametrize(
    ("form", "sql"),
    [
        ("%d/%m/%Y", "to_date(day, 'dd/MM/yyyy')"),
        ("%m/%d/%Y", "to_date(day, 'MM/dd/yyyy')"),
        ("%Y%m%d", "to_date(day, 'yyyyMMdd')"),
        ("%d.%m.%Y %H:%M", "to_timestamp(day, 'dd.MM.yyyy H:mm[:ss]')"),
    ],
)
def test_dates_are_read_as_they_are_written(spark, tmp_path, form, sql):
    frame = purchases(customers=12)
    frame["day"] = frame["day"].dt.strftime(form)
    made = event_roles(spark, write(tmp_path, frame))
    assert made.columns[made.time] == sql


def test_the_order_of_day_and_month_is_decided_by_all_rows_not_by_the_first(spark, tmp_path):
    frame = purchases(customers=150).sort_values("day", key=lambda days: days.dt.day)
    frame["day"] = frame["day"].dt.strftime("%m/%d/%Y")
    assert (frame["day"][:1000].str[3:5].astype(int) <= 12).all()
    made = event_roles(spark, write(tmp_path, frame))
    assert "to_date(day, 'MM/dd/yyyy')" in made.columns.values()


def test_amounts_with_a_currency_are_read(spark, tmp_path):
    frame = purchases()
    frame["amount"] = frame["amount"].map("${:,.2f}".format)
    made = event_roles(spark, write(tmp_path, frame))
    assert made.columns["amount_2"].startswith("cast(regexp_replace(amount,")


def test_rows_without_a_customer_are_left_out(spark, tmp_path):
    frame = purchases()
    frame.loc[frame.index % 4 == 0, "customer"] = None
    made = event_roles(spark, write(tmp_path, frame))
    assert made.where == "customer IS NOT NULL"
    assert "(25.0%) have no customer" in made.reasons["where"]


@pytest.mark.parametrize("word", ["nan", "NA", "\\N"])
def test_ids_that_are_words_for_null_are_left_out_as_the_jobs_would(spark, tmp_path, word):
    frame = purchases()
    frame.loc[frame.index % 4 == 0, "customer"] = word
    made = event_roles(spark, write(tmp_path, frame))
    rows = spark.createDataFrame([("C001",), (word,)], ["customer"])
    assert [row[0] for row in rows.where(made.where).collect()] == ["C001"]


def test_other_columns_become_counts_sums_and_categories(spark, tmp_path):
    frame = purchases()
    places = range(len(frame))
    frame["invoice"] = [f"I{i // 2}" for i in places]
    frame["product"] = [f"P{i % 30}" for i in places]
    frame["channel"] = [("web", "shop")[i % 2] for i in places]
    frame["discount"] = [i % 5 / 2 for i in places]
    made = draft(spark, write(tmp_path, frame))
    features = made.source["history"][0]["features"]
    assert features["purchases"] == "count(DISTINCT invoice)"
    assert features["kinds_of_product"] == "count(DISTINCT product)"
    assert features["total_discount"] == "coalesce(sum(discount), 0)"
    assert "last_channel_all" in made.content["features"]["categorical"]


def test_constants_and_copies_are_no_features(spark, tmp_path):
    frame = purchases(country="FR")
    frame["channel"] = [("web", "shop")[i % 2] for i in range(len(frame))]
    frame["channel_again"] = frame["channel"]
    made = draft(spark, write(tmp_path, frame))
    assert "- country is no feature: it is constant" in made.text
    assert "- channel_again is no feature: it has the same value as channel in every" in made.text
    assert not {"last_country_all", "last_channel_again_all"} & set(
        made.content["features"]["categorical"]
    )


def test_flags_override_guesses(spark, tmp_path):
    frame = purchases().rename(columns={"customer": "who", "day": "when", "amount": "much"})
    frame["when"] = frame["when"].dt.strftime("%Y-%m-%d")
    made = draft(
        spark,
        f"shop={write(tmp_path, frame)}",
        id=("who",),
        time="when",
        amount="much * 2",
        horizon_days=14,
        name="mine",
    )
    assert made.content["name"] == "mine" and made.content["id"] == ["who"]
    assert list(made.source["tables"]) == ["shop"]
    assert made.source["columns"] == {"value": "much * 2"} and made.source["timestamp"] == "when"
    assert made.source["horizon_days"] == 14


def test_first_purchases_have_features_of_their_day(spark, tmp_path):
    frame = purchases()
    frame["category"] = [("a", "b", "c")[i % 3] for i in range(len(frame))]
    path = write(tmp_path, frame)
    made = draft(spark, path, id=("customer", "category"), kind="first_purchase", horizon_days=30)
    assert made.content["id"] == ["customer", "category"]
    assert made.content["split_key"] == ["customer"]
    assert set(made.source["first_purchase"]) == {"start"}
    assert made.source["attributes"]["category_bought"] == "first(category)"
    assert {block["key"][0] for block in made.source["history"]} == {"customer", "category"}


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (purchases().drop(columns="day"), ["looks like the time of an event", "--time"]),
        (purchases().drop(columns="amount"), ["looks like the value of an event", "--amount"]),
        (
            purchases().rename(columns={"customer": "shopname"}),
            ["looks like a customer's id", "shopname (40 values)", "--id"],
        ),
        (
            purchases(customers=30).drop_duplicates("customer"),
            ["Each customer of sales is there once", "--kind samples --label"],
        ),
    ],
)
def test_what_cannot_be_guessed_is_said_in_a_sentence_with_the_flag(spark, tmp_path, frame, words):
    if "day" not in frame and "amount" in frame:
        frame = frame.assign(color="red")
    with pytest.raises(DraftError) as error:
        draft(spark, write(tmp_path, frame))
    assert all(word in str(error.value) for word in words), error.value
    assert "\n" not in str(error.value)


def test_a_horizon_that_the_days_do_not_hold_is_refused(spark, tmp_path):
    with pytest.raises(DraftError, match=r"which is too few for a label of 400 days.*--horizon"):
        draft(spark, write(tmp_path, purchases()), horizon_days=400)


def test_a_flag_that_names_no_column_is_refused(spark, tmp_path):
    path = write(tmp_path, purchases())
    for wishes in ({"id": ("client",)}, {"kind": "samples", "label": "client"}):
        with pytest.raises(DraftError, match="Found: customer, day, amount"):
            draft(spark, path, **wishes)


def test_an_archive_is_refused_as_the_jobs_refuse_it(spark, tmp_path):
    path = tmp_path / "sales.csv.zip"
    purchases().to_csv(path, index=False, compression="zip")
    with pytest.raises(DataError, match=r"zip archive\. Unpack it"):
        draft(spark, path)


def test_german_exports_are_read(spark, tmp_path):
    frame = purchases().rename(columns={"customer": "Kunde", "day": "Datum", "amount": "Betrag"})
    frame["Datum"] = pd.to_datetime(frame["Datum"]).dt.strftime("%d.%m.%Y")
    frame["Betrag"] = frame["Betrag"].map("{:.2f}".format).str.replace(".", ",")
    frame["Straße"] = "x"
    path = write(tmp_path, frame, sep=";", encoding="windows-1252")
    made = draft(spark, path)
    assert made.source["tables"]["sales"]["options"] == {"encoding": "windows-1252", "sep": ";"}
    assert made.content["id"] == ["Kunde"]
    assert "replace(" in made.source["columns"][made.source["amount"]]


def test_a_secret_is_read_and_not_written(spark, tmp_path, monkeypatch):
    write(tmp_path, purchases())
    monkeypatch.setenv("PLACE_OF_SALES", str(tmp_path))
    made = draft(spark, "${env:PLACE_OF_SALES}/sales.csv")
    assert made.source["tables"]["sales"]["path"] == "${env:PLACE_OF_SALES}/sales.csv"
    assert str(tmp_path) not in made.text
