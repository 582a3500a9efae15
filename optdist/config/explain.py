"""Explains every setting: its name, values, default, unit and meaning, as text and as a page."""

from __future__ import annotations

from functools import cache
from textwrap import fill, indent

from optdist.config.reference import Reference, Setting
from optdist.config.settings import Config


@cache
def reference() -> Reference:
    """The reference of a whole configuration."""
    return Reference(Config)


def as_text(prefix: str = "") -> str:
    """The settings whose names begin with `prefix`, as a terminal shows them."""
    blocks = []
    for setting in reference().settings(prefix):
        unit = f" [{setting.unit}]" if setting.unit else ""
        meaning = setting.title.removesuffix(".")
        text = fill(f"{meaning}. Values: {setting.values}.", 92)
        blocks += [f"{setting.name} = {setting.default}{unit}", indent(text, "    ")]
    return "\n".join(blocks)


def as_markdown() -> str:
    """The page docs/settings.md."""
    lines = _INTRODUCTION.splitlines()
    for section, text in reference().sections().items():
        lines += ["", f"## {section}", "", text, ""]
        lines += ["| Setting | Default | Unit | Values | Meaning |", "|---|---|---|---|---|"]
        lines += [_row(s) for s in reference().settings(section) if s.section == section]
    return "\n".join(lines) + "\n"


def _row(setting: Setting) -> str:
    meaning = setting.title.removesuffix(".")
    cells = f"`{setting.name}`", f"`{setting.default}`", setting.unit, setting.values, meaning
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


_INTRODUCTION = """# Settings

<!-- Written by `make settings` from optdist/config; a test checks that it is current. -->

A configuration is `conf/base.yaml`, then `conf/env/NAME.yaml`, then the data set's file, then
`--set NAME=VALUE`; later ones win. A data set's file has the keys of the section `dataset` at its
top level, and may have other sections as well. In a name, NAME is a key that you choose, and [] is
an item of a list. If a meaning begins with names of models or kinds, only these have the setting.
Any job prints the same with `--help-settings`, or a part of it with `--help-settings training`.
`${env:NAME}` as a value is read from the environment, and is never printed or logged."""


if __name__ == "__main__":
    print(as_markdown(), end="")
