"""Reads a draft as the jobs will, and looks after the file that it is written to."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from optdist.config import Config, load_config
from optdist.config.tables import TableConfig
from optdist.files import write_atomically
from pipelines.drafting.request import DraftError

Check = Callable[[str], Config]  # reads a data set's YAML as the jobs do

_PLACEHOLDER: dict[str, Any] = {
    "name": "draft",
    "id": ["id"],
    "split_key": ["id"],
    "source": {"kind": "samples", "tables": {"draft": {"path": "draft"}}, "label": "value"},
    "features": {"numeric": ["number"]},
}


def checker(env: str, overrides: Sequence[str]) -> Check:
    """A function that reads a data set's YAML as a job with these options does.

    Args:
        env: the environment's name.
        overrides: `section.key=value` each.
    """

    def check(text: str) -> Config:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "draft.yaml")
            path.write_text(text)
            return load_config(path, env, overrides)

    return check


def shared_config(check: Check) -> Config:
    """The settings that no data set decides, such as those of Spark.

    Raises:
        ConfigError: one of them is wrong.
    """
    return check(yaml.safe_dump(_PLACEHOLDER))


def resolved_table(check: Check, name: str, table: TableConfig) -> TableConfig:
    """A table with the values of the variables that its settings name as `${env:NAME}`.

    Args:
        check: reads a document as the jobs will.
        name: the table's name.
        table: its settings as they are written.
    """
    tables = {name: table.model_dump(exclude_defaults=True)}
    source = _PLACEHOLDER["source"] | {"tables": tables}
    text = yaml.safe_dump(_PLACEHOLDER | {"source": source})
    return check(text).dataset.source.tables[name]


def refuse_existing(path: Path | None, *, force: bool) -> None:
    """Refuse to write over a file, which may have been worked on.

    Raises:
        DraftError: the file is there, or its name is not that of a YAML file.
    """
    if path is None:
        return
    if path.suffix not in {".yaml", ".yml"}:
        raise DraftError(f"--out {path} must end in .yaml, which is how jobs know a file.")
    if path.exists() and not force:
        raise DraftError(f"{path} exists. Give another --out, or --force to write over it.")


def write_draft(path: Path, text: str) -> None:
    """Write a draft; an interrupted job leaves no half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(text.encode()))
