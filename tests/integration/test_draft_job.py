"""A draft as a user makes it: the job writes it, the feature job runs it, its samples are right."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import shop

from optdist.config import load_config
from pipelines.features.build import build_features

pytestmark = [pytest.mark.slow, pytest.mark.integration]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def drafted(tmp_path_factory):
    """The folder of a shop's table and of its draft, and what the job printed."""
    folder = tmp_path_factory.mktemp("shop")
    raw = shop.transactions(400)
    raw.to_csv(folder / "sales.csv", index=False)
    command = [sys.executable, str(ROOT / "jobs" / "draft.py"), str(folder / "sales.csv")]
    printed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert printed.returncode == 0, printed.stderr
    (folder / "mine.yaml").write_text(printed.stdout)
    return folder, raw, printed


def test_the_job_prints_the_draft_alone_to_stdout_and_progress_to_stderr(drafted):
    _, raw, printed = drafted
    assert printed.stdout.startswith(f"# Drafted by jobs/draft.py from sales ({len(raw):,} rows).")
    assert "reads sales" in printed.stderr and "reads sales" not in printed.stdout


def test_the_feature_job_runs_a_draft_as_it_is_and_its_samples_are_those_of_pandas(spark, drafted):
    folder, raw, _ = drafted
    config = load_config(folder / "mine.yaml", overrides=[f"paths.root={folder / 'artifacts'}"])
    table = build_features(spark, config)
    samples = pd.concat(pd.read_parquet(path) for path in table.samples.glob("split=*/*.parquet"))
    assert len(samples) == table.manifest.counts["samples"] > 1000
    horizon = config.dataset.source.horizon_days
    days = pd.to_datetime(raw["day"])
    for row in samples.sample(40, random_state=1).itertuples():
        cut = pd.Timestamp(row.snapshot_date)
        own = raw[raw["customer"].astype(str) == str(row.customer)].assign(day=days)
        past = own[own["day"] < cut]
        future = own[(own["day"] >= cut) & (own["day"] < cut + pd.Timedelta(horizon, "D"))]
        assert row.label == pytest.approx(future["amount"].sum())
        assert row.purchases_all == len(past)
        assert row.spend_all == pytest.approx(past["amount"].sum())
        assert row.days_since_last_all == (cut - past["day"].max()).days
        assert row.last_segment_all == past["segment"].iloc[0]
