"""Builds Table 2 of the paper: the models on each data set, and the tests of their differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from optdist.config.metrics import METRICS, PAPER_METRICS
from optdist.evaluation.comparison import LEVEL, MIN_SEEDS, Comparison
from pipelines.experiments.plan.coordinates import LIGHTGBM
from pipelines.experiments.plan.results import Results
from pipelines.experiments.report import drawing
from pipelines.experiments.report.rows import NONE, Row, best, comparisons, format_p, mean_sd
from pipelines.rendering import Block, Heading, Picture, Table, Text

EXPLAINED = (
    "The best of the first five columns is in bold. MAE rewards predicting too little where most "
    "values are 0, so constant predictors are shown for comparison. `MAE of median` takes the "
    "distribution's median as the prediction. `total` is total predicted over total actual, with "
    "its 95% interval over resampled test entities in brackets; that of `always the mean` is the "
    "mean training label over the mean test label, by which the splits themselves differ. `NLL` is "
    "the mean negative log-likelihood of a test row in nats, for the models that predict a "
    "distribution. `coverage` is the share of test rows inside the 90% interval, `coverage(+)` "
    "that of positive rows inside the interval of the value given a purchase. OptDist (hard) "
    "predicts as the paper does (Eq. 18); `top2` and `soft` weight the two likeliest SDNs or all.",
    "† OptDist beats the best of the paper's baselines, ‡ it beats LightGBM: in a paired t-test "
    "over seeds and in a paired bootstrap over test entities, both two-sided. The larger p of the "
    f"two, Holm-corrected over the five metrics, is below {LEVEL}. The best baseline is the one "
    f"with the best mean on test in that metric. At least {MIN_SEEDS} seeds are needed. A row "
    "whose Norm-GINI is below half of the best does not rank customers, whatever its MAE: it is "
    "neither the best nor a rival.",
)
_OF_INTERVALS = ("mae_q50", "coverage", "coverage_if_positive")
_OF_DISTRIBUTIONS = {  # metric -> the column's name
    "nll": METRICS["nll"].heading,
    **{metric: METRICS[metric].title for metric in _OF_INTERVALS},
}
_RIVALS = {"baselines": "†", LIGHTGBM: "‡"}
_TESTS = ("p seeds", "p bootstrap", "p Holm")


def table2(
    results: Results, paper: Mapping[str, Any], tables: Mapping[str, Sequence[Row]]
) -> Iterator[Block]:
    """Table 2 and its figure.

    Args:
        results: the finished cells.
        paper: the paper's own figures, by data set.
        tables: the rows of each data set.
    """
    if not tables:
        return
    yield Heading(2, "Table 2: models")
    yield from map(Text, EXPLAINED)
    for dataset, rows in tables.items():
        published = paper.get(dataset, {}).get("table2", {})
        overlap = results.grid.experiment.overlap
        yield from dataset_table(dataset, rows, published, overlap, split_ratio(results, dataset))
    values = {
        dataset: {row.label: row.values("normalized_gini").tolist() for row in rows}
        for dataset, rows in tables.items()
    }
    yield Picture(
        "norm_gini",
        "Norm-GINI on test: each seed (dots) and the mean (bar). An arrow is the mean of a model "
        "that is far behind.",
        drawing.norm_gini(values),
    )


def split_ratio(results: Results, dataset: str) -> float | None:
    """The mean training label over the mean test label; None where it is not recorded."""
    known = results.store.dataset(dataset)
    if not known or not known.mean_label or results.grid.experiment.folds:
        return None
    return known.mean_label["train"] / known.mean_label["test"]


def dataset_table(
    dataset: str,
    rows: Sequence[Row],
    published: Mapping[str, Sequence[float]],
    overlap: float = 0.0,
    ratio: float | None = None,
) -> Iterator[Block]:
    """A data set's part of Table 2.

    Args:
        dataset: its name.
        rows: the rows of its models, over the same seeds.
        published: the paper's own figures by model, in the order of `PAPER_METRICS`.
        overlap: as in `optdist.evaluation.comparison.t_test`.
        ratio: the result of `split_ratio`.
    """
    seeds = len(rows[0].records)
    tests, winners = comparisons(rows, overlap), best(rows)
    yield Heading(3, f"{dataset}, {seeds} {'seed' if seeds == 1 else 'seeds'}")
    lines = [_line(row, tests.get(row.label, {}), winners) for row in rows]
    for name in ("zero", "mean", "median"):
        line = [f"always {'zero' if name == 'zero' else f'the {name}'}"]
        errors = rows[0].values(f"mae_{name}")
        errors = errors if np.ptp(errors) else errors[:1]  # the same for each seed of one split
        line += [mean_sd(errors, 3), *[NONE] * (len(PAPER_METRICS) - 1)]
        line += [f"{ratio:.3f}" if ratio and name == "mean" else NONE]
        lines.append(line + [NONE] * len(_OF_DISTRIBUTIONS))
    for model, values in published.items():
        shown = [METRICS[m].text(v) for m, v in zip(PAPER_METRICS, values, strict=True)]
        lines.append([f"{model}, paper", *shown, *[NONE] * (1 + len(_OF_DISTRIBUTIONS))])
    headings = [METRICS[metric].heading for metric in PAPER_METRICS]
    yield Table(["model", *headings, "total", *_OF_DISTRIBUTIONS.values()], lines)
    if seeds < MIN_SEEDS:
        yield Text(f"No † or ‡: {seeds} of the {MIN_SEEDS} seeds that the tests need.")
    if tests and seeds > 1:
        yield Text(f"Tests on {dataset}, {seeds} seeds; a gain above 0 is OptDist's:")
        header = ["model", "metric", "best baseline", "gain", *_TESTS]
        yield Table([*header, f"gain on {LIGHTGBM}", *_TESTS], list(_test_lines(tests)))


def _line(row: Row, tests: Mapping[str, list[Comparison]], winners: Mapping[str, str]) -> list[str]:
    line = [row.label]
    for i, metric in enumerate(PAPER_METRICS):
        text = mean_sd(row.values(metric), METRICS[metric].digits)
        text = f"**{text}**" if winners[metric] == row.label else text
        line.append(text + "".join(_RIVALS[r] for r in tests if tests[r][i].significant))
    extra = [mean_sd(row.values(m), METRICS[m].digits) for m in _OF_DISTRIBUTIONS]
    return [*line, _total(row), *extra]


def _total(row: Row) -> str:
    """The ratio of totals over seeds, and its interval over resampled entities."""
    text, resampled = mean_sd(row.values("total_ratio"), 3), row.scores.resampled
    if resampled is None:
        return text
    ratio = np.maximum(resampled["total_ratio"], 0.0)  # packing may leave a step below 0
    low, high = np.quantile(ratio.mean(axis=0), [0.025, 0.975])
    return f"{text} [{low:.2f}, {high:.2f}]"


def _test_lines(tests: Mapping[str, Mapping[str, list[Comparison]]]) -> Iterator[list[str]]:
    for label, against in tests.items():
        for i, metric in enumerate(PAPER_METRICS):
            line = [label, METRICS[metric].title]
            for rival in _RIVALS:
                name = [against[rival][i].rival] if rival in against else [NONE]
                line += name if rival == "baselines" else []
                if rival not in against:
                    line += [NONE] * (1 + len(_TESTS))
                    continue
                test = against[rival][i]
                line.append(f"{test.gain:+.{METRICS[metric].digits}f}")
                line += [format_p(p) for p in (test.t_p, test.bootstrap_p, test.p)]
            yield line
