"""Rows that cannot be read right are quarantined with a reason, an example and their value."""

import gzip

import pandas as pd
import pytest

from optdist.config import config_from
from optdist.errors import DataError
from pipelines.features.build import build_features
from pipelines.features.samples import build_samples
from pipelines.sources.quarantine import count_reasons

HEADER = "customer,day,amount\n"


def events_config(path, options=None, **source):
    table = {"path": str(path), "format": "csv", "options": options or {}}
    return config_from(
        {
            "dataset": {
                "name": "events",
                "id": ["customer"],
                "split_key": ["customer"],
                "source": {
                    "kind": "transactions",
                    "tables": {"sales": table},
                    "amount": "amount",
                    "timestamp": "day",
                    "snapshots": {"dates": ["2024-02-01"]},
                    "horizon_days": 10,
                    "days_incomplete": 0,
                    "history": [{"key": ["customer"], "features": {"orders": "count(*)"}}],
                    **source,
                },
                "features": {"numeric": ["orders_all"]},
            },
            "paths": {"root": str(path.parent / "root")},
        }
    )


def quarantine(spark, config):
    rows = build_samples(spark, config.dataset).quarantine.collect()
    return sorted((row["reason"], row["example"], row["value"]) for row in rows)


RAGGED = "more or fewer fields than the header"
LINES = [
    "c1,2024-01-05,10.50",
    "c1,2024-01-06,1,223.51",
    "c2,2024-01-07",
    "c3,2024-02-10,5",
]


@pytest.mark.parametrize("where", [None, "amount > 2"])
def test_rows_of_more_or_fewer_fields_are_quarantined_with_what_they_are_worth(
    spark, tmp_path, where
):
    path = tmp_path / "sales.csv"
    path.write_text(HEADER + "\n".join(LINES) + "\n")
    bad = quarantine(spark, events_config(path, where=where))
    assert bad == [(RAGGED, "a9,9999-99-99", None), (RAGGED, "a9,9999-99-99,9,999.99", 1223.51)]


def test_ragged_rows_of_a_folder_of_compressed_files_with_line_breaks_are_seen(spark, tmp_path):
    folder = tmp_path / "sales"
    folder.mkdir()
    lines = ['"c\n1",2024-01-05,10.50\nc4,2024-02-10,1', "c3,2024-02-10,5,6"]
    for number, line in enumerate(lines):
        content = (HEADER + line + "\n").encode()
        (folder / f"{number}.csv.gz").write_bytes(gzip.compress(content))
    config = events_config(folder, options={"multiLine": "true"})
    [(reason, example, _)] = quarantine(spark, config)
    assert (reason, example) == (RAGGED, "a9,9999-99-99,9,9")


def test_a_row_that_a_ragged_row_of_a_joined_table_went_into_is_quarantined(spark, tmp_path):
    path = tmp_path / "sales.csv"
    path.write_text(HEADER + "c1,2024-01-05,1\nc2,2024-01-05,2\nc3,2024-02-10,5\n")
    (tmp_path / "customers.csv").write_text("customer,city\nc1,Paris, France\nc2,Rome\n")
    tables = {
        "sales": {"path": str(path), "format": "csv"},
        "customers": {"path": str(tmp_path / "customers.csv"), "format": "csv"},
    }
    joins = [{"table": "customers", "by": ["customer"]}]
    config = events_config(path, tables=tables, joins=joins)
    [(reason, example, value)] = quarantine(spark, config)
    assert (reason, example) == (RAGGED, "a9,Aaaaa, Aaaaaa")


@pytest.mark.parametrize(
    ("amount", "value"),
    [
        ("12.50D", 12.5),
        ("1f", 1.0),
        ("0x10", 10.0),
        ("$1.234,50", 1234.5),
        ('"9,999.99"', 9999.99),
        ("12.50 EUR", 12.5),
        ("many", None),
    ],
)
def test_an_amount_that_is_no_plain_number_is_unparsable_and_its_value_guessed(
    spark, tmp_path, amount, value
):
    path = tmp_path / "sales.csv"
    lines = ["c1,2024-01-05,1e2", f'c1,2024-01-06,"{amount.strip(chr(34))}"', "c3,2024-02-10,5"]
    path.write_text(HEADER + "\n".join(lines) + "\n")
    [(reason, _, guess)] = quarantine(spark, events_config(path))
    assert (reason, guess) == ("unparsable amount", value)


def test_words_for_null_are_no_customer(spark, tmp_path):
    path = tmp_path / "sales.csv"
    ids = ["nan", "NaN", "null", "None", "NA", "n/a", "\\N", "<NA>", '" "', ""]
    ids += ["(null)", "NaT", "[NULL]", "-nan", "nil", "#NULL!", "(blank)", "Unknown"]
    lines = [f"{customer},2024-01-05,1" for customer in ids]
    path.write_text(HEADER + "\n".join([*lines, "c1,2024-01-05,1", "c3,2024-02-10,5"]) + "\n")
    samples = build_samples(spark, events_config(path).dataset)
    assert [row["customer"] for row in samples.rows.collect()] == ["c1"]
    assert [row["reason"] for row in samples.quarantine.collect()] == ["null customer"] * len(ids)


def test_ids_that_a_type_of_fractions_cannot_tell_apart_are_no_customers(spark, tmp_path):
    frame = pd.DataFrame({"customer": [2.0**53, 3.0], "day": "2024-01-05", "amount": 1.0})
    frame.loc[2] = [3.0, "2024-02-10", 5.0]
    frame.to_parquet(tmp_path / "sales.parquet", index=False)
    source = {"tables": {"sales": {"path": str(tmp_path / "sales.parquet")}}}
    config = events_config(tmp_path / "sales.parquet", **source)
    assert quarantine(spark, config) == [("inexact customer", None, 1.0)]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_columns_named_like_marks_of_bad_rows_are_like_others(spark, tmp_path, suffix):
    path = tmp_path / f"sales.{suffix}"
    names = ["_unparsed", "_ragged_line", "_corrupt_record", "reason", "stage", "row_key"]
    frame = pd.DataFrame({"customer": "c1", "day": ["2024-01-05", "2024-02-10"], "amount": 2.5})
    frame = frame.assign(**dict.fromkeys(names, "x"))
    (frame.to_csv if suffix == "csv" else frame.to_parquet)(path, index=False)
    samples = build_samples(
        spark, events_config(path, tables={"sales": {"path": str(path)}}).dataset
    )
    assert [row["label"] for row in samples.rows.collect()] == [2.5]
    assert samples.quarantine.count() == 0


def test_rows_that_a_quote_without_an_end_takes_in_are_counted_with_their_value(spark, tmp_path):
    path = tmp_path / "sales.csv"
    lines = [f"c{i},a,2024-01-05,{i}" for i in range(1, 9)]
    lines[0] = "c1,a,2024-02-10,1"
    lines[4] = lines[4].replace(",a,", ',"a,')
    path.write_text("customer,note,day,amount\n" + "\n".join(lines) + "\n")
    samples = build_samples(spark, events_config(path, options={"multiLine": "true"}).dataset)
    [count] = count_reasons(samples.quarantine)
    assert (count.reason, count.rows, count.value) == (RAGGED, 4, 5.0 + 6.0 + 7.0 + 8.0)


def test_blanks_around_a_customer_make_no_other_one(spark, tmp_path):
    path = tmp_path / "sales.csv"
    ids = ["c1", " c1", "c1  ", "\tc1", "c1\u00a0"]
    path.write_text(
        HEADER + "\n".join(f"{i},2024-01-05,1" for i in ids) + "\nc1,2024-02-10,5\n", "utf-8"
    )
    [sample] = build_samples(spark, events_config(path).dataset).rows.collect()
    assert sample["customer"] == "c1"


def many_events(path, bad):
    lines = [f"c{i % 90},2024-01-{1 + i % 20:02},1.00" for i in range(900)]
    lines += [f"c{i},2024-02-10,1.00" for i in range(90)]
    path.write_text(HEADER + "\n".join([*lines, *bad]) + "\n")
    return path


def test_few_bad_rows_with_much_of_the_value_stop_the_job(spark, tmp_path):
    path = many_events(tmp_path / "sales.csv", ["c1,2024-01-06,1,223.51"])
    message = (
        r"hold about 1,224 of 2,214 of the value \(55\.3%\).*build\.max_quarantined_share allows "
        r"1\.0%\. Examples: more or fewer fields than the header `a9,9999-99-99,9,999\.99`"
    )
    with pytest.raises(DataError, match=message):
        build_features(spark, events_config(path))


def test_customers_all_of_whose_rows_were_quarantined_are_counted(spark, tmp_path, capsys):
    path = many_events(tmp_path / "sales.csv", ["lost,2024-01-06,x", "c1,2024-01-06,y"])
    config = events_config(path)
    table = build_features(spark, config.model_copy(update={"build": few_groups(config)}))
    assert table.manifest.counts["vanished"] == 1
    printed = capsys.readouterr().out
    assert "quarantined unparsable amount 2, such as `a`" in printed
    assert "1 of customer have no sample, for all their rows were quarantined" in printed


def few_groups(config):
    return config.build.model_copy(update={"min_row_groups": 2})


def test_an_id_that_is_not_a_number_in_a_column_of_numbers_is_null(spark, tmp_path):
    frame = pd.DataFrame(
        {
            "customer": [1.0, float("nan"), 3.0],
            "day": ["2024-01-05", "2024-01-05", "2024-02-10"],
            "amount": [1.0, 2.0, 3.0],
        }
    )
    frame.to_parquet(tmp_path / "sales.parquet", index=False)
    source = {"tables": {"sales": {"path": str(tmp_path / "sales.parquet")}}}
    config = events_config(tmp_path / "sales.parquet", **source)
    assert quarantine(spark, config) == [("null customer", None, 2.0)]
