"""Remove customers from everything that jobs have written, verify it, and write a receipt.

These are feature tables, scores with their inputs and quarantine, and test predictions of training
runs. The raw tables are yours: delete the customers there first, or the next build brings them
back. A customer is what the data set's split_key names, else its id; an id of several columns is
written 17,abc. A customer who is found nowhere is no error, and said.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from optdist.log import LOG
from pipelines import cli

if TYPE_CHECKING:
    from optdist.config import Config
    from pipelines.forgetting.customers import Wish


def run(args: argparse.Namespace) -> dict[str, object]:
    """Forget the customers, and print what was removed and what remains."""
    config = cli.load(args)
    wish = _wish(args, config)

    from optdist.tracking.existing import open_existing
    from pipelines.forgetting.pipeline import forget
    from pipelines.forgetting.spark_files import local_directories
    from pipelines.session import spark_session

    spark = spark_session(config.spark, f"forget customers of {config.dataset.name}")
    receipt, path = forget(spark, config, open_existing(config), wish, local_directories(spark))
    for folder, rows in receipt.removed.items():
        LOG.info(f"  {rows:>10,} rows removed  {folder}")
    total = len(wish.customers.ids)
    if receipt.found < total:
        LOG.warning(f"{total - receipt.found} of {total} customers were not found in any table")
    LOG.info(f"  {receipt.verified_files:,} files were looked at again: no row is left")
    for sentence in receipt.remaining:
        LOG.info(f"  remains: {sentence}")
    LOG.info(f"receipt: {path}")
    return {"receipt": path, **receipt.model_dump(exclude={"customers"})}


def dry_run(args: argparse.Namespace) -> object:
    """Look at what the job would do."""
    from pipelines.dry_run.forgetting import dry_run_forgetting

    return dry_run_forgetting(lambda: cli.load(args), lambda config: _wish(args, config))


def _wish(args: argparse.Namespace, config: Config) -> Wish:
    from pipelines.forgetting.customers import Wish, columns_of, read_customers

    columns = columns_of(config.dataset, args.by.split(",") if args.by else None)
    customers = read_customers(args.customers, args.file, columns)
    return Wish(customers, args.keep_raw, args.delete_versions)


if __name__ == "__main__":
    parser = cli.parser(__doc__, "17850 13047")
    parser.add_argument("customers", nargs="*", metavar="CUSTOMER", help="the ids to forget")
    parser.add_argument("--file", type=Path, help="a file with one id a line")
    parser.add_argument(
        "--by",
        metavar="COLUMN[,COLUMN]",
        help="columns of the id that name a customer (default: split_key, else id)",
    )
    parser.add_argument(
        "--keep-raw",
        action="store_true",
        help="go on although raw tables still have the customers, or cannot be read",
    )
    parser.add_argument(
        "--delete-versions",
        action="store_true",
        help="also delete the versions that learned from them; champion and challenger stay",
    )
    cli.main(run, parser, dry_run)
