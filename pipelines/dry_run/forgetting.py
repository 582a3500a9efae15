"""Looks where customers are who would be forgotten."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import SparkSession

from optdist.config import Config
from optdist.tracking import Registry
from pipelines.dry_run.feature_job import Read, dry_run_of, session_of
from pipelines.dry_run.registry import check_registry
from pipelines.dry_run.report import Report
from pipelines.forgetting.customers import Wish
from pipelines.forgetting.pipeline import Outlook, look
from pipelines.forgetting.raw import refuse_raw_rows
from pipelines.forgetting.spark_files import local_directories


def dry_run_forgetting(read: Read, wish_of: Callable[[Config], Wish]) -> Report:
    """What `jobs/forget.py` would remove.

    Args:
        read: reads the configuration.
        wish_of: reads the customers, with the configuration.
    """

    def look_at(report: Report, config: Config) -> None:
        registry, works = check_registry(report, config)
        wish = None
        with report.check("customers") as attempt:
            wish = wish_of(config)
            count, columns = len(wish.customers.ids), ", ".join(wish.customers.columns)
            attempt.say(f"{count:,} customers by {columns}")
        if works and wish:
            check_forgetting(report, session_of(config), config, registry, wish)

    return dry_run_of("forget", read, look_at)


def check_forgetting(
    report: Report, spark: SparkSession, config: Config, registry: Registry | None, wish: Wish
) -> None:
    """Report the rows that would be removed, and what would remain.

    Args:
        report: gets a line for each folder.
        spark: the session.
        config: the data set, and where its files are.
        registry: the model's versions; None: there are none yet.
        wish: what is asked for.
    """
    with report.check("files") as attempt:
        outlook = look(spark, config, registry, wish, local_directories(spark))
        for sentence in _of_files(outlook, config, wish):
            attempt.say(sentence)
    if attempt.failed:
        return
    with report.check("raw tables") as attempt:
        for name, count in outlook.raw.items():
            attempt.say(f"{name}: {f'{count:,} rows' if count >= 0 else 'cannot be read'}")
        if not wish.keep_raw:
            refuse_raw_rows(outlook.raw, config.dataset.source)
    with report.check("versions") as attempt:
        for version in outlook.versions:
            alias = outlook.in_use.get(version)
            goes = wish.delete_versions and not alias
            fate = "would be deleted" if goes else f"stays{f' ({alias})' if alias else ''}"
            attempt.say(f"version {version} learned from them: {fate}")


def _of_files(outlook: Outlook, config: Config, wish: Wish) -> list[str]:
    findings, root = outlook.findings, config.layout.root
    folders = findings.folders(root).items()
    sentences = [f"would be removed: {count:,} rows from {name}" for name, count in folders]
    sentences += [
        f"would be hidden: {count} categories of {path.relative_to(root)}"
        for path, count in findings.categories.items()
    ]
    sentences += [f"cannot be read: {text}" for text in findings.unreadable]
    if outlook.spark_folders:
        sentences.append(f"would be removed: {len(outlook.spark_folders)} folders of killed jobs")
    total = len(wish.customers.ids)
    found = f"{len(findings.customers)} of {total} customers have rows"
    return [*sentences, f"{found}; {findings.looked_at:,} files were looked at"]
