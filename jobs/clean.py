"""List what jobs left behind and nothing needs any more, and remove it with --delete.

These are a data set's feature tables, run folders, downloaded models and kept samples that no job
has used for --keep-days. What belongs to champion or challenger, or to published scores, stays.
"""

import argparse

from pipelines import cli


def run(args: argparse.Namespace) -> None:
    """List the leftovers, and remove them where that is asked for."""
    config = cli.load(args)

    from optdist.tracking import Tracker
    from pipelines.cleaning import leftovers, remove

    found = leftovers(config, Tracker(config), args.keep_days)
    for leftover in found:
        gone = args.delete and remove(leftover, args.keep_days)
        state = "removed" if gone else "in use " if args.delete else "old    "
        print(f"  {state}  {leftover.size / 1e6:>10,.1f} MB  {leftover.path}")
    total = sum(leftover.size for leftover in found) / 1e6
    what = "" if args.delete or not found else "; --delete removes them"
    print(f"folders of {config.dataset.name}: {len(found)}, {total:,.1f} MB{what}")


def days(text: str) -> int:
    """A number of days, 1 or more."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of days >= 1")
    return int(text)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--keep-days",
        type=days,
        default=30,
        metavar="N",
        help="what a job used in the last N days stays (default: %(default)s)",
    )
    parser.add_argument("--delete", action="store_true", help="remove what is listed")
    cli.main(run, parser)
