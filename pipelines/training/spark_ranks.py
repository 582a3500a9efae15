"""Runs ranks in Spark's tasks: each task starts one and watches it, the driver decides for all.

A task tells the driver about its rank by the rendezvous server, and asks there whether to stop. It
raises nothing for a lost rank, because Spark would start that one task again.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark import InheritableThread, SparkContext, TaskContext

from optdist.config import HorovodConfig
from optdist.errors import TrainingError
from optdist.ranks.crew import rank_log
from optdist.ranks.process import Call, RankProcess
from optdist.ranks.rendezvous import (
    Channel,
    Rendezvous,
    interface_towards,
    meeting_environment,
)
from optdist.ranks.watch import RanksFailed, Sign, Watch

_POLL_SECONDS = 0.3
_FAREWELL_SECONDS = 6  # for tasks to end by themselves
_LOST_DRIVER_SECONDS = 30  # after which a task ends its rank
_STOP = "stop"


@dataclass(frozen=True)
class RankTask:
    """What a task needs to start its rank; it travels to the executors."""

    channel: Channel
    call: Call
    log: str
    environment: Mapping[str, str]
    horovod: HorovodConfig
    umask: int

    def __call__(self, index: int, rows: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """Run the rank and give its number and its result; nothing of a lost one."""
        os.umask(self.umask)
        try:
            process = self._start(index)
        except OSError as error:
            self.channel.put(f"error-{index}", str(error))
            return
        if process is None:
            return
        try:
            if self._follow(process):
                yield process.rank, process.result()
        finally:
            process.end()

    def _start(self, index: int) -> RankProcess | None:
        """Start the rank when all tasks are there; None if they do not come."""
        context = TaskContext.get()
        interface = interface_towards(self.channel.address, self.horovod.nics)
        here = {"host": socket.gethostname(), "attempt": context.attemptNumber() if context else 0}
        self.channel.put(f"host-{index}", here)
        slot = self._slot(index)
        if slot is None:
            return None
        variables = {**os.environ, **self.environment, **slot}
        variables |= meeting_environment(self.channel, interface)
        rank = int(slot["HOROVOD_RANK"])
        return RankProcess(rank, self.call, variables, rank_log(Path(self.log), rank))

    def _slot(self, index: int) -> dict[str, str] | None:
        """This task's place among the others; None if they will not start."""
        until = time.monotonic() + self.horovod.start_timeout_seconds + _LOST_DRIVER_SECONDS
        while time.monotonic() < until and not self.channel.get(_STOP):
            slot: dict[str, str] | None = self.channel.get(f"slot-{index}")
            if slot:
                return slot
            time.sleep(_POLL_SECONDS)
        return None

    def _follow(self, process: RankProcess) -> bool:
        """Report the rank's signs until it ends or is to stop; say whether it ended well."""
        heard = time.monotonic()
        while True:
            sign = process.sign()
            try:
                self.channel.put(f"sign-{sign.rank}", sign.model_dump())
                over = sign.code is not None or bool(self.channel.get(_STOP))
                heard = time.monotonic()
            except OSError:
                over = time.monotonic() - heard > _LOST_DRIVER_SECONDS
            if over:
                return sign.code == 0
            time.sleep(_POLL_SECONDS)


def run_in_tasks(
    context: SparkContext, task: RankTask, meeting: Rendezvous, ranks: int
) -> list[Any]:
    """Run a rank in each of as many tasks.

    Args:
        context: Spark's.
        task: what each task runs.
        meeting: the server that its channel leads to.
        ranks: how many.

    Returns:
        What each rank returned, in their order.

    Raises:
        RanksFailed: a rank ended too early or hung, or a task did; all have ended now.
        TrainingError: Spark did not start as many tasks in time.
    """
    job = _Job(context, task, ranks)
    try:
        _assign(meeting, job, ranks, task.horovod.start_timeout_seconds)
        _wait(meeting, job, ranks, Watch(task.horovod))
        return [result for _, result in sorted(job.results(), key=lambda item: item[0])]
    finally:
        with suppress(OSError):
            meeting.channel.put(_STOP, True)
        job.end()


def _assign(meeting: Rendezvous, job: _Job, ranks: int, seconds: int) -> None:
    """Number the ranks when all tasks have started."""
    until = time.monotonic() + seconds
    while True:
        messages = meeting.messages()
        _raise_error(messages)
        hosts = [messages[f"host-{i}"] for i in range(ranks) if f"host-{i}" in messages]
        if len(hosts) == ranks:
            break
        job.check()
        if time.monotonic() > until:
            raise TrainingError(
                f"Spark started {len(hosts)} of {ranks} ranks within {seconds} seconds. Give it "
                f"more task slots, lower training.ranks, or raise horovod.start_timeout_seconds."
            )
        time.sleep(_POLL_SECONDS)
    slots = meeting.slots([host["host"] for host in hosts])
    for index, slot in enumerate(slots):
        meeting.channel.put(f"slot-{index}", slot)


def _wait(meeting: Rendezvous, job: _Job, ranks: int, watch: Watch) -> None:
    """Wait until the job has ended; raise when a rank is lost."""
    farewell: float | None = None
    while job.is_running:
        time.sleep(_POLL_SECONDS)
        messages = meeting.messages()
        _raise_error(messages)
        signs = _signs(messages, ranks)
        if any(messages[f"host-{index}"]["attempt"] for index in range(ranks)):
            raise RanksFailed("Spark lost the task of a rank, with its executor or its worker.")
        failure, now = RanksFailed.ended(signs), time.monotonic()
        if failure:
            farewell = farewell or now + _FAREWELL_SECONDS / 2
            is_killed = any((sign.code or 0) < 0 for sign in signs)
            if is_killed or now > farewell or all(sign.code is not None for sign in signs):
                raise failure
        failure = watch.silent(signs)
        if failure:
            raise failure
    messages = meeting.messages()
    _raise_error(messages)
    failure = RanksFailed.ended(_signs(messages, ranks))
    if failure:
        raise failure
    job.check()


def _signs(messages: Mapping[str, Any], ranks: int) -> list[Sign]:
    """What the tasks last said of their ranks; a rank of which nothing is known yet is silent."""
    unknown = {"host": "its executor", "pid": 0, "log": "Spark's log"}
    return [
        Sign(**messages.get(f"sign-{rank}", {"rank": rank, **unknown})) for rank in range(ranks)
    ]


def _raise_error(messages: Mapping[str, Any]) -> None:
    """Raise what a task said that kept it from starting its rank."""
    errors = [value for key, value in messages.items() if key.startswith("error-")]
    if errors:
        raise TrainingError(f"A rank could not be started: {errors[0]}")


class _Job:
    """Spark's job of the tasks, in a thread."""

    def __init__(self, context: SparkContext, task: RankTask, ranks: int) -> None:
        self._context, self._group = context, f"optdist-ranks-{task.channel.token[:8]}"
        self._results: list[tuple[int, Any]] = []
        self._error: Exception | None = None
        self._thread: threading.Thread = InheritableThread(
            target=self._run, args=(task, ranks), daemon=True
        )
        self._thread.start()

    def _run(self, task: RankTask, ranks: int) -> None:
        try:
            self._context.setJobGroup(self._group, f"{ranks} ranks", interruptOnCancel=True)
            tasks = self._context.range(0, ranks, numSlices=ranks)
            self._results = tasks.mapPartitionsWithIndex(task).collect()
        except Exception as error:  # what Spark, Py4J or a task raised, for the driver's thread
            self._error = error

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def check(self) -> None:
        """Raise what ended the job, if it failed."""
        if self._error:
            lines = [line.lstrip(": ") for line in str(self._error).splitlines()] or [""]
            line = next((line for line in lines if "Exception" in line), lines[0])  # Java's own
            raise RanksFailed(f"Spark's job of the ranks failed: {line[:300]}") from self._error

    def results(self) -> list[tuple[int, Any]]:
        self.check()
        return self._results

    def end(self) -> None:
        """Wait until the tasks have ended, which have been told to, and cancel them otherwise."""
        self._thread.join(_FAREWELL_SECONDS)
        if self.is_running:
            with suppress(Exception):  # Spark may be gone
                self._context.cancelJobGroup(self._group)
            self._thread.join(_FAREWELL_SECONDS)
