"""Describes the data that a version was trained on as two tags, to be compared later.

Each tag is a JSON object: names of settings with a hash of the value as it was written. Settings at
their default are left out, so that a setting added by a later optdist does not change a tag.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from optdist.config.horizons import MORE_HORIZONS
from optdist.config.loading import fingerprint
from optdist.config.settings import Config

# format -> the options that decide what its rows mean, where others only say how to reach them; a
# query is like `columns` and `where`
_OF_MEANING = {
    "delta": frozenset[str](),
    "jdbc": frozenset({"query", "customschema", "prefertimestampntz", "sessioninitstatement"}),
}
DATASET, SPLIT = "dataset_fingerprint", "split_fingerprint"
_HORIZON = "source.horizon_days"
_TABLES, _CONTENT = "source.tables", "source.tables, in any format"


def identity(config: Config) -> dict[str, str]:
    """Return the tags: what raw features and label mean, and which rows are test rows.

    Paths, a table's version and format, a database's address and the dates of samples may change,
    and so may which dates are held out: `split.by: time` leaves each customer in its split.
    Further horizons, which have models of their own, are left out too.
    Tables with a format have two hashes, with it and without: older tags have the first.
    How features are encoded travels with the model, so `features` is left out too.
    """
    dataset = config.printable(defaults=False)["dataset"]
    source = dataset["source"]
    tables = {name: _meaning(table) for name, table in source.pop("tables").items()}
    for name in (*config.dataset.source.of_delivery, MORE_HORIZONS):
        source.pop(name, None)
    described = {f"source.{name}": value for name, value in source.items()} | {
        "id": dataset["id"],
        _TABLES: tables,
        "source.snapshots": bool(config.dataset.source.key_dates),
        "spark.sql.session.timeZone": config.spark.get("spark.sql.session.timeZone"),
    }
    content = {name: _without_format(table) for name, table in tables.items()}
    if content != tables:
        described[_CONTENT] = content
    split = {f"split.{name}": value for name, value in config.split.of_customers.items()}
    return {
        DATASET: _hashes(described),
        SPLIT: _hashes(split | {"split_key": dataset["split_key"]}),
    }


def with_other_horizon(described: str, days: int) -> str:
    """The tag `DATASET` of the same data set with another horizon; "" stays.

    Args:
        described: the tag.
        days: the other horizon.
    """
    if not described:
        return described
    return json.dumps(json.loads(described) | {_HORIZON: fingerprint(days)[:8]})


def find_differences(then: str, now: str) -> list[str]:
    """The names of settings that differ between two tags of one kind."""
    a, b = json.loads(then), json.loads(now)
    contents = [tag.pop(_CONTENT, tag.get(_TABLES)) for tag in (a, b)]
    if contents[0] == contents[1]:
        a[_TABLES] = b[_TABLES] = None
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


def _meaning(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table's settings without those that say where it is, and how fast it is read."""
    meaning = {name: value for name, value in table.items() if name not in {"path", "version"}}
    names = _OF_MEANING.get(str(table.get("format")))
    if names is not None and "options" in table:
        meaning["options"] = {k: v for k, v in table["options"].items() if k.lower() in names}
    return meaning


def _without_format(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table's settings without a format of files or of another storage of the same rows."""
    is_own = ":" in str(table.get("format"))  # a class may make other rows
    return {k: v for k, v in table.items() if k != "format" or is_own}


def _hashes(settings: Mapping[str, Any]) -> str:
    return json.dumps({name: fingerprint(settings[name])[:8] for name in sorted(settings)})
