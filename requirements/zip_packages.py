"""Zips the project's packages for a cluster's executors and prints the archive's path.

The name holds the content's hash: a running job keeps the archive that it was started with.
"""

import hashlib
import os
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("optdist", "pipelines")
SUFFIXES = {".py", ".typed", ".yaml"}


def sources() -> list[Path]:
    """The files that make up the packages, in a fixed order."""
    found = (path for package in PACKAGES for path in (ROOT / package).rglob("*"))
    return sorted(path for path in found if path.suffix in SUFFIXES and path.is_file())


def main() -> None:
    """Write the archive where it is missing, in one move."""
    contents = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in sources()}
    digest = hashlib.sha256(repr(sorted(contents.items())).encode()).hexdigest()[:12]
    archive = ROOT / ".venv" / ".optdist" / f"optdist-{digest}.zip"
    if not archive.exists():
        unfinished = archive.with_suffix(f".{os.getpid()}")
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, content in contents.items():
                bundle.writestr(name, content)
        unfinished.replace(archive)
    print(archive)


if __name__ == "__main__":
    main()
