"""Makes a registered version challenger, and champion if it passes the promotion rule."""

from __future__ import annotations

import traceback
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

from optdist.config import Config, FeaturesConfig, PromotionConfig
from optdist.config.identity import identity
from optdist.config.metrics import METRICS, Metric
from optdist.data.feature_table import OUT_OF_TIME, FeatureTable
from optdist.data.schema import FeatureSchema
from optdist.errors import DataError, ModelError, OptDistError
from optdist.files import uri
from optdist.serving.package import Package
from optdist.tracking import CHALLENGER, CHAMPION, OUT_OF_TIME_FROM, PROMOTION_REASON, Tracker
from optdist.tracking.champions import crown
from pipelines.features.auto_history import with_learned
from pipelines.registry.compatibility import changed_history, changed_settings, unusable_features
from pipelines.registry.held_out import ScoredTest
from pipelines.registry.rule import (
    Decision,
    beat_champion,
    dump_gates,
    gate_statistics,
    pass_gates,
    stop_open_alarms,
)
from pipelines.sources.columns import LABEL
from pipelines.unknown_categories import warn_of_unknown

# tags of a version: what its gates found, and why it is champion no longer
PROMOTION_GATES, ROLLED_BACK = "promotion_gates", "rolled_back"


@dataclass(frozen=True)
class Arena:
    """The basis of comparison: the newest raw rows held out, and the data set behind them.

    Args:
        table: the newest feature table.
        samples: its raw rows by split: those that decide, and those that a gate asks for.
        identity: the tags of `optdist.config.identity.identity`.
        features: the data set's features.
        batch_rows: rows that a Spark worker scores at once.
        max_unknown_share: of a feature's categories, above which scoring would stop.
    """

    table: FeatureTable
    samples: Mapping[str, DataFrame]
    identity: Mapping[str, str]
    features: FeaturesConfig
    batch_rows: int
    max_unknown_share: float

    @classmethod
    def of(cls, spark: SparkSession, config: Config, table: FeatureTable) -> Arena:
        """The arena of a configuration and its newest feature table.

        Args:
            spark: the job's session.
            config: configures the data set whose models are compared.
            table: its newest feature table, whose held-out rows decide.
        """
        late = [OUT_OF_TIME] if config.promotion.out_of_time_gates else []
        samples = {
            split: spark.read.parquet(uri(table.samples_path(split)))
            for split in {config.promotion.split, *late}
        }
        features, scoring = (
            with_learned(config.dataset, table.schema.history).features,
            config.scoring,
        )
        return cls(
            table,
            samples,
            identity(config),
            features,
            scoring.batch_rows,
            scoring.max_unknown_share,
        )

    def obstacle(
        self, tracker: Tracker, version: str, metric: Metric, splits: Collection[str]
    ) -> str | None:
        """Why a version cannot be compared by a metric on rows of these splits, or None.

        Args:
            tracker: the registry.
            version: a registered version's number.
            metric: what the comparison reads.
            splits: whose rows it is scored on.
        """
        changed = changed_settings(tracker, version, self.identity)
        late = self.table.manifest.out_of_time_from if OUT_OF_TIME in splits else None
        return (
            explain_changes(changed)
            or (find_seen_dates(tracker.tags(version), late) if late else None)
            or find_obstacle(tracker.package(version), self.features, metric, self.table.schema)
        )

    def score(self, tracker: Tracker, version: str, rule: PromotionConfig) -> ScoredTest:
        """Score the rows that decide with a version, with the columns that the rule's metrics need.

        Many categories that the version does not know are a warning: the metrics count what the
        rows are worth to it, but scoring would stop at as many.

        Args:
            tracker: the registry.
            version: a registered version's number.
            rule: names the split, and the metrics that are compared and gated.

        Raises:
            DataError: rows were lost or added.
        """
        split, metrics = rule.split, [rule.metric, *rule.gates]
        package, samples = tracker.package(version), self.samples[split]
        warn_of_unknown(samples, package.schema, f"version {version}", self.max_unknown_share)
        scored = ScoredTest.score(samples, package, metrics, self.batch_rows)
        count, expected = len(scored.rows["label"]), self.table.manifest.counts[split]
        if count != expected:
            raise DataError(f"Scored {count:,} {split} rows; the feature table has {expected:,}.")
        return scored


def explain_changes(changed: Sequence[str]) -> str | None:
    """Why changed settings forbid a comparison: the version may have trained on these rows."""
    return f"since it was trained, {', '.join(changed)} changed" if changed else None


def find_seen_dates(tags: Mapping[str, str], late: str) -> str | None:
    """Why a version may have been trained on labels of the newest dates, or None.

    Args:
        tags: the version's.
        late: the first of those dates.
    """
    before = tags.get(OUT_OF_TIME_FROM)
    if not before:
        return f"it was trained without split.by: time and may know labels from {late} on"
    if before > late:
        return f"it may know labels until {before}, and rows from {late} on decide"
    return None


def find_obstacle(
    package: Package,
    features: FeaturesConfig,
    metric: Metric,
    newest: FeatureSchema | None = None,
) -> str | None:
    """Why a package cannot be compared by a metric on samples of these features, or None.

    Args:
        package: a version's package.
        features: the data set's features.
        metric: what the comparison reads.
        newest: the schema of the newest feature table; None: it is not built yet.
    """
    names = unusable_features(package.schema, features)
    if names:
        return f"it reads {', '.join(names)}, which the features lack or have as another kind"
    moved = changed_history(package.schema, newest) if newest else []
    if moved:
        return f"history: auto makes {', '.join(moved)} of other categories than it was trained on"
    if metric.needs_distribution and not package.settings.has_distribution:
        return f"it does not predict a distribution, so {metric.title} cannot be measured"
    return None


def promote(
    spark: SparkSession, config: Config, tracker: Tracker, table: FeatureTable, version: str
) -> Decision:
    """Make `version` the challenger, and the champion if the rule says so.

    Both versions encode the raw rows of the newest test split with their own schemas, through the
    function that scoring uses. The reason becomes the version's tag `promotion_reason`.

    Args:
        spark: the session.
        config: the data set and the promotion rule.
        tracker: the registry.
        table: the newest feature table.
        version: a version's number.

    Raises:
        ModelError: `version` itself does not fit the newest features.
    """
    tracker.set_alias(CHALLENGER, version)
    champion = tracker.find(CHAMPION)
    if champion == version:  # its reason stays as it was
        return _champion_already(version)
    withdrawn = tracker.tags(version).get(ROLLED_BACK)
    if withdrawn:
        return Decision(promoted=False, reason=f"not promoted: {withdrawn}; {_force(version)}")
    arena = Arena.of(spark, config, table)
    decision = compare(arena, config.promotion, tracker, version, champion)
    while decision.promoted and tracker.find(CHAMPION) != champion:  # another job was faster
        champion = tracker.find(CHAMPION)
        decision = compare(arena, config.promotion, tracker, version, champion)
    tracker.tag_version(version, PROMOTION_REASON, decision.reason)
    tracker.tag_version(version, PROMOTION_GATES, dump_gates(decision.gates))
    tracker.tag_version(version, "promotion_data_fingerprint", table.manifest.fingerprint)
    if decision.promoted:  # last: whoever is champion has its reason
        crown(tracker, version, "promoted")
    return decision


def promote_by_force(tracker: Tracker, version: str) -> Decision:
    """Make `version` champion as it is: after a change of the data set, or to go back to it."""
    champion = tracker.find(CHAMPION)
    if champion == version:
        return _champion_already(version)
    tracker.package(version)  # a damaged one could not score
    reason = "promoted by --force" + (f", instead of version {champion}" if champion else "")
    tracker.tag_version(version, PROMOTION_REASON, reason)
    tracker.tag_version(version, ROLLED_BACK, "")
    crown(tracker, version, "forced")
    return Decision(promoted=True, reason=reason)


def compare(
    arena: Arena, rule: PromotionConfig, tracker: Tracker, version: str, champion: str | None
) -> Decision:
    """Apply the rule on the test rows; a champion that cannot be scored there keeps its place.

    Args:
        arena: the test rows.
        rule: gates, metric, margin and confidence.
        tracker: the registry.
        version: the challenger.
        champion: the champion, or None before the first.

    Raises:
        ModelError: the challenger cannot be scored.
    """
    force = _force(version)
    metric = METRICS[rule.metric]
    obstacle = arena.obstacle(tracker, version, metric, arena.samples)
    if obstacle:
        raise ModelError(f"Version {version} cannot be compared ({obstacle}). {force}.")
    challenger = arena.score(tracker, version, rule)
    train = arena.table.schema.label
    metrics, late = challenger.metrics(train), {}
    if rule.out_of_time_gates:
        late = arena.score(tracker, version, rule.of_newest_dates).metrics(train)
    gates = pass_gates(rule, gate_statistics(challenger.rows[LABEL], metrics, late))
    stopped = stop_open_alarms(rule, tracker.open_alarms(version), force)
    if stopped and gates.promoted:
        return stopped.model_copy(update={"gates": gates.gates + stopped.gates})
    if champion is None or not gates.promoted:
        return gates
    try:
        obstacle = arena.obstacle(tracker, champion, metric, {rule.split})
        if not obstacle:
            other = arena.score(tracker, champion, rule)
            gains = challenger.gains(other, rule.metric, rule.resamples)
            decision = beat_champion(rule, metrics, other.metrics(train), gains, champion)
            return decision.model_copy(update={"gates": gates.gates})
    except OptDistError as error:
        obstacle = str(error)
    except Exception as error:  # what the store, Spark or the champion's own code may raise
        traceback.print_exc()
        obstacle = f"{type(error).__name__}, see the job's log"
    reason = f"not promoted: champion version {champion} cannot be compared ({obstacle}); {force}"
    return Decision(promoted=False, reason=reason, gates=gates.gates)


def _force(version: str) -> str:
    return f"jobs/promote.py --version {version} --force makes this one champion"


def _champion_already(version: str) -> Decision:
    return Decision(promoted=False, reason=f"version {version} is champion already")
