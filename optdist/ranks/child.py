"""Runs a function as one rank: `python -m optdist.ranks.child module:function`.

The arguments come as JSON from the standard input, and the result, or why there is none, goes as
JSON to a descriptor. The process dies when the one that started it does, even while it is stopped.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys

from optdist.ranks import pulse
from optdist.ranks.errors import MissingRankError

PARENT, PULSE, RESULT = "OPTDIST_RANK_PARENT", "OPTDIST_RANK_PULSE", "OPTDIST_RANK_RESULT"
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main() -> None:
    """Call the function that the command line names."""
    die_with(int(os.environ.pop(PARENT)))
    pulse.start(int(os.environ.pop(PULSE)))
    descriptor = int(os.environ.pop(RESULT))
    module, _, name = sys.argv[1].partition(":")
    args = json.load(sys.stdin)
    with os.fdopen(descriptor, "w") as file:
        try:
            json.dump({"result": getattr(importlib.import_module(module), name)(*args)}, file)
        except MissingRankError:
            raise
        except Exception as error:  # the disk of its log may be full
            json.dump({"error": str(error) or type(error).__name__}, file)
            raise


def die_with(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies; elsewhere the pulse notices it.

    Args:
        parent: the parent's id, which may be gone by now.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
