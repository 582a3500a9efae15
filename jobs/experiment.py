"""Run an experiment: data sets x models x learning rates and seeds, then its report.

Finished cells are not trained again, so the same command continues after an interruption.
"""

import argparse

from optdist.log import LOG
from pipelines import cli


def run(args: argparse.Namespace) -> dict[str, object]:
    """Run the experiment; it has failed where a cell has."""
    from optdist.errors import TrainingError
    from pipelines.experiments.pipeline import format_outcome, run_experiment

    outcome = run_experiment(
        args.experiment, args.env, args.set, args.workers, args.only, args.report_only
    )
    LOG.info(format_outcome(outcome))
    if outcome.failures:
        raise TrainingError(
            f"{len(outcome.failures)} cells failed. The same command trains them again."
        )
    return {"records": outcome.records, "report": outcome.report}


def dry_run(args: argparse.Namespace) -> object:
    """Look at what the job would do."""
    from pipelines.dry_run.experiments import dry_run_experiment

    return dry_run_experiment(
        args.experiment, args.env, args.set, args.only, report_only=args.report_only
    )


if __name__ == "__main__":
    parser = cli.settings_parser(__doc__, "training.epochs=6")
    parser.add_argument(
        "experiment", metavar="NAME|FILE.yaml", help="a name in conf/experiments, or a YAML file"
    )
    parser.add_argument(
        "--workers", type=int, help="cells that train at once (default: what the cores allow)"
    )
    parser.add_argument(
        "--only",
        default="*",
        metavar="PATTERN",
        help="only cells whose dataset.model matches, for example 'ta_feng.*' or '*.optdist'",
    )
    parser.add_argument(
        "--report-only", action="store_true", help="write the report of the finished cells"
    )
    cli.main(run, parser, dry_run)
