"""What drafts of all kinds of sources share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optdist.config.training import TrainingConfig
from pipelines.drafting.document import Document
from pipelines.drafting.profile import TableProfile
from pipelines.drafting.suspects import Suspects

_STEPS = 20  # of an epoch, at least, where batches can be so small
_LEAST_BATCH = 128  # rows


def tables_setting(
    main: TableProfile, others: Sequence[TableProfile], types: Mapping[str, str]
) -> dict[str, Any]:
    """The section `source.tables`, the main table first.

    Args:
        main: the main table.
        others: the tables that are joined to it.
        types: column -> type, of columns that are text in a file.
    """
    return {table.name: _table(table, types) for table in (main, *others)}


def training_setting(splits: Mapping[str, tuple[int, int]]) -> dict[str, dict[str, int]]:
    """The section `training` for few training rows, or nothing: an epoch needs some steps.

    Args:
        splits: split -> rows, and those with a positive label.
    """
    rows, _ = splits.get("train", (0, 0))
    usual = TrainingConfig.model_fields["batch_size"].default
    size = max(1 << max(rows // _STEPS, 1).bit_length() - 1, _LEAST_BATCH)
    return {"training": {"batch_size": size}} if size < usual else {}


def explain_training(document: Document) -> None:
    """Add the comment of `training`, if the document has it."""
    if "training" in document.content:
        why = "Few rows: smaller batches give an epoch more steps."
        document.explain(why, "training", "batch_size")


def log_scaled(names: Iterable[str]) -> dict[str, dict[str, bool]]:
    """Numeric features of which the logarithm is taken: counts, sums and days have long tails."""
    return {name: {"log1p": True} for name in dict.fromkeys(names)}


def left_out(suspects: Suspects) -> list[str]:
    """A sentence for each column that is no feature."""
    return [f"{name} is no feature: it {why}." for name, why in suspects.reasons.items()]


def _plain(value: str) -> str | bool:
    """An option as one writes it in YAML."""
    return {"true": True, "false": False}.get(value, value)


def _table(table: TableProfile, types: Mapping[str, str]) -> dict[str, Any]:
    setting: dict[str, Any] = {"path": table.written.path}
    if table.written.format != "parquet":
        setting["format"] = table.written.format
    if table.written.options:
        setting["options"] = {k: _plain(v) for k, v in table.written.options.items()}
    own = {name: types[name] for name in table.columns if name in types and table.types.get(name)}
    if own:
        setting["types"] = own
    return setting
