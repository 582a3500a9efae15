"""Looks at the registry without creating anything in it."""

from __future__ import annotations

from optdist.config import Config
from optdist.config.identity import identity
from optdist.config.metrics import METRICS
from optdist.data.schema import FeatureSchema
from optdist.errors import ModelError
from optdist.tracking import CHAMPION, Registry, open_existing
from pipelines.dry_run.report import WARNING, Report
from pipelines.features.auto_history import with_learned
from pipelines.registry.compatibility import changed_settings
from pipelines.registry.promotion import explain_changes, find_obstacle


def check_registry(report: Report, config: Config) -> tuple[Registry | None, bool]:
    """The registry, if its store is there, and whether it works.

    Args:
        report: what is found.
        config: names the store and the model.
    """
    registry = None
    with report.check("registry") as attempt:
        registry = open_existing(config)
        if registry is None:
            attempt.say("no store yet: the first job that needs it makes one")
        else:
            champion = registry.find(CHAMPION)
            attempt.say(
                f"{config.model_name}: champion is version {champion}"
                if champion
                else f"{config.model_name} has no champion yet"
            )
    return (None, False) if attempt.failed else (registry, True)


def require_registry(registry: Registry | None, config: Config) -> Registry:
    """The registry of a job that needs a version.

    Raises:
        ModelError: nothing has been registered yet.
    """
    if registry is None:
        raise ModelError(
            f"There is no registry yet, so no version of {config.model_name}. Train a model first "
            f"(./spark-submit.sh jobs/train.py)."
        )
    return registry


def check_comparison(
    report: Report,
    config: Config,
    registry: Registry,
    version: str,
    newest: FeatureSchema | None,
) -> None:
    """Look whether a version and the champion can be compared on the newest test rows.

    Args:
        report: what is found.
        config: the data set as it is now, and the promotion's metric.
        registry: has the versions.
        version: would be compared with the champion.
        newest: the schema of the newest feature table; None: it is not built yet.
    """
    champion = registry.find(CHAMPION)
    with report.check(f"version {version}") as attempt:
        if champion == version:
            attempt.say("is champion already: the job changes nothing")
            return
        obstacle = _obstacle(config, registry, version, newest)
        if obstacle:
            raise ModelError(
                f"Version {version} cannot be compared ({obstacle}). --force makes it champion."
            )
        attempt.say("can be compared on the newest test rows")
    if champion is None:
        return
    with report.check(f"champion {champion}", WARNING) as attempt:
        obstacle = _obstacle(config, registry, champion, newest)
        if obstacle:
            raise ModelError(
                f"Champion version {champion} cannot be compared ({obstacle}), so it would stay. "
                f"--force makes version {version} champion."
            )
        attempt.say("can be compared on the newest test rows")


def _obstacle(
    config: Config, registry: Registry, version: str, newest: FeatureSchema | None
) -> str | None:
    changed = changed_settings(registry, version, identity(config))
    if changed:
        return explain_changes(changed)
    with registry.borrowed_package(version) as package:
        history = (newest or package.schema).history
        features = with_learned(config.dataset, history).features
        return find_obstacle(package, features, METRICS[config.promotion.metric], newest)
