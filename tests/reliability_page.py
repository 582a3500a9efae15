"""The page docs/reliability.md: what happens when something breaks, as tests found it.

A test that breaks something says what it saw by `record`, which holds the committed page equal to
it, but for the seconds. `make reliability` runs these tests, collects what they see, and writes the
page.
"""

import json
import os
import re
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
COLLECT = "RELIABILITY_RESULTS"  # a file: outcomes are added to it instead of compared
HEAD = """# What happens when something breaks

Each fault is done to the real processes by a test, and what comes of it is compared with a run that
nothing disturbed. `make reliability` writes this page from what the tests see, and a test fails
where the page says something else. Seconds are from the fault until the job has done its work, on
two cores that do other work too, with a silence of a few seconds instead of the default 120. `…`
stands for a folder, N, HOST, TIME and ID for what differs from run to run.
"""
SECTIONS: dict[str, dict[str, str]] = {
    "Training": {
        "rank_killed_in_spark": "kill -9 of a rank in an epoch",
        "rank_stopped_in_spark": "SIGSTOP of a rank in an epoch",
    },
    "Jobs that are stopped or killed": {
        "killed_publishing": "SIGTERM between staging and publishing",
        "killed_promoting": "kill -9 while promoting",
    },
    "Days and rows": {
        "bad_rows_few": "few bad rows",
        "bad_rows_all": "bad rows alone",
        "header_alone": "a file with a header alone",
        "empty_day": "a day without events",
        "time_zone": "another time zone of the machine",
        "clock_change": "the night in which clocks change",
        "clock_set_back": "a clock that was set back",
    },
    "Jobs that meet": {
        "two_builds": "two jobs that build the same features",
        "two_trainings": "two jobs that train with the same settings on the same features",
        "two_scorings": "two jobs that score the same date",
        "promoted_while_scoring": "a promotion while a date is scored",
        "cleaned_while_training": "cleaning while a model is trained",
    },
    "Damaged files": {
        "damaged_checkpoint": "a checkpoint that is cut off or has a changed bit, anywhere",
        "damaged_table": "manifest or schema of a feature table cut off or changed",
        "damaged_encoded": "a changed bit in an encoded Parquet file",
        "damaged_package": "a changed bit in a model's weights or schema",
        "damaged_published": "published scores that are cut off",
        "damaged_manifest": "the manifest of published scores cut off or with a changed bit",
    },
    "Full disks": {
        "disk_full_building": "a full disk while features are built",
        "disk_full_staging": "a full disk while scores are staged",
        "disk_full_publishing": "a full disk when scores get their manifest",
    },
    "MLflow": {
        "server_hangs": "a server that connects and then says nothing",
        "store_read_only": "a store that may only be read",
    },
}
FAULTS = {key: fault for rows in SECTIONS.values() for key, fault in rows.items()}
NOTHING = "nothing"
# What differs from run to run in an error's text
_VARYING = {
    r"\([\w.-]+, process \d+, since [^)]+\)": "(HOST, process N, since TIME)",
    r"process \d+": "process N",
    r" on [\w.-]+\)": " on HOST)",
    r"for \d+ seconds": "for N seconds",
    r"below …(?=[ .])": "below paths.root",
    r"part-(\d+)-[-\w.]+\.parquet": r"part-\1.parquet",
    r"…\S*/": "…/",
    r"…/(unfinished-\w+|\d+)-[0-9a-f]{8,}\b": r"…/\1-ID",
    r"…/[0-9a-f]{8,}\b": "…/ID",
}


def record(key: str, happened: str, seconds: float, lost: str = NOTHING) -> None:
    """Compare an outcome with the page, or collect it for a new page.

    Args:
        key: of the fault.
        happened: what the job did and said, without what differs from run to run.
        seconds: from the fault until the work was done; 0: it cost no time.
        lost: what had to be done again, or is gone.
    """
    if os.environ.get(COLLECT):
        with Path(os.environ[COLLECT]).open("a") as results:
            results.write(json.dumps({key: [happened, lost, seconds]}) + "\n")
        return
    start = row(key, happened, lost, 0).rpartition("|")[0].rpartition("|")[0]
    assert start in PAGE.read_text(), (
        f"docs/reliability.md says something else of {key} than `{start}`. If the new outcome is "
        f"right, write the page again: make reliability."
    )


def sentence(error: object, *folders: Path) -> str:
    """An error's text without this run's folders, processes and times."""
    text = str(error)
    for folder in sorted(map(str, folders), key=len, reverse=True):
        text = text.replace(f"file://{folder}", "…").replace(folder, "…")
    for pattern, replacement in _VARYING.items():
        text = re.sub(pattern, replacement, text)
    return text.removeprefix("error: ")


def row(key: str, happened: str, lost: str, seconds: float) -> str:
    """A line of the table."""
    cells = [
        cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("*", "\\*")
        for cell in (happened, lost)
    ]
    took = f"{seconds:.0f}" if seconds >= 1 else "under 1" if seconds else "none"
    return f"| {FAULTS[key]} | {cells[0]} | {cells[1]} | {took} |".replace("<", "&lt;")


def page(outcomes: dict[str, list]) -> str:
    """The whole page."""
    lines = [HEAD]
    for section, rows in SECTIONS.items():
        lines += [
            f"## {section}\n",
            "| Fault | What happens | Lost | Seconds |",
            "|---|---|---|---|",
        ]
        lines += [row(key, *outcomes[key]) for key in rows if key in outcomes]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    outcomes: dict[str, list] = {}
    for line in Path(sys.argv[1]).read_text().splitlines():
        for key, (happened, lost, seconds) in json.loads(line).items():
            outcomes[key] = [happened, lost, seconds]
    missing = [key for key in FAULTS if key not in outcomes]
    if missing:
        sys.exit(f"no outcome of {', '.join(missing)}; the page stays as it is")
    PAGE.write_text(page(outcomes))
    print(f"{PAGE}: {len(outcomes)} rows")
