"""Writes the drift table of a run below `paths.root`, and draws the page of all dates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from optdist.files import write_atomically
from optdist.layout import DriftFolder
from optdist.log import LOG
from pipelines.monitoring.drift.page import draw_page
from pipelines.monitoring.drift.rows import (
    SCORING,
    TRAINING,
    DriftRow,
    read_rows,
    rows_of,
    write_rows,
)
from pipelines.monitoring.gate.evaluate import Subject
from pipelines.monitoring.gate.findings import Finding, failed
from pipelines.monitoring.gate.verdict import Acceptance

MOST_DATES = 400  # on the page, the latest ones


def write_drift(
    folder: DriftFolder,
    subject: Subject,
    findings: Sequence[Finding],
    accepted: Sequence[Acceptance],
) -> Path | None:
    """Keep what the gate of a scored date found, and draw the page again.

    Args:
        folder: the data set's drift.
        subject: what was looked at.
        findings: all of its comparisons.
        accepted: failed checks that somebody let pass.

    Returns:
        The page; None: it could not be drawn, which has been printed.
    """
    last = subject.last
    now = subject.scores.profile(0) if subject.scores else None
    rows = rows_of(
        SCORING,
        str(subject.date),
        subject.profile.model_copy(update={"scores": now}),
        subject.training,
        last.profile if last else None,
        str(last.date) if last else None,
        subject.schema,
        failed(findings),
        [acceptance.check for acceptance in accepted],
    )
    return keep_rows(folder, folder.scoring(subject.date), list(rows))


def keep_rows(folder: DriftFolder, path: Path, rows: Sequence[DriftRow]) -> Path | None:
    """Write some rows and draw the page; scores are worth more than a page, so errors are printed.

    Args:
        folder: the data set's drift.
        path: the file of the rows.
        rows: of one date.
    """
    try:
        write_rows(path, rows)
        page = draw_page(read_rows(folder.files()[-MOST_DATES:])).encode()
        write_atomically(folder.page, lambda file: file.write(page))
    except Exception as error:  # whatever it is, the gate has decided without the page
        text = str(error).partition("\n")[0][:200]
        LOG.warning(f"the drift table could not be written: {type(error).__name__}: {text}")
        return None
    return folder.page


def write_training(
    folder: DriftFolder,
    subject: Subject,
    fingerprint: str,
    wrong: Sequence[Finding],
    accepted: Sequence[str],
) -> list[Path]:
    """Keep what the guard of a training found, and draw the page again.

    Args:
        folder: the data set's drift.
        subject: the new training samples.
        fingerprint: of their feature table.
        wrong: the findings that stop the training.
        accepted: names of failed checks that somebody lets pass.

    Returns:
        The file of the rows and the page; none where they could not be written.
    """
    rows = rows_of(
        TRAINING,
        str(subject.date),
        subject.profile,
        subject.training,
        None,
        None,
        subject.schema,
        wrong,
        accepted,
    )
    path = folder.training(fingerprint)
    page = keep_rows(folder, path, list(rows))
    return [path, page] if page else []
