"""Compare a registered version with the champion on the newest test split, and promote it."""

import argparse

from optdist.log import LOG
from pipelines import cli


def run(args: argparse.Namespace) -> dict[str, object]:
    """Promote and print the reason."""
    config = cli.load(args)

    from optdist.tracking import Tracker
    from pipelines.features.build import build_features
    from pipelines.registry.compatibility import ineffective_settings
    from pipelines.registry.promotion import promote, promote_by_force
    from pipelines.session import spark_session

    tracker = Tracker(config)
    version = tracker.resolve(args.version)
    if args.force:
        decision = promote_by_force(tracker, version)
    else:
        spark = spark_session(config.spark, f"promote {config.model_name}")
        table = build_features(spark, config, args.as_of)
        decision = promote(spark, config, tracker, table, version)
        ignored = ineffective_settings(args.set, config.model, tracker.package(version))
        if ignored:
            LOG.warning(f"{', '.join(ignored)} had no effect: a version stays as it was trained")
    LOG.info(f"version {version}: {decision.reason}")
    return {
        "model_name": tracker.model_name,
        "model_version": version,
        "promoted": decision.promoted,
        "reason": decision.reason,
    }


def dry_run(args: argparse.Namespace) -> object:
    """Look at what the job would do."""
    from pipelines.dry_run.jobs import dry_run_promotion

    return dry_run_promotion(lambda: cli.load(args), args.as_of, args.version, force=args.force)


if __name__ == "__main__":
    parser = cli.parser(__doc__, change="promotion.min_improvement=0.001")
    cli.add_as_of(parser)
    parser.add_argument(
        "--version", default="challenger", help="a version or alias (default: %(default)s)"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="make the version champion without comparing; also to go back to an older one",
    )
    cli.main(run, parser, dry_run)
