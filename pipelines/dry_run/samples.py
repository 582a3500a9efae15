"""Makes the samples of a data set without writing them, of some rows where a table is large."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from pyspark.sql import SparkSession

from optdist.config import Config, DatasetConfig
from optdist.config.source import SourceConfig
from optdist.data.schema import FeatureSchema, LearnedHistory
from pipelines.dry_run.expressions import find_problems, with_bounds
from pipelines.dry_run.report import PROBLEM, SKIPPED, WARNING, Attempt, Report
from pipelines.dry_run.tables import Tables
from pipelines.features.auto_history import with_learned
from pipelines.features.sampler import Samples
from pipelines.features.samples import build_samples, scoring_samples
from pipelines.features.training_samples import count_by_split, require_labels, with_split
from pipelines.scoring.checks import check_reach
from pipelines.sources.inference import Types, infer_types, typed_dataset
from pipelines.sources.quarantine import check_bad_rows, rows_by_reason
from pipelines.unknown_categories import check_categories


@dataclass(frozen=True)
class Rehearsal:
    """What was made of the rows that were looked at.

    Args:
        samples: good samples.
        exact: whether all rows were looked at.
        share: of ids that were looked at; None: all, or the first rows.
    """

    samples: int
    exact: bool
    share: float | None = None


@dataclass(frozen=True)
class Rehearser:
    """Checks expressions on no rows, then values on all rows, or on some of large tables.

    Args:
        report: what is found.
        spark: the session.
        config: the data set, and what is allowed of it.
        tables: which tables are large.
    """

    report: Report
    spark: SparkSession
    config: Config
    tables: Tables

    def check_training(self, as_of: dt.date | None) -> Rehearsal | None:
        """Make training samples and split them; None where that cannot be done.

        Args:
            as_of: read nothing after this day; None: all that the data have.
        """
        if not self._can_look_at_values(None):
            return None
        samples = self._make(
            lambda: build_samples(self.spark, self._dataset, as_of, self.config.split)
        )
        if samples is None:
            return None
        try:
            return self._check_training(samples)
        finally:
            samples.release()

    def check_scoring(self, run_date: dt.date, schema: FeatureSchema | None) -> Rehearsal | None:
        """Make the samples of a run date; None where that cannot be done.

        Args:
            run_date: the last day that is read.
            schema: what the model was trained on; None: not known.
        """
        types, history = (schema.types, schema.history) if schema else (None, None)
        if not self._can_look_at_values(types, history):
            return None
        days = self.config.scoring.acquired_within_days
        samples = self._make(
            lambda: scoring_samples(self.spark, self._dataset, run_date, days, types, history)
        )
        if samples is None:
            return None
        try:
            return self._check_scoring(samples, run_date, schema)
        finally:
            samples.release()

    def _check_training(self, samples: Samples) -> Rehearsal | None:
        with self._check("features") as attempt:
            keyed = with_split(samples, self._dataset, self.config.split)
            by_split = count_by_split(keyed)
            rows = sum(count for count, _ in by_split.values())
            attempt.say(f"{rows:,} samples")
        if attempt.failed:
            return None
        limit = self.config.build.max_quarantined_share
        setting, source = "build.max_quarantined_share", self._dataset.source
        reasons = self._check_bad(samples, rows, limit, setting, source)
        with self._check("splits") as attempt:
            require_labels(samples, self._dataset, by_split, reasons)
            counts = [f"{s} {n:,} ({p:,} positive)" for s, (n, p) in by_split.items()]
            late = samples.incomplete
            more = f"; {late:,} more have a label window that has not ended" if late else ""
            attempt.say(f"{', '.join(counts)}{more}")
        return Rehearsal(rows, self.tables.whole, self.tables.share)

    def _check_scoring(
        self, samples: Samples, run_date: dt.date, schema: FeatureSchema | None
    ) -> Rehearsal | None:
        scoring = self.config.scoring
        with self._check("features") as attempt:
            rows = samples.rows.count()
            attempt.say(f"{rows:,} samples are known at {run_date}")
        if attempt.failed:
            return None
        with self._check("newest event") as attempt:
            last = samples.reach[1] if samples.reach else None
            check_reach(run_date, last, scoring.max_days_behind)
            attempt.say(str(last) if last else "the data set has no dates")
        limit = scoring.max_quarantined_share
        self._check_bad(samples, rows, limit, "scoring.max_quarantined_share")
        if schema:
            with self._check("categories") as attempt:
                check_categories(samples.rows, schema, scoring.max_unknown_share)
                attempt.say("the model knows enough of them")
        if not rows:
            self.report.add("features", self._state, f"No row is known at {run_date}.")
        return Rehearsal(rows, self.tables.whole, self.tables.share)

    def _can_look_at_values(
        self, types: Types | None, history: LearnedHistory | None = None
    ) -> bool:
        """Check joins, expressions and columns, and say why values are not looked at."""
        with self._check("types") as attempt:
            kinds = infer_types(self.spark, self._dataset) if types is None else types
            attempt.say(_listed(kinds))
        typed = self._dataset if attempt.failed else typed_dataset(self._dataset, kinds)
        typed = with_learned(typed, history)
        works = not attempt.failed
        with self.report.check("expressions") as attempt:
            problems = find_problems(self.spark, typed)
            for problem in problems:
                self.report.add("expressions", PROBLEM, problem)
            attempt.failed = bool(problems)
            source, features = typed.source, typed.features
            expressions = len(source.joins) + len(source.expressions)
            columns = len(features.categorical) + len(features.numeric)
            attempt.say(f"{expressions} joins and expressions and {columns} features work")
        works = works and not attempt.failed
        main = next(iter(typed.source.tables))
        joined = [name for name in self.tables.bounds if name != main]
        if not works:
            reason = "the problems above come first"
        elif joined:
            reason = f"{', '.join(joined)} is joined and too large to be read in seconds"
        else:
            return True
        self.report.add("values", SKIPPED, f"dates, labels, splits and bad rows: {reason}")
        return False

    def _make(self, make: Callable[[], Samples]) -> Samples | None:
        with self._check("samples") as attempt:
            samples = make()
        return None if attempt.failed else samples

    def _check_bad(
        self,
        samples: Samples,
        rows: int,
        limit: float,
        setting: str,
        source: SourceConfig | None = None,
    ) -> dict[str, int]:
        """Check the share of bad rows, and return them by reason."""
        reasons: dict[str, int] = {}
        with self._check("bad rows") as attempt:
            events, value = samples.count_events()
            good = {"samples": rows} | events
            counts = check_bad_rows(samples.quarantine, good, limit, setting, value, source)
            reasons = rows_by_reason(counts)
            if not reasons:
                attempt.say("none")
        return reasons

    @property
    def _dataset(self) -> DatasetConfig:
        return with_bounds(self.config.dataset, self.tables.bounds)

    @property
    def _state(self) -> str:
        """What is found in some rows may be otherwise in all."""
        return PROBLEM if self.tables.whole else WARNING

    def _check(self, name: str) -> AbstractContextManager[Attempt]:
        return self.report.check(name, self._state, self.tables.about)


def _listed(types: Types) -> str:
    listed = [f"{t}.{c} {kind}" for t, columns in types.items() for c, kind in columns.items()]
    return f"of text columns in SQL: {', '.join(listed)}" if listed else "as the tables have them"
