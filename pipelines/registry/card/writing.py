"""Writes the model card of a version into its run's folder and to MLflow."""

from __future__ import annotations

from pathlib import Path

from optdist.config import Config
from optdist.data.feature_table import OUT_OF_TIME, FeatureTable
from optdist.files import write_atomically
from optdist.log import LOG
from optdist.tracking import Registry, Run
from optdist.training import RunFolder
from pipelines.registry.card.page import Card, draw_card
from pipelines.registry.card.rows import HeldOut
from pipelines.registry.history import lineage
from pipelines.registry.rule import Decision

NAME = "model_card.html"


def write_card(
    config: Config,
    registry: Registry,
    table: FeatureTable,
    folder: RunFolder,
    run: Run,
    version: str,
    decision: Decision,
) -> Path | None:
    """Draw a version's card and log it; a card that cannot be made is a printed warning.

    Args:
        config: of the run.
        registry: has the version.
        table: the run's features.
        folder: the run's.
        run: logs the card.
        version: the version's number.
        decision: whether it became champion, and why.

    Returns:
        The card's file, or None.
    """
    try:
        result = folder.result()
        splits = ["test", *([OUT_OF_TIME] if result.out_of_time else [])]
        rows = {
            split: HeldOut.read(folder, table, config.dataset.source, split, result.inference)
            for split in splits
        }
        about = lineage(registry.tags(version), registry.run_of(version))
        card = Card(registry.model_name, version, about, config, table, result, rows, decision)
        page = draw_card(card).encode()
        path = folder.path / NAME
        write_atomically(path, lambda file: file.write(page))
        run.log_file(path)
    except Exception as error:  # the version is right without its card
        LOG.warning(f"the model card could not be made: {type(error).__name__}", exc_info=True)
        return None
    return path
