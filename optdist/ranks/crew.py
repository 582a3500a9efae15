"""Runs all ranks as children of this process, on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optdist.config import HorovodConfig
from optdist.ranks.process import Call, RankProcess
from optdist.ranks.rendezvous import Rendezvous, interface_towards, meeting_environment
from optdist.ranks.watch import RanksFailed, Sign, Watch

_POLL_SECONDS = 0.1
_FAREWELL_SECONDS = 3  # for the other ranks to say why they end


def rank_log(log: Path, rank: int | str) -> Path:
    """The file next to `log` that has what one rank prints; '*' stands for every rank."""
    return log.with_name(f"rank-{rank}.{log.name}")


def run_here(
    call: Call, ranks: int, log: Path, environment: Mapping[str, str], horovod: HorovodConfig
) -> list[Any]:
    """Run a function on ranks of this machine that find each other on its loopback interface.

    Args:
        call: what each rank runs.
        ranks: how many.
        log: `rank_log` names the files of what they print after it.
        environment: variables of every rank.
        horovod: how long ranks may be silent.

    Returns:
        What each rank returned, in their order.

    Raises:
        RanksFailed: a rank ended too early or hung; all have ended now.
    """
    processes = list[RankProcess]()
    with Rendezvous() as meeting:
        try:
            interface = interface_towards(meeting.channel.address)
            common = {**environment, **meeting_environment(meeting.channel, interface)}
            for rank, slot in enumerate(meeting.slots(["localhost"] * ranks)):
                processes.append(RankProcess(rank, call, common | slot, rank_log(log, rank)))
            _wait(processes, Watch(horovod))
            return [process.result() for process in processes]
        finally:
            for process in processes:
                process.end()


def _wait(processes: Sequence[RankProcess], watch: Watch) -> None:
    signs = list[Sign]()
    while not signs or any(sign.code is None for sign in signs):
        time.sleep(_POLL_SECONDS)
        signs = [process.sign() for process in processes]
        if any(sign.code for sign in signs) and not any((sign.code or 0) < 0 for sign in signs):
            signs = _last_signs(processes)
        failure = RanksFailed.ended(signs) or watch.silent(signs)
        if failure:
            raise failure


def _last_signs(processes: Sequence[RankProcess]) -> list[Sign]:
    """The signs after a rank ended too early, when the others have had time to end as well."""
    until = time.monotonic() + _FAREWELL_SECONDS
    while True:
        signs = [process.sign() for process in processes]
        if time.monotonic() > until or all(sign.code is not None for sign in signs):
            return signs
        time.sleep(_POLL_SECONDS)
