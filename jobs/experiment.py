"""Run an experiment: data sets x models x learning rates and seeds, then its report.

What is finished is not run again, so the same command goes on after an interruption.
"""

import argparse
import signal
import sys

from optdist.errors import OptDistError


def run(args: argparse.Namespace) -> int:
    """Run the experiment; 1 where a cell failed."""
    from pipelines.experiments.pipeline import run_experiment, summary

    outcome = run_experiment(
        args.experiment, args.env, args.set, args.workers, args.only, args.report_only
    )
    print(summary(outcome))
    return 1 if outcome.failures else 0


def main() -> int:
    """Parse the command line; an error that the user can mend is one message and exit code 1."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "experiment", metavar="NAME|FILE.yaml", help="a name in conf/experiments, or a YAML file"
    )
    options.add_argument("--env", default="local", metavar="NAME", help="a name in conf/env")
    options.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="change one setting of all cells, for example training.epochs=6; repeatable",
    )
    options.add_argument(
        "--workers", type=int, help="cells that train at once (default: what the cores allow)"
    )
    options.add_argument(
        "--only",
        default="*",
        metavar="PATTERN",
        help="only cells whose dataset.model matches, for example 'ta_feng.*' or '*.optdist'",
    )
    options.add_argument(
        "--report-only", action="store_true", help="write the report of what is finished"
    )
    args = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # workers are stopped on the way out
    try:
        return run(args)
    except OptDistError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
