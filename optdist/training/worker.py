"""The worker function: the same on one process and on every Horovod rank."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from optdist.data.feature_table import FeatureTable
from optdist.data.shards import Batch, Shard, shard_rows
from optdist.errors import DataError, TrainingError
from optdist.evaluation.metrics import LOWER_IS_BETTER
from optdist.files import write_json
from optdist.models import build_model
from optdist.seeds import derive
from optdist.serving.package import save_package
from optdist.training.checkpoint import load_checkpoint, save_checkpoint
from optdist.training.communicator import OneRank, Ranks
from optdist.training.evaluator import Evaluation
from optdist.training.plan import TrainingPlan

CHECKPOINT, BEST = "checkpoint.npz", "best-{}.npz"  # of the epoch that it is
Event = dict[str, Any]


def train(
    plan: TrainingPlan, ranks: Ranks | None = None, on_event: Callable[[Event], None] | None = None
) -> dict[str, Any]:
    """Train, calibrate the best epoch on validation, evaluate it once on test, write the folder.

    Rank 0 writes a checkpoint after every epoch; a run whose folder holds one of the same plan goes
    on from there, in the order of rows that it would have had.

    Args:
        plan: what to train on and how.
        ranks: the processes that train together; None is this one alone.
        on_event: called on rank 0 with {"event": "step" | "epoch" | "resume", ...}.

    Returns:
        The same on all ranks: `best_epoch`, `epochs`, `inference` (the configured rule),
        `validation` and `test` (metrics by rule of inference; None where the plan leaves the test
        split unread), `calibration`, `seconds` (of training), `rows`, `parameters`.

    Raises:
        DataError: the table is damaged or has too few row groups.
        TrainingError: ranks disagree, or the loss is no longer finite.
    """
    return _Run(plan, ranks or OneRank(), on_event or (lambda event: None)).go()


class _Run:
    """The state of one rank's run."""

    def __init__(self, plan: TrainingPlan, ranks: Ranks, on_event: Callable[[Event], None]) -> None:
        self.plan, self.ranks, self.config = plan, ranks, plan.training
        self.on_event = on_event if ranks.rank == 0 else (lambda event: None)
        _use_devices(ranks, self.config.threads_per_rank)
        keras.utils.set_random_seed(self.config.seed)
        self.table = FeatureTable.open(plan.table)
        if self.table.manifest["fingerprint"] != plan.table_fingerprint:
            raise DataError(f"{plan.table} was rebuilt since this run was planned. Start it again.")
        self.rows = shard_rows(self.table, "train", ranks.size)
        self.batch = max(1, self.config.batch_size // ranks.size)
        # All ranks take the same number of steps; the smallest shard's last batch may be short.
        self.steps = math.ceil(min(self.rows) / self.batch)
        self.shard = Shard(
            self.table,
            "train",
            self.batch,
            ranks.rank,
            ranks.size,
            keys=["label"],
            buffer_rows=self.config.shuffle_buffer_rows,
        )
        self.model = build_model(self.table.schema, plan.model, self.config.seed)
        self.optimizer = keras.optimizers.Adam(self._learning_rate())
        self.optimizer.build(self.model.trainable_variables)
        self.history: list[dict[str, Any]] = []
        self.step_function = self._make_step()
        self.evaluation = Evaluation(self.table, self.model, ranks, 4 * self.batch)

    def go(self) -> dict[str, Any]:
        self._start()
        epochs = range(len(self.history) + 1, self.config.epochs + 1)
        # The reader of the next epoch opens while this one trains and is evaluated.
        orders = (derive(self.config.seed, "rows", epoch) for epoch in epochs)
        with self.shard.passes(orders) as passes:
            while not self._finished():
                self._epoch(len(self.history) + 1, passes)
        return self._finish()

    # One epoch -----------------------------------------------------------------------------------

    def _epoch(self, epoch: int, passes: Iterator[Iterator[Batch]]) -> None:
        started = time.monotonic()
        loss = self._train_epoch(epoch, passes)
        seconds = time.monotonic() - started
        self._check_ranks_agree()
        validation, share = self.evaluation.epoch("validation")
        trained = sum(min(rows, self.steps * self.batch) for rows in self.rows)
        record = {
            "epoch": epoch,
            "loss": loss,
            "learning_rate": float(self.optimizer.learning_rate.numpy()),
            "rows_per_second": trained / seconds,
            "seconds": seconds,
            "validation": validation,
            "sdn_share": share,
        }
        self.history.append(record)
        if self.ranks.rank == 0:
            best = self.plan.path / BEST.format(self._best_epoch())
            if self._best_epoch() == epoch:
                save_checkpoint(best, self.model.variables, {"epoch": epoch})
            write_json(self.plan.path / "history.json", self.history)
            save_checkpoint(self.plan.path / CHECKPOINT, self._variables(), self._state())
            for old in self.plan.path.glob(BEST.format("*")):  # only now: a crash repeats an epoch
                if old != best:
                    old.unlink()
        self.on_event({"event": "epoch", "epochs": self.config.epochs, **record})

    def _train_epoch(self, epoch: int, passes: Iterator[Iterator[Batch]]) -> float:
        """One pass over this rank's shard; every row planned is counted."""
        total, read, started = 0.0, 0, time.monotonic()
        for step, (inputs, keys) in enumerate(islice(next(passes), self.steps)):
            number = (epoch - 1) * self.steps + step
            noise_seed = tf.constant([self.config.seed, number * self.ranks.size + self.ranks.rank])
            loss = float(self.step_function(inputs, keys["label"], noise_seed))
            if not math.isfinite(loss):
                raise TrainingError(
                    f"The loss is {loss} at epoch {epoch}, step {step + 1}. Lower "
                    f"training.learning_rate or set training.clip_norm."
                )
            rows = int(keys["label"].shape[0])
            total, read = total + loss * rows, read + rows
            self.on_event(
                {
                    "event": "step",
                    "epoch": epoch,
                    "step": step + 1,
                    "steps": self.steps,
                    "loss": total / read,
                    "rows_per_second": self.ranks.size * read / (time.monotonic() - started),
                }
            )
        planned = min(self.rows[self.ranks.rank], self.steps * self.batch)
        if read != planned:
            raise DataError(
                f"Rank {self.ranks.rank} read {read} training rows in epoch {epoch}, its shard "
                f"holds {planned}. The reader lost rows: check the petastorm version (0.12.1)."
            )
        sums = self.ranks.gather(np.array([[total, read]], np.float64)).sum(axis=0)
        return float(sums[0] / sums[1])

    def _make_step(self) -> Any:
        model, optimizer, ranks = self.model, self.optimizer, self.ranks
        clip = self.config.clip_norm
        label, seed = tf.TensorSpec([None], tf.float32), tf.TensorSpec([2], tf.int32)

        @tf.function(input_signature=[model.input_signature, label, seed])
        def step(inputs: dict[str, tf.Tensor], y: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                outputs = model(inputs, training=True)
                loss = model.loss_terms(y, outputs, seed)["loss"]
            variables = [variable.value for variable in model.trainable_variables]
            gradients = ranks.gradients(tape, loss, variables)
            if clip is not None:
                gradients, _ = tf.clip_by_global_norm(gradients, clip)
            optimizer.apply(gradients, model.trainable_variables)
            return loss

        return step

    # Start, stop, agree --------------------------------------------------------------------------

    def _start(self) -> None:
        path = self.plan.path / CHECKPOINT
        state: dict[str, Any] = {"history": []}
        if self.ranks.rank == 0 and path.exists():
            state = load_checkpoint(path, self._variables())
            if state["plan"] != self.plan.fingerprint:
                raise TrainingError(f"{path} is of other settings. Remove it to start again.")
            self.on_event({"event": "resume", "epoch": len(state["history"])})
        text = np.frombuffer(json.dumps(state["history"]).encode(), np.uint8)
        length = self.ranks.broadcast_array(np.array([len(text)], np.int64))[0]
        padded = np.resize(text, length) if len(text) else np.zeros(length, np.uint8)
        self.history = json.loads(self.ranks.broadcast_array(padded).tobytes().decode())
        self.ranks.broadcast([variable.value for variable in self._variables()])
        self._check_ranks_agree()

    def _finished(self) -> bool:
        done = len(self.history)
        return done >= self.config.epochs or done - self._best_epoch() >= self.config.patience

    def _finish(self) -> dict[str, Any]:
        best = self._best_epoch()
        if self.ranks.rank == 0:
            load_checkpoint(self.plan.path / BEST.format(best), self.model.variables)
        self.ranks.broadcast([variable.value for variable in self.model.variables])
        self.evaluation.calibrate()
        validation, _ = self.evaluation.final("validation")
        test, rows = self.evaluation.final("test") if self.plan.test else (None, None)
        result = {
            "best_epoch": best,
            "epochs": len(self.history),
            "inference": self.model.inference,
            "validation": validation,
            "test": test,
            "test_sdn_share": rows and self.evaluation.shares(rows),
            "calibration": {
                name: fitted.model_dump() for name, fitted in self.model.calibrations.items()
            },
            "seconds": sum(record["seconds"] for record in self.history),
            "rows": self.table.manifest["counts"],
            "parameters": int(self.model.count_params()),
            "ranks": self.ranks.size,
            "plan": self.plan.fingerprint,
        }
        if self.ranks.rank == 0:
            save_package(self.model, self.plan.path / "package")
            if rows is not None:
                np.savez(self.plan.path / "test_predictions.npz", **rows)
            write_json(self.plan.path / "metrics.json", result)
        return result

    def _best_epoch(self) -> int:
        """The epoch of the best validation metric, or 0 before the first."""
        if not self.history:
            return 0
        name = self.config.stop_metric
        sign = -1 if name in LOWER_IS_BETTER else 1
        best = max(self.history, key=lambda record: sign * record["validation"][name])
        return int(best["epoch"])

    def _check_ranks_agree(self) -> None:
        """Compare the weights' norm over the ranks: averaged gradients keep it equal."""
        norm = tf.linalg.global_norm([v.value for v in self.model.trainable_variables]).numpy()
        norms = self.ranks.gather(np.array([norm], np.float64))
        if not np.isfinite(norms).all() or np.ptp(norms) > 1e-6 * abs(norms[0]):
            raise TrainingError(f"The ranks hold different weights: norms {norms.tolist()}.")

    def _variables(self) -> list[keras.Variable]:
        return [*self.model.variables, *self.optimizer.variables]

    def _state(self) -> dict[str, Any]:
        return {"plan": self.plan.fingerprint, "history": self.history}

    def _learning_rate(self) -> Any:
        rate = self.config.learning_rate
        if self.config.schedule == "constant":
            return rate
        return keras.optimizers.schedules.CosineDecay(rate, self.steps * self.config.epochs, 0.02)


def _use_devices(ranks: Ranks, threads: int | None) -> None:
    """Give each local rank one GPU where there are GPUs, else its part of the cores."""
    gpus = tf.config.list_physical_devices("GPU")
    try:
        if gpus:
            tf.config.set_visible_devices(gpus[ranks.local_rank % len(gpus)], "GPU")
        cores = threads or max(1, len(os.sched_getaffinity(0)) // ranks.local_size)
        tf.config.threading.set_intra_op_parallelism_threads(cores)
        tf.config.threading.set_inter_op_parallelism_threads(cores)
    except RuntimeError:
        pass  # TensorFlow runs already, in a process that it shares with other work
