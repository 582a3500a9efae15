"""Tells somebody that a job failed: a command or a URL gets the job's result as JSON."""

from __future__ import annotations

import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit

from optdist.config import OnFailureConfig
from optdist.log import LOG


def call_hook(hook: OnFailureConfig, content: str) -> None:
    """Call what the settings name; that it fails is a warning, and changes nothing.

    Args:
        hook: the settings, with the values of environment variables.
        content: the result as JSON, without secrets.
    """
    calls: list[tuple[str, Callable[[OnFailureConfig, str], str | None]]] = []
    if hook.command:
        calls.append(("on_failure.command", _run))
    if hook.url:
        calls.append(("on_failure.url", _post))
    for setting, call in calls:
        try:
            problem = call(hook, content)
        except (OSError, ValueError) as error:
            problem = _words(error)
        if problem:
            LOG.warning(f"{setting} could not be told of the failure: {problem}")


def _run(hook: OnFailureConfig, content: str) -> str | None:
    """Run the command with the JSON on stdin; what it prints is not shown, it may name secrets."""
    with subprocess.Popen(
        hook.command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            process.communicate(content.encode(), timeout=hook.timeout_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return f"it took more than {hook.timeout_seconds:g} seconds"
    return f"it ended with exit code {process.returncode}" if process.returncode else None


def _post(hook: OnFailureConfig, content: str) -> str | None:
    """POST the JSON; the URL may hold a secret, so that only its host is shown."""
    headers = {"Content-Type": "application/json", **hook.headers}
    request = urllib.request.Request(hook.url or "", content.encode(), headers, method="POST")
    host = urlsplit(hook.url or "").hostname
    try:
        with urllib.request.urlopen(request, timeout=hook.timeout_seconds):
            return None
    except urllib.error.HTTPError as error:
        return f"{host} answered {error.code}"
    except OSError as error:
        return f"{host}: {_words(error)}"


def _words(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or type(reason).__name__)
