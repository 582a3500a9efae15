"""Builds the table that a report begins with: how OptDist compares on each data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from optdist.evaluation.comparison import Comparison
from pipelines.experiments.plan.coordinates import LIGHTGBM
from pipelines.experiments.plan.results import Results
from pipelines.experiments.report.models import split_ratio
from pipelines.experiments.report.rows import NONE, Row, comparisons, format_p
from pipelines.rendering import Block, Heading, Table, Text


def in_short(results: Results, tables: Mapping[str, Sequence[Row]]) -> Iterator[Block]:
    """A line for each data set."""
    overlap, lines = results.grid.experiment.overlap, []
    for dataset, rows in tables.items():
        ours = [row for row in rows if row.ours and row.rule == row.records[0].inference]
        if len(ours) == 1:
            tests = comparisons(rows, overlap)[ours[0].label]
            ratio = split_ratio(results, dataset)
            lines.append([dataset, *_line(ours[0], rows, tests), f"{ratio:.3f}" if ratio else NONE])
    if not lines:
        return
    yield Heading(2, "In short")
    yield Text(
        "OptDist under the configured rule of inference. A gain is in Norm-GINI, with the larger p "
        "of the two tests of Table 2, not corrected. `MAE of median / of zero` is below 1 where "
        "predicting the median of the distribution is better than predicting zero. Totals are "
        "predicted over actual, for OptDist and for all models that rank customers. `train / test` "
        "is the mean training label over the mean test label, a difference that no model can know."
    )
    yield Table(
        [
            "data set",
            "Norm-GINI",
            "gain on the best baseline",
            "p",
            f"gain on {LIGHTGBM}",
            "p",
            "MAE of median / of zero",
            "coverage",
            "coverage(+)",
            "total",
            "totals of all",
            "train / test",
        ],
        lines,
    )


def _line(row: Row, rows: Sequence[Row], tests: Mapping[str, list[Comparison]]) -> list[str]:
    line = [f"{row.values('normalized_gini').mean():.4f}"]
    for rival in ("baselines", LIGHTGBM):
        test = {c.metric: c for c in tests.get(rival, [])}.get("normalized_gini")
        if test is None:
            line += [NONE, NONE]
            continue
        name = f" ({test.rival})" if rival == "baselines" else ""
        line += [f"{test.gain:+.4f}{name}", format_p(max(test.t_p, test.bootstrap_p))]
    median = row.values("mae_q50") / row.values("mae_zero")
    line += [f"{median.mean():.4f}"]
    line += [f"{row.values(m).mean():.3f}" for m in ("coverage", "coverage_if_positive")]
    totals = [float(other.values("total_ratio").mean()) for other in rows if other.ranks]
    line += [f"{row.values('total_ratio').mean():.3f}", f"{min(totals):.2f} to {max(totals):.2f}"]
    return line
