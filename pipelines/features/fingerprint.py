"""Says what decides a feature table's content; the table's folder is named by a hash of that."""

from __future__ import annotations

import datetime as dt
from typing import Any

from optdist.config import Config, secrets_hidden
from optdist.config.horizons import MORE_HORIZONS
from pipelines.sources.formats.registry import input_fingerprint

FORMAT = 8  # raise it when the table's content changes for the same config and input


def without_versions(dataset: dict[str, Any]) -> dict[str, Any]:
    """A data set as written, without its tables' versions, which `input` has as numbers.

    So a run with the version that an earlier run found as the newest finds that run's features.
    Further horizons, which have tables of their own, are left out too.
    """
    tables = {
        name: {key: value for key, value in table.items() if key != "version"}
        for name, table in dataset["source"]["tables"].items()
    }
    source = {name: value for name, value in dataset["source"].items() if name != MORE_HORIZONS}
    return {**dataset, "source": {**source, "tables": tables}}


def describe_content(config: Config, as_of: dt.date | None) -> dict[str, Any]:
    """The settings and the input that decide a table's content, secrets as written."""
    with secrets_hidden(config.written):
        files = input_fingerprint(config.dataset.source)
    return {
        "format": FORMAT,
        "dataset": without_versions(
            config.written.get("dataset") or config.dataset.model_dump(mode="json")
        ),
        "split": config.split.content,
        "build": config.build.model_dump(exclude={"max_quarantined_share"}),
        "time_zone": config.spark.get("spark.sql.session.timeZone"),
        "as_of": as_of and as_of.isoformat(),
        "input": files,
    }
