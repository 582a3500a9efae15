"""From challenger to champion: both scored on the same rows, under the rule in the config."""

from __future__ import annotations

from pydantic import BaseModel
from pyspark.sql import SparkSession

from optdist.config import Config, Promotion
from optdist.errors import DataError
from optdist.metrics import evaluate
from optdist.schema import FeatureSchema
from optdist.table import FeatureTable
from optdist.tracking import CHALLENGER, CHAMPION, Tracker
from pipelines.prediction import predict
from pipelines.quarantine import LABEL

_LOWER_IS_BETTER = {"mae"}


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
    """
    tracker.set_alias(CHALLENGER, version)
    champion = tracker.find(CHAMPION)
    if champion == version:  # its reason stays as it was
        return Decision(promoted=False, reason=f"version {version} is champion already")
    new = metrics_on_test(spark, config, tracker, table, version)
    old = metrics_on_test(spark, config, tracker, table, champion) if champion else None
    decision = decide(config.promotion, new, old, champion)
    if decision.promoted:
        tracker.set_alias(CHAMPION, version)
    tracker.tag_version(version, "promotion_reason", decision.reason)
    tracker.tag_version(version, "promotion_data_fingerprint", table.manifest["fingerprint"])
    return decision


def decide(
    rule: Promotion, new: dict[str, float], old: dict[str, float] | None, champion: str | None
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
    sign = -1 if rule.metric in _LOWER_IS_BETTER else 1
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
    samples = spark.read.parquet(str(table.samples_path("test")))
    schema = FeatureSchema.load(package / "schema.json")
    missing = [name for name in schema.raw_columns if name not in samples.columns]
    if missing:
        raise DataError(
            f"Version {version} needs columns that the newest features lack: {', '.join(missing)}. "
            f"Train it again, or set the champion alias to a version that fits."
        )
    scored = predict(samples, package, schema, (), config.scoring.batch_rows, keep=[LABEL])
    rows = scored.select(LABEL, "predicted_cltv").toPandas()
    if len(rows) != table.manifest["counts"]["test"]:
        raise DataError(f"{len(rows)} test rows were scored of {table.manifest['counts']['test']}.")
    return evaluate(rows[LABEL].to_numpy(), rows["predicted_cltv"].to_numpy(), table.schema.label)
