import re

import pandas as pd
import pyarrow.parquet as pq
import pytest
from shop import transactions

from optdist.config import config_from
from optdist.errors import ConfigError, DataError
from pipelines.features.build import build_features
from pipelines.features.samples import build_samples

NAMES = {"customer": "Customer ID", "day": "order.date", "amount": "net `sum`", "segment": "select"}


def sales_config(folder, sales, **source):
    """A data set of sales whose columns have the names of NAMES."""
    raw = folder / f"sales-{len(list(folder.iterdir()))}.parquet"
    sales.to_parquet(raw, index=False)
    return config_from(
        {
            "dataset": {
                "name": "shop",
                "id": [NAMES["customer"]],
                "split_key": [NAMES["customer"]],
                "source": {
                    "kind": "transactions",
                    "tables": {"sales": {"path": str(raw)}},
                    "amount": NAMES["amount"],
                    "timestamp": NAMES["day"],
                    "first_purchase": {"start": "2024-02-01", "end": "2024-06-28"},
                    "horizon_days": 90,
                    "attributes": {"first_spend": "sum(`net ``sum```)"},
                    "history": [{"key": [NAMES["customer"]], "features": {"orders": "count(*)"}}],
                    **source,
                },
                "features": {"numeric": ["first_spend", "orders_all"]},
            }
        }
    )


def named_sales():
    return transactions(30).rename(columns=NAMES).assign(**{"Unit.Price": 1.5, "group by": "x"})


def test_columns_of_transactions_may_have_any_name(spark, tmp_path):
    samples = build_samples(spark, sales_config(tmp_path, named_sales()).dataset)
    assert samples.rows.columns[0] == "Customer ID"
    assert samples.rows.count() == 30
    assert samples.quarantine.count() == 0


def test_columns_of_samples_may_have_any_name_and_encoded_ones_are_identifiers(spark, tmp_path):
    users = pd.DataFrame(
        {
            "user id": range(60),
            "Unit.Price": [i / 7 for i in range(60)],
            "order": ["a", "b"] * 30,
            "spend.90d": [float(i % 3) for i in range(60)],
            "not used.": 1,
        }
    )
    users.to_parquet(tmp_path / "users.parquet", index=False)
    dataset = {
        "name": "users",
        "id": ["user id"],
        "split_key": ["user id"],
        "source": {
            "kind": "samples",
            "tables": {"users": {"path": str(tmp_path / "users.parquet")}},
            "label": "spend.90d",
        },
        "features": {"categorical": ["order"], "numeric": ["Unit.Price"], "min_frequency": 1},
    }
    written = {
        "dataset": dataset,
        "build": {"min_row_groups": 2},
        "paths": {"root": str(tmp_path / "root")},
    }
    table = build_features(spark, config_from(written))
    assert table.manifest.counts["samples"] == 60
    names = pq.read_schema(next(table.split_path("train").glob("*.parquet"))).names
    assert names[0] == "cat_order"
    assert re.fullmatch(r"num_Unit_Price_[0-9a-f]{8}", names[1])


def test_an_unused_column_with_a_name_of_the_pipelines_own_changes_nothing(spark, tmp_path):
    own = ["snapshot_date", "first_day", "reason", "label", "split", "event_day", "row_key"]
    plain = build_samples(spark, sales_config(tmp_path, named_sales()).dataset).rows
    sales = named_sales().assign(**dict.fromkeys(own, "x"), days_before="y")
    samples = build_samples(spark, sales_config(tmp_path, sales).dataset)
    assert sorted(samples.rows.collect()) == sorted(plain.collect())
    assert samples.quarantine.count() == 0


def test_a_used_one_is_refused_with_the_way_to_rename_it(spark, tmp_path):
    history = [{"key": [NAMES["customer"]], "features": {"orders": "count_if(reason = 'x')"}}]
    sales = named_sales().assign(reason="x")
    with pytest.raises(DataError, match=r"raw column reason, .*`raw_reason: reason`, and use that"):
        build_samples(spark, sales_config(tmp_path, sales, history=history).dataset)
    history[0]["features"]["orders"] = "count_if(raw_reason = 'reason')"
    renamed = sales_config(tmp_path, sales, history=history, columns={"raw_reason": "reason"})
    assert build_samples(spark, renamed.dataset).rows.count() == 30


def test_a_feature_named_like_a_column_that_samples_have_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"that samples have already: Customer ID|: label"):
        sales_config(tmp_path, named_sales(), attributes={"label": "count(*)"})
