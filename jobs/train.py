"""Build features, train, evaluate, log, register and promote: the main job."""

import argparse

from pipelines import cli


def run(args: argparse.Namespace) -> dict[str, object]:
    """Run the training pipeline and print where everything is."""
    config = cli.load(args)

    from pipelines.monitoring.gate.verdict import Accepting
    from pipelines.session import spark_session
    from pipelines.training.horizons import facts_of, train_horizons

    spark = spark_session(config.spark, f"train {config.dataset.name}")
    accepting = Accepting(tuple(args.accept), args.accept_reason)
    return facts_of(train_horizons(spark, config, args.as_of, accepting))


def dry_run(args: argparse.Namespace) -> object:
    """Look at what the job would do."""
    from pipelines.dry_run.jobs import dry_run_training

    return dry_run_training(lambda: cli.load(args), args.as_of)


if __name__ == "__main__":
    parser = cli.parser(__doc__, change="model.num_sdns=3")
    cli.add_as_of(parser)
    cli.add_accept(parser, "train")
    cli.add_horizon(parser, "train the model")
    cli.main(run, parser, dry_run)
