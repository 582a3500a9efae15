"""The records of finished cells: one small JSON each, and one for each data set."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from optdist.config import ModelConfig, TrainingConfig, fingerprint
from optdist.errors import DataError
from optdist.files import write_json
from pipelines.experiments.plan.grid import Cell, read_settings, slug

# Raise it where the same settings learn something else than before: such records are made again.
FORMAT = 1
_DEFAULTS = {
    "model": ModelConfig().model_dump(mode="json"),
    "training": TrainingConfig().model_dump(mode="json"),
}
Record = dict[str, Any]
_DATA = ".data.json"


class Store:
    """A folder of records, read once and kept in memory."""

    def __init__(self, folder: Path) -> None:
        """Read what is in `folder`, which need not exist yet."""
        self.folder = folder
        self._content = {path.name: _read(path) for path in sorted(folder.glob("*.json"))}

    def records(self) -> list[Record]:
        """The records of all cells, in the order of their names."""
        return [r for name, r in self._content.items() if not name.endswith(_DATA)]

    def find(self, cell: Cell, settings: Record, data: str) -> Record | None:
        """The record of a cell, if it is of these settings and this data.

        Args:
            cell: its coordinates.
            settings: of `Grid.settings`.
            data: the data's fingerprint.
        """
        record = self._content.get(f"{cell.name}.json")
        if record is None or record["format"] != FORMAT or record["data"] != data:
            return None
        stored = dict(record["settings"])
        if "model" in stored:  # a record may name settings that its model turned out not to read
            stored["model"] = read_settings(stored["model"])
        return record if same_settings(stored, rounded(settings)) else None

    def write(self, cell: Cell, settings: Record, data: str, content: Record) -> Record:
        """Write a cell's record and return it as it will be read."""
        record = {
            "format": FORMAT,
            "dataset": cell.dataset,
            "variant": cell.variant,
            "trial": cell.trial,
            "seed": cell.seed,
            "data": data,
            "fingerprint": self.fingerprint(cell, settings, data),
            "settings": settings,
            **content,
        }
        return self._write(f"{cell.name}.json", record)

    @staticmethod
    def fingerprint(cell: Cell, settings: Record, data: str) -> str:
        """Of everything that decides what a cell learns."""
        return fingerprint([FORMAT, data, settings, cell.seed])

    def dataset(self, name: str) -> Record | None:
        """What is known of a data set."""
        return self._content.get(slug(name) + _DATA)

    def write_dataset(self, name: str, content: Record) -> Record:
        """Keep what is known of a data set."""
        return self._write(slug(name) + _DATA, content)

    def _write(self, name: str, content: Record) -> Record:
        self._content[name] = rounded(content)
        write_json(self.folder / name, self._content[name])
        return self._content[name]


def _read(path: Path) -> Record:
    try:
        record: Record = json.loads(path.read_text())
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}). Remove it to run it again.") from error
    return record


def same_settings(stored: Any, wanted: Any, default: Any = _DEFAULTS) -> bool:
    """Whether a record's settings are the wanted ones.

    A setting that is newer than the record counts as its default, which must mean what was done
    before there was a choice.
    """
    if not (isinstance(stored, dict) and isinstance(wanted, dict)):
        return bool(stored == wanted)
    known = default if isinstance(default, dict) else {}
    return set(stored) <= set(wanted) and all(
        same_settings(stored.get(key, known.get(key)), value, known.get(key))
        for key, value in wanted.items()
    )


def rounded(value: Any) -> Any:
    """The value with floats of six significant digits; what is not finite becomes null."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list | tuple) else value
