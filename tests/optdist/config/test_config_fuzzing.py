"""Whatever is written in a YAML file or after --set: a configuration, or a ConfigError."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from optdist.config import Config, load_config
from optdist.errors import ConfigError

RIGHT = {
    "name": "shop",
    "id": ["customer"],
    "split_key": ["customer"],
    "source": {
        "kind": "transactions",
        "tables": {"sales": {"path": "sales.csv", "format": "csv", "options": {"sep": ";"}}},
        "joins": [{"table": "sales", "by": ["customer"], "aggregate": {"n": "count(*)"}}],
        "columns": {"net": "amount - tax"},
        "where": "net > 0",
        "amount": "net",
        "timestamp": "day",
        "snapshots": {"start": "2024-01-01", "every": "month"},
        "horizon_days": 90,
        "history": [{"key": ["customer"], "windows": {"all": None}, "features": {"n": "sum(net)"}}],
    },
    "features": {"categorical": ["city"], "numeric": {"n_all": {"log1p": True}}},
    "model": {"name": "optdist", "sdn": [8, 4]},
    "training": {"ranks": 1},
    "spark": {"spark.sql.shuffle.partitions": 2},
}
TEXTS = st.sampled_from(
    ["", "x", "null", "${env:NOT_THERE}", "${env:}", "${x}", "${", "a.b", "${dataset}", "${.name}"]
) | st.text(max_size=8)
NUMBERS = st.integers() | st.integers(10**30, 10**40) | st.floats() | st.just(10**400)
PLAIN = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | NUMBERS, inner, max_size=3),
    max_leaves=6,
)
# pieces of YAML that loaders stumble over
PIECES = st.sampled_from(
    [
        *("name:", "id:", "source:", "tables:", "features:", "model:", "spark:", "paths:", "a:"),
        *("|-", ":", "-", "[", "]", "{", "}", ",", "&", "&a", "*", "*a", "<<", "?", "|", ">"),
        *("'", '"', "#", "%YAML", "~", "---", "...", "@", "`", "!", "=", "\\", "\t", "💥", "x"),
        *("!!int", "!!set", "!!binary", "!!python/name:os.system", "2024-13-45", "1:99:99"),
        *("2024-02-30T99:00:00", ".nan", ".inf", "1e999", "0x", "0o9", "12_3"),
    ]
)
YAML = st.lists(PIECES | st.just("\n") | st.just("\n  "), max_size=25).map(" ".join)


def load(folder: Path, content: str | bytes | dict, overrides=()) -> Config | None:
    """Load a data set's file as a job does; None: it was refused as a ConfigError."""
    path = folder / "shop.yaml"
    if isinstance(content, dict):
        content = json.dumps(content)  # which is YAML
    path.write_bytes(
        content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    )
    try:
        return load_config(path, overrides=overrides)
    except ConfigError as error:
        assert "Traceback" not in str(error) and str(error).strip()
        return None


def test_the_right_configuration_is_read(tmp_path):
    assert load(tmp_path, RIGHT).dataset.name == "shop"


@given(content=st.binary(max_size=60) | st.text(max_size=60) | YAML)
@example(b"\xff\xfe")
@example("a: " + "[" * 3000)
@example("name: 2024-13-45")
@example("a: &a [*a]")
@example("a: !!int")
@example("a: !!bool x")
@example("a: !!timestamp x")
@example("? !!timestamp x")
@example("? [1, 2]\n: 3")
@example("? 2024-01-01\n: 3")
@example("1: 2")
@example("spark: [1]")
@example("spark: 3")
@example("features: {numeric: [[]]}")
@example("model: 3")
@example("model_defaults: 3")
@example("written: {a: 1}")
@example("a: " + "9" * 5000)
@example("name: !!python/object/apply:os.getcwd []")
@example("a0: &a0 [x]\n" + "\n".join(f"a{i + 1}: &a{i + 1} [{f'*a{i}, ' * 9}]" for i in range(9)))
def test_any_file_is_a_configuration_or_an_error(tmp_path, content):
    load(tmp_path, content)


@given(data=st.data())
def test_a_configuration_with_anything_in_place_of_a_setting(tmp_path, data):
    content = copy.deepcopy(RIGHT)
    for _ in range(data.draw(st.integers(1, 2))):
        _replace(content, data)
    load(tmp_path, content)


@given(
    overrides=st.lists(
        st.tuples(
            st.sampled_from(["dataset", "dataset.name", "model.sdn", "spark", "spark.a.b", "paths"])
            | TEXTS,
            st.sampled_from(["=", "", "=="]),
            TEXTS | YAML | st.sampled_from(["[", "{a: [", "2024-13-45", "!!set {a}", "&a [*a]"]),
        ).map("".join),
        max_size=2,
    )
)
@example(["written=1"])
@example(["1=2"])
@example(["spark=[1]"])
@example(["spark=2024-01-01"])
@example(["dataset.name=2024-13-45"])
@example(["dataset[0]=1"])
@example(["paths.root=${paths.root}"])
def test_any_change_on_the_command_line_is_taken_or_refused(tmp_path, overrides):
    load(tmp_path, RIGHT, overrides)


@pytest.mark.parametrize("name", ["x" * 300, "x\0", "..", "", "${env:HOME}", "a/b"])
def test_a_name_that_no_file_has_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(f"{name}.yaml")
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(name)


@pytest.mark.parametrize("depth", [10, 100, 1000])
def test_deep_keys_are_refused(tmp_path, depth):
    content = "a: 1"
    deep = "".join(f"{' ' * i}k{i}:\n" for i in range(depth)) + " " * depth + content
    assert load(tmp_path, deep) is None


def _replace(content, data):
    """Put anything at a place of the configuration, or one more key there."""
    place, parent = content, None
    while isinstance(place, dict | list) and place and (parent is None or data.draw(st.booleans())):
        keys = sorted(place, key=str) if isinstance(place, dict) else list(range(len(place)))
        parent, key = place, data.draw(st.sampled_from(keys))
        place = place[key]
    if isinstance(parent, dict) and data.draw(st.integers(0, 4)) == 0:
        key = data.draw(TEXTS | NUMBERS)
    parent[key] = data.draw(VALUES)
    json.dumps(content, default=str)
