"""Makes the data report of a feature table, keeps it in the table's folder, and warns of leaks."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

from optdist.config import DatasetConfig
from optdist.config.report import ReportConfig
from optdist.data.feature_table import FeatureTable, UnfinishedTable
from optdist.data.schema import FeatureSchema
from optdist.errors import CheckError
from optdist.files import uri, write_atomically, write_json
from optdist.log import LOG
from pipelines.monitoring.data_report.audit import find_flags, leaks
from pipelines.monitoring.data_report.looks_ahead import find_looking_ahead
from pipelines.monitoring.data_report.page import draw_page
from pipelines.monitoring.data_report.profile import measure
from pipelines.monitoring.data_report.statistics import Build, DataReport, FeatureStatistics


def make_report(
    spark: SparkSession,
    dataset: DatasetConfig,
    limits: ReportConfig,
    table: UnfinishedTable,
    schema: FeatureSchema,
    build: Build,
) -> list[str]:
    """Measure a table's samples and write `report.json` and `report.html` into its folder.

    The table is worth more than its report: an error is printed and the table goes on without.

    Args:
        spark: the session.
        dataset: where the samples are from, `history: auto` written out.
        limits: of the flags, and what may be named.
        table: whose samples are written.
        schema: what training learned of them.
        build: what only the build knows.

    Returns:
        The leaks that were flagged, which have been printed as warnings.
    """
    try:
        samples = spark.read.parquet(uri(table.samples))
        report = measure(samples, schema, dataset, build.dated, limits.min_category_rows)
        report = report.model_copy(
            update={
                "fingerprint": table.path.name,
                "build": build,
                "features": with_sources(spark, report, dataset, schema),
            }
        )
        write_report(report, limits, table)
        warnings = leaks(find_flags(report, limits))
    except Exception as error:  # whatever it is, the features are right without a report
        LOG.warning(f"the data report could not be made: {_short(error)}")
        return []
    for warning in warnings:
        LOG.warning(warning)
    return warnings


def with_sources(
    spark: SparkSession, report: DataReport, dataset: DatasetConfig, schema: FeatureSchema
) -> list[FeatureStatistics]:
    """The features with what their expressions and raw columns say.

    Args:
        spark: the session, whose parser reads the expressions.
        report: the measured features.
        dataset: the expressions.
        schema: what raw columns of text were read as.
    """
    names = [feature.name for feature in report.features]
    ahead, timeless = find_looking_ahead(spark, dataset.source, names)
    read_as = {
        name: kind
        for columns in (schema.types or {}).values()
        for name, kind in columns.items()
        if kind != "string"
    }
    return [
        feature.model_copy(
            update={
                "looks_ahead": ahead.get(feature.name),
                "is_timeless": timeless.get(feature.name),
                "read_as": read_as.get(feature.name),
            }
        )
        for feature in report.features
    ]


def recheck_report(table: FeatureTable, limits: ReportConfig) -> list[str]:
    """Hold the kept statistics of a finished table against the limits of today.

    The page is drawn again if the limits have changed, or if it is not there.

    Args:
        table: a finished table; an older optdist's has no report.
        limits: of the flags.

    Returns:
        The leaks that are flagged, which have been printed as warnings.
    """
    report = read_report(table)
    if report is None:
        return []
    warnings = leaks(find_flags(report, limits))
    for warning in warnings:
        LOG.warning(warning)
    if report.limits != limits.model_dump() or not table.page.exists():
        try:
            write_report(report, limits, table)
        except Exception as error:  # as above
            LOG.warning(f"the data report could not be drawn: {_short(error)}")
    return warnings


def print_page(table: FeatureTable) -> None:
    """Print where the report is, if there is one."""
    if table.page.exists():
        LOG.info(f"data report: {table.page}")


def refuse_leaks(warnings: list[str], limits: ReportConfig, page: Path) -> None:
    """Stop where the settings say so.

    Args:
        warnings: the leaks that are flagged.
        limits: whether a leak stops the job.
        page: the report, for the message.

    Raises:
        CheckError: naming every leak.
    """
    if warnings and limits.stop_on_leak:
        raise CheckError(
            warnings,
            f"The features are kept, and {page} has more. Take the column out of features, or set "
            f"report.stop_on_leak to false.",
        )


def read_report(table: FeatureTable) -> DataReport | None:
    """The statistics in a table's folder; None: there are none, or they cannot be read."""
    try:
        return DataReport.model_validate_json(table.report.read_text())
    except (OSError, ValueError):
        return None


def write_report(
    report: DataReport, limits: ReportConfig, table: UnfinishedTable | FeatureTable
) -> None:
    """Keep the statistics in the table's folder, and draw the page there.

    Args:
        report: the statistics.
        limits: of the flags.
        table: whose folder it is.
    """
    report = report.model_copy(update={"limits": limits.model_dump()})
    write_json(table.report, report.model_dump(mode="json"))
    page = draw_page(report, limits).encode()
    write_atomically(table.page, lambda file: file.write(page))


def _short(error: Exception) -> str:
    """The first line of an error: what follows may be a page of Spark's."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
