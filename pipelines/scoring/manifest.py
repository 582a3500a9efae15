"""What a published date of scores says of itself."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from optdist.errors import DataError

MANIFEST = "_manifest.json"  # in the date's folder, so that rows and manifest appear together


class Published(BaseModel):
    """One date's scores; its manifest pins the model and the input that a rerun uses again."""

    status: str = "published"
    dataset: str
    run_date: str
    path: str
    model_name: str
    model_version: str
    inference: str  # the rule of the model's package, such as "hard" or "soft"
    quantiles: list[float]
    input: str  # the samples that were scored, a folder below the data set's scores
    input_fingerprint: str  # of the source when they were read
    dataset_fingerprint: str = ""  # of the description that they were read with; "": not known
    source_fingerprint: str  # of the source at this run
    quarantined: dict[str, int]  # bad input rows by reason
    last_event: str | None = None  # the newest event's day; None: a table of samples, or not known
    imputed: dict[str, int] = {}  # numbers missing where training had none, by feature
    rows: int
    total_predicted: float


def read_manifest(path: Path) -> Published | None:
    """A published date's manifest, or None where the date has none."""
    try:
        return Published.model_validate_json((path / MANIFEST).read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DataError(
            f"{path / MANIFEST} cannot be read: {error} Remove {path} to score the date anew."
        ) from error
