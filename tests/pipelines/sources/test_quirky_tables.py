"""Tables with the quirks of real ones give the right samples or a refusal in one sentence."""

import re
from pathlib import Path

import pandas as pd
import pytest
from quality_page import record, refusal
from quick import settings_of

from optdist.config import load_config
from optdist.errors import OptDistError
from pipelines.features.build import build_features

QUIRKS = Path(__file__).resolve().parents[2] / "data" / "quirks"
CASES = sorted(path.name for path in QUIRKS.iterdir() if (path / "config.yaml").exists())
# Cases that may be refused, with what the sentence must name; all others give `expected.parquet`.
REFUSED = {
    "case05_excel_de_sep": r"9\.999,99|9,99.*99\.99\.9999",
    "case08_unquoted_thousands": r"of the value",
    "case09_currency": r"\$9",
    "case10_dmy": r"dd/MM/yyyy",
    "case11_intdate_csv": r"yyyyMMdd",
    "case15_delta": r"Delta",
    "case19_zip": r"[zZ]ip",
    "case21_nan_id": r"null customer",
    "case35_one_time": r"one",
}
NOT_MADE = {"case25_join_float_id": ["biggest_all", "recency_all"]}  # no feature of its config
TRAINED = {"case90_train_score"}  # tables to score, with a data set of samples


@pytest.fixture(autouse=True)
def _quick(spark):
    with settings_of(spark):
        yield


def samples_of(spark, case, root):
    config = load_config(
        QUIRKS / case / "config.yaml", overrides=[f"paths.root={root}", "build.min_row_groups=2"]
    )
    table = build_features(spark, config)
    frames = [
        pd.read_parquet(table.samples_path(split)) for split in ("train", "validation", "test")
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case not in TRAINED])
def test_a_quirky_table_gives_right_samples_or_a_clear_refusal(spark, tmp_path, monkeypatch, case):
    monkeypatch.chdir(QUIRKS / case)
    try:
        samples = samples_of(spark, case, tmp_path)
    except OptDistError as error:
        assert "\n" not in str(error).strip() and "Traceback" not in str(error)
        assert case in REFUSED, f"refused: {error}"
        assert re.search(REFUSED[case], str(error)), str(error)
        record(case, refusal(error, tmp_path, QUIRKS / case))
        return
    expected_file = QUIRKS / case / "expected.parquet"
    if not expected_file.exists():
        assert case not in REFUSED, f"{len(samples)} samples"
        record(case, f"right values: {len(samples):,} samples")
        return
    expected = pd.read_parquet(expected_file)
    keys = [c for c in ("customer", "snapshot_date", "first_day") if c in expected]
    for frame in (samples, expected):
        for key in keys:
            frame[key] = frame[key].astype(str)
    samples, expected = (f.sort_values(keys).reset_index(drop=True) for f in (samples, expected))
    assert len(samples) == len(expected)
    not_made = NOT_MADE.get(case, [])  # every other expected column must be there
    for column in expected.columns.drop(not_made):
        if pd.api.types.is_numeric_dtype(expected[column]):
            pd.testing.assert_series_equal(
                samples[column].astype(float), expected[column].astype(float), rtol=1e-6
            )
        else:
            assert samples[column].astype(str).tolist() == expected[column].astype(str).tolist()
    record(case, f"right values: {len(samples):,} samples")
