"""Reads and writes the manifest of a date's scores."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from optdist.data.schema import first_problem
from optdist.errors import DataError
from optdist.files import write_json
from optdist.sums import agrees_with_sum, folder_digest, with_sum
from pipelines.monitoring.gate.verdict import Verdict

_MANIFEST = "_manifest.json"  # in the date's folder, so that rows and manifest appear together


class HorizonScores(BaseModel):
    """The model of a further horizon, whose predicted value is a column of the scores."""

    days: int
    column: str
    model_name: str
    model_version: str
    model_digest: str = ""  # of the package's checksums
    inference: str
    total_predicted: float = 0.0


class ScoresManifest(BaseModel):
    """The description of one date's scores; it pins what a rerun of the date uses again."""

    status: str = "published"
    dataset: str
    run_date: str
    path: str
    model_name: str
    model_version: str
    model_digest: str = ""  # of the package's checksums; "": of an older version
    inference: str  # the rule of the model's package, such as "hard" or "soft"
    quantiles: list[float]
    columns: list[str] = []  # those of scoring.columns
    horizons: list[HorizonScores] = []  # those of source.more_horizons
    input: str  # the samples that were scored, a folder below the data set's scores
    input_fingerprint: str  # of the source when they were read
    dataset_fingerprint: str = ""  # of the description that they were read with; "": not known
    source_fingerprint: str  # of the source at this run; "": its tables were not read
    versions: dict[str, int] = {}  # raw table -> its version that was read, where it has one
    quarantined: dict[str, int]  # bad input rows by reason
    last_event: str | None = None  # the newest event's day; None: a table of samples, or not known
    imputed: dict[str, int] = {}  # numbers missing where training had none, by feature
    rows: int
    total_predicted: float
    checksum: str = ""  # of the rows in any order; "": of an older version
    replaced: str = ""  # the checksum of other rows that were published before
    gate: Verdict | None = None  # what the gate looked at; None: it was off, or there was none yet
    seconds: float | None = None  # that the job took
    input_digest: str | None = None  # of the kept samples' files; older manifests have none
    files_digest: str | None = None  # of the files of the scores


def write_manifest(folder: Path, manifest: ScoresManifest) -> None:
    """Put a manifest into the folder of its scores."""
    write_json(folder / _MANIFEST, with_sum(manifest.model_dump(mode="json")))


def read_manifest(folder: Path) -> ScoresManifest | None:
    """The manifest in the folder of a date's scores, or None where the date has none.

    Raises:
        DataError: the manifest is damaged.
    """
    try:
        content = json.loads((folder / _MANIFEST).read_bytes())
        manifest = ScoresManifest.model_validate(content)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DataError(
            f"{folder / _MANIFEST} cannot be read: {first_problem(error)}. Remove {folder} to "
            f"score the date again."
        ) from error
    if not agrees_with_sum(content):
        raise DataError(
            f"{folder / _MANIFEST} is damaged: it is not what the job wrote. Remove {folder} to "
            f"score the date again."
        )
    return manifest


def require_whole(folder: Path, manifest: ScoresManifest) -> None:
    """Refuse published scores whose files are not those that the job wrote.

    Args:
        folder: a date's scores.
        manifest: the manifest in it.

    Raises:
        DataError: a file is damaged, missing or new.
    """
    if manifest.files_digest not in (None, folder_digest(folder)):
        raise DataError(
            f"{folder} is damaged: its files are not those that the job wrote. Score "
            f"{manifest.run_date} again: it gives the same rows."
        )
