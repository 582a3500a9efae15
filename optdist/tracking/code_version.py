"""Tags a run with the version and the commit of the code that it runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

from optdist.version import __version__

_TREE = Path(__file__).resolve().parents[2]


def code_tags(tree: Path = _TREE) -> dict[str, str]:
    """Return a run's tags: optdist's version and, where `tree` is a git checkout, its commit."""
    tags = {"optdist_version": __version__}
    if not (tree / ".git").exists():  # git would look for one further up, in another project
        return tags
    try:
        commit = subprocess.run(
            ["git", "-C", str(tree), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):  # no git, or a checkout of another user
        return tags
    return tags | {"mlflow.source.git.commit": commit.stdout.strip()}
