"""Ends a job that is stopped: locks are released on the way out, and no process stays behind."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_GRACE_SECONDS, _LAST_SECONDS = 5.0, 30.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_children: list[psutil.Process] = []  # when the signal came: those of a dead child would be lost


class Stopped(KeyboardInterrupt):
    """A signal that stops the job; like Ctrl-C, no `except Exception` holds it up."""

    def __init__(self, number: int) -> None:
        """Name the signal."""
        super().__init__(signal.Signals(number).name)
        self.number = number
        self.facts: Mapping[str, Any] | None = None  # what the job made before, for its result


def exit_code(stopped: KeyboardInterrupt) -> int:
    """The code that shells give a process that a signal ends: 130 or 143."""
    number = stopped.number if isinstance(stopped, Stopped) else signal.SIGINT
    return 128 + int(number)


@contextmanager
def raising_when_stopped() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into `Stopped`, so that every `finally` of the block runs."""
    before = [signal.signal(number, _stop) for number in _SIGNALS]
    if "PYSPARK_GATEWAY_PORT" in os.environ and sys.platform == "linux":
        # Spark's own spark-submit is the parent; it ends on a signal and tells nobody
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    try:
        yield
    finally:
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)


def is_raising() -> bool:
    """Whether the job's handlers are set, which Spark replaces by its own."""
    return signal.getsignal(signal.SIGTERM) is _stop


def restore() -> None:
    """Set the handler again that Spark has replaced."""
    if is_raising() and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # a second Ctrl-C changes nothing
    logging.getLogger().setLevel(logging.CRITICAL + 1)  # py4j would log its interrupt with a trace
    _children.extend(_descendants())
    timer = threading.Timer(_LAST_SECONDS, os._exit, [128 + number])  # whatever hangs on the way
    timer.daemon = True
    timer.start()
    raise Stopped(number)


def _descendants() -> list[psutil.Process]:
    """The processes that this one started; also Spark's, where Spark started this one."""
    own = psutil.Process()
    parent = own.parent() if "PYSPARK_GATEWAY_PORT" in os.environ else None
    try:
        everyone = (parent or own).children(recursive=True)
    except psutil.NoSuchProcess:
        return own.children(recursive=True)
    return [process for process in everyone if process != own]


def end_children() -> None:
    """End the processes that this one started, and theirs: politely, then for certain.

    First its own children, for Spark and Horovod end theirs in order. Meanwhile threads that speak
    to Spark find that it has gone, and would print how: that is not shown.
    """
    everyone = list({process.pid: process for process in [*_children, *_descendants()]}.values())
    own = [process for process in everyone if _is_child(process)]
    with Path(os.devnull).open("w") as nothing, redirect_stderr(nothing):
        _silence_spark()
        for processes, send in (
            (own, psutil.Process.terminate),
            (everyone, psutil.Process.terminate),
            (everyone, psutil.Process.kill),
        ):
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    send(process)
            psutil.wait_procs(processes, timeout=_GRACE_SECONDS)


def _silence_spark() -> None:
    """Let Spark say nothing of the tasks that it loses now; one that hangs is left alone."""
    spark = getattr(sys.modules.get("pyspark"), "SparkContext", None)
    context = getattr(spark, "_active_spark_context", None)
    if context is not None:
        thread = threading.Thread(target=context.setLogLevel, args=["OFF"], daemon=True)
        thread.start()
        thread.join(_GRACE_SECONDS)


def _is_child(process: psutil.Process) -> bool:
    try:
        return bool(process.ppid() == os.getpid())
    except psutil.NoSuchProcess:
        return False


def leave(code: int) -> None:
    """Exit at once: nothing is left to do, and a library's exit handler could hang."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # its reader has gone
            continue
    os._exit(code)
