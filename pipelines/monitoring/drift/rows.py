"""Defines the drift table: one row per column and date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from optdist.data.profile import LEVELS, SCORE_LEVELS, ColumnProfile, PartProfile, Profile
from optdist.data.schema import FeatureSchema, NumericFeature
from optdist.files import write_atomically
from optdist.log import LOG
from pipelines.monitoring.gate.columns import psi_and_js
from pipelines.monitoring.gate.findings import Finding
from pipelines.monitoring.gate.scores import SCORE

SCORING, TRAINING = "scoring", "training"  # which job looked
ROWS = "(rows)"  # what is no column: ids, events, ages


class DriftRow(BaseModel):
    """One column at one date; numbers are on the model's scale, scores in currency."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: str
    date: str
    column: str
    rows: int
    missing: float | None = None  # shares
    unknown: float | None = None
    outside: float | None = None
    mean: float | None = None  # of a number: in training's deviations from training's mean
    std: float | None = None
    q05: float | None = None
    q25: float | None = None
    q50: float | None = None
    q75: float | None = None
    q95: float | None = None
    psi_training: float | None = None  # against all training dates together
    js_training: float | None = None
    psi_last: float | None = None  # against the last date
    js_last: float | None = None
    last_date: str | None = None
    failed: str = ""  # names of checks
    accepted: str = ""


_NUMBERS = {"rows": pa.int64()}
_TEXTS = {"kind", "date", "column", "last_date", "failed", "accepted"}
SCHEMA = pa.schema(
    [
        (name, pa.string() if name in _TEXTS else _NUMBERS.get(name, pa.float64()))
        for name in DriftRow.model_fields
    ]
)


def rows_of(
    kind: str,
    date: str,
    profile: Profile,
    training: Profile,
    last: Profile | None,
    last_date: str | None,
    schema: FeatureSchema,
    findings: Sequence[Finding],
    accepted: Sequence[str],
) -> Iterator[DriftRow]:
    """The rows of one date.

    Args:
        kind: which job looked.
        date: the day.
        profile: of its samples; `scores` has its predictions.
        training: the model's.
        last: of the last date; None: there is none.
        last_date: its name.
        schema: of the model.
        findings: those that failed.
        accepted: names of checks that were accepted.
    """
    like_training = profile.periods[0] if profile.periods else profile.whole
    about: dict[str, Any] = {"kind": kind, "date": date, "last_date": last_date}
    for feature in schema.features:
        column = profile.whole.columns.get(feature.name)
        if column is None:
            continue
        number = isinstance(feature, NumericFeature)
        yield DriftRow(
            **about,
            column=feature.name,
            rows=column.rows,
            missing=column.missing_share,
            unknown=None if number else column.unknown_share,
            outside=column.outside_share if number else None,
            **_moments(column),
            **_shape(like_training, training.whole, feature.name, "training"),
            **_shape(profile.whole, last.whole if last else None, feature.name, "last"),
            **_checks(feature.name, findings, accepted),
        )
    if profile.scores:
        quantiles: dict[str, Any] = {
            f"q{round(100 * level):02d}": profile.scores.quantiles[SCORE_LEVELS.index(level)]
            for level in LEVELS
        }
        names = {"score_total", "score_mean", "score_quantiles", "migration"}
        own = [f for f in findings if f.check in names]
        yield DriftRow(
            **about, column=SCORE, rows=profile.scores.rows, mean=profile.scores.mean,
            **quantiles, **_named(own, accepted),
        )  # fmt: skip
    features = set(schema.raw_columns)
    rest = [f for f in findings if f.column not in features and "score" not in f.check]
    rest = [f for f in rest if f.check != "migration"]
    yield DriftRow(**about, column=ROWS, rows=profile.rows, **_named(rest, accepted))


def write_rows(path: Path, rows: Sequence[DriftRow]) -> None:
    """Write one date's rows, which replace those of an earlier look at it."""
    table = pa.Table.from_pylist([row.model_dump() for row in rows], schema=SCHEMA)
    write_atomically(path, lambda file: pq.write_table(table, file))


def read_rows(paths: Sequence[Path]) -> list[DriftRow]:
    """The rows of some files; a damaged one is left out."""
    rows: list[DriftRow] = []
    for path in paths:
        try:
            content = pq.ParquetFile(path).read().to_pylist()
        except (OSError, pa.ArrowException):
            LOG.warning(f"{path} cannot be read; the drift page lacks its date")
            continue
        rows += [DriftRow.model_validate(row) for row in content]
    return rows


def _moments(column: ColumnProfile) -> dict[str, Any]:
    names = [f"q{round(100 * level):02d}" for level in LEVELS]
    quantiles = dict(zip(names, column.quantiles, strict=False))
    return {"mean": column.mean, "std": column.std, **quantiles}


def _shape(now: PartProfile, then: PartProfile | None, name: str, suffix: str) -> dict[str, Any]:
    a, b = now.columns.get(name), then.columns.get(name) if then else None
    both = psi_and_js(a, b) if a and b else None
    return {f"psi_{suffix}": both[0], f"js_{suffix}": both[1]} if both else {}


def _checks(name: str, findings: Sequence[Finding], accepted: Sequence[str]) -> dict[str, Any]:
    return _named([finding for finding in findings if finding.column == name], accepted)


def _named(findings: Sequence[Finding], accepted: Sequence[str]) -> dict[str, Any]:
    names = list(dict.fromkeys(finding.check for finding in findings))
    return {
        "failed": ", ".join(name for name in names if name not in accepted),
        "accepted": ", ".join(name for name in names if name in accepted),
    }
