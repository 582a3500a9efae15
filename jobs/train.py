"""Build features, train, evaluate, log, register and promote: the main job."""

import argparse
import datetime as dt

from pipelines import cli


def run(args: argparse.Namespace) -> None:
    """Run the training pipeline and print where everything is."""
    config = cli.load(args)

    from pipelines.session import spark_session
    from pipelines.training import run_training, summary

    spark = spark_session(config, f"train {config.dataset.name}")
    print(summary(run_training(spark, config, args.as_of)))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--as-of",
        type=dt.date.fromisoformat,
        help="use only samples whose label window ended by this day (YYYY-MM-DD)",
    )
    cli.main(run, parser)
