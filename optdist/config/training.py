"""Defines the settings of a training run, and of the engine that starts its ranks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from optdist.config.metrics import StopMetric
from optdist.config.section import Positive, Section

# They decide where a plan runs and how fast, but not the weights.
MACHINE_SETTINGS = frozenset({"engine", "threads_per_rank"})
_MOVED = {name: f"horovod.{name}" for name in ("nics", "start_timeout_seconds")}


class TrainingConfig(Section):
    """One training run."""

    engine: str = Field(
        default="spark_horovod",
        description="What starts the ranks: spark_horovod (in Spark's task slots), local_horovod "
        "(on this machine), one_process (this process, without Horovod), or package.module:Class "
        "of a launcher of your own",
    )
    ranks: Positive = Field(default=2, description="Processes that train together [processes]")
    seed: Positive = Field(default=1, description="Seed of initial weights, row orders and noise")
    batch_size: Positive = Field(
        default=2048,
        description="Rows per step over all ranks, so that the number of ranks hardly changes the "
        "result [rows]",
    )
    epochs: Positive = Field(
        default=12, description="Largest number of passes over the training rows [epochs]"
    )
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        default=2e-3,
        description="Adam's rate at the first step; in the paper's grid (4.1.4) [per step]",
    )
    schedule: Literal["constant", "cosine"] = Field(
        default="cosine",
        description="Whether the learning rate is constant, or falls to 2% by the last epoch's end",
    )
    clip_norm: Annotated[float, Field(gt=0)] | None = Field(
        default=5.0, description="Largest norm of all gradients together; null: no limit"
    )
    stop_metric: StopMetric = Field(
        default="normalized_gini",
        description="The validation metric that picks the best epoch and ends the training",
    )
    patience: Positive = Field(
        default=4,
        description="How long training continues without a better stop_metric [epochs]",
    )
    shuffle_buffer_rows: Positive = Field(
        default=262_144,
        description="How many rows a rank shuffles in memory; a shard that fits is read once "
        "[rows]",
    )
    sparse_as_dense: bool = Field(
        default=True,
        description="Whether ranks sum an embedding's gradient as a whole table, or as the rows "
        "that a batch has: set it to false from about 100,000 categories on (docs/benchmarks.md)",
    )
    warm_start: Literal["champion"] | None = Field(
        default=None,
        description="Start from the champion's weights, by category text and where bins have not "
        "moved; null: from initial weights (docs/operations.md)",
    )
    threads_per_rank: Positive | None = Field(
        default=None,
        description="TensorFlow's threads in a rank; null: the host's cores, shared by its ranks "
        "[threads]",
    )

    @model_validator(mode="before")
    @classmethod
    def _not_moved(cls, settings: Any) -> Any:
        moved = [name for name in _MOVED if isinstance(settings, dict) and name in settings]
        if moved:
            places = ", ".join(f"training.{name} is now {_MOVED[name]}" for name in moved)
            raise ValueError(f"{places}: move it there")
        return settings


class HorovodConfig(Section):
    """The engines spark_horovod and local_horovod: how their ranks find each other."""

    nics: list[str] = Field(
        default=[],
        description="Network interfaces that ranks on several hosts may use, the first that a host "
        "has; empty: the one that reaches the driver. On one machine it is the loopback",
    )
    start_timeout_seconds: Positive = Field(
        default=300, description="How long ranks may take to start [seconds]"
    )
    stall_timeout_seconds: Positive = Field(
        default=600,
        description="How long Horovod itself waits for a rank that hangs while silence_seconds "
        "finds nothing, before all end [seconds]",
    )
    silence_seconds: Positive = Field(
        default=120,
        description="How long a rank may give no sign of life, or no rank finish a batch, before "
        "all are killed and started again [seconds]",
    )
    first_batch_seconds: Positive = Field(
        default=600,
        description="The same until each rank's first batch, before which it imports, compiles and "
        "reads [seconds]",
    )
    restarts: Annotated[int, Field(ge=0)] = Field(
        default=2,
        description="How often a job starts its ranks again when one was killed or hung; they "
        "continue after the last finished epoch [times]",
    )
