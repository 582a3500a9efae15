"""Worker processes that train one cell after the other."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from optdist.errors import TrainingError
from pipelines.experiments.run.cell import Job, run_cell

# Spawned, for TensorFlow does not survive a fork.
_CONTEXT = multiprocessing.get_context("spawn")
_CELLS = 25  # then a fresh process: whatever leaks, leaks little


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

    def result(self) -> dict[str, Any]:
        """Wait for the job's record.

        Raises:
            TrainingError: the cell failed, or the process was killed.
        """
        try:
            answer: dict[str, Any] = json.loads(self.connection.recv_bytes())
        except (EOFError, ConnectionError):
            self.stop()
            raise TrainingError(
                f"The worker was killed: is there memory enough? Its log: {self.log}"
            ) from None
        if "error" in answer:
            raise TrainingError(answer["error"])
        return answer

    def stop(self) -> None:
        """End the process, whatever it does."""
        if self.process is not None:
            self.process.terminate()
            self.process.join()
            self.connection.close()
        self.process, self.cells = None, 0


def _serve(connection: Connection, log: str) -> None:
    """The worker's life: a job, its record, the next job."""
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
            answer = run_cell(job)
        except Exception as error:  # one cell's failure is not the others'
            traceback.print_exc()
            sys.stderr.flush()
            answer = {"error": f"{type(error).__name__}: {error}"}
        connection.send_bytes(json.dumps(answer).encode())
