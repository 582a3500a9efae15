"""Samples to a feature table: split, fit on training rows, encode, count, and only then finish."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config import Config, SplitConfig, fingerprint, secrets_hidden
from optdist.data.feature_table import MANIFEST, SCHEMA, SPLITS, FeatureTable
from optdist.data.schema import FeatureSchema
from optdist.errors import DataError
from optdist.files import locked, uri, write_json
from pipelines.features.fitting import fit, imputed
from pipelines.features.samples import build_samples, why_no_sample
from pipelines.sources.categories import category
from pipelines.sources.quarantine import LABEL, checked_reasons
from pipelines.sources.tables import files_explained, input_fingerprint

FORMAT = 3  # raise it when the table's content changes for the same config and input
_ROW, _GROUP = "row_key", "group_key"


def build_features(
    spark: SparkSession, config: Config, as_of: dt.date | None = None
) -> FeatureTable:
    """Build the feature table, or return the one that is up to date.

    The folder's name is a fingerprint of config and input, and `manifest.json` is its last file: a
    folder without it is the rest of an interrupted build and is built again.

    Raises:
        BusyError: another job is building it.
        DataError: a table, column or split is missing, or too many rows are bad.
    """
    written = _identity(config, as_of)
    path = config.layout.feature_table(fingerprint(written))
    if not (path / MANIFEST).exists():
        with secrets_hidden(config.written), locked(path):
            if not (path / MANIFEST).exists():  # by a job that has just ended
                return _build(spark, config, as_of, path, written)
    table = _opened(path)
    last_event = table.manifest.get("last_event")
    print(f"features {config.dataset.name} are up to date: {path}{_up_to(last_event)}")
    return table


def _build(
    spark: SparkSession,
    config: Config,
    as_of: dt.date | None,
    path: Path,
    written: dict[str, Any],
) -> FeatureTable:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    steps = _Steps(config.dataset.name)
    counts, last_event = write_samples(spark, config, as_of, path)
    steps.done(
        f"{counts['samples']:,} samples, {counts['quarantined']:,} rows set aside, "
        f"{counts['incomplete']:,} left out whose label window has not ended"
        f"{_up_to(last_event)}"
    )
    schema = fit(spark, config, path)
    schema.save(path / SCHEMA)
    steps.done(f"schema of {len(schema.categorical)} categories, {len(schema.numeric)} numbers")
    seen = spark.read.parquet(uri(path / "samples"))
    filled = imputed(seen.where("split != 'train'"), schema)
    if filled:
        print(f"  filled with the training mean, for training had no missing value: {filled}")
    splits = {split: write_encoded(spark, config, path, split, schema) for split in SPLITS}
    for split in SPLITS:
        if splits[split]["rows"] != counts[split]:
            raise DataError(
                f"{split}: {counts[split]} samples became {splits[split]['rows']} rows."
            )
    write_json(
        path / MANIFEST,
        {
            "fingerprint": path.name,
            "dataset": config.dataset.name,
            "as_of": as_of and as_of.isoformat(),
            "last_event": last_event,
            "counts": counts,
            "splits": splits,
            "imputed": filled,
            "written": written,
        },
    )
    steps.done("encoded: " + ", ".join(f"{split} {counts[split]:,}" for split in SPLITS))
    print(f"features {config.dataset.name}: {path}")
    return FeatureTable.open(path)


def finished_features(config: Config, as_of: dt.date | None = None) -> FeatureTable | None:
    """The feature table, if it is up to date; this needs no Spark."""
    path = config.layout.feature_table(fingerprint(_identity(config, as_of)))
    return _opened(path) if (path / MANIFEST).exists() else None


def _opened(path: Path) -> FeatureTable:
    """A finished table; its folder then says that it is in use."""
    with suppress(OSError):  # another user's
        os.utime(path)
    return FeatureTable.open(path)


@files_explained()
def write_samples(
    spark: SparkSession, config: Config, as_of: dt.date | None, path: Path
) -> tuple[dict[str, int], str | None]:
    """Write `samples/split=...` and `quarantine/`; return the counts and the last event's day."""
    samples = build_samples(spark, config, as_of)
    try:
        for name in config.dataset.features.categorical:
            category(samples.rows, name)  # what scoring would refuse
        keyed = with_keys(samples.rows, config).withColumn("split", split_of(config))
        keyed.write.partitionBy("split").parquet(uri(path / "samples"))
        samples.quarantine.write.parquet(uri(path / "quarantine"))
        counts = {"events": samples.events.count()} if samples.events is not None else {}
    finally:
        samples.release()
    counts["incomplete"] = samples.incomplete
    rows = spark.read.schema(keyed.schema).parquet(uri(path / "samples")).groupBy("split")
    sums = rows.agg(F.count("*").alias("rows"), F.count_if(F.col(LABEL) > 0).alias("positive"))
    by_split = {row["split"]: row for row in sums.collect()}
    found = {"samples": sum(row["rows"] for row in by_split.values())}
    good = {"samples": found["samples"]}
    if samples.events is not None:
        good["events"] = counts["events"]
    limit, aside = config.build.max_quarantined_share, path / "quarantine"
    setting = f"see {aside}; build.max_quarantined_share"
    reasons = checked_reasons(spark.read.parquet(uri(aside)), good, limit, setting)
    counts["quarantined"] = sum(reasons.values())
    if not found["samples"]:
        raise DataError(why_no_sample(config.dataset.source, samples, reasons))
    for split in SPLITS:
        if split not in by_split:
            raise DataError(
                f"The {split} split is empty. Give more rows, another split.seed, or larger shares "
                f"of split.* (keys of {', '.join(config.dataset.split_key)} are split as a whole)."
            )
        found[split] = by_split[split]["rows"]
        found[f"{split}_positive"] = by_split[split]["positive"]
    for split in SPLITS:
        if not found[f"{split}_positive"]:
            raise DataError(
                f"None of the {found[split]:,} rows of the {split} split has a positive label, so "
                f"nothing can be ranked there. Give more rows or another split.seed."
            )
    return counts | found, str(samples.reach[1]) if samples.reach else None


def with_keys(samples: DataFrame, config: Config) -> DataFrame:
    """Add `row_key` and `group_key`, hashes of the sample's id and of the split key."""
    return samples.withColumn(_ROW, _hash(config.dataset.sample_id)).withColumn(
        _GROUP, _hash(config.dataset.split_key)
    )


def split_of(config: Config) -> Column:
    """The split of a row, by a seeded hash of its split key: no other row changes it."""
    split: SplitConfig = config.split
    draw = F.pmod(F.xxhash64(F.lit(split.seed), F.col(_GROUP)), F.lit(1_000_000)) / 1_000_000
    return (
        F.when(draw < split.train, "train")
        .when(draw < split.train + split.validation, "validation")
        .otherwise("test")
    )


def write_encoded(
    spark: SparkSession, config: Config, path: Path, split: str, schema: FeatureSchema
) -> dict[str, Any]:
    """Encode a split into near-equal files of one row group each; return their names and rows."""
    samples = spark.read.parquet(uri(path / "samples" / f"split={split}"))
    rows = samples.count()
    build = config.build
    groups = min(rows, max(build.min_row_groups, -(-rows // build.rows_per_group)))
    folder = path / "encoded" / split
    columns = [*schema.raw_columns, LABEL, _ROW, _GROUP]
    types = [f"{c} int" for c in schema.categorical_columns]
    types += [f"{c} float" for c in [*schema.numeric_columns, LABEL]]
    types += [f"{c} long" for c in (_ROW, _GROUP)]

    def encoded(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from optdist.data.encoding import encode

        for batch in batches:
            made = {name: pa.array(values) for name, values in encode(batch, schema).items()}
            made[LABEL] = batch.column(LABEL).cast(pa.float32())
            made |= {name: batch.column(name) for name in (_ROW, _GROUP)}
            yield pa.RecordBatch.from_pydict(made)

    spread = samples.select(*dict.fromkeys(columns)).repartition(groups)
    spread.mapInArrow(encoded, ", ".join(types)).write.mode("overwrite").parquet(uri(folder))
    files = []
    for file in sorted(folder.glob("*.parquet")):
        metadata = pq.ParquetFile(file).metadata
        if metadata.num_row_groups != 1:
            raise DataError(
                f"{file} has {metadata.num_row_groups} row groups, one is needed. Lower "
                f"build.rows_per_group."
            )
        files.append({"name": file.name, "rows": metadata.num_rows})
    return {"files": files, "rows": sum(file["rows"] for file in files)}


def _identity(config: Config, as_of: dt.date | None) -> dict[str, Any]:
    """What decides the table's content, secrets as written."""
    with secrets_hidden(config.written):
        files = input_fingerprint(config.dataset.source)
    return {
        "format": FORMAT,
        "dataset": config.written.get("dataset") or config.dataset.model_dump(mode="json"),
        "split": config.split.model_dump(),
        "build": config.build.model_dump(exclude={"max_quarantined_share"}),
        "time_zone": config.spark.get("spark.sql.session.timeZone"),
        "as_of": as_of and as_of.isoformat(),
        "input": files,
    }


def _hash(names: list[str]) -> Column:
    return F.xxhash64(*[F.col(name).cast("string") for name in names])


def _up_to(last_event: str | None) -> str:
    return f"; the data reach {last_event}" if last_event else ""


class _Steps:
    """Progress lines with the seconds of each step."""

    def __init__(self, name: str) -> None:
        self.name, self.last = name, time.monotonic()
        print(f"building features {name}")

    def done(self, what: str) -> None:
        now = time.monotonic()
        print(f"  {what} ({now - self.last:.0f} s)")
        self.last = now
