"""Describes the splits of a feature table as MLflow's inputs of a run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from optdist.data.feature_table import EVERY_SPLIT, Manifest
from optdist.data.schema import FeatureSchema

_CONTEXTS = {"train": "training"}  # MLflow's word; the other splits keep their names
_SHOWN = ("dbtable", "url")  # options of a table that say where its rows are


def dataset_inputs(manifest: Manifest, schema: FeatureSchema | None) -> list[Any]:
    """Each split as an `mlflow.entities.DatasetInput`: where its rows are from, and what they are.

    Args:
        manifest: of the feature table; its fingerprint is the digest.
        schema: names the features; None: not known.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    tables = (manifest.written.get("dataset") or {}).get("source", {}).get("tables", {})
    source = {name: describe_table(t, manifest.versions.get(name)) for name, t in tables.items()}
    about = {"as_of": manifest.as_of, "last_event": manifest.last_event}
    about["out_of_time_from"] = manifest.out_of_time_from
    inputs = []
    for split in EVERY_SPLIT:
        if split in manifest.counts:
            counts = {"rows": manifest.counts[split]}
            counts["positives"] = manifest.counts.get(f"{split}_positive", 0)
            dataset = Dataset(
                name=f"{manifest.dataset}.{split}",
                digest=manifest.fingerprint[:36],
                source_type="optdist",
                source=json.dumps(source),
                schema=json.dumps({"mlflow_colspec": _columns(schema)}) if schema else None,
                profile=json.dumps(about | counts),
            )
            tag = InputTag("mlflow.data.context", _CONTEXTS.get(split, split))
            inputs.append(DatasetInput(dataset, [tag]))
    return inputs


def describe_table(table: Mapping[str, Any], version: int | None) -> dict[str, Any]:
    """Where a raw table is, without credentials.

    Args:
        table: its settings, secrets as written.
        version: the version that was read; None: it has none.
    """
    options = {n.lower(): value for n, value in (table.get("options") or {}).items()}
    places = {"path": table.get("path"), "format": table.get("format")}
    places |= {name: options.get(name) for name in _SHOWN}
    about = {name: without_credentials(str(text)) for name, text in places.items() if text}
    return about | ({"version": version} if version is not None else {})


def without_credentials(place: str) -> str:
    """A path or URL without user, password and whatever follows its path."""
    if "://" not in place:
        return place
    return re.split(r"[?;#]", re.sub(r"//[^/@]*(?:@[^/@]*)*@", "//", place))[0]


def _columns(schema: FeatureSchema) -> list[dict[str, Any]]:
    types = [(feature.name, "string") for feature in schema.categorical]
    types += [(number.name, "double") for number in schema.numeric]
    return [{"type": kind, "name": name, "required": True} for name, kind in types]
