"""A finished feature table: encoded Parquet splits, their schema and their manifest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from optdist.data.schema import FeatureSchema
from optdist.errors import DataError

MANIFEST, SCHEMA = "manifest.json", "schema.json"
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class FeatureTable:
    """The folder that the feature job writes; `manifest.json` comes last and marks it finished."""

    path: Path
    manifest: dict[str, Any]
    schema: FeatureSchema

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Read a finished table.

        Raises:
            DataError: there is no finished table in the folder.
        """
        path = Path(path)
        try:
            manifest = json.loads((path / MANIFEST).read_text())
        except (OSError, ValueError) as error:
            raise DataError(
                f"{path} holds no finished feature table ({error}). Run jobs/build_features.py."
            ) from error
        return cls(path, manifest, FeatureSchema.load(path / SCHEMA))

    def split_path(self, split: str) -> Path:
        """The folder of a split's encoded Parquet files."""
        return self.path / "encoded" / split

    def split_files(self, split: str) -> list[dict[str, Any]]:
        """The files of a split: {"name", "rows"} each, one row group a file."""
        files: list[dict[str, Any]] = self.manifest["splits"][split]["files"]
        return files

    def read(self, split: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A split's encoded rows in memory, all columns or some."""
        files = [self.split_path(split) / file["name"] for file in self.split_files(split)]
        names = None if columns is None else list(columns)
        return pa.concat_tables([pq.ParquetFile(file).read(columns=names) for file in files])

    def samples_path(self, split: str) -> Path:
        """The folder of a split's raw samples."""
        return self.path / "samples" / f"split={split}"
