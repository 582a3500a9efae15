"""A shop's table with one quirk after another gives the shop's samples, or a clear refusal."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from quality_page import record, refusal
from quick import settings_of
from quirky_shop import Shop, by_pandas

from optdist.data.feature_table import FeatureTable
from optdist.errors import OptDistError
from optdist.files import locked
from pipelines.features.training_samples import write_samples

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _quick(spark):
    with settings_of(spark):
        yield


def where_on_text(shop):
    shop.source["where"] = "amount > 0.5"
    shop.write()


def ordered_by_text(shop):
    shop.features["favourite"] = "max_by(city, struct(amount, day))"
    shop.write()


def word_among_numbers(shop):
    shop.rows["quantity"] = ["many", *["1"] * (len(shop.rows) - 1)]
    shop.features["items"] = "sum(quantity)"
    shop.write()


def cleaned_text(shop):
    shop.rows["price"] = [f"${amount:.2f}" for amount in shop.rows["amount"]]
    shop.features["dearest"] = "max(replace(price, '$', ''))"
    shop.write()


def written_days(shop):
    shop.rows["shipped"] = pd.to_datetime(shop.rows["day"]).dt.strftime("%d.%m.%Y")
    shop.source["where"] = "shipped > '31.12.2022'"
    shop.write()


def quote_without_end(shop):
    lines = shop.text().splitlines()
    lines[1000] = lines[1000].replace(",", ',"', 1)
    shop.write("\n".join(lines))
    shop.source["tables"]["sales"]["options"] = {"multiLine": "true"}


def leading_zeros(shop):
    shop.rows.loc[shop.rows["customer"] == "008", "customer"] = "7"
    shop.write()


def no_event_in_window(shop):
    quiet = shop.rows["day"].between("2023-10-01", "2023-11-30")
    shop.rows = shop.rows[~quiet]
    shop.write()


def hudi(shop):
    shop.rows.to_parquet(table_folder(shop) / "part.parquet")
    (shop.folder / "table" / ".hoodie").mkdir()


def iceberg(shop):
    data = table_folder(shop) / "data"
    data.mkdir()
    shop.rows.to_parquet(data / "part.parquet")
    (shop.folder / "table" / "metadata").mkdir()
    (shop.folder / "table" / "metadata" / "v1.metadata.json").write_text("{}")


def short_rows(shop):
    lines = shop.text().splitlines()
    for i in range(5, len(lines), 20):
        lines[i] = lines[i].rpartition(",")[0]
    shop.write("\n".join(lines))


def one_short_row(shop):
    shop.write(shop.text() + "050,2023-02-01,7.5\n")


def double_suffix(shop):
    shop.write(shop.text() + "050,2023-02-01,12.50D,Rome\n")


def vanished(shop):
    shop.write(shop.text() + "777,2023-02-01,,Rome\n")


def customers_of(shop, *, offset: str = "") -> pd.DataFrame:
    names = sorted(set(shop.rows["customer"]))
    return pd.DataFrame({"customer": [offset + name for name in names], "country": "IT"})


def join(shop, customers, **settings):
    customers.to_csv(shop.folder / "customers.csv", index=False)
    shop.source["joins"] = [{"table": "customers", "by": ["customer"], **settings}]
    shop.write()
    shop.source["tables"]["customers"] = {"path": str(shop.folder / "customers.csv")}


def joins_nothing(shop):
    join(shop, customers_of(shop, offset="DE-"))


def joins_little(shop):
    join(shop, customers_of(shop)[:5], min_matched=0.9)


def joins_twice(shop):
    customers = customers_of(shop)
    join(shop, pd.concat([customers, customers[:1]]))


def brackets(shop):
    Shop(shop.folder, shop.rows[:100]).write(name="sales 1.csv")  # what a pattern would match
    shop.write(name="sales [1].csv")


def pattern(shop):
    shop.write(name="2023-01.csv")
    shop.source["tables"]["sales"]["path"] = str(shop.folder / "*.csv")


def stray_file(shop):
    shop.write(name="table/2023.csv")
    (shop.folder / "table" / "notes.pdf").write_bytes(b"%PDF-1.4")
    shop.source["tables"]["sales"] = {"path": str(shop.folder / "table"), "format": "csv"}


def odd_names(shop):
    shop.rows = shop.rows.rename(columns={"amount": "spend.total", "day": "group by"})
    shop.rows["order"] = 1
    shop.source |= {"amount": "spend.total", "timestamp": "group by"}
    sql = {"spend": "coalesce(sum(`spend.total`), 0)", "biggest": "max(`spend.total`)"}
    shop.features |= sql
    shop.write()


def own_names(shop):
    for name in ("first_day", "reason", "label", "split", "event_day"):
        shop.rows[name] = "x"
    shop.write()


def root_not_made(shop):
    (shop.folder / "file").write_text("")
    shop.more["paths"] = {"root": str(shop.folder / "file" / "root")}
    shop.write()


def model_name(shop):
    shop.more["tracking"] = {"model_name": "../shop"}
    shop.write()


def label_of_transactions(shop):
    shop.source["label"] = "spend_90d"
    shop.write()


def times(shop, write):
    shop.rows["day"] = [write(pd.Timestamp(day)) for day in shop.rows["day"]]
    shop.write()


def epoch_seconds(shop):
    times(shop, lambda day: int(day.timestamp()))


def epoch_millis(shop):
    times(shop, lambda day: int(day.timestamp()) * 1000)


def excel_serials(shop):
    times(shop, lambda day: (day - pd.Timestamp("1899-12-30")).days)


def currency_code(shop):
    shop.rows["amount"] = [f"{amount:.2f} EUR" for amount in shop.rows["amount"]]
    shop.write()


def trailing_comma(shop):
    shop.write("".join(line + ",\n" for line in shop.text().splitlines()))


def doubled_column(shop):
    doubled = shop.rows.assign(note="x", other="y").rename(columns={"other": "note"})
    shop.write(doubled.to_csv(index=False))


def blanks_after_commas(shop):
    shop.write(shop.text().replace(",", ", "))


def newline(shop):
    shop.write(shop.text().replace("Rome", '"Ro\nme"'))


def utf16(shop):
    shop.write(shop.text().encode("utf-16"))


def empty_file(shop):
    shop.write(b"")


def table_folder(shop) -> Path:
    shop.source["tables"] = {"sales": {"path": str(shop.folder / "table"), "format": "parquet"}}
    folder = shop.folder / "table"
    folder.mkdir()
    return folder


RIGHT = [
    *(where_on_text, ordered_by_text, leading_zeros, one_short_row, double_suffix, vanished),
    *(brackets, odd_names, own_names, trailing_comma, doubled_column, blanks_after_commas),
]
REFUSED = {  # what the sentence must name
    cleaned_text: r"1,500 of its 1,500 values are numbers",
    written_days: r"days such as `99\.99\.9999` have another order",
    quote_without_end: r"more or fewer fields than the header 501",
    word_among_numbers: r"1 of its 1,500 values are not numbers \(such as `aaaa`\)",
    no_event_in_window: r"label windows 2023-10-01 to 2023-11-29: every label would be 0",
    hudi: r"table of Apache Hudi",
    iceberg: r"table of Apache Iceberg",
    short_rows: r"more or fewer fields than the header \d+",
    joins_nothing: r"matches nothing: keys look like `999` .* `AA-999`",
    joins_little: r"min_matched of the join requires 90\.0%",
    joins_twice: r"has 2 rows of one key \(customer\)",
    pattern: r"Patterns such as \* are not expanded",
    stray_file: r"notes\.pdf",
    root_not_made: r"paths\.root",
    model_name: r"tracking\.model_name",
    label_of_transactions: r"kind: transactions does not read label",
    epoch_seconds: r"timestamp_seconds",
    epoch_millis: r"timestamp_millis",
    excel_serials: r"1899-12-30",
    currency_code: r"`9\.99 AAA`: set source\.columns\.amount: cast\(regexp_replace",
    newline: r"multiLine: true",
    utf16: r"UTF-16",
    empty_file: r"is empty",
}


def samples_of(spark, shop) -> pd.DataFrame:
    """The samples, with the checks that a job makes before it fits anything."""
    config = shop.config()
    path = config.layout.feature_table("made")
    with locked(path):
        table = FeatureTable.create(path)
        write_samples(spark, config, None, table)
    samples = pd.read_parquet(table.samples)
    keys = ["customer", "snapshot_date"]
    return samples.sort_values(keys, ignore_index=True)


@pytest.mark.parametrize("quirk", RIGHT, ids=lambda quirk: quirk.__name__)
def test_a_quirk_that_says_one_thing_gives_the_right_samples(spark, tmp_path, capsys, quirk):
    shop = Shop(tmp_path)
    quirk(shop)
    samples, right = samples_of(spark, shop), by_pandas(shop)
    assert samples["customer"].tolist() == right["customer"].tolist()
    for name in right.columns.drop(["customer", "snapshot_date"]):
        if right[name].dtype == object:
            assert samples[name].tolist() == right[name].tolist()
        else:
            np.testing.assert_allclose(samples[name], right[name], rtol=1e-9)
    printed = re.findall(r"^  (quarantined .*|.* have no sample.*)$", capsys.readouterr().out, re.M)
    words = "".join(f"; prints “{line}”" for line in printed)
    record(quirk.__name__, f"right values{words}")


@pytest.mark.parametrize("quirk", REFUSED, ids=lambda quirk: quirk.__name__)
def test_a_quirk_that_says_nothing_clear_is_refused_in_one_sentence(spark, tmp_path, quirk):
    shop = Shop(tmp_path)
    quirk(shop)
    with pytest.raises(OptDistError) as error:
        samples_of(spark, shop)
    text = str(error.value)
    assert re.search(REFUSED[quirk], text), text
    assert "Traceback" not in text and "\tat " not in text
    record(quirk.__name__, refusal(error.value, tmp_path))
