import datetime as dt
import hashlib
import hmac
import json
import shutil

import pandas as pd
import pyarrow.parquet as pq
import pytest
from holding import held
from quick import settings_of
from registered import register, write_package
from shop import config, transactions

from optdist.data.feature_table import FeatureTable
from optdist.errors import BusyError, DataError
from optdist.tracking import CHAMPION, Tracker
from optdist.training import RunFolder
from pipelines.features.build import build_features
from pipelines.forgetting.customers import Customers, Wish
from pipelines.forgetting.pipeline import forget, look
from pipelines.scoring.manifest import read_manifest
from pipelines.scoring.pipeline import score
from pipelines.training.pipeline import training_plan

pytestmark = pytest.mark.slow
DATES = (dt.date(2024, 12, 19), dt.date(2024, 12, 20))
GONE = ("5", "17", "8")
WISH = Wish(Customers(("customer",), tuple((one,) for one in GONE)))


@pytest.fixture(scope="module")
def used(spark, tmp_path_factory):
    """A shop with a champion, two scored dates and a few bad rows of a customer to forget."""
    folder = tmp_path_factory.mktemp("forgetting")
    sales = transactions(300)
    bad = sales[sales["customer"].isin([5, 6])].assign(amount="a lot")
    pd.concat([sales, bad]).to_csv(folder / "sales.csv", index=False)
    lenient = {"max_quarantined_share": 0.5}
    made = config(
        folder / "root",
        folder / "sales.csv",
        build={"min_row_groups": 6, **lenient},
        scoring=lenient,
    )
    with settings_of(spark):
        table, tracker = build_features(spark, made), Tracker(made)
        for seed in (1, 2):
            package = write_package(table.schema, folder / f"package{seed}", seed)
            register(tracker, package, data_fingerprint=table.manifest.fingerprint)
        tracker.set_alias(CHAMPION, "2")
        for date in DATES:
            score(spark, made, tracker, date)
    return folder, made


@pytest.fixture
def shop(used, tmp_path):
    """A copy of it whose raw table no longer has the customers, with what killed jobs left."""
    folder, made = used
    root = tmp_path / "root"
    shutil.copytree(made.root, root)
    sales = pd.read_csv(folder / "sales.csv", dtype=str)
    raw = tmp_path / "sales.csv"
    sales[~sales["customer"].isin(GONE)].to_csv(raw, index=False)
    mine = made.model_copy(
        update={
            "paths": made.paths.model_copy(update={"root": str(root)}),
            "tracking": made.tracking.model_copy(update={"uri": f"sqlite:///{root}/mlflow.db"}),
        }
    )
    table = FeatureTable.open(next(mine.layout.feature_tables.glob("*")))
    run = mine.layout.run("run")
    run.mkdir(parents=True)
    predictions(RunFolder(run), table)
    training_plan(mine, table).path.mkdir()
    mine.layout.backtest.trained("a-plan").mkdir(parents=True)
    scores = mine.layout.scores
    shutil.copytree(scores.date(DATES[0]), scores.staging("2024-12-21"))
    # a run of this job that was killed: once it had swapped a folder, once before
    shutil.copytree(table.path, table.path.with_name(f"_forgetting-{table.path.name}"))
    scores.date(DATES[1]).rename(scores.path / f"_old-run_date={DATES[1]}")
    return mine, raw, table


def predictions(folder, table):
    rows = table.read("test")
    keys = {name: rows.column(name).to_numpy() for name in ("label", "row_key", "group_key")}
    folder.write_predictions(keys | {"predicted_soft": keys["label"]})


def with_raw(config, path):
    source = config.dataset.source
    tables = {"sales": source.tables["sales"].model_copy(update={"path": str(path)})}
    source = source.model_copy(update={"tables": tables})
    dataset = config.dataset.model_copy(update={"source": source})
    return config.model_copy(update={"dataset": dataset})


def ids_below(root):
    """Each id that any Parquet file or bad row below a folder has, by another way than the job."""
    ids = set()
    for path in root.rglob("*.parquet"):
        frame = pq.ParquetFile(path).read().to_pandas()
        if "customer" in frame:
            ids |= set(frame["customer"].astype(str))
        if "row" in frame:
            ids |= {str(json.loads(text)["customer"]) for text in frame["row"]}
    return ids


def test_customers_are_removed_everywhere_and_all_that_remains_can_be_used(spark, shop, tmp_path):
    mine, raw, table = shop
    hashes = {
        row["row_key"]
        for split in ("train", "validation", "test")
        for row in table.read_samples(split, ["customer", "row_key"], 10_000).to_pylist()
        if str(row["customer"]) in GONE
    }
    before = read_manifest(mine.layout.scores.date(DATES[0]))
    assert set(GONE) <= ids_below(mine.root)
    mine, tracker = with_raw(mine, raw), Tracker(mine)

    with settings_of(spark):
        receipt, path = forget(spark, mine, tracker, WISH, [tmp_path])

    assert not set(GONE) & ids_below(mine.root)
    assert not list(mine.root.rglob("_forgetting-*")) + list(mine.root.rglob("_old-*"))
    assert (receipt.complete, receipt.found, receipt.raw) == (True, 3, {"sales": 0})
    in_test = sum(key in hashes for key in table_keys(table, "test"))
    assert receipt.removed.get("runs/run", 0) == in_test

    new = FeatureTable.open(table.path)
    for split in ("train", "validation", "test"):
        keys = table_keys(new, split)
        assert not hashes & set(keys)
        assert len(keys) == new.manifest.counts[split] == new.manifest.splits[split].rows
        assert new.manifest.forgotten[split] == table.manifest.counts[split] - len(keys)
    assert sum(new.manifest.forgotten.values()) == len(hashes) == 3
    assert new.manifest.counts["quarantined"] < table.manifest.counts["quarantined"]
    kept = RunFolder(mine.layout.run("run")).predictions()
    assert set(kept["row_key"]) == set(table_keys(new, "test"))
    assert receipt.unfinished_runs and not mine.layout.unfinished_runs()
    assert receipt.backtest_models == 1 and not mine.layout.backtest.trained("a-plan").exists()

    after = read_manifest(mine.layout.scores.date(DATES[0]))
    assert after.rows == before.rows - 3
    assert after.total_predicted < before.total_predicted
    assert sum(after.quarantined.values()) < sum(before.quarantined.values())
    again = score(spark, mine, tracker, DATES[0])
    assert (again.rows, again.input) == (after.rows, before.input)
    assert again.total_predicted == pytest.approx(after.total_predicted)

    content = json.loads(path.read_text())["customers"]
    key = hashlib.scrypt(b"", salt=bytes.fromhex(content["salt"]), n=2**14, r=8, p=1, dklen=32)
    assert hmac.new(key, b"5", hashlib.sha256).hexdigest() in content["hashes"]
    learned = [text for text in receipt.remaining if "learned" in text]
    trained_on = any(new.manifest.forgotten[split] for split in ("train", "validation"))
    assert [t.split()[1] for t in learned] == (["1", "2"] if trained_on else [])

    with settings_of(spark):
        second, _ = forget(spark, mine, tracker, WISH, [tmp_path])
    assert (second.removed, second.found, second.complete) == ({}, 0, True)


def table_keys(table, split):
    return table.read(split, ["row_key"]).column("row_key").to_pylist()


def test_nothing_is_removed_while_the_raw_tables_have_the_customers(spark, used):
    _, mine = used
    before = ids_below(mine.root)
    with settings_of(spark):
        with pytest.raises(DataError, match=r"sales \d+\. The next build would bring them back"):
            forget(spark, mine, Tracker(mine), WISH, [])
        outlook = look(spark, mine, Tracker(mine), WISH, [])
    assert ids_below(mine.root) == before and not mine.layout.receipts.exists()
    assert outlook.raw["sales"] > 0 and len(outlook.findings.customers) == len(GONE)
    [table] = mine.layout.feature_tables.glob("*")
    counts = outlook.findings.folders(mine.root)
    assert counts[f"features/shop/{table.name}/samples"] == len(GONE)
    assert counts[f"features/shop/{table.name}/encoded"] == len(GONE)
    assert counts["scores/shop/run_date=2024-12-20"] == len(GONE)


def test_a_busy_folder_is_left_and_said_and_the_rest_is_done(spark, shop):
    mine, raw, _ = shop
    mine = with_raw(mine, raw)
    busy = mine.layout.scores.date(DATES[0])
    with held(busy), pytest.raises(BusyError, match="Everything else is done"), settings_of(spark):
        forget(spark, mine, Tracker(mine), WISH, [])
    assert set(GONE) <= ids_below(busy)
    assert not set(GONE) & ids_below(mine.layout.feature_tables)
    [receipt] = mine.layout.receipts.glob("*.json")
    assert not json.loads(receipt.read_text())["complete"]
