"""The data report: what it counts, what its leak audit flags, and what it never shows."""

import datetime as dt
import json
import re

import numpy as np
import pandas as pd
import pytest
import shop

from optdist.config import config_from, load_config
from optdist.data.feature_table import FeatureTable
from optdist.errors import CheckError
from pipelines.features.build import build_features
from pipelines.monitoring.data_report import writing
from pipelines.monitoring.data_report.audit import find_flags
from pipelines.monitoring.data_report.writing import read_report
from pipelines.rendering import Heading, Table, Text, to_html


def flags(table, config):
    """What is flagged as a leak, as (feature, kind)."""
    found = find_flags(read_report(table), config.report)
    return [(flag.feature, flag.kind) for flag in found if flag.is_leak]


def samples_config(folder, frame, **sections):
    """A table of samples in a CSV file."""
    file = folder / "samples.csv"
    frame.to_csv(file, index=False)
    return config_from(
        {
            "dataset": {
                "name": "samples",
                "id": ["customer"],
                "split_key": ["customer"],
                "source": {
                    "kind": "samples",
                    "tables": {"samples": {"path": str(file), "format": "csv"}},
                    "label": "value",
                },
                "features": {"categorical": ["city"], "numeric": ["spend"]},
                **sections.pop("dataset", {}),
            },
            "build": {"min_row_groups": 2},
            "paths": {"root": str(folder / "root")},
            **sections,
        }
    )


def customers(rows=1500, seed=0):
    rng = np.random.default_rng(seed)
    city = rng.choice(list("abc"), rows)
    bought = rng.random(rows) < np.where(city == "a", 0.5, 0.2)
    return pd.DataFrame(
        {
            "customer": [f"C{i:05}" for i in rng.permutation(rows)],
            "city": city,
            "spend": np.round(rng.exponential(20, rows), 2),
            "value": np.where(bought, np.round(rng.lognormal(3, 1, rows), 2), 0.0),
        }
    )


@pytest.fixture(scope="module")
def built(spark, tmp_path_factory):
    """The shop's features, with a few bad rows, a join, and its report."""
    folder = tmp_path_factory.mktemp("report")
    frame = shop.transactions(customers=1500)
    frame["amount"] = frame["amount"].astype(str)
    frame.loc[[3, 5], "amount"] = ["$12.50", "oops"]
    frame["store"] = np.arange(len(frame)) % 10
    frame.to_csv(folder / "sales.csv", index=False)
    stores = pd.DataFrame({"store": range(9), "size": np.arange(9) * 10.0})
    stores.to_csv(folder / "stores.csv", index=False)
    config = shop.config(folder, folder / "sales.csv")
    dataset = config.dataset.model_dump(mode="json")
    dataset["source"]["tables"]["stores"] = {"path": str(folder / "stores.csv"), "format": "csv"}
    dataset["source"]["joins"] = [{"table": "stores", "by": ["store"]}]
    config = shop.config(folder, folder / "sales.csv", dataset=dataset)
    return build_features(spark, config), config


def test_rows_and_positives_are_those_of_the_splits_and_add_up_over_dates(built):
    table, _ = built
    report, counts = read_report(table), table.manifest.counts
    for split, statistics in report.splits.items():
        assert statistics.rows == counts[split] == sum(statistics.histogram)
        assert statistics.positives == counts[f"{split}_positive"]
        assert statistics.histogram[0] == statistics.rows - statistics.positives
        dates = [period.splits[split] for period in report.periods if split in period.splits]
        assert sum(date.rows for date in dates) == statistics.rows
        assert sum(date.total for date in dates) == pytest.approx(statistics.total)
    assert report.cut == "first_day" and report.periods[0].first >= "2024-02-01"


def test_the_report_says_what_was_read(built):
    table, _ = built
    build = read_report(table).build
    [join] = build.joins
    assert (join.table, join.by) == ("stores", ["store"])
    assert join.matched == pytest.approx(0.9 * join.rows, abs=1)
    reasons = {q.reason: (q.rows, q.example) for q in build.quarantine}
    assert reasons["unparsable amount"][0] == 2
    assert build.windows.horizon_days == 90 and build.windows.history == {"30d": 30}
    assert build.windows.why


def test_the_page_is_one_file_that_loads_nothing(built):
    page = built[0].page.read_text()
    for title in ("Rows and labels", "by date", "Leak audit", "Features", "Windows", "Drift"):
        assert title in page
    assert page.count('src="data:image/png;base64,') == 4
    assert not re.search(r'(src|href)="(?!data:)', page) and "<script" not in page
    assert "stores" in page and "unparsable amount" in page


def test_an_honest_shop_has_no_leak_and_its_manifest_says_so(built):
    table, config = built
    assert flags(table, config) == [] and table.manifest.warnings == []
    report = read_report(table)
    assert report.evidence is None
    assert all(0.4 < feature.auc < 0.9 for feature in report.features)


def test_the_report_is_reused_with_the_table(built, spark, capsys, monkeypatch):
    table, config = built
    monkeypatch.setattr(writing, "measure", None)  # a second measurement would fail
    before = table.page.stat().st_mtime_ns
    assert build_features(spark, config).page.stat().st_mtime_ns == before
    assert f"data report: {table.page}" in capsys.readouterr().out


def test_other_limits_judge_the_same_statistics_again(built, spark, capsys):
    table, config = built
    strict = config.model_copy(
        update={"report": config.report.model_copy(update={"max_feature_auc": 0.55})}
    )
    build_features(spark, strict)
    assert "WARNING: possible leak: segment: alone it ranks" in capsys.readouterr().err
    assert "Possible leak" in table.page.read_text()
    stopping = strict.report.model_copy(update={"stop_on_leak": True})
    with pytest.raises(CheckError, match=r"segment.*report\.stop_on_leak"):
        build_features(spark, config.model_copy(update={"report": stopping}))


def test_a_page_that_is_lost_is_drawn_again(built, spark):
    table, config = built
    build_features(spark, config)
    assert "Possible leak" not in table.page.read_text()  # the limits are the first ones again
    table.page.unlink()
    build_features(spark, config)
    assert "Possible leak" not in table.page.read_text()


def test_a_failure_to_draw_does_not_lose_the_table(spark, tmp_path, capsys, monkeypatch):
    def fail(*_):
        raise RuntimeError("no font")

    monkeypatch.setattr(writing, "draw_page", fail)
    config = samples_config(tmp_path, customers())
    table = build_features(spark, config)
    assert FeatureTable.is_finished(table.path) and not table.page.exists()
    assert "WARNING: the data report could not be made: RuntimeError: no font" in (
        capsys.readouterr().err
    )
    monkeypatch.undo()
    assert build_features(spark, config).page.exists()  # drawn at the next chance


def criteo_clicks(rows=4000, seed=0):
    """Clicks in Criteo's raw format: a sale's amount is about its product's price."""
    rng = np.random.default_rng(seed)
    partner = rng.integers(0, 12, rows)
    sold = rng.random(rows) < 0.05 + 0.02 * partner
    price = np.round(rng.lognormal(3.5, 1.0, rows), 2)
    shown = sold | (rng.random(rows) < 0.03)  # mostly for clicks that led to a sale
    amount = np.round(price * rng.integers(1, 3, rows), 2)
    lines = {
        "sale": sold.astype(int),
        "amount": np.where(sold, amount, -1),
        "delay": np.where(sold, rng.integers(60, 2_000_000, rows), -1),
        "time": 1_596_439_471 + rng.integers(0, 86_400 * 60, rows),
        "clicks": rng.integers(-1, 300, rows),
        "price": np.where(shown, price, 0.0),
        "age": rng.choice(["adult", "kids", "-1"], rows),
        "device": rng.choice(["phone", "desktop"], rows),
        "audience": "-1",
        "gender": rng.choice(["f", "m", "-1"], rows),
        "brand": [f"b{i}" for i in rng.integers(0, 100, rows)],
        **{f"category{i}": [f"{i}c{j}" for j in rng.integers(0, 9, rows)] for i in range(1, 8)},
        "country": rng.choice(["FR", "DE"], rows),
        "product": [f"p{i}" for i in rng.integers(0, 900, rows)],
        "title": [f"t{i}" for i in rng.integers(0, 900, rows)],
        "partner": [f"partner{i}" for i in partner],
        "user": [f"u{i}" for i in rng.integers(0, 2_500, rows)],
    }
    return pd.DataFrame(lines)


def test_the_product_price_of_criteo_is_flagged_where_it_is_left_in_and_nothing_else(
    spark, tmp_path, capsys
):
    file = tmp_path / "clicks.tsv"
    criteo_clicks().to_csv(file, sep="\t", header=False, index=False)
    changes = [f"dataset.source.tables.clicks.path={file}", f"paths.root={tmp_path / 'root'}"]
    changes += ["build.min_row_groups=2", "training.ranks=2"]
    changes += ["dataset.source.columns.product_price=cast(_c5 AS double)"]
    changes += ["dataset.features.numeric.product_price.log1p=true"]
    left_in = load_config("criteo_ssc", "local", changes)
    capsys.readouterr()
    table = build_features(spark, left_in)
    assert flags(table, left_in) == [("product_price", "too good")]
    [warning] = table.manifest.warnings
    assert "product_price" in warning and f"WARNING: {warning}" in capsys.readouterr().err


def test_a_category_that_gives_positive_labels_away_is_flagged(spark, tmp_path):
    frame = customers(2500)
    rng = np.random.default_rng(1)
    some = (frame["value"] > 0) & (rng.random(len(frame)) < 0.3)  # not its AUC: others are as usual
    frame["status"] = np.where(some, "refunded after", rng.choice(["new", "old"], len(frame)))
    frame["level"] = np.where(frame["value"] > 0, rng.choice(["B", "C"], len(frame)), "A")
    features = {"categorical": ["city", "status", "level"], "numeric": ["spend"]}
    config = samples_config(tmp_path, frame, dataset={"features": features})
    table = build_features(spark, config)
    assert sorted(flags(table, config)) == [("level", "too good"), ("status", "tells the label")]
    [told] = [text for text in table.manifest.warnings if "status" in text]
    assert "with `refunded after` 100.0% have a positive label" in told
    config = config.model_copy(
        update={"report": config.report.model_copy(update={"max_category_share": 1.0})}
    )
    assert flags(table, config) == [("level", "too good")]


def test_an_id_as_a_feature_is_flagged_and_none_of_its_values_is_shown(spark, tmp_path):
    frame = customers().assign(
        account=lambda f: 987_000_000 + np.arange(len(f)), code=lambda f: "K" + f["customer"]
    )
    features = {"categorical": ["city", "customer", "code"], "numeric": ["spend", "account"]}
    config = samples_config(tmp_path, frame, dataset={"features": features})
    table = build_features(spark, config)
    assert sorted(flags(table, config)) == [("account", "id"), ("code", "id"), ("customer", "id")]
    text = table.report.read_text() + table.page.read_text()
    assert not re.search(r"C0\d{4}|\b98700\d{4}\b|987,00", re.sub(r"base64,[^\"]+", "", text))


def test_rare_categories_are_not_named(spark, tmp_path):
    frame = customers()
    frame.loc[:13, "city"] = "Smalltown"
    table = build_features(spark, samples_config(tmp_path, frame))
    text = table.report.read_text() + table.page.read_text()
    assert "Smalltown" not in text
    assert '"a"' in text


def test_the_same_rows_in_several_splits_are_flagged(spark, tmp_path):
    frame = customers(700)
    copy = frame.assign(customer=lambda f: "again" + f["customer"])
    config = samples_config(tmp_path, pd.concat([frame, copy]))
    table = build_features(spark, config)
    assert flags(table, config) == [(None, "duplicates")]
    same = read_report(table).duplicates
    assert 0.5 < same.same_positives / same.positives < 0.9  # a copy is in training with 0.7


def test_a_customer_in_several_splits_is_flagged(spark, tmp_path):
    frame = customers(2000)
    frame["customer"], frame["month"] = frame.index % 400, frame.index // 400
    names = {"id": ["customer", "month"], "split_key": ["customer", "month"]}
    config = samples_config(tmp_path, frame, dataset=names)
    assert flags(build_features(spark, config), config) == [(None, "same customer")]
    names["split_key"] = ["customer"]
    config = samples_config(tmp_path, frame, dataset=names)
    assert flags(build_features(spark, config), config) == []


def test_features_from_after_the_cut_are_flagged(spark, tmp_path):
    frame = shop.transactions(customers=1500)
    by_customer = frame.groupby("customer")["day"]
    frame["last_seen"] = by_customer.transform("max")
    frame["first_seen"] = by_customer.transform("min")
    frame.to_csv(tmp_path / "sales.csv", index=False)
    config = shop.config(tmp_path, tmp_path / "sales.csv")
    dataset = config.dataset.model_dump(mode="json")
    source, features = dataset["source"], dataset["features"]
    source["columns"] = {
        "total": "sum(cast(amount AS double)) OVER (PARTITION BY customer)",
        "so_far": "sum(cast(amount AS double)) OVER (PARTITION BY customer ORDER BY day)",
    }
    source["attributes"] |= {
        "total": "max(total)",
        "so_far": "max(so_far)",
        "last_seen": "max(unix_timestamp(to_date(last_seen)))",
        "first_seen": "max(unix_timestamp(to_date(first_seen)))",
    }
    source["sample_columns"]["share"] = "first_spend / total"
    features["numeric"] |= {name: {} for name in ("share", "so_far", "last_seen", "first_seen")}
    config = shop.config(tmp_path, tmp_path / "sales.csv", dataset=dataset)
    table = build_features(spark, config)
    late = {feature for feature, kind in flags(table, config) if kind == "after the cut"}
    assert late == {"share", "last_seen"}


def test_drift_over_dates_is_marked_and_is_no_leak(spark, tmp_path):
    frame = shop.transactions(customers=2500)
    days = (pd.to_datetime(frame["day"]) - pd.Timestamp("2024-01-01")).dt.days
    frame["price_level"] = days + np.arange(len(frame)) % 7
    frame.to_csv(tmp_path / "sales.csv", index=False)
    config = shop.config(tmp_path, tmp_path / "sales.csv")
    dataset = config.dataset.model_dump(mode="json")
    dataset["source"]["attributes"]["price_level"] = "max(cast(price_level AS double))"
    dataset["features"]["numeric"]["price_level"] = {}
    config = shop.config(tmp_path, tmp_path / "sales.csv", dataset=dataset)
    report = read_report(build_features(spark, config))
    drift = {feature.name: max(feature.drift) for feature in report.features}
    assert drift["price_level"] > 1 and drift["first_spend"] < 0.25
    found = find_flags(report, config.report)
    assert ("price_level", "drift", False) in [(f.feature, f.kind, f.is_leak) for f in found]


def test_too_little_evidence_is_said_and_nothing_is_flagged_by_ranking(spark, tmp_path):
    frame = customers(150).assign(spend=lambda f: f["value"])
    config = samples_config(tmp_path, frame, split={"seed": 3})
    table = build_features(spark, config)
    assert "the audit needs 30 of each" in read_report(table).evidence
    assert flags(table, config) == []


def test_a_page_escapes_every_text():
    evil = "<script>alert(1)</script> & \"'"
    page = to_html([Heading(1, evil), Text(evil), Table([evil], [[evil]], texts=[0])], {})
    assert "<script" not in page and page.count("&lt;script&gt;") == 5


def test_a_report_of_a_newer_version_is_read(built):
    table, _ = built
    content = json.loads(table.report.read_text())
    assert dt.date.fromisoformat(content["periods"][0]["first"])
    newer = type(read_report(table)).model_validate(content | {"more": 1})
    assert newer.fingerprint == table.path.name
