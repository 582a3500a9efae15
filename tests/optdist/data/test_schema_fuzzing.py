"""A damaged schema.json, manifest.json or model.json is refused; what is read can be used."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from table import write_table

from optdist.config.models import OptDistConfig
from optdist.data.encoding import encode
from optdist.data.feature_table import FeatureTable
from optdist.data.schema import FeatureSchema
from optdist.errors import DataError, ModelError
from optdist.serving.package import Package

ROWS = pd.DataFrame({"city": ["a", None, "nowhere"], "spend": [1.0, None, 1e6]})
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(2**63), math.nan, math.inf, -1.0, 0, 5e-324, 1.7e308])
    | st.floats()
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("table") / "table", rows=600, groups=2)


def use(path):
    """Read a schema and encode rows; None: it was refused."""
    try:
        schema = FeatureSchema.load(path)
    except DataError as error:
        text = str(error)
        assert text.startswith(str(path)) and "\n" not in text
        return None
    assert math.isfinite(schema.label.mean) and math.isfinite(schema.label.positive_mean)
    with np.errstate(over="ignore"):
        for name, values in encode(ROWS.reindex(columns=schema.raw_columns), schema).items():
            assert not np.isnan(values).any(), name
    return schema


@st.composite
def _damage(draw, content: bytes) -> bytes:
    """Some bits turned, or a piece cut out, doubled or put elsewhere."""
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        if draw(st.booleans()) and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        else:
            end, to = at + draw(st.integers(0, 40)), draw(st.integers(0, len(data)))
            piece = bytes(data[at:end]) * draw(st.integers(0, 2))
            data = data[:to] + piece + data[to:] if draw(st.booleans()) else data[:at] + data[end:]
    return bytes(data)


@st.composite
def _other_value(draw, content: bytes) -> bytes:
    """JSON with another value, key or without a key at some place."""
    tree = json.loads(content)
    place, parent, key = tree, None, None
    while isinstance(place, dict | list) and place and (parent is None or draw(st.integers(0, 3))):
        parent, keys = place, list(place) if isinstance(place, dict) else range(len(place))
        key = draw(st.sampled_from(keys))
        place = parent[key]
    what = draw(st.sampled_from(["value", "without", "more"]))
    if what == "without":
        del parent[key]
    elif what == "more" and isinstance(parent, dict):
        parent[draw(st.text(max_size=4))] = draw(VALUES)
    else:
        parent[key] = draw(VALUES)
    return json.dumps(tree).encode()


def test_the_right_schema_is_read(table):
    assert use(table.path / "schema.json") == table.schema


@given(data=st.data())
def test_a_schema_with_turned_bits_or_other_values(table, tmp_path, data):
    content = (table.path / "schema.json").read_bytes()
    damage = st.one_of(_damage(content), _other_value(content), st.binary(max_size=30))
    path = tmp_path / "schema.json"
    path.write_bytes(data.draw(damage))
    use(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"mean"', '"mean": NaN, "mean_"'),
        ('"std"', '"std": 0, "std_"'),
        ('"count"', '"count": 1e999, "count_"'),
        ('"count"', f'"count": {10**400}, "count_"'),
        ('"vocabulary"', '"vocabulary": ["a", "a"], "vocabulary_"'),
        ("{", "\udcff{"),
        ("{", '{"a\\nb": 1, '),
    ],
)
def test_a_schema_that_would_encode_nonsense_is_refused(table, tmp_path, old, new):
    path = tmp_path / "schema.json"
    text = (table.path / "schema.json").read_text().replace(old, new, 1)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert use(path) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0, -1, "x", None, 10**400])
def test_a_deviation_that_is_no_positive_number_is_refused(table, tmp_path, value):
    tree = json.loads((table.path / "schema.json").read_text())
    tree["numeric"][0]["std"] = value
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(tree))
    assert use(path) is None


@given(data=st.data())
@example(None)
def test_a_damaged_manifest_is_no_finished_table(table, tmp_path, data):
    content = (table.path / "manifest.json").read_bytes()
    damage = st.one_of(_damage(content), _other_value(content), st.binary(max_size=30))
    (tmp_path / "schema.json").write_bytes((table.path / "schema.json").read_bytes())
    (tmp_path / "manifest.json").write_bytes(data.draw(damage) if data else b"[]")
    try:
        FeatureTable.open(tmp_path)
    except DataError as error:
        assert "Traceback" not in str(error)


@given(data=st.data())
@example(None)
def test_damaged_settings_of_a_model_are_refused(tmp_path, data):
    content = OptDistConfig().model_dump_json().encode()
    damage = st.one_of(_damage(content), _other_value(content), st.binary(max_size=30))
    (tmp_path / "model.json").write_bytes(data.draw(damage) if data else b"[]")
    try:
        assert Package(tmp_path).settings.name
    except ModelError as error:
        assert "Traceback" not in str(error)
