import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from optdist.config import FeaturesConfig
from optdist.data.cells import as_cells
from optdist.data.fitting import fit_schema
from optdist.data.profile import LEVELS, Profile, ScoreProfile, profile_of_schema
from optdist.data.profiling import Profiling, form_of, part_of
from optdist.errors import DataError

FEATURES = FeaturesConfig(
    categorical=["city"], numeric={"spend": {"log1p": True}, "age": {}}, min_frequency=2
)


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    rows = 3_000
    return pd.DataFrame(
        {
            "customer": [f"C{number:05d}" for number in range(rows)],
            "city": rng.choice(["a", "b", "c", None], rows, p=[0.5, 0.3, 0.1, 0.1]),
            "spend": np.where(rng.random(rows) < 0.4, 0.0, rng.lognormal(3, 1, rows)),
            "age": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(40, 10, rows)),
            "day": [dt.date(2024, 1 + month, 1) for month in rng.integers(0, 3, rows)],
            "label": np.where(rng.random(rows) < 0.3, rng.lognormal(2, 1, rows), 0.0),
        }
    )


@pytest.fixture(scope="module")
def schema(samples):
    return fit_schema(samples, FEATURES, "label")


def counted(samples, schema, size=700):
    starts = [(dt.date(2024, month, 1) - dt.date(1970, 1, 1)).days for month in (1, 2, 3)]
    profiling = Profiling(schema, ["customer"], "day", starts)
    table = pa.Table.from_pandas(samples, preserve_index=False)
    batches = [b for one in table.to_batches(max_chunksize=size) for b in profiling.count([one])]
    sums = pa.Table.from_batches(batches).to_pandas()
    keys = ["kind", "feature", "part", "bin"]
    return as_cells(sums.groupby(keys, as_index=False).sum(), 3)


def test_a_profile_has_the_moments_and_quantiles_that_numpy_computes(samples, schema):
    whole = part_of(counted(samples, schema), schema, range(3), None)
    spend = np.log1p(samples["spend"])
    z = (spend - schema.numeric[0].mean) / schema.numeric[0].std
    column = whole.columns["spend"]
    assert column.rows == 3_000 and column.missing == 0
    assert column.mean == pytest.approx(z.mean(), abs=1e-4)
    assert column.std == pytest.approx(z.std(ddof=0), abs=1e-4)
    np.testing.assert_allclose(column.quantiles, np.quantile(z, LEVELS), atol=0.12)
    assert whole.columns["age"].missing == samples["age"].isna().sum()
    assert whole.columns["city"].missing == samples["city"].isna().sum()
    assert sum(whole.columns["city"].shape) == 3_000


def test_the_parts_are_the_dates_and_add_up(samples, schema):
    cells = counted(samples, schema)
    parts = [part_of(cells, schema, [place], None) for place in range(3)]
    february = samples[samples["day"] == dt.date(2024, 2, 1)]
    assert parts[1].rows == len(february)
    assert parts[1].columns["age"].missing == february["age"].isna().sum()
    assert sum(part.rows for part in parts) == 3_000


def test_values_beyond_training_and_unknown_categories_are_counted(samples, schema):
    other = samples.assign(spend=samples["spend"] * 100, city="z")
    whole = part_of(counted(other, schema), schema, range(3), None)
    assert whole.columns["city"].unknown_share == 1.0
    far = (other["spend"] > samples["spend"].max()).sum()
    assert whole.columns["spend"].outside == pytest.approx(far, abs=30)  # the last quantile


@pytest.mark.parametrize(
    ("text", "form"),
    [("17", "9"), ("17.0", "9."), ("0017", "09"), ("C-17", "9A-"), ("c17", "9a"), ("", ""),
     ("17 ", "9 ")],
)  # fmt: skip
def test_the_form_of_an_id_shows_what_kinds_of_characters_it_has(text, form):
    assert form_of(text) == form


def test_ids_are_counted_by_form_and_length(samples, schema):
    cells = counted(samples, schema)
    assert {kind for kind, _ in cells if kind.startswith("form")} == {"form customer"}
    assert cells["form customer", "9A"][:, 6, 0].sum() == 3_000


def test_a_profile_is_read_as_it_was_written_and_a_damaged_one_is_named(tmp_path, samples, schema):
    whole = part_of(counted(samples, schema), schema, range(3), None)
    scores = ScoreProfile.of(np.arange(100.0))
    profile = Profile(rows=3_000, whole=whole, scores=scores, lengths={"customer": {"6": 3_000}})
    profile.save(tmp_path / "profile.json")
    assert Profile.load(tmp_path / "profile.json") == profile
    assert Profile.load(tmp_path / "missing.json") is None
    (tmp_path / "profile.json").write_text('{"rows": "many"}')
    with pytest.raises(DataError, match=r"profile\.json is not a readable profile"):
        Profile.load(tmp_path / "profile.json")


def test_a_schema_alone_tells_moments_and_quantiles(samples, schema):
    profile = profile_of_schema(schema)
    assert profile.from_schema and profile.whole.columns["spend"].std == 1.0
    whole = part_of(counted(samples, schema), schema, range(3), None)
    ours, theirs = (p.columns["spend"].quantiles for p in (profile.whole, whole))
    np.testing.assert_allclose(ours, theirs, atol=0.15)
