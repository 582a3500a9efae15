"""The data sets of conf/datasets, on slices and on rows made up in their files' form."""

from pathlib import Path

import pandas as pd
import pytest

from optdist.config import load_config
from pipelines.features.samples import build_samples
from pipelines.sources.columns import LABEL

SLICE = Path(__file__).parents[2] / "data" / "online_retail_slice.csv.gz"


def with_paths(name, **tables):
    return load_config(
        name, overrides=[f"dataset.source.tables.{k}.path={v}" for k, v in tables.items()]
    )


@pytest.fixture(scope="module")
def online_retail(spark):
    samples = build_samples(spark, with_paths("online_retail", invoices=SLICE).dataset)
    assert samples.quarantine.count() == 0 and samples.incomplete == 0
    rows = samples.rows.toPandas()
    samples.release()
    rows["snapshot_date"] = rows["snapshot_date"].astype(str)
    return rows.set_index(["CustomerID", "snapshot_date"])


def test_online_retail_has_every_known_customer_at_each_month(online_retail):
    assert len(online_retail) == 702
    assert (online_retail[LABEL] > 0).sum() == 331
    assert online_retail.index.is_unique
    months = online_retail.index.get_level_values("snapshot_date").unique()
    assert sorted(months) == [f"2011-{month:02}-01" for month in range(3, 10)]


def test_online_retail_worked_by_hand(online_retail):
    # before: 40 x 9.95 + 3 x 4.95 bought on 01-17, 4 x 9.95 returned on 01-21; after: 06-23
    row = online_retail.loc[("13929.0", "2011-06-01")]
    assert row[LABEL] == pytest.approx(61.2 + 17.7 + 35.7 + 81 + 159.2 + 39.6 + 35.4)
    assert row["bought_all"] == pytest.approx(412.85)
    assert row["returned_all"] == pytest.approx(39.8)
    assert (row["invoices_all"], row["lines_all"], row["products_all"]) == (1, 3, 2)
    assert (row["days_since_last_all"], row["days_since_first_all"]) == (131, 135)
    assert (row["mean_gap_all"], row["overdue"]) == (4, 131 / 4)
    assert (row["net_90d"], row["invoices_90d"], row["country_all"]) == (0, 0, "United Kingdom")


def test_online_retail_nets_returns_in_the_label(online_retail):
    row = online_retail.loc[("17440.0", "2011-05-01")]
    assert row[LABEL] == pytest.approx(48 * 0.65 + 36 * 0.85 - 6 * 0.65 - 5 * 0.85)
    assert row["net_30d"] == pytest.approx(120 * 0.85 + 24 * 0.65 + 15 * 0.39)
    assert row["net_trend"] == row["net_30d"]  # nothing in the two months before
    assert online_retail.loc[("12616.0", "2011-03-01"), LABEL] == 0  # net -7.95


def test_criteo_lines_become_clicks_with_a_label_of_0_or_the_sale(spark, tmp_path):
    sale = ["1", "52.5", "600", "1598891820", "3", "9.9", "kids", "2", "aud", "f", "b"]
    sale += [f"c{i}" for i in range(1, 8)] + ["FR", "id", 'a "quoted title', "partner", "user"]
    none = ["0", "-1", "-1", "1598925284", "-1", "0", *["-1"] * 17]
    file = tmp_path / "clicks.tsv"
    file.write_text("".join("\t".join(line) + "\n" for line in [sale, none, none]))
    samples = build_samples(spark, with_paths("criteo_ssc", clicks=file).dataset)
    assert samples.quarantine.count() == 0
    rows = samples.rows.toPandas().sort_values([LABEL, "copy"], ignore_index=True)
    assert rows[LABEL].tolist() == [0, 0, 52.5]
    assert rows["copy"].tolist() == [1, 2, 1] and rows["content"].nunique() == 2
    bought = rows.loc[2]
    assert bought["product_title"] == 'a "quoted title' and bought["user_id"] == "user"
    assert (bought["click_hour"], bought["clicks_1week"]) == (16, 3)
    assert rows.loc[0, ["clicks_1week", "product_category7", "user_id"]].isna().all()


def test_the_shoppers_of_kaggle_are_those_of_the_three_companies_with_most_lines(spark, tmp_path):
    lines = [("rare", "1", "2012-04-01", 9.0)]
    for company, number in [("big", 6), ("middle", 4), ("small", 2)]:
        lines += [("other", company, "2013-07-01", 1.0)] * number
    lines += [
        ("u", "big", "2012-03-01", 5.0),
        ("u", "big", "2012-03-01", 7.0),
        ("u", "big", "2013-03-01", 2.0),  # day 365
        ("u", "big", "2013-03-02", 4.0),
        ("u", "big", "2012-05-01", -3.0),  # a return: not in the paper's sums
        ("v", "middle", "2012-07-02", 1.0),  # too late
    ]
    frame = pd.DataFrame(lines, columns=["id", "company", "date", "purchaseamount"])
    frame["category"] = [f"c{i}" for i in range(len(frame))]
    frame = frame.assign(chain="15", dept="9", brand="b", productmeasure="OZ", productsize="1")
    frame.to_csv(tmp_path / "t.csv", index=False)
    config = with_paths("kaggle_avs", transactions=tmp_path / "t.csv", companies=tmp_path / "t.csv")
    rows = build_samples(spark, config.dataset).rows.toPandas()
    assert rows[["id", "company", LABEL]].values.tolist() == [["u", "big", 2.0]]
    largest = frame[frame["purchaseamount"] == 7.0]["category"].item()
    assert (rows.loc[0, "category"], rows.loc[0, "first_spend"]) == (largest, 12.0)
