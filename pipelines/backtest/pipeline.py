"""Runs a backtest: scores of past dates, what was spent since, figures, alarms and the page."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession

from optdist.config import Config, secrets_hidden
from optdist.errors import DataError, ModelError
from optdist.files import locked, write_atomically, write_json
from optdist.log import LOG, lines_of_date
from optdist.tracking import Registry
from pipelines.backtest.dates import Request, choose_dates
from pipelines.backtest.measures import measure_date
from pipelines.backtest.page import draw_page
from pipelines.backtest.realised import Outcome, read_outcome
from pipelines.backtest.results import Backtest, DateResult, Skipped
from pipelines.backtest.rows import collect
from pipelines.backtest.scorers import Past, Scores
from pipelines.features.pinning import pinned_config
from pipelines.sources.formats.registry import explain_read_errors

_LEAST_KNOWN = 0.5  # of a date's customers that the events of now must have


def run_backtest(
    spark: SparkSession, config: Config, registry: Registry, request: Request
) -> Backtest:
    """Measure past dates, and write `report.html` and `backtest.json`.

    Where no date is asked for and no published one has mature labels yet, nothing is written.

    Args:
        spark: the session.
        config: the data set, and the section `backtest`.
        registry: the versions.
        request: the dates and the models.

    Raises:
        BusyError: another backtest of the data set runs.
        ConfigError: there is no date to measure.
        DataError: the data cannot be read, or no date could be measured.
        ModelError: a model that is asked for does not exist or does not fit the data set.
    """
    request.check()
    folder = config.layout.backtest
    with secrets_hidden(config.written), locked(folder.work), pinned_config(spark, config) as now:
        shutil.rmtree(folder.work, ignore_errors=True)  # of a job that was killed
        result = _measured(spark, now, registry, request)
        if not result.dates:
            LOG.info("  no published date has mature labels yet: nothing is measured")
            return result
        write_json(folder.figures, result.model_dump(mode="json"))
        page = draw_page(result).encode()
        write_atomically(folder.page, lambda file: file.write(page))
    return result


@explain_read_errors()
def _measured(
    spark: SparkSession, config: Config, registry: Registry, request: Request
) -> Backtest:
    outcome = read_outcome(spark, config)
    horizon = outcome.horizon_days
    last = outcome.until - dt.timedelta(horizon) if outcome.until and horizon else None
    dates = choose_dates(request, config.layout.scores, last, config.backtest.max_dates)
    past, skipped = Past(spark, config, registry), list[Skipped]()
    results = []
    try:
        for run_date in dates:
            with lines_of_date(run_date):
                result = _date(past, outcome, request, run_date, skipped)
                if result is not None:
                    results.append(result)
                    LOG.info(f"  {in_short(result)}")
    finally:
        outcome.release()
        past.forget()
    waits = not request.asks_for_dates and all(one.is_early for one in skipped)
    if not results and not waits:
        reasons = "; ".join(f"{one.run_date}: {one.reason}" for one in skipped)
        raise DataError(f"No date could be measured. {reasons}.")
    settings = config.backtest
    newest = results[-settings.alarm_dates :] if settings.alarm_dates else results
    return Backtest(
        dataset=config.dataset.name,
        description=config.dataset.description,
        model_name=config.model_name,
        by=request.by,
        horizon_days=horizon,
        data_until=str(outcome.until) if outcome.until else None,
        data_because=outcome.because,
        limits={name: str(limits) for name, limits in settings.alarms.items()},
        bounds={name: (limits.min, limits.max) for name, limits in settings.alarms.items()},
        resamples=settings.resamples,
        dates=results,
        skipped=skipped,
        alarming=[result.run_date for result in newest if result.alarms],
    )


def _date(
    past: Past,
    outcome: Outcome,
    request: Request,
    run_date: dt.date,
    skipped: list[Skipped],
) -> DateResult | None:
    """The figures of a date; None, and a line in `skipped`, where it cannot be measured."""
    obstacle = outcome.obstacle(run_date)
    scorers = [] if obstacle else _scorers(past, request, run_date, skipped)
    if obstacle:
        _skip(skipped, run_date, request.by, obstacle, is_early=outcome.is_early(run_date))
    if not scorers:
        return None
    config, names = past.config, segment_names(past.config)
    features = _features(past, run_date, names) if names else None
    rows = collect(
        config.dataset,
        config.split,
        outcome,
        run_date,
        scorers,
        features,
        names,
        config.backtest.return_days,
        config.backtest.max_rows,
    )
    past.forget()
    counts = rows.counts
    if counts.unknown > (1 - _LEAST_KNOWN) * counts.scored:
        reason = (
            f"the events of now do not have {counts.unknown:,} of its {counts.scored:,} customers: "
            f"have their ids changed, or was their history removed?"
        )
        _skip(skipped, run_date, request.by, reason)
        return None
    if not counts.drawn:
        ended = "whose label was not known at the date already" if counts.ended else "with a label"
        reason = f"none of its {counts.scored:,} rows is one {ended}"
        _skip(skipped, run_date, request.by, reason)
        return None
    window = outcome.window(run_date)
    least = config.report.min_category_rows
    return measure_date(run_date, window, rows, scorers, config.backtest, least)


def _scorers(
    past: Past, request: Request, run_date: dt.date, skipped: list[Skipped]
) -> list[Scores]:
    """The scores to measure, the one that alarms judge first; none where that one is not there."""
    scorers: list[Scores] = []
    for name in dict.fromkeys([request.by, *request.models]):
        try:
            scores = past.scores(name, run_date)
        except DataError as error:  # such as a date that was not published
            _skip(skipped, run_date, name, str(error))
            if name == request.by:
                return []
            continue
        if all(scores.version is None or scores.version != s.version for s in scorers):
            scorers.append(scores)
    return scorers


def _features(past: Past, run_date: dt.date, names: Sequence[str]) -> DataFrame | None:
    """The date's samples, which have the columns of the segments.

    Raises:
        ModelError: they do not have a column.
    """
    try:
        samples = past.samples(run_date, None)
    except DataError as error:  # such as `history: auto`, which only a model knows
        LOG.warning(f"{run_date} has no segments: {error}")
        return None
    missing = [name for name in names if name not in samples.columns]
    if missing:
        raise ModelError(
            f"The samples of {run_date} have no column {', '.join(missing)}: change "
            f"backtest.segments. Found: {', '.join(samples.columns)}."
        )
    return samples


def _skip(
    skipped: list[Skipped], run_date: dt.date, what: str, reason: str, *, is_early: bool = False
) -> None:
    LOG.info(f"  {run_date} is skipped ({what}): {reason}")
    skipped.append(Skipped(run_date=str(run_date), what=what, reason=reason, is_early=is_early))


def segment_names(config: Config) -> list[str]:
    """The columns by which totals are compared."""
    named = config.backtest.segments
    return config.dataset.features.categorical[:1] if named is None else named


def in_short(date: DateResult) -> str:
    """A date in one line."""
    main = date.main
    gini = main.metrics.get("normalized_gini")
    parts = [
        f"{date.run_date} {main.title}, {main.sample}: {date.rows.measured:,} of "
        f"{date.rows.scored:,} rows",
        f"predicted {main.predicted:,.0f}, realised {date.realised:,.0f}",
        *([f"Norm-GINI {gini:.4f}"] if gini is not None else []),
        *([f"ALARM: {'; '.join(date.alarms)}"] if date.alarms else []),
    ]
    return ", ".join(parts)
