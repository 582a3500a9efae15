"""Turn raw tables into encoded features and 7:1:2 splits, unless they are up to date."""

import argparse

from pipelines import cli


def run(args: argparse.Namespace) -> dict[str, object]:
    """Build the data set's feature table."""
    config = cli.load(args)

    from pipelines.features.build import build_features
    from pipelines.session import spark_session

    spark = spark_session(config.spark, f"features {config.dataset.name}")
    table = build_features(spark, config, args.as_of)
    return {"table": table.path, "counts": table.manifest.counts}


def dry_run(args: argparse.Namespace) -> object:
    """Look at what the job would do."""
    from pipelines.dry_run.feature_job import dry_run_features

    return dry_run_features(lambda: cli.load(args), args.as_of)


if __name__ == "__main__":
    parser = cli.parser(__doc__, change="split.seed=7")
    cli.add_as_of(parser)
    cli.main(run, parser, dry_run)
