"""Finds and breaks processes that a test or its children started."""

import ipaddress
import os
import signal
import time
from contextlib import suppress

import psutil


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
