"""From challenger to champion: both scored on the same rows, under the rule in the config."""

from __future__ import annotations

import traceback

from pydantic import BaseModel
from pyspark.sql import SparkSession

from optdist.config import Config, PromotionConfig
from optdist.config.identity import identity
from optdist.data.feature_table import FeatureTable
from optdist.errors import DataError, ModelError, OptDistError
from optdist.evaluation.metrics import LOWER_IS_BETTER, evaluate
from optdist.files import uri
from optdist.tracking import CHALLENGER, CHAMPION, PROMOTION_REASON, Tracker
from pipelines.prediction import predict
from pipelines.registry.compatibility import misread, trained_otherwise
from pipelines.sources.columns import LABEL


class Decision(BaseModel):
    """Whether a version became champion, and why."""

    promoted: bool
    reason: str


def promote(
    spark: SparkSession, config: Config, tracker: Tracker, table: FeatureTable, version: str
) -> Decision:
    """Make `version` the challenger, and the champion if the rule says so.

    Both versions encode the raw rows of the newest test split with their own schemas, through the
    function that scoring uses. The reason becomes the version's tag `promotion_reason`.

    Raises:
        ModelError: `version` itself does not fit the newest features.
    """
    tracker.set_alias(CHALLENGER, version)
    champion = tracker.find(CHAMPION)
    if champion == version:  # its reason stays as it was
        return _champion_already(version)
    decision = compare(spark, config, tracker, table, version, champion)
    if decision.promoted:
        tracker.set_alias(CHAMPION, version)
    tracker.tag_version(version, PROMOTION_REASON, decision.reason)
    tracker.tag_version(version, "promotion_data_fingerprint", table.manifest.fingerprint)
    return decision


def promote_by_force(tracker: Tracker, version: str) -> Decision:
    """Make `version` champion as it is: after a change of the data set, or to go back to it."""
    champion = tracker.find(CHAMPION)
    if champion == version:
        return _champion_already(version)
    reason = "promoted by --force" + (f", instead of version {champion}" if champion else "")
    tracker.set_alias(CHAMPION, version)
    tracker.tag_version(version, PROMOTION_REASON, reason)
    return Decision(promoted=True, reason=reason)


def compare(
    spark: SparkSession,
    config: Config,
    tracker: Tracker,
    table: FeatureTable,
    version: str,
    champion: str | None,
) -> Decision:
    """Decide on the newest test rows; a champion that cannot be measured there keeps its place."""
    force = f"jobs/promote.py --version {version} --force makes this one champion"
    why = unfit(config, tracker, version)
    if why:
        raise ModelError(f"Version {version} cannot be compared ({why}). {force}.")
    new = metrics_on_test(spark, config, tracker, table, version)
    gates = decide(config.promotion, new, None, None)
    if champion is None or not gates.promoted:
        return gates
    try:
        why = unfit(config, tracker, champion)
        old = None if why else metrics_on_test(spark, config, tracker, table, champion)
    except OptDistError as error:
        why = str(error)
    except Exception as error:  # what the store, Spark or the champion's own code may raise
        traceback.print_exc()
        why = f"{type(error).__name__}, see the job's log"
    if why:
        reason = f"not promoted: champion version {champion} cannot be compared ({why}); {force}"
        return Decision(promoted=False, reason=reason)
    return decide(config.promotion, new, old, champion)


def unfit(config: Config, tracker: Tracker, version: str) -> str | None:
    """Why a version cannot be measured on the newest test rows, or None."""
    differ = trained_otherwise(tracker, version, identity(config))
    if differ:  # features or label mean something else, or it may have trained on these rows
        return f"since it was trained, {', '.join(differ)} changed"
    names = misread(tracker.package(version).schema, config.dataset.features)
    if names:
        return f"it reads {', '.join(names)}, which the features lack or have as another kind"
    return None


def decide(
    rule: PromotionConfig, new: dict[str, float], old: dict[str, float] | None, champion: str | None
) -> Decision:
    """Apply the rule to the test metrics of challenger and champion."""
    failed = []
    for name, gate in rule.gates.items():
        low, high = gate.min, gate.max
        if (low is not None and not new[name] >= low) or (
            high is not None and not new[name] <= high
        ):
            failed.append(f"{name} {new[name]:.4f} is outside [{low}, {high}]")
    if failed:
        return Decision(promoted=False, reason="not promoted: " + "; ".join(failed))
    if old is None:
        return Decision(promoted=True, reason="promoted: first champion, all gates hold")
    sign = -1 if rule.metric in LOWER_IS_BETTER else 1
    gain = sign * (new[rule.metric] - old[rule.metric])
    better = gain > rule.min_improvement
    return Decision(
        promoted=better,
        reason=f"{'promoted' if better else 'not promoted'}: {rule.metric} {new[rule.metric]:.4f} "
        f"against {old[rule.metric]:.4f} of champion version {champion} on the same rows, "
        f"needed gain > {rule.min_improvement}",
    )


def metrics_on_test(
    spark: SparkSession, config: Config, tracker: Tracker, table: FeatureTable, version: str
) -> dict[str, float]:
    """A version's metrics on the raw test rows; label and prediction alone come to the driver."""
    package = tracker.package(version)
    samples = spark.read.parquet(uri(table.samples_path("test")))
    scored = predict(samples, package, (), config.scoring.batch_rows, keep=[LABEL])
    rows = scored.select(LABEL, "predicted_cltv").toPandas()
    if len(rows) != table.manifest.counts["test"]:
        raise DataError(f"{len(rows)} test rows were scored of {table.manifest.counts['test']}.")
    return evaluate(rows[LABEL].to_numpy(), rows["predicted_cltv"].to_numpy(), table.schema.label)


def _champion_already(version: str) -> Decision:
    return Decision(promoted=False, reason=f"version {version} is champion already")
