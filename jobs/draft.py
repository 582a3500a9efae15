"""Look at raw tables and draft the data set's YAML, with comments that say what it is guessed from.

The draft runs as it is: jobs/build_features.py --dataset my.yaml. Every guess can be overridden.
"""

import argparse
import sys
from contextlib import redirect_stdout
from pathlib import Path

from optdist.log import LOG
from pipelines import cli
from pipelines.drafting.request import KINDS, Request

EXAMPLES = """examples:
  ./spark-submit.sh jobs/draft.py data/sales.csv --out my_shop.yaml
  ./spark-submit.sh jobs/draft.py data/sales.csv data/products.parquet --horizon 180
  ./spark-submit.sh jobs/draft.py lines=data/inv.csv --id client --amount "Quantity * UnitPrice"
  ./spark-submit.sh jobs/draft.py data/users.csv --kind samples --label spend_90d"""


def run(args: argparse.Namespace) -> dict[str, object]:
    """Draft, and print the YAML or write it."""
    from pipelines.drafting.checking import checker, refuse_existing, shared_config, write_draft

    refuse_existing(args.out, force=args.force)
    check = checker(args.env, args.set)
    config = shared_config(check)

    from pipelines.drafting.pipeline import draft_dataset
    from pipelines.session import spark_session

    with redirect_stdout(sys.stderr):  # the draft alone goes to stdout
        spark = spark_session(config.spark, "draft")
        document = draft_dataset(spark, request(args), check)
        for doubt in document.doubts:
            LOG.warning(doubt)
    if not args.out:
        sys.stdout.write(str(document))
        return {"doubts": document.doubts}
    write_draft(args.out, str(document))
    LOG.info(f"draft: {args.out}")
    LOG.info(f"next: ./spark-submit.sh jobs/build_features.py --dataset {args.out}")
    return {"draft": args.out, "doubts": document.doubts}


def dry_run(args: argparse.Namespace) -> object:
    """Look at what the job would read, and whether it could write."""
    from pipelines.dry_run.drafts import dry_run_draft

    return dry_run_draft(request(args), args.out, args.env, args.set, force=args.force)


def request(args: argparse.Namespace) -> Request:
    """What the options ask for."""
    return Request(
        tables=tuple(args.tables),
        name=args.name,
        id=tuple(name.strip() for name in args.id.split(",") if name.strip()),
        time=args.time,
        amount=args.amount,
        label=args.label,
        kind=args.kind,
        horizon_days=args.horizon,
        start=args.start,
        format=args.format,
        options=dict(args.option),
    )


def option(text: str) -> tuple[str, str]:
    """An option of Spark's reader, KEY=VALUE."""
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise argparse.ArgumentTypeError(f"{text} is not of the form KEY=VALUE")
    return key, value


if __name__ == "__main__":
    parser = cli.settings_parser(__doc__, "spark.spark.sql.session.timeZone=Europe/Paris")
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add(
        "tables",
        nargs="+",
        metavar="TABLE",
        help="a file or folder, or NAME=PATH; the table of events or samples, and what joins it",
    )
    add("--out", type=Path, metavar="FILE.yaml", help="write the draft there (default: stdout)")
    add("--force", action="store_true", help="write over a file that exists")
    add("--name", help="the data set's name (default: the main table's)")
    add(
        "--id",
        default="",
        metavar="A[,B]",
        help="the columns that name a sample or, of events, whose they are, the customer first",
    )
    add("--time", metavar="COLUMN|SQL", help="an event's date or time")
    add("--amount", metavar="COLUMN|SQL", help="an event's value, such as 'Quantity * UnitPrice'")
    add("--label", metavar="COLUMN", help="a sample's label; a row is a sample then")
    add("--kind", choices=KINDS, help="how samples are made (default: as the tables suggest)")
    add("--horizon", type=cli.days, metavar="DAYS", help="the length of the label's window")
    add("--start", type=cli.date, metavar="DATE", help="the first snapshot or first purchase")
    add("--format", metavar="NAME", help="the tables' format (default: by the files' names)")
    add(
        "--option",
        type=option,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of Spark's reader, such as encoding=windows-1252; repeatable",
    )
    cli.main(run, parser, dry_run)
