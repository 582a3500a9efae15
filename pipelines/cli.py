"""Parses the command line that all jobs share."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path
from typing import Any

from optdist.config import Config, GateConfig, load_config
from optdist.config.explain import as_text
from optdist.config.horizons import of_horizon
from optdist.privacy import make_private
from pipelines.running.job import main

__all__ = ["add_as_of", "date", "days", "load", "main", "parser", "settings_parser"]

_EXAMPLES = """examples:
  ./spark-submit.sh jobs/{name}{needs} --dataset complete_journey
  ./spark-submit.sh jobs/{name}{needs} --dataset my_table.yaml{change}
  ./spark-submit.sh --master spark://host:7077 jobs/{name}{needs} --env cluster

Every setting, its unit and its default: --help-settings, or docs/settings.md."""


def parser(description: str | None, needs: str = "", change: str = "") -> argparse.ArgumentParser:
    """A parser with the options of all jobs that work on one data set.

    Args:
        description: what the job does.
        needs: options that the job cannot do without, for the examples.
        change: a change of a setting that fits the job, for the examples.
    """
    options = settings_parser(description, "training.learning_rate=2e-3")
    options.epilog = _EXAMPLES.format(
        name=options.prog,
        needs=f" {needs}" if needs else "",
        change=f" --set {change}" if change else "",
    )
    options.add_argument(
        "--dataset",
        default="complete_journey",
        metavar="NAME|FILE.yaml",
        help="a name in conf/datasets, or a data set's YAML file (default: %(default)s)",
    )
    return options


def settings_parser(description: str | None, change: str) -> argparse.ArgumentParser:
    """A parser with the options that choose and explain settings.

    Args:
        description: what the job does.
        change: an example of what `--set` takes.
    """
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--env",
        default="local",
        metavar="NAME",
        help="a name in conf/env: where things are kept, how large they are (default: %(default)s)",
    )
    options.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help=f"change one setting, for example {change}; repeatable",
    )
    options.add_argument(
        "--dry-run",
        action="store_true",
        help="check everything that can be checked in seconds, list all problems, estimate rows, "
        "disk and time, and write nothing",
    )
    options.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text",
        help="how messages are written: json is an object a line (default: %(default)s)",
    )
    options.add_argument(
        "--result",
        type=Path,
        metavar="FILE.json",
        help="write what the job did there, as JSON (default: below paths.root/results)",
    )
    options.add_argument(
        "--help-settings",
        action=_HelpSettings,
        nargs="?",
        const="",
        metavar="PREFIX",
        help="explain every setting, or those whose names begin with PREFIX, and exit",
    )
    return options


class _HelpSettings(argparse.Action):
    """Prints settings and exits before required arguments are asked for, as `--help` does."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, value: Any, *_: Any
    ) -> None:
        text = as_text(value)
        if not text:
            parser.error(f"no setting begins with {value}; --help-settings alone lists them all")
        print(text)
        parser.exit()


def add_as_of(options: argparse.ArgumentParser) -> None:
    """Add `--as-of`, for the jobs that build training features."""
    options.add_argument(
        "--as-of",
        type=date,
        help="use only samples whose label window ended by this day (YYYY-MM-DD)",
    )


def add_accept(options: argparse.ArgumentParser, outcome: str) -> None:
    """Add `--accept` and `--accept-reason`, for the jobs that a gate may stop.

    Args:
        options: the job's command line.
        outcome: what happens all the same.
    """
    options.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="CHECK",
        choices=GateConfig.names(),
        help=f"{outcome} although this check of the gate fails, which is recorded with your name; "
        f"repeatable. Checks: {', '.join(GateConfig.names())}",
    )
    options.add_argument(
        "--accept-reason", metavar="TEXT", help="why, to be recorded with what was accepted"
    )


def add_horizon(options: argparse.ArgumentParser, what: str) -> None:
    """Add `--horizon`, for the jobs that work on the model of one horizon.

    Args:
        options: the job's command line.
        what: what the job does to that model alone.
    """
    options.add_argument(
        "--horizon",
        type=days,
        metavar="DAYS",
        help=f"{what} of this further horizon alone, one of source.more_horizons",
    )


def date(text: str) -> dt.date:
    """A date on the command line.

    Raises:
        ArgumentTypeError: the text is not a date.
    """
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        message = f"{text} is not a date of the form YYYY-MM-DD"
        raise argparse.ArgumentTypeError(message) from None


def days(text: str) -> int:
    """A number of days on the command line, 1 or more.

    Raises:
        ArgumentTypeError: the text is no such number.
    """
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of days >= 1")
    return int(text)


def load(args: argparse.Namespace) -> Config:
    """The configuration that the options name; `pipelines.running` gets to know it too."""
    config = load_config(args.dataset, args.env, args.set)
    if getattr(args, "horizon", None):
        config = of_horizon(config, args.horizon)
    args.config = config
    if not args.dry_run:
        make_private(config.root, config.paths.group)
    return config
