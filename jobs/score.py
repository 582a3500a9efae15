"""Score everyone known at a date with the champion, and publish Parquet by run date."""

import argparse

from optdist.log import LOG
from pipelines import cli


def run(args: argparse.Namespace) -> dict[str, object]:
    """Score, publish, and print where the scores are."""
    config = cli.load(args)

    from optdist.files import uri
    from optdist.tracking import Tracker
    from pipelines.registry.compatibility import ineffective_settings
    from pipelines.scoring.pipeline import score
    from pipelines.session import spark_session

    spark = spark_session(config.spark, f"score {config.dataset.name}")
    tracker = Tracker(config)
    done = score(spark, config, tracker, args.run_date, args.model, args.refresh)
    bad_rows, reasons = sum(done.quarantined.values()), done.quarantined or ""
    LOG.info(f"  {done.rows:,} rows scored, {bad_rows:,} bad rows quarantined {reasons}")
    if bad_rows:
        LOG.info(f"  bad rows: {config.layout.scores.quarantine(done.run_date)}")
    if done.last_event:
        LOG.info(f"  newest event: {done.last_event}")
    LOG.info(f"  total predicted value {done.total_predicted:,.0f}")
    ignored = ineffective_settings(args.set, config.model, tracker.package(done.model_version))
    if ignored:
        LOG.warning(
            f"{', '.join(ignored)} had no effect: version {done.model_version} scores "
            f"as it was trained, inference {done.inference}. Train with --set to change that."
        )
    LOG.info(f"scores: {done.path}")
    if args.show:
        rows = spark.read.option("basePath", uri(config.layout.scores.path)).parquet(uri(done.path))
        rows.orderBy(*config.dataset.id).show(args.show, truncate=False)
    return done.model_dump()


def dry_run(args: argparse.Namespace) -> object:
    """Look at what the job would do."""
    from pipelines.dry_run.jobs import dry_run_scoring

    return dry_run_scoring(lambda: cli.load(args), args.run_date, args.model, refresh=args.refresh)


if __name__ == "__main__":
    parser = cli.parser(__doc__, "--run-date 2024-06-30", "scoring.quantiles=[0.1,0.5,0.9]")
    parser.add_argument(
        "--run-date",
        type=cli.date,
        required=True,
        help="the cut-off, YYYY-MM-DD: nothing after it is read",
    )
    parser.add_argument(
        "--model", help="a version or alias instead of the date's pinned one, or of champion"
    )
    parser.add_argument(
        "--refresh", action="store_true", help="read the input again on a rerun of the date"
    )
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N score rows")
    cli.main(run, parser, dry_run)
