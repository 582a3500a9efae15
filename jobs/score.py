"""Score everyone known at a date with the champion, and publish Parquet by run date.

--run-date scores one date; --from and --to score each date between, and skip what is published.
"""

from __future__ import annotations

import argparse
import datetime as dt
from typing import TYPE_CHECKING

from optdist.log import LOG
from pipelines import cli

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from optdist.config import Config
    from optdist.serving.package import Package
    from pipelines.scoring.manifest import ScoresManifest


def run(args: argparse.Namespace) -> dict[str, object]:
    """Score and publish one date, or each of a range."""
    config = cli.load(args)

    from optdist.tracking import Tracker
    from pipelines.monitoring.gate.verdict import Accepting
    from pipelines.scoring.dates import DatesError, facts_of, outcome_of, score_dates
    from pipelines.scoring.pipeline import score
    from pipelines.session import spark_session

    spark = spark_session(config.spark, f"score {config.dataset.name}")
    tracker, dates = Tracker(config), asked_dates(args)
    accepting = Accepting(tuple(args.accept), args.accept_reason)

    def score_date(date: dt.date) -> ScoresManifest:
        done = score(spark, config, tracker, date, args.model, args.refresh, accepting)
        describe(config, done)
        warn_of_ignored(args, config, tracker.package(done.model_version), done)
        return done

    if args.run_date:
        done = score_date(args.run_date)
        if args.show:
            show(spark, config, done, args.show)
        return facts_of([outcome_of(done)])
    outcomes = score_dates(
        dates,
        score_date,
        config.layout.scores,
        config.written,
        skip_published=not (args.rerun or args.refresh or args.model),
    )
    if any(outcome.exit_code for outcome in outcomes):
        raise DatesError(outcomes)
    return facts_of(outcomes)


def asked_dates(args: argparse.Namespace) -> list[dt.date]:
    """The dates that the options name."""
    from pipelines.scoring.dates import dates_between

    if args.run_date:
        return [args.run_date]
    return dates_between(args.first, args.last, args.every)


def describe(config: Config, done: ScoresManifest) -> None:
    """Say what was published, and where."""
    bad_rows, reasons = sum(done.quarantined.values()), done.quarantined or ""
    LOG.info(f"  {done.rows:,} rows scored, {bad_rows:,} bad rows quarantined {reasons}")
    if bad_rows:
        LOG.info(f"  bad rows: {config.layout.scores.quarantine(done.run_date)}")
    if done.last_event:
        LOG.info(f"  newest event: {done.last_event}")
    LOG.info(f"  total predicted value {done.total_predicted:,.0f}")
    for one in done.horizons:
        LOG.info(f"  of {one.days} days {one.total_predicted:,.0f}, {one.column}")
    LOG.info(f"scores: {done.path}")


def warn_of_ignored(
    args: argparse.Namespace, config: Config, package: Package, done: ScoresManifest
) -> None:
    """Warn of settings of the command line that a trained version does not read."""
    from pipelines.registry.compatibility import ineffective_settings

    ignored = ineffective_settings(args.set, config.model, package)
    if ignored:
        LOG.warning(
            f"{', '.join(ignored)} had no effect: version {done.model_version} scores "
            f"as it was trained, inference {done.inference}. Train with --set to change that."
        )


def show(spark: SparkSession, config: Config, done: ScoresManifest, rows: int) -> None:
    """Print score rows, which are asked for: nothing else prints a customer's row."""
    from optdist.files import uri

    scores = spark.read.option("basePath", uri(config.layout.scores.path)).parquet(uri(done.path))
    scores.orderBy(*config.dataset.id).show(rows, truncate=False)


def dry_run(args: argparse.Namespace) -> object:
    """Look at what the job would do."""
    from pipelines.dry_run.jobs import dry_run_scoring

    first, *later = asked_dates(args)
    return dry_run_scoring(
        lambda: cli.load(args), first, args.model, refresh=args.refresh, later=later
    )


def check(args: argparse.Namespace) -> str | None:
    """What is wrong with options that do not fit each other."""
    if not args.run_date and not (args.first and args.last):
        return "give --run-date, or --from and --to"
    if args.run_date and (args.first or args.last or args.rerun or args.every > 1):
        return "--from, --to, --every and --rerun are for several dates, not for --run-date"
    if not args.run_date and args.last < args.first:
        return f"--to {args.last} is before --from {args.first}"
    if args.show and (not args.run_date or args.log_format == "json"):
        return "--show is for one date, and for messages as text"
    return None


if __name__ == "__main__":
    parser = cli.parser(__doc__, "--run-date 2024-06-30", "scoring.quantiles=[0.1,0.5,0.9]")
    parser.add_argument(
        "--run-date", type=cli.date, help="the cut-off, YYYY-MM-DD: nothing after it is read"
    )
    parser.add_argument(
        "--from", dest="first", type=cli.date, metavar="DATE", help="the first of several dates"
    )
    parser.add_argument(
        "--to", dest="last", type=cli.date, metavar="DATE", help="the last of several dates"
    )
    parser.add_argument(
        "--every", type=cli.days, default=1, metavar="DAYS", help="days between dates (default: 1)"
    )
    parser.add_argument(
        "--rerun", action="store_true", help="score published dates of the range again"
    )
    parser.add_argument(
        "--model", help="a version or alias instead of the date's pinned one, or of champion"
    )
    parser.add_argument(
        "--refresh", action="store_true", help="read the input again on a rerun of the date"
    )
    cli.add_accept(parser, "publish")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N score rows")
    cli.main(run, parser, dry_run, check)
