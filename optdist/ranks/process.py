"""Starts one rank's process, reads its signs of life, and ends it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optdist.ranks.child import PARENT, PULSE, RESULT
from optdist.ranks.pulse import PROGRESS
from optdist.ranks.watch import Sign


@dataclass(frozen=True)
class Call:
    """What every rank runs: `module:function` and its arguments, which are JSON."""

    function: str
    args: Sequence[Any]


class RankProcess:
    """A rank that runs in a session of its own."""

    def __init__(self, rank: int, call: Call, environment: Mapping[str, str], log: Path) -> None:
        """Start the process.

        Args:
            rank: its number, from 0.
            call: what it runs.
            environment: all of its variables, but for those of this module.
            log: the file that what it prints is added to.
        """
        self.rank, self.log = rank, log
        self._alive = self._progress = 0
        self._result = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `result` or `end`
        self._pulse, sending = os.pipe()
        os.set_blocking(self._pulse, False)
        own = {PARENT: os.getpid(), PULSE: sending, RESULT: self._result.fileno()}
        try:
            with log.open("ab") as output, tempfile.TemporaryFile("w+") as arguments:
                json.dump(list(call.args), arguments)
                arguments.seek(0)
                self._process = subprocess.Popen(
                    [sys.executable, "-u", "-m", "optdist.ranks.child", call.function],
                    stdin=arguments,
                    stdout=output,
                    stderr=output,
                    env={**environment, **{name: str(value) for name, value in own.items()}},
                    pass_fds=(sending, self._result.fileno()),
                    start_new_session=True,
                )
        finally:
            os.close(sending)

    def sign(self) -> Sign:
        """What is known of the process now."""
        code = self._process.poll()
        with suppress(BlockingIOError):
            signs = os.read(self._pulse, 4096)
            self._alive += len(signs)
            self._progress += signs.count(PROGRESS)
        return Sign(
            rank=self.rank,
            host=socket.gethostname(),
            pid=self._process.pid,
            log=str(self.log),
            alive=self._alive,
            progress=self._progress,
            code=code,
            error=self._outcome().get("error") if code else None,
            stopped=code is None and _is_stopped(self._process.pid),
        )

    def result(self) -> Any:
        """What the function of an ended rank returned."""
        return self._outcome().get("result")

    def _outcome(self) -> dict[str, Any]:
        """The `result` or the `error` of an ended rank; neither where it could not say."""
        self._result.seek(0)
        try:
            outcome: dict[str, Any] = json.loads(self._result.read())
        except ValueError:
            return {}
        return outcome

    def end(self) -> None:
        """Kill the process and what it started, if it still runs; a stopped one dies, too."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        with suppress(OSError):
            os.close(self._pulse)
        self._result.close()


def _is_stopped(pid: int) -> bool:
    """Whether a signal has stopped the process; only Linux says so."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state in {"T", "t"}
