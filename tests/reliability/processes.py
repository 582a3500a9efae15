"""Finds and breaks processes that a test or its children started."""

import ipaddress
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest


def ranks_below(pid=None):
    """The running ranks among a process's descendants, by number."""
    ranks = {}
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):
            if "optdist.ranks.child" in process.cmdline():
                ranks[int(process.environ()["HOROVOD_RANK"])] = process
    return ranks


def gone(processes, seconds=10):
    """Whether all processes end within some time."""
    return not psutil.wait_procs(processes, timeout=seconds)[1]


class Breaker:
    """An `on_event` that sends signals to ranks, one a start, at an epoch's end or later."""

    ready = True

    def __init__(self, *faults):
        """Take (epoch, rank, signal) in the order in which they are done."""
        self.faults, self.events, self.times, self.open = list(faults), [], [], []

    def __call__(self, event):
        self.events.append(event)
        self.ready = self.ready or event["event"] == "resume"
        is_epoch = event["event"] == "epoch" and self.faults and event["epoch"] >= self.faults[0][0]
        if is_epoch and self.ready:
            self.ready = False  # until the ranks have started again
            _, rank, number = self.faults.pop(0)
            ranks = ranks_below()
            self.open += open_to_others(os.getpid(), *[each.pid for each in ranks.values()])
            self.times.append(time.monotonic())
            ranks[rank].send_signal(number)

    def of(self, kind):
        return [event for event in self.events if event["event"] == kind]


KILL, STOP = signal.SIGKILL, signal.SIGSTOP

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def job_at(function, folder, name, *args, seconds=120, env=None):
    """A job's process, when it has come to a function, and the file of what it prints.

    `Popen.tree` has the process's descendants at that moment. All are gone after the block.
    """
    mark, log = folder / f"mark-{uuid.uuid4().hex[:6]}", folder / "job.log"
    command = [sys.executable, str(Path(__file__).with_name("pausing.py")), function, str(mark)]
    command += [str(seconds), str(ROOT / "jobs" / name), *map(str, args)]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            cwd=ROOT,
            env=os.environ | {"PYSPARK_PYTHON": sys.executable} | (env or {}),
        ) as process,
    ):
        process.tree, process.log = [], log
        try:
            until = time.monotonic() + 400  # on a busy machine
            while not mark.exists():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.05)
            process.tree = psutil.Process(process.pid).children(recursive=True)
            yield process
        finally:
            with suppress(psutil.Error):
                process.tree += psutil.Process(process.pid).children(recursive=True)
            for each in [process, *process.tree]:
                with suppress(psutil.Error, OSError):
                    each.kill()


def run_job(name, *args, env=None):
    """A job from beginning to end: its exit code and what it prints."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "jobs" / name), *map(str, args)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYSPARK_PYTHON": sys.executable} | (env or {}),
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@contextmanager
def small_disk(folder, megabytes):
    """A file system of a few megabytes in a folder; a skip where mounting is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    with mounted(folder, "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs"):
        yield folder


@contextmanager
def read_only(folder, place):
    """A folder's files at another place, where they may only be read, by root too."""
    place.mkdir()
    with mounted(place, "-o", "bind,ro", str(folder)):
        yield place


@contextmanager
def mounted(folder, *options):
    """A mount, as long as the block runs; a skip where mounting is not allowed."""
    command = ["mount", *options, str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder, leave=0):
    """Fill a file system up to some bytes; return the file to remove."""
    file = folder / "filler"
    free = shutil.disk_usage(folder).free - leave
    with file.open("wb") as output:
        output.write(bytes(max(0, free // 4096) * 4096))
    return file


def open_to_others(*pids):
    """Sockets of processes that listen beyond the loopback interface."""
    found = []
    for pid in pids:
        with suppress(psutil.Error):
            for socket in psutil.Process(pid).net_connections(kind="inet"):
                if socket.status == psutil.CONN_LISTEN and not is_loopback(socket.laddr.ip):
                    found.append((pid, socket.laddr))
    return found


def is_loopback(address):
    return ipaddress.ip_address(address.removeprefix("::ffff:")).is_loopback
