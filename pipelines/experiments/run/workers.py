"""Runs worker processes that train one cell after the other."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from optdist.errors import TrainingError
from pipelines.experiments.plan.measurements import Measurements
from pipelines.experiments.run.cells import run_cell
from pipelines.experiments.run.jobs import Job

# Spawned, because TensorFlow does not survive a fork.
_CONTEXT = multiprocessing.get_context("spawn")
_CELLS = 25  # then a fresh process: whatever leaks, leaks little


class Answer(BaseModel):
    """What a worker sends back: the cell's result, or why it failed."""

    measurements: Measurements | None = None
    error: str = ""


class Worker:
    """A process that takes jobs one at a time; it ends with this one, also when that is killed."""

    def __init__(self, log: Path) -> None:
        """Prepare a process whose output goes to `log`."""
        self.log, self.cells = log, 0
        self.process: Any = None
        self.connection: Connection

    def start(self, job: Job) -> None:
        """Begin a job."""
        if self.process is None or self.cells >= _CELLS:
            self.stop()
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self.connection, theirs = _CONTEXT.Pipe()
            self.process = _CONTEXT.Process(
                target=_serve, args=(theirs, str(self.log)), daemon=True
            )
            self.process.start()
            theirs.close()
        self.cells += 1
        self.connection.send_bytes(job.model_dump_json().encode())

    def result(self) -> Measurements:
        """Wait for the cell's result.

        Raises:
            TrainingError: the cell failed, or the process was killed.
        """
        try:
            answer = Answer.model_validate_json(self.connection.recv_bytes())
        except (EOFError, ConnectionError):
            self.stop()
            raise TrainingError(
                f"The worker was killed, perhaps for lack of memory. Its log: {self.log}"
            ) from None
        if answer.measurements is None:
            raise TrainingError(answer.error)
        return answer.measurements

    def stop(self) -> None:
        """End the process, whatever it does."""
        if self.process is not None:
            self.process.terminate()
            self.process.join()
            self.connection.close()
        self.process, self.cells = None, 0


def _serve(connection: Connection, log: str) -> None:
    """Take jobs and answer each until the driver closes the connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver stops its workers itself
    with open(log, "a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    while True:
        try:
            job = Job.model_validate_json(connection.recv_bytes())
        except EOFError:
            return
        print(f"== {job.name}", flush=True)
        try:
            answer = Answer(measurements=run_cell(job))
        except Exception as error:  # the other cells can still be trained
            traceback.print_exc()
            sys.stderr.flush()
            answer = Answer(error=f"{type(error).__name__}: {error}")
        connection.send_bytes(answer.model_dump_json().encode())
