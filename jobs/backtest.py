"""Compare past scores with what customers then spent: metrics, calibration, value of targeting.

A date is measured once its label window has ended in the data. Alarms are limits of
`backtest.alarms`; a date outside of them ends the job with an error, after everything is written.
"""

import argparse
from typing import Any

from optdist.log import LOG
from pipelines import cli


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure, write the page, and print figures."""
    config = cli.load(args)

    from optdist.tracking import Tracker
    from pipelines.backtest.pipeline import run_backtest
    from pipelines.backtest.summary import facts, raise_alarms, summary
    from pipelines.session import spark_session

    spark = spark_session(config.spark, f"backtest {config.dataset.name}")
    result = run_backtest(spark, config, Tracker(config), _request(args))
    folder = config.layout.backtest
    if result.dates:
        LOG.info(summary(result))
        LOG.info(f"figures: {folder.figures}\nreport: {folder.page}")
        raise_alarms(result, folder.page)
    return facts(result, folder)


def dry_run(args: argparse.Namespace) -> object:
    """Look at what the job would do."""
    from pipelines.dry_run.jobs import dry_run_backtest

    return dry_run_backtest(lambda: cli.load(args), _request(args))


def _request(args: argparse.Namespace) -> Any:
    from pipelines.backtest.dates import Request

    return Request(args.dates, args.first, args.last, args.every, args.by, args.model)


if __name__ == "__main__":
    parser = cli.parser(
        __doc__, change="backtest.alarms.total_ratio.max=1.5 --by trained --run-date 2017-04-30"
    )
    parser.add_argument(
        "--run-date",
        dest="dates",
        type=cli.date,
        action="append",
        default=[],
        metavar="DATE",
        help="a date to measure, repeatable (default: all published ones whose labels are mature, "
        "up to backtest.max_dates)",
    )
    parser.add_argument("--from", dest="first", type=cli.date, help="the first date of a range")
    parser.add_argument("--to", dest="last", type=cli.date, help="the last date of a range")
    parser.add_argument(
        "--every", metavar="INTERVAL", help="step from date to date: day, week, month, 2 weeks"
    )
    parser.add_argument(
        "--by",
        default="published",
        metavar="WHO",
        help="whose scores are measured: published, as they were; trained, by a model trained as "
        "of each date; or a version or alias such as champion, which may have seen the labels "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="WHO",
        help="more scores to compare, of the same kinds; repeatable",
    )
    cli.main(run, parser, dry_run)
