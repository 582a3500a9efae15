"""Checks the folder of everything that jobs write, and its disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from optdist.errors import ConfigError
from optdist.files import require_writable
from pipelines.dry_run.report import Report
from pipelines.dry_run.sizes import in_words


def check_root(report: Report, root: Path) -> int | None:
    """Look whether `paths.root` can be written; the bytes that are free there, or None.

    Args:
        report: what is found.
        root: the folder, which need not be there yet.
    """
    with report.check("paths.root") as attempt:
        place = require_writable(root)
        free = shutil.disk_usage(place).free
        new = "" if place == root else ", which will be made"
        attempt.say(f"{root}{new}; {in_words(free)} free")
    return None if attempt.failed else free


def check_disk(report: Report, needed: float, free: int | None) -> None:
    """Compare the disk that a job needs with what is free.

    Args:
        report: what is found.
        needed: by an estimate [bytes].
        free: below `paths.root`; None: not known [bytes].
    """
    if free is None:
        return
    with report.check("disk") as attempt:
        if needed > free:
            raise ConfigError(
                f"About {in_words(needed)} are needed at paths.root, and {in_words(free)} are "
                f"free. Remove what is not needed (jobs/clean.py), or choose another paths.root."
            )
        attempt.say(f"about {in_words(needed)} of {in_words(free)}")
