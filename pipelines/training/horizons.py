"""Trains the models of all horizons of a data set, one after the other, in one run of the job."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from pyspark.sql import SparkSession

from optdist.config import Config
from optdist.config.horizons import further_horizons
from optdist.errors import OptDistError
from optdist.log import LOG
from pipelines.features.build import build_features
from pipelines.monitoring.gate.verdict import Accepting
from pipelines.training.engines import launcher_of
from pipelines.training.pipeline import Report, facts, summary, train_on


def train_horizons(
    spark: SparkSession,
    config: Config,
    as_of: dt.date | None = None,
    accepting: Accepting | None = None,
) -> list[Report]:
    """Do what `run_training` does, for the own horizon and then for each further one.

    All features are built before the first training, so that a horizon for which the data are too
    short is found early.

    Args:
        spark: the job's session.
        config: the whole configuration.
        as_of: the last day whose label windows count; None: as far as the data reach.
        accepting: failed checks of the gate that somebody lets pass.

    Returns:
        The report of each, that of the own horizon first.

    Raises:
        OptDistError: a training failed; its `facts` have the models before it, which stay.
    """
    launcher_of(config)  # what the engine cannot do is said before anything is built
    configs = [config, *further_horizons(config).values()]
    tables = [build_features(spark, one, as_of) for one in configs]
    reports: list[Report] = []
    for one, table in zip(configs, tables, strict=True):
        if len(configs) > 1:
            LOG.info(f"\n{one.model_name}, model {len(reports) + 1} of {len(configs)}")
        try:
            reports.append(train_on(spark, one, table, as_of, accepting))
        except OptDistError as error:
            error.facts = facts_of(reports)
            raise
        LOG.info(summary(reports[-1]))
    return reports


def facts_of(reports: Sequence[Report]) -> dict[str, object]:
    """What the job's result file has: of the first horizon, and in `horizons` of each further one.

    Args:
        reports: the result of `train_horizons`.
    """
    if not reports:
        return {}
    own, *further = map(facts, reports)
    return {**own, "horizons": further} if further else own
