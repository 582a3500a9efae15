"""Compare a registered version with the champion on newest held-out rows, and promote it."""

import argparse

from optdist.config import Config
from optdist.log import LOG
from pipelines import cli


def run(args: argparse.Namespace) -> dict[str, object]:
    """Promote, go back or explain, and say why."""
    config = cli.load(args)

    from optdist.config.identity import identity
    from optdist.tracking import Tracker
    from pipelines.features.build import build_features
    from pipelines.registry.compatibility import ineffective_settings
    from pipelines.registry.history import rollback
    from pipelines.registry.promotion import promote, promote_by_force
    from pipelines.session import spark_session

    if args.explain:
        text = explanation(config)
        LOG.info(text)
        return {"model_name": config.model_name, "explanation": text}
    tracker = Tracker(config)
    version = tracker.resolve(args.version) if not args.rollback else ""
    if args.rollback:
        version, decision = rollback(tracker, identity(config))
    elif args.force:
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
        "gates": [gate.model_dump() for gate in decision.gates],
    }


def explanation(config: Config) -> str:
    """Which version is champion and why; nothing is written."""
    from optdist.tracking import open_existing
    from pipelines.registry.history import explain

    registry = open_existing(config, seconds=60)
    return explain(registry) if registry else "nothing is registered: no model was trained yet"


def dry_run(args: argparse.Namespace) -> object:
    """Look at what the job would do."""
    if args.explain:
        return explanation(cli.load(args))

    from pipelines.dry_run.jobs import dry_run_rollback

    if args.rollback:
        return dry_run_rollback(lambda: cli.load(args))

    from pipelines.dry_run.jobs import dry_run_promotion

    return dry_run_promotion(lambda: cli.load(args), args.as_of, args.version, force=args.force)


if __name__ == "__main__":
    parser = cli.parser(__doc__, change="promotion.min_improvement=0.001")
    cli.add_as_of(parser)
    cli.add_horizon(parser, "promote, roll back or explain the model")
    parser.add_argument(
        "--version", default="challenger", help="a version or alias (default: %(default)s)"
    )
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--rollback",
        action="store_true",
        help="make the champion before the present one champion again",
    )
    ways.add_argument(
        "--explain",
        action="store_true",
        help="print which version is champion, since when, why, and what it was made of",
    )
    ways.add_argument(
        "--force",
        action="store_true",
        help="make the version champion without comparing; also to go back to an older one",
    )
    cli.main(run, parser, dry_run)
