"""Finds ids among the categories that schemas keep, where a feature has ids as its values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from optdist.data.feature_table import FeatureTable
from optdist.data.schema import FeatureSchema
from optdist.files import write_json
from pipelines.forgetting.customers import Customers, plain_text

_ROWS, _SHARE = 1_000, 0.99


def id_features(tables: Sequence[FeatureTable], columns: Sequence[str]) -> dict[str, str]:
    """The categorical features that have a column of the id, perhaps under another name.

    Args:
        tables: the data set's finished feature tables, whose first samples are looked at.
        columns: the columns that name a customer.

    Returns:
        Feature -> the column whose values it has.
    """
    features: dict[str, str] = {}
    for table in tables:
        names = [feature.name for feature in table.schema.categorical]
        features |= {name: name for name in names if name in columns}
        others = [name for name in names if name not in features]
        try:
            rows = table.read_samples("train", [*dict.fromkeys([*columns, *others])], _ROWS)
        except (OSError, ValueError, KeyError):  # damaged, or of another id: found elsewhere
            continue
        if not {*columns, *others} <= {*rows.column_names}:
            continue
        texts = {name: _texts(rows.column(name).to_pylist()) for name in rows.column_names}
        for name in others:
            for column in columns:
                same = sum(a == b for a, b in zip(texts[name], texts[column], strict=True))
                if len(rows) and same >= _SHARE * len(rows):
                    features[name] = column
    return features


def count_in_schema(schema: FeatureSchema, customers: Customers, features: dict[str, str]) -> int:
    """How many categories of a schema are the customers' ids.

    Args:
        schema: a table's or a model's.
        customers: to forget.
        features: the result of `id_features`.
    """
    return sum(
        text in _values(customers, features[feature.name])
        for feature in schema.categorical
        if feature.name in features
        for text in map(plain_text, feature.vocabulary)
    )


def hide_in_schema(table: Path, customers: Customers, features: dict[str, str]) -> None:
    """Write placeholders over ids in a table's schema; the encoding of the others stays.

    The data report, which lists frequent categories, is removed: jobs can do without it.

    Args:
        table: the prepared folder of the table.
        customers: to forget.
        features: the result of `id_features`.
    """
    path = table / "schema.json"
    content = FeatureSchema.load(path).model_dump(mode="json")
    for feature in content["categorical"]:
        if feature["name"] in features:
            theirs = _values(customers, features[feature["name"]])
            feature["vocabulary"] = [
                f"\0forgotten {i}" if plain_text(text) in theirs else text
                for i, text in enumerate(feature["vocabulary"])
            ]
    write_json(path, content)
    for name in ("report.json", "report.html"):
        (table / name).unlink(missing_ok=True)


def _values(customers: Customers, column: str) -> set[str]:
    i = customers.columns.index(column)
    return {one[i] for one in customers.ids}


def _texts(values: Sequence[object]) -> list[str]:
    return [plain_text(str(value)) for value in values]
