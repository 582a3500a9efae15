"""Runs a job's script that waits when it comes to a function, for a test to break it there.

python pausing.py MODULE:FUNCTION MARK SECONDS JOB.py [ARGUMENTS]: a file MARK appears when FUNCTION
(or a method, as MODULE:CLASS.METHOD) is called, which then waits before it does its work.
"""

import importlib
import runpy
import sys
import time
from pathlib import Path


def main(target, mark, seconds, job, *args):
    module, _, name = target.partition(":")
    owner = importlib.import_module(module)
    *owners, name = name.split(".")
    for part in owners:
        owner = getattr(owner, part)
    real = getattr(owner, name)

    def waiting(*positional, **named):
        Path(mark).touch()
        time.sleep(float(seconds))
        return real(*positional, **named)

    setattr(owner, name, waiting)
    sys.argv = [job, *args]
    runpy.run_path(job, run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
