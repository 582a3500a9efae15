"""Times the feature job on Complete Journey step by step, alone or in turn with another clone's.

Each round builds the features again in a new folder, one process per build. Wall time is what a
user waits; CPU time is that of the whole process tree, Spark included, and hardly depends on what
else the machine does. Against another clone (`--against`) the ratio is taken within a round.
"""

import argparse
import ctypes
import os
import re
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
TREE = Path(__file__).resolve().parents[1]
_STEP = re.compile(r"^  (?:\d.*?samples|(schema|encoded)\b).*\((\d+) s\)$")


@dataclass(frozen=True)
class Build:
    """What one build took [seconds]."""

    cpu: float
    wall: float
    steps: dict[str, int]  # wall time


def main() -> None:
    """Print the medians of the current tree, and the ratios to another one."""
    options = _options()
    _adopt_orphans()
    trees = {"this tree": TREE} | ({"other": options.against} if options.against else {})
    rounds: list[dict[str, Build]] = []
    for i in range(options.rounds):
        names = list(trees) if i % 2 == 0 else list(trees)[::-1]
        rounds.append({name: build(trees[name], options.dataset, options.set) for name in names})
    print(f"{options.dataset}, {options.rounds} rounds, load average {os.getloadavg()[0]:.1f}")
    for name in trees:
        builds = [each[name] for each in rounds]
        steps = {
            step: statistics.median(each.steps[step] for each in builds) for step in builds[0].steps
        }
        print(
            f"{name:10} CPU {_spread([each.cpu for each in builds])} s, "
            f"wall {_spread([each.wall for each in builds])} s, "
            f"of it {', '.join(f'{step} {seconds:.0f} s' for step, seconds in steps.items())}"
        )
    if options.against:
        ratios = [each["this tree"].cpu / each["other"].cpu for each in rounds]
        print(f"CPU time of this tree / other: {_spread(ratios, digits=2)}")


def build(tree: Path, dataset: str, changes: list[str]) -> Build:
    """Build a data set's features with a clone's job, in a folder that is removed again.

    Args:
        tree: the clone, with its own environment.
        dataset: a name in its conf/datasets.
        changes: settings, as `--set` takes them.
    """
    root = tempfile.mkdtemp(prefix="features-")
    settings = [part for change in (f"paths.root={root}", *changes) for part in ("--set", change)]
    command = [tree / "spark-submit.sh", tree / "jobs/build_features.py", "--dataset", dataset]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    try:
        done = subprocess.run(
            [*command, *settings], cwd=tree, stdout=subprocess.PIPE, text=True, check=True
        )
        _wait_for_orphans()
    finally:
        shutil.rmtree(root)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = [match for line in done.stdout.splitlines() if (match := _STEP.match(line))]
    return Build(cpu, wall, {match[1] or "samples": int(match[2]) for match in found})


def _adopt_orphans() -> None:
    """Become the parent of processes whose own parent ends first, as Java's may."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _wait_for_orphans() -> None:
    """CPU time counts once a process has been waited for."""
    with suppress(ChildProcessError):
        while True:
            os.wait()


def _spread(values: list[float], digits: int = 0) -> str:
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="complete_journey", help="a name in conf/datasets")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", type=Path, help="another clone, with a .venv of its own")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
