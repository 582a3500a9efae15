"""Says which features' expressions see what comes after a sample's cut.

Attributes and history see no event after the cut. But a window function in `columns` runs over all
events of its partition, later ones included, and a joined table without `valid_from` is as it is
today. Both reach a feature by way of any expression that uses them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from pyspark.sql import SparkSession

from optdist.config.source import SourceConfig
from pipelines.sources.expressions import Node, find_uses, parse


def find_looking_ahead(
    spark: SparkSession, source: SourceConfig, features: list[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Look through the expressions behind features.

    Args:
        spark: the session, whose parser reads the expressions.
        source: the expressions; a source without a cut has nothing to look ahead of.
        features: the columns that the model reads.

    Returns:
        feature -> why it sees what comes after the cut, and feature -> why nobody can tell, each
        as the setting at fault.
    """
    if not source.cut:
        return {}, {}
    uses: dict[str, set[str]] = defaultdict(set)
    ahead, timeless = _joined(source)
    for expression in source.expressions:
        tree = parse(spark, expression.sql)
        if tree is None or expression.table is not None:
            continue
        columns = {use.column for use in find_uses(tree)}
        reason = next(_windows_ahead(tree), None)
        for name in map(str.lower, expression.names):
            uses[name] |= columns
            if reason:
                ahead[name] = f"{expression.setting} {reason}"
    return (
        {f: why for f in features if (why := _reason(f.lower(), uses, ahead))},
        {f: why for f in features if (why := _reason(f.lower(), uses, timeless))},
    )


def _joined(source: SourceConfig) -> tuple[dict[str, str], dict[str, str]]:
    """The aggregates of joined tables: of the events themselves, and of others."""
    main = source.tables[next(iter(source.tables))]
    ahead, timeless = {}, {}
    for join in source.joins:
        if join.valid_from:  # nothing after the cut
            continue
        place = f"joins[].aggregate of {join.table}"
        for name in join.aggregate:
            if source.tables[join.table].path == main.path:
                ahead[name.lower()] = f"{place} sums up all events, also those after the cut"
            else:
                timeless[name.lower()] = f"{place} has all of its rows, whenever they were written"
    return ahead, timeless


def _reason(name: str, uses: dict[str, set[str]], reasons: dict[str, str]) -> str | None:
    """The reason of a column, or of one that goes into it."""
    waiting, seen = [name], set[str]()
    while waiting:
        column = waiting.pop()
        if column in reasons:
            return reasons[column]
        seen.add(column)
        waiting += sorted(uses.get(column, set()) - seen)
    return None


def _windows_ahead(node: Node) -> Iterator[str]:
    """Why the window functions of an expression see later rows."""
    if node.kind == "WindowExpression" and (reason := _sees_later(node)):
        yield reason
    for child in node.children:
        yield from _windows_ahead(child)


def _sees_later(window: Node) -> str | None:
    function, spec = window.children
    if function.function == "lead":
        return "takes a later row (lead)"
    order = [child for child in spec.children if child.kind == "SortOrder"]
    frame = [child for child in spec.children if child.kind == "SpecifiedWindowFrame"]
    if frame:
        upper = frame[0].children[-1]
        if upper.kind == "UnboundedFollowing$" or upper.is_number:
            return "has a window that reaches to later rows"
    elif not order:
        return "has a window over all rows of its partition, later ones too (OVER without ORDER BY)"
    if order and "Descending" in str(order[0].fields["direction"]):
        return "has a window in descending order, which begins with the latest row"
    return None
