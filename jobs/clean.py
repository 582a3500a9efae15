"""List what jobs left behind and nothing needs any more; --delete removes it.

These are a data set's feature tables, run folders, downloaded models and kept samples that no job
has used for --keep-days. What belongs to champion or challenger, or to published scores, stays.
"""

import argparse

from optdist.log import LOG
from pipelines import cli


def run(args: argparse.Namespace) -> dict[str, object]:
    """List the leftovers, and remove them where asked to."""
    config = cli.load(args)

    from optdist.config.horizons import further_models
    from optdist.tracking import Tracker
    from pipelines.cleaning import leftovers, remove

    folders = leftovers(config.layout, Tracker(config), args.keep_days, further_models(config))
    removed = 0
    for folder in folders:
        is_removed = args.delete and remove(folder, args.keep_days)
        removed += is_removed
        state = "removed" if is_removed else "in use " if args.delete else "old    "
        LOG.info(f"  {state}  {folder.size / 1e6:>10,.1f} MB  {folder.path}")
    total = sum(folder.size for folder in folders) / 1e6
    hint = "" if args.delete or not folders else "; --delete removes them"
    LOG.info(f"folders of {config.dataset.name}: {len(folders)}, {total:,.1f} MB{hint}")
    return {"folders": len(folders), "megabytes": round(total, 1), "removed": removed}


def dry_run(args: argparse.Namespace) -> object:
    """Look at what the job would do."""
    from pipelines.dry_run.jobs import dry_run_cleaning

    return dry_run_cleaning(lambda: cli.load(args), args.keep_days, delete=args.delete)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--keep-days",
        type=cli.days,
        default=30,
        metavar="N",
        help="what a job used in the last N days stays (default: %(default)s)",
    )
    parser.add_argument("--delete", action="store_true", help="remove what is listed")
    cli.main(run, parser, dry_run)
