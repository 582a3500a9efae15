"""A few lines of YAML that stand for more than any memory holds are refused at once."""

import time

import pytest

from optdist.config import load_config
from optdist.config.plain import plain_yaml
from optdist.errors import ConfigError


def repeated(first, step, levels=12):
    """Lines each of which repeats the one before ten times."""
    lines = [f"a0: &a0 {first}"]
    for i in range(1, levels):
        lines.append(f"a{i}: &a{i} {step.format(', '.join([f'*a{i - 1}'] * 10))}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        repeated("lol", "[{}]"),
        repeated("{x: 1}", "{{<<: [{}]}}"),  # merged while it is read
        "a: &a [*a]",
        "a: &a {<<: *a, b: 1}",
        "[" * 3000,
        "x: " + "a" * 10_000_001,
    ],
    ids=["lists", "merges", "itself", "merged into itself", "deep", "long"],
)
def test_a_bomb_is_refused_quickly(text, tmp_path):
    started = time.monotonic()
    (tmp_path / "shop.yaml").write_text(text)
    with pytest.raises(ConfigError, match="is not valid YAML: it "):
        load_config(tmp_path / "shop.yaml")
    assert time.monotonic() - started < 10


def test_a_bomb_on_the_command_line_is_refused_too():
    bomb = "{" + repeated("{x: 1}", "{{<<: [{}]}}").replace("\n", ", ") + "}"
    with pytest.raises(ConfigError, match="more than 100,000 values"):
        load_config(overrides=[f"model_defaults={bomb}"])


def test_aliases_and_merges_that_are_small_are_read():
    text = "base: &base {a: 1, b: [x]}\none: *base\ntwo: {<<: *base, a: 2}"
    base = {"a": 1, "b": ["x"]}
    assert plain_yaml(text) == {"base": base, "one": base, "two": {"a": 2, "b": ["x"]}}
