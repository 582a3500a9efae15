"""Reads and writes an experiment's records: a small JSON per cell, and one per data set."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from optdist.config.problems import problems
from optdist.errors import DataError
from optdist.files import write_json
from pipelines.experiments.plan.coordinates import Cell, slug
from pipelines.experiments.plan.measurements import Measurements, Part
from pipelines.experiments.plan.records import (
    FORMAT,
    CellSettings,
    DatasetRecord,
    Failure,
    Record,
    cell_fingerprint,
    rounded,
)
from pipelines.experiments.plan.settings import agree, same_settings

_DATASET = ".data.json"
_DAMAGED = "{path} is damaged ({error}). Remove it to train its cell again."
P = TypeVar("P", bound=Part)
A = TypeVar("A", Record, Failure)


class Store:
    """A folder of records, read once and kept in memory.

    Only records of one format are found, so that runs that differ in more than their settings are
    never compared.
    """

    def __init__(self, folder: Path, report: bool = False) -> None:
        """Read a folder.

        Args:
            folder: the folder of the records; it need not exist yet.
            report: find the records of the newest format in the folder, to report them as they
                are. By default those of the current format are found, to train the other cells.
        """
        self.folder = folder
        self._cells: dict[str, Record | Failure] = {}
        self._datasets: dict[str, DatasetRecord] = {}
        for path in sorted(folder.glob("*.json")):
            if path.name.endswith(_DATASET):
                self._datasets[path.name] = _parsed(path, DatasetRecord, _read(path))
                continue
            content = _read(path)
            kind: type[Record | Failure] = Failure if "error" in content else Record
            self._cells[path.name] = _parsed(path, kind, content)
        formats = [record.format for record in self._cells.values()]
        self.format = max(formats, default=FORMAT) if report else FORMAT

    def records(self) -> list[Record | Failure]:
        """The records of all cells, in the order of their names."""
        return list(self._cells.values())

    def find(self, cell: Cell, settings: CellSettings, data: str) -> Record | Failure | None:
        """The record of a cell, if it is of these settings, this data and the store's format.

        Args:
            cell: its coordinates.
            settings: the result of `Grid.settings`.
            data: the data's fingerprint.
        """
        record = self._cells.get(_file(cell))
        if record is None or (record.format, record.data) != (self.format, data):
            return None
        if record.format == FORMAT:
            same = same_settings(record.settings.plain, rounded(settings.plain))
        else:
            same = agree(record.settings, settings)
        return record if same else None

    def write(
        self, cell: Cell, settings: CellSettings, data: str, measurements: Measurements
    ) -> Record:
        """Write the record of a finished cell.

        Args:
            cell: its coordinates.
            settings: the result of `Grid.settings`.
            data: the data's fingerprint.
            measurements: its results.

        Returns:
            The record as it will be read.
        """
        measured = {name: getattr(measurements, name) for name in Measurements.model_fields}
        record = Record(**_attempt(cell, settings, data), **measured)
        return self._write_cell(record)

    def write_failure(self, cell: Cell, settings: CellSettings, data: str, reason: str) -> Failure:
        """Write why a cell failed; validation metrics of an earlier attempt are kept.

        Args:
            cell: its coordinates.
            settings: the result of `Grid.settings`.
            data: the data's fingerprint.
            reason: why it failed.

        Returns:
            The record as it will be read.
        """
        before = self.find(cell, settings, data)
        failure = Failure(
            **_attempt(cell, settings, data),
            error=reason,
            inference=before.inference if before else None,
            validation=before.validation if before else None,
        )
        return self._write_cell(failure)

    def dataset(self, name: str) -> DatasetRecord | None:
        """The record of a data set, or None."""
        return self._datasets.get(slug(name) + _DATASET)

    def write_dataset(self, name: str, record: DatasetRecord) -> DatasetRecord:
        """Write the record of a data set."""
        file = slug(name) + _DATASET
        self._datasets[file] = _write(self.folder / file, record)
        return self._datasets[file]

    def _write_cell(self, record: A) -> A:
        written = _write(self.folder / _file(record.cell), record)
        self._cells[_file(record.cell)] = written
        return written


def _file(cell: Cell) -> str:
    return f"{cell.name}.json"


def _attempt(cell: Cell, settings: CellSettings, data: str) -> dict[str, Any]:
    """The fields that a cell's record has whether it finished or failed."""
    return {
        "format": FORMAT,
        **asdict(cell),
        "data": data,
        "fingerprint": cell_fingerprint(cell, settings, data),
        "settings": settings,
    }


def _write(path: Path, record: P) -> P:
    content = rounded(record.model_dump(mode="json"))
    write_json(path, content)
    return type(record).model_validate(content)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise DataError(_DAMAGED.format(path=path, error=error)) from error
    return content


def _parsed(path: Path, kind: type[P], content: dict[str, Any]) -> P:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        lines = "; ".join(problems(error, content, kind))
        raise DataError(_DAMAGED.format(path=path, error=lines)) from error
