"""Reports each cell of a running experiment: a line on the terminal and a nested MLflow run."""

from __future__ import annotations

from contextlib import suppress

from optdist.errors import TrainingError
from optdist.log import LOG
from optdist.tracking import Run, Tracker
from pipelines.experiments.plan.coordinates import Cell
from pipelines.experiments.plan.measurements import gini
from pipelines.experiments.plan.records import Failure, Record
from pipelines.experiments.run.runner import Progress


def print_progress(progress: Progress) -> None:
    """Print the result of the last cell, and how long the others will take."""
    LOG.info(
        f"[{progress.done:>4}/{progress.total}] {format_record(progress.cell, progress.record)}, "
        f"about {format_duration(progress.seconds_left)} left"
    )


def log_cell(tracker: Tracker, parent: Run, record: Record | Failure) -> None:
    """Log a cell as a nested run, which ends as failed where the cell failed.

    Args:
        tracker: the experiment's.
        parent: the experiment's own run.
        record: the cell with its result.
    """
    settings = record.settings.plain
    with suppress(TrainingError), tracker.run(record.cell.name, parent=parent) as run:
        run.log_params({key: getattr(record, key) for key in ("dataset", "variant", "seed")})
        run.log_params(
            {f"{part}.{key}": v for part, keys in settings.items() for key, v in keys.items()}
        )
        if isinstance(record, Failure):
            run.log_params({"error": record.error[:500]})
            raise TrainingError(record.error)  # ends this run as failed
        for split, by_rule in (("validation", record.validation), ("test", record.test or {})):
            for rule, metrics in by_rule.items():
                known = {name: value for name, value in metrics.items() if value is not None}
                run.log_metrics(known, prefix=f"{split}_{rule}_")
        run.log_metrics(record.cost.model_dump(exclude={"score_rows_per_second"}), prefix="cost_")


def format_record(cell: Cell, record: Record | Failure) -> str:
    """A cell's result, in a line."""
    place = f"{cell.dataset}  {cell.variant}  {cell.trial}  seed {cell.seed}"
    if isinstance(record, Failure):
        return f"{place}  FAILED: {record.error}"
    text = f"val Norm-GINI {record.validation_gini:.4f}"
    if record.test:
        text += f"  test {gini(record.test, record.inference):.4f}"
    return f"{place}  {text}  {record.cost.cell_seconds:.0f} s"


def format_duration(seconds: float) -> str:
    """Seconds as a person would say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
