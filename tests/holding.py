"""Another process that holds a folder's lock."""

import subprocess
import sys
from contextlib import contextmanager

HOLD = """
import sys
from pathlib import Path
from optdist.files import locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(path):
    """Hold the lock in a second process; it ends with the block."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.stdin.close()
