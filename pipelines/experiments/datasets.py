"""Builds the feature tables of an experiment, and fingerprints data the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import SparkSession

from optdist.config import Config, fingerprint, secrets_hidden
from optdist.files import sha256_of
from pipelines.experiments.plan.coordinates import Task
from pipelines.experiments.plan.results import Results
from pipelines.experiments.run.description import DESCRIPTION, describe
from pipelines.experiments.run.runner import BuiltTable
from pipelines.features.build import build_features, finished_features
from pipelines.features.fingerprint import FORMAT
from pipelines.session import spark_session
from pipelines.sources.formats.delta import Delta
from pipelines.sources.formats.paths import list_files, resolve_path
from pipelines.sources.formats.registry import table_format
from pipelines.sources.formats.spark_sources import SparkSource
from pipelines.sources.formats.suffixes import format_of


def build_tables(
    results: Results, tasks: Sequence[Task], spark: SparkSession | None
) -> dict[str, BuiltTable]:
    """The feature tables of the data sets that have unfinished tasks.

    Args:
        results: the finished cells.
        tasks: the tasks that need tables.
        spark: a session to use and to leave open; None starts one where features must be built.

    Returns:
        Data set -> its table.
    """
    tables, own = {}, spark is None
    for dataset in dict.fromkeys(task.dataset for task in tasks):
        known = results.store.dataset(dataset)
        data = results.fingerprints[dataset]
        described = known and (known.data, known.format) == (data, DESCRIPTION)
        if described and all(results.done(task) for task in tasks if task.dataset == dataset):
            continue
        config = results.grid.config(dataset)
        table = finished_features(config)
        if table is None:
            spark = spark or spark_session(
                config.spark, f"features of {results.grid.experiment.name}"
            )
            table = build_features(spark, config)
        tables[dataset] = BuiltTable(str(table.path), table.manifest.fingerprint)
        if not described:
            results.store.write_dataset(dataset, describe(config.dataset, table, data))
    if own and spark is not None:
        spark.stop()  # cells train without it, and need its memory
    return tables


def data_fingerprint(config: Config) -> str:
    """A fingerprint of all that decides a data set's rows and splits, the same on every machine.

    Raw files count by their content, a Delta table by its version, what Spark reads elsewhere and
    a URL by their names alone, and a setting at its default does not count, so that a new setting
    does not change a fingerprint.
    """
    dataset = config.dataset.model_dump(mode="json", exclude_defaults=True, exclude={"description"})
    tables = dataset["source"].pop("tables")
    written = config.printable(defaults=False)["dataset"]["source"]["tables"]
    for name, table in config.dataset.source.tables.items():
        tables[name].pop("path", None)
        with secrets_hidden(config.written):
            kind = table_format(format_of(name, table))
            if isinstance(kind, Delta):
                tables[name]["content"] = kind.fingerprint(table)
                tables[name].pop("version", None)  # the content has its number
            elif isinstance(kind, SparkSource):
                tables[name]["content"] = [table.path]
            else:
                tables[name]["content"] = _content(resolve_path(table.path))
        if "options" in written[name]:
            tables[name]["options"] = written[name]["options"]  # without the secrets' values
    return fingerprint(
        {
            "format": FORMAT,
            "dataset": dataset,
            "tables": tables,
            "split": config.split.content,
            "build": config.build.model_dump(exclude={"max_quarantined_share"}),
            "time_zone": config.spark.get("spark.sql.session.timeZone"),
        }
    )


def _content(path: str) -> list[str]:
    if "://" in path:
        return [path]
    return [sha256_of(file) for file in list_files(path)]
