"""Drafts of tables whose rows are samples, and of tables that are joined."""

import numpy as np
import pandas as pd
import pytest
from drafts import draft, purchases, write

from pipelines.drafting.checking import checker
from pipelines.drafting.request import DraftError
from pipelines.features.samples import build_samples


def users(rows=600, seed=1):
    rng = np.random.default_rng(seed)
    spend = np.where(rng.random(rows) < 0.3, rng.exponential(40, rows), 0).round(2)
    return pd.DataFrame(
        {
            "user_id": [f"u{i:05}" for i in range(rows)],
            "country": rng.choice(["DE", "FR", "UK"], rows),
            "age": rng.integers(18, 80, rows),
            "visits": rng.geometric(0.02, rows) ** 2,
            "premium": rng.random(rows) < 0.5,
            "spend_90d": spend,
        }
    )


def test_a_table_with_a_row_for_each_id_is_one_of_samples(spark, tmp_path):
    made = draft(spark, write(tmp_path, users(), "users.csv"))
    assert made.content["id"] == made.content["split_key"] == ["user_id"]
    assert made.source["kind"] == "samples" and made.source["label"] == "spend_90d"
    features = made.content["features"]
    assert features["categorical"] == ["country", "premium"]
    assert features["numeric"]["age"] == {} and features["numeric"]["visits"] == {"log1p": True}
    assert "600 samples" in made.text and "positive" in made.text


def test_a_category_that_tells_the_label_is_no_feature_and_one_of_many_values_is(spark, tmp_path):
    frame = users(1500)
    paid = frame["spend_90d"] > 0
    rng = np.random.default_rng(3)
    plain = rng.choice(["new", "old"], len(frame))
    frame["status"] = np.where(paid & (rng.random(len(frame)) < 0.4), "refunded", plain)
    frame["level"] = np.where(paid, rng.choice(["B", "C"], len(frame)), "A")
    frame["shop"] = rng.choice([f"s{i}" for i in range(400)], len(frame))
    made = draft(spark, write(tmp_path, frame, "users.csv"))
    assert "status is no feature: it has a value whose rows have positive labels" in made.text
    assert "- level is no feature: it tells alone who has a positive label" in made.text
    assert made.content["features"]["categorical"] == ["country", "premium", "shop"]


def test_what_tells_the_label_alone_is_no_feature(spark, tmp_path):
    frame = users()
    paid = frame["spend_90d"] > 0
    frame["order_count"] = np.where(paid, 2, 0)
    frame["product_price"] = np.where(paid, 9.99 + np.arange(len(frame)) % 50, np.nan)
    made = draft(spark, write(tmp_path, frame, "users.csv"))
    for name in ("order_count", "product_price"):
        assert f"- {name} is no feature: it tells alone who has a positive label" in made.text
        assert name not in made.content["features"]["numeric"]


def test_ids_constants_and_free_text_are_no_features(spark, tmp_path):
    frame = users().assign(note=lambda f: [f"text {i // 1.5}" for i in range(len(f))], source="x")
    frame["session"] = [f"s{i}" for i in range(len(frame))]
    made = draft(spark, write(tmp_path, frame, "users.csv"))
    assert made.content["features"]["categorical"] == ["country", "premium"]
    assert "session is no feature: it has another value in every row: an id" in made.text
    assert "note is no feature: it is text with a different value in most rows" in made.text


def test_rows_of_one_customer_go_to_one_split(spark, tmp_path):
    frame = users().rename(columns={"user_id": "visit_id"})
    frame["customer"] = [f"c{i // 3}" for i in range(len(frame))]
    made = draft(spark, write(tmp_path, frame, "visits.csv"), id=("visit_id",), label="spend_90d")
    assert made.content["id"] == ["visit_id"] and made.content["split_key"] == ["customer"]


def test_the_label_is_summed_from_a_table_with_several_rows_of_an_id(spark, tmp_path):
    frame = users().drop(columns="spend_90d").rename(columns={"user_id": "policy_id"})
    claims = pd.DataFrame(
        {
            "policy_id": frame["policy_id"].sample(frac=0.3, random_state=1).repeat(2).to_numpy(),
            "ClaimAmount": [100.0 + i % 7 for i in range(360)],
        }
    )
    made = draft(
        spark, write(tmp_path, frame, "policies.csv"), write(tmp_path, claims, "claims.csv")
    )
    [join] = made.source["joins"]
    assert join["table"] == "claims" and join["by"] == ["policy_id"]
    assert join["aggregate"] == {"claims_total": "sum(cast(ClaimAmount AS double))"}
    assert made.source["columns"][made.source["label"]] == "coalesce(claims_total, 0)"


def test_a_samples_table_without_label_names_near_columns(spark, tmp_path):
    frame = users().rename(columns={"spend_90d": "zeta"})
    with pytest.raises(DraftError, match=r"looks like a sample's label.*visits.*--label COLUMN"):
        draft(spark, write(tmp_path, frame, "users.csv"))


def test_a_table_with_one_row_for_each_key_is_joined_by_it(spark, tmp_path):
    frame = purchases()
    frame["product_id"] = [i % 20 for i in range(len(frame))]
    products = pd.DataFrame({"product_id": range(15), "brand": [f"b{i % 3}" for i in range(15)]})
    made = draft(
        spark, write(tmp_path, products, "products.csv"), write(tmp_path, frame, "sales.csv")
    )
    assert list(made.source["tables"]) == ["sales", "products"]
    assert made.source["joins"] == [{"table": "products", "by": ["product_id"], "how": "left"}]
    assert "products has one row for each product_id; 7" in made.text
    assert "last_brand_all" in made.content["features"]["categorical"]


def test_a_table_that_changes_is_joined_as_it_was_known(spark, tmp_path):
    frame = purchases(customers=60)
    days = ["2023-01-01", "2023-05-01", "2023-07-01"]
    rows = [
        (customer, day, "gs"[place % 2], 10 + place)
        for customer in frame["customer"].unique()
        for place, day in enumerate(days)
    ]
    tiers = pd.DataFrame(rows, columns=["customer", "valid_from", "tier", "score"])
    paths = [write(tmp_path, frame, "sales.csv"), write(tmp_path, tiers, "tiers.csv")]
    made = draft(spark, *paths)
    assert made.source["joins"] == [
        {"table": "tiers", "by": ["customer"], "valid_from": "valid_from"}
    ]
    features = made.content["features"]
    assert "tier" in features["categorical"] and "score" in features["numeric"]
    assert made.content["training"] == {"batch_size": 128}
    assert "each sample gets the one that was valid at its cut" in made.text.replace("\n  #", "")
    config = checker("local", [f"paths.root={tmp_path}"])(made.text)
    samples = build_samples(spark, config.dataset)
    assert {row[0] for row in samples.rows.select("tier").distinct().collect()} == {"g", "s"}
    samples.release()


def test_tables_that_cannot_be_joined_are_named_with_the_reason(spark, tmp_path):
    frame = purchases()
    visits = pd.DataFrame({"customer": ["C001", "C001", "C002"], "page": ["a", "b", "c"]})
    people = pd.DataFrame({"key": sorted(set(frame["customer"])), "city": "Bonn"})
    other = pd.DataFrame({"customer": ["X1", "X2"], "grade": [1, 2]})
    paths = [
        write(tmp_path, table, f"{name}.csv")
        for name, table in {"s": frame, "visits": visits, "people": people, "o": other}.items()
    ]
    made = draft(spark, *paths)
    assert "joins" not in made.source and list(made.source["tables"]) == ["s"]
    text = " ".join(line.removeprefix("# ") for line in made.text.splitlines())
    assert "visits is not joined: it has several rows of one customer" in text
    assert "100% of the values of s.customer are in people.key: give the two one name" in text
    assert "o is not joined: no row of s has a partner by customer" in text


def test_columns_of_a_joined_table_whose_names_are_taken_get_others(spark, tmp_path):
    frame = purchases()
    frame["product_id"] = [i % 20 for i in range(len(frame))]
    frame["kind"] = [("a", "b")[i % 2] for i in range(len(frame))]
    products = pd.DataFrame({"product_id": range(20), "kind": [f"k{i % 4}" for i in range(20)]})
    made = draft(
        spark, write(tmp_path, frame, "sales.csv"), write(tmp_path, products, "products.csv")
    )
    [join] = made.source["joins"]
    assert join["aggregate"] == {"products_kind": "first(kind)"}
    assert {"last_kind_all", "last_products_kind_all"} <= set(
        made.content["features"]["categorical"]
    )
