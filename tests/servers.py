"""Servers that tests start, and waits for them: a real MLflow server on the loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager


def wait_until_up(url, process, log):
    """Wait until a URL answers; fail with the text of `log()` if the process ends before."""
    for _ in range(240):
        try:
            urllib.request.urlopen(url, timeout=5)
            return
        except OSError:
            assert process.poll() is None, log()
            time.sleep(0.5)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start_mlflow(folder, port):
    """Start a server that keeps everything in a folder; return its process when it answers."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--workers", "1"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    wait_until_up(f"http://127.0.0.1:{port}/health", process, (folder / "log").read_text)
    return process


def stop(process, number=signal.SIGTERM):
    send(process, number)
    process.wait(30)


def send(process, number):
    """Send a signal to a server and its workers."""
    os.killpg(process.pid, number)


@contextmanager
def mlflow_server(folder):
    """A server's URI, while the block runs."""
    port = free_port()
    process = start_mlflow(folder, port)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)
