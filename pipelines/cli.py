"""What all jobs share on the command line."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Callable

from optdist.config import Config, load_config
from optdist.errors import OptDistError

_EXAMPLES = """examples:
  ./spark-submit.sh jobs/{name}{needs} --dataset complete_journey
  ./spark-submit.sh jobs/{name}{needs} --dataset my_table.yaml{change}
  ./spark-submit.sh --master spark://host:7077 jobs/{name}{needs} --env cluster

Every setting, its unit and its default: optdist/config/."""


def parser(description: str | None, needs: str = "", change: str = "") -> argparse.ArgumentParser:
    """A parser with the options that all jobs share.

    Args:
        description: what the job does.
        needs: options that the job cannot do without, for the examples.
        change: a change of a setting that fits the job, for the examples.
    """
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.epilog = _EXAMPLES.format(
        name=made.prog,
        needs=f" {needs}" if needs else "",
        change=f" --set {change}" if change else "",
    )
    made.add_argument(
        "--dataset",
        default="complete_journey",
        metavar="NAME|FILE.yaml",
        help="a name in conf/datasets, or a data set's YAML file (default: %(default)s)",
    )
    made.add_argument(
        "--env",
        default="local",
        metavar="NAME",
        help="a name in conf/env: where things are kept, how large they are (default: %(default)s)",
    )
    made.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="change one setting, for example training.learning_rate=2e-3; repeatable",
    )
    return made


def add_as_of(options: argparse.ArgumentParser) -> None:
    """Add `--as-of`, for the jobs that build training features."""
    options.add_argument(
        "--as-of",
        type=day,
        help="use only samples whose label window ended by this day (YYYY-MM-DD)",
    )


def day(text: str) -> dt.date:
    """A date on the command line."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no day YYYY-MM-DD") from None


def load(args: argparse.Namespace) -> Config:
    """The configuration that the options name."""
    return load_config(args.dataset, args.env, args.set)


def main(run: Callable[[argparse.Namespace], None], options: argparse.ArgumentParser) -> None:
    """Run a job: an error that the user can mend is one message and exit code 1."""
    args = options.parse_args()
    try:
        run(args)
    except OptDistError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
