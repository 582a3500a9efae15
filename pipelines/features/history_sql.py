"""Writes a source's history as plain SQL, for the run's log: what `with_history` computes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from optdist.config.history import HistoryConfig
from optdist.config.source import SourceConfig
from optdist.config.transactions import TransactionsSourceConfig
from pipelines.sources.formats.names import quoted

_GAP = "datediff(event_day, lag(event_day) OVER (PARTITION BY {key} ORDER BY event_day))"


def written_history(source: SourceConfig) -> str | None:
    """A query for each block and window, over `events` and `samples`; None without history.

    `events` are the good events with `event_day` and `event_amount`, `samples` have the keys and
    the cut. A sample that a query has no row of has what the aggregates give on no rows.
    """
    if not isinstance(source, TransactionsSourceConfig) or not source.blocks:
        return None
    queries = [query for block in source.blocks for query in _queries(block, source.cut)]
    columns = [f"-- {name} = {sql}" for name, sql in source.sample_columns.items()]
    if columns:
        queries.append("\n".join(["-- columns of finished samples, in this order", *columns]))
    return "\n".join(queries)


def _queries(block: HistoryConfig, cut: str) -> Iterator[str]:
    key = [quoted(name) for name in block.key]
    for suffix, (first, last) in block.spans().items():
        end = (
            f"days_before >= {first}" if last is None else f"days_before BETWEEN {first} AND {last}"
        )
        yield (
            f"-- {', '.join(block.key)}, window {suffix}\n"
            f"SELECT {_list([*key, quoted(cut), *_columns(block, suffix)], 2)}\n"
            f"FROM (\n{textwrap.indent(_seen(key, quoted(cut)), '  ')}\n)\n"
            f"WHERE {end}\n"
            f"GROUP BY {', '.join([*key, quoted(cut)])};\n"
        )


def _columns(block: HistoryConfig, suffix: str) -> list[str]:
    return [f"{sql} AS {name}_{suffix}" for name, sql in block.features.items()]


def _seen(key: Sequence[str], cut: str) -> str:
    """The events of each sample's key, with the columns that a history can use."""
    by = ", ".join(key)
    gap = _GAP.format(key=by)
    return (
        f"SELECT *, datediff({cut}, event_day) AS days_before\n"
        f"FROM (SELECT *, nullif({gap}, 0) AS days_since_previous FROM events)\n"
        f"JOIN (SELECT DISTINCT {by}, {cut} FROM samples) USING ({by})"
    )


def _list(columns: Sequence[str], indent: int) -> str:
    return (",\n" + " " * indent).join(columns)
