"""Decides which rank is lost: one that ended too early, or that was silent for too long."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict

from optdist.config import HorovodConfig
from optdist.errors import TrainingError


class Sign(BaseModel):
    """What is known of a rank's process at some moment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int
    host: str
    pid: int
    log: str  # the file of what it prints
    alive: int = 0  # signs of life so far
    progress: int = 0  # those among them that came with work done
    code: int | None = None  # its exit code, the negative number of a signal, or None: it runs
    error: str | None = None  # why it ended, if it could say
    stopped: bool = False  # by a signal

    @property
    def process(self) -> str:
        """The rank and its process, in words."""
        return f"Rank {self.rank} (process {self.pid} on {self.host})"


class RanksFailed(TrainingError):
    """Ranks that are lost: all have ended.

    Attributes:
        reason: why, if no rank was killed or hung and one could say it.
    """

    def __init__(self, text: str, reason: str | None = None) -> None:
        """Keep the sentence that says which rank ended how."""
        super().__init__(text)
        self.reason = reason

    @classmethod
    def ended(cls, signs: Sequence[Sign]) -> RanksFailed | None:
        """The error of the first rank that ended too early, if one did.

        A rank that a signal killed comes first, because the others end with an error when they
        miss it.
        """
        early = [sign for sign in signs if sign.code]
        if not early:
            return None
        first = min(early, key=lambda sign: ((sign.code or 0) > 0, sign.error is None))
        code = first.code or 0
        return cls(f"{first.process} {_how(code)}; see {first.log}.", first.error)


class Watch:
    """Looks at the ranks' signs again and again.

    Ranks move in step: when one hangs, the others wait. So a rank hangs if its process gives no
    sign at all, or if none of the ranks gets on.
    """

    def __init__(self, horovod: HorovodConfig, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin the time until the first batch.

        Args:
            horovod: how long ranks may be silent, before their first batch and after it.
            clock: seconds that only grow; a host's time of day may be set back.
        """
        self._first, self._silence = horovod.first_batch_seconds, horovod.silence_seconds
        self._clock = clock
        self._started = clock()
        self._counts = dict[tuple[int, str], tuple[int, float]]()  # and when they last grew

    def silent(self, signs: Sequence[Sign]) -> RanksFailed | None:
        """The error of a rank that hangs, if one does."""
        now = self._clock()
        running = [sign for sign in signs if sign.code is None]
        quiet = {sign.rank: now - self._grew(sign, "alive", sign.alive, now) for sign in running}
        still = {s.rank: now - self._grew(s, "progress", s.progress, now) for s in running}
        for sign in running:
            if quiet[sign.rank] > (self._silence if sign.alive else self._first):
                return _hangs(sign, quiet[sign.rank], "gave no sign of life")
        waiting = self._silence if all(sign.progress for sign in running) else self._first
        if running and min(still.values()) > waiting:
            mute = max(running, key=lambda sign: quiet[sign.rank])
            if mute.alive and quiet[mute.rank] > self._silence / 2:  # the others wait for it
                return _hangs(mute, quiet[mute.rank], "gave no sign of life")
            last = max(running, key=lambda sign: still[sign.rank])
            return _hangs(last, still[last.rank], "finished no batch, and no other rank did,")
        return None

    def _grew(self, sign: Sign, name: str, count: int, now: float) -> float:
        """When a rank's count last grew."""
        before, since = self._counts.get((sign.rank, name), (0, self._started))
        if count > before:
            before, since = count, now
        self._counts[sign.rank, name] = before, since
        return since


def _hangs(sign: Sign, seconds: float, what: str) -> RanksFailed:
    why = "a signal had stopped it" if sign.stopped else "it hung, or its host did"
    return RanksFailed(
        f"{sign.process} {what} for {seconds:.0f} seconds ({why}), and was killed; see {sign.log}."
    )


def _how(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "unknown"
    hint = ", perhaps because memory ran out" if -code == signal.SIGKILL else ""
    return f"was killed by signal {-code} ({name}{hint})"
