"""Forgets customers: finds them in all that was written, removes them, and looks again."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession

from optdist.config import Config, secrets_hidden
from optdist.config.horizons import further_models
from optdist.errors import BusyError, DataError
from optdist.files import locked
from optdist.layout import Layout
from optdist.tracking import Registry
from pipelines.forgetting.customers import Wish
from pipelines.forgetting.matching import Matcher
from pipelines.forgetting.raw import look_at_raw, refuse_raw_rows
from pipelines.forgetting.receipt import Receipt, hide, write_receipt
from pipelines.forgetting.removal import Removal, clear_leftovers
from pipelines.forgetting.spark_files import abandoned, remove_abandoned
from pipelines.forgetting.survey import Findings, finished_tables, survey
from pipelines.forgetting.versions import Versions, in_order


@dataclass(frozen=True)
class Outlook:
    """What there is to remove, before anything is."""

    findings: Findings
    raw: dict[str, int]
    versions: list[str]  # that learned from the customers, or have their ids as categories
    in_use: dict[str, str]  # version -> alias
    spark_folders: list[Path]


def forget(
    spark: SparkSession,
    config: Config,
    registry: Registry | None,
    wish: Wish,
    local_directories: Sequence[Path],
) -> tuple[Receipt, Path]:
    """Remove customers from all that jobs have written, look again, and write a receipt.

    It may be killed and started again at any time: each folder is as it was, or done.

    Args:
        spark: the session.
        config: the data set, and where its files are.
        registry: the model's versions; None: there are none yet.
        wish: what is asked for.
        local_directories: Spark's, in which killed jobs may have left rows.

    Returns:
        The receipt and its file.

    Raises:
        BusyError: a job is working on a folder; all others are done.
        DataError: raw tables still have the customers, or a file cannot be read.
    """
    layout, started = config.layout, time.monotonic()
    with secrets_hidden(config.written), locked(layout.receipts):
        matcher = Matcher(spark, wish.customers, config.dataset)
        raw = look_at_raw(matcher, config, keep_raw=wish.keep_raw)
        if not wish.keep_raw:
            refuse_raw_rows(raw, config.dataset.source)
        versions = Versions(registry, layout, further_models(config))
        others = versions.other_runs()
        findings = before = survey(matcher, layout, others)
        if clear_leftovers(layout):
            findings = survey(matcher, layout, others)
        removal = Removal(matcher, layout, findings, others)
        removal.run()
        ours = _versions(versions, layout, wish, findings)
        deleted = versions.delete(ours) if wish.delete_versions else []
        spark_folders = remove_abandoned(local_directories)
        after = survey(matcher, layout, others)
        kept = {v: versions.in_use().get(v, "") for v in ours if v not in deleted}
        receipt = Receipt(
            dataset=config.dataset.name,
            finished=f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S} UTC",
            complete=not (after.rows or after.categories or after.unreadable or removal.busy),
            customers=hide(wish.customers),
            found=len(before.customers),
            raw=raw,
            removed=_difference(before.folders(layout.root), after.folders(layout.root)),
            hidden_categories=_difference(_named(layout, before), _named(layout, after)),
            unfinished_runs=removal.unfinished_runs,
            backtest_models=removal.backtest_models,
            deleted_versions=deleted,
            spark_folders=spark_folders,
            verified_files=after.looked_at,
            remaining=_remaining(raw, after, layout) + _remaining_versions(kept),
            seconds=round(time.monotonic() - started, 1),
        )
        path = write_receipt(layout.receipts, receipt)
    _require_complete(receipt, removal.busy, after, path)
    return receipt, path


def look(
    spark: SparkSession,
    config: Config,
    registry: Registry | None,
    wish: Wish,
    local_directories: Sequence[Path],
) -> Outlook:
    """What `forget` would remove; nothing is written.

    Args:
        spark: the session.
        config: the data set, and where its files are.
        registry: the model's versions; None: there are none yet.
        wish: what is asked for.
        local_directories: Spark's.

    Raises:
        DataError: a raw table cannot be read.
    """
    layout = config.layout
    with secrets_hidden(config.written):
        matcher = Matcher(spark, wish.customers, config.dataset)
        raw = look_at_raw(matcher, config, keep_raw=wish.keep_raw)
        versions = Versions(registry, layout, further_models(config))
        findings = survey(matcher, layout, versions.other_runs())
        ours = _versions(versions, layout, wish, findings)
        return Outlook(findings, raw, ours, versions.in_use(), abandoned(local_directories))


def _versions(versions: Versions, layout: Layout, wish: Wish, findings: Findings) -> list[str]:
    """The versions that learned from forgotten customers, or have their ids as categories."""
    learned = versions.learned(finished_tables(layout), findings)
    naming = versions.naming(wish.customers, findings.id_features)
    return in_order([*learned, *naming])


def _difference(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    removed = {name: count - after.get(name, 0) for name, count in before.items()}
    return {name: count for name, count in removed.items() if count}


def _named(layout: Layout, findings: Findings) -> dict[str, int]:
    root = layout.root
    return {str(path.relative_to(root)): count for path, count in findings.categories.items()}


def _remaining(raw: Mapping[str, int], after: Findings, layout: Layout) -> list[str]:
    """What still knows of the customers, versions of the model left out."""
    sentences = [
        f"raw table {name}: {f'{count} rows' if count > 0 else 'not readable'}"
        for name, count in raw.items()
        if count
    ]
    sentences += [f"{name}: {count} rows" for name, count in after.folders(layout.root).items()]
    sentences += [f"{name}: {count} categories" for name, count in _named(layout, after).items()]
    sentences += [f"not readable: {text}" for text in after.unreadable]
    return [
        *sentences,
        "aggregates: counts, means and quantiles, the smallest and the largest value among them, "
        "in schemas, reports and MLflow",
    ]


def _remaining_versions(kept: Mapping[str, str]) -> list[str]:
    return [
        f"version {version}{f' ({alias})' if alias else ''} learned from them"
        for version, alias in kept.items()
    ]


def _require_complete(receipt: Receipt, busy: Sequence[str], after: Findings, path: Path) -> None:
    if busy:
        others = f" And {len(busy) - 1} more." if busy[1:] else ""
        raise BusyError(f"{busy[0]}{others} Everything else is done: {path}.")
    if after.unreadable:
        raise DataError(
            f"{len(after.unreadable)} files cannot be read, so whether they have rows of these "
            f"customers is not known: {', '.join(after.unreadable[:3])}. Remove them, or make them "
            f"readable, and start this job again. Everything else is done: {path}."
        )
    if not receipt.complete:
        raise DataError(
            f"{after.rows:,} rows of these customers are still there: was something written "
            f"meanwhile? Start this job again. {path} says where they are."
        )
