"""Runs the daily job through a bad week on Online Retail and keeps what it printed: docs/a_week.md.

    . requirements/env.sh; .venv/bin/python benchmarks/quality/a_week.py --data FILE

Every step is a command of the README in a process of its own. A delivery is the table as it would
have been on that evening: all invoices until then, and on two evenings something is wrong with it.
"""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

TREE = Path(__file__).resolve().parents[2]
PAGE, FIGURES = TREE / "docs" / "a_week.md", TREE / "docs" / "a_week"
SUNDAY = dt.date(2011, 8, 21)
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (SUNDAY + dt.timedelta(n) for n in range(1, 6))
MATURE = dt.date(2011, 12, 9)  # the table's last day
INTRO = f"""# A week of the daily job

Online Retail, from Sunday {SUNDAY}, as if it were delivered evening by evening. Every command
ran as it stands here (with `--dataset online_retail`, the table's path and a root of its own, left
out below), and its lines are as it printed them; lines of Spark and of progress are left out. Made
by

```console
$ .venv/bin/python benchmarks/quality/a_week.py --data FILE
```
"""
Fault = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass
class Week:
    """The shop's table, its folder of artifacts, and the page as it grows."""

    raw: pd.DataFrame
    root: Path
    page: list[str] = field(default_factory=lambda: [INTRO])

    @property
    def table(self) -> Path:
        """The file that is delivered every evening."""
        return self.root / "invoices.parquet"

    def deliver(self, until: dt.date, fault: Fault = lambda rows: rows) -> None:
        """Replace the table by what there is on an evening.

        Args:
            until: the last day of the delivery.
            fault: what is wrong with it.
        """
        rows = fault(self.raw[self.raw["day"] <= str(until)].copy())
        rows.drop(columns="day").astype(object).to_parquet(self.table, index=False)

    def say(self, text: str) -> None:
        """Add a paragraph to the page."""
        self.page += [text, ""]

    def run(self, *command: str, code: int = 0, keep: str = "") -> None:
        """Run a job, and add its command, its lines and its exit code to the page.

        Args:
            command: the job and its options.
            code: the exit code that it must have.
            keep: of a long output, the lines that this pattern finds; "": all.
        """
        settings = [
            f"dataset.source.tables.invoices={{path: {self.table}, format: parquet}}",
            f"paths.root={self.root / 'artifacts'}",
        ]
        flags = [part for setting in settings for part in ("--set", setting)]
        job = [str(TREE / "spark-submit.sh"), f"jobs/{command[0]}", "--dataset", "online_retail"]
        done = subprocess.run(
            [*job, *flags, *command[1:]], cwd=TREE, capture_output=True, text=True, check=False
        )
        if done.returncode != code:
            raise SystemExit(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        lines = [self.without_paths(line) for line in printed(done.stdout + done.stderr)]
        lines = [line for line in lines if re.search(keep, line)]
        shown = " ".join(f"'{part}'" if " " in part else part for part in command)
        block = [f"$ ./spark-submit.sh jobs/{shown}", *lines, "$ echo $?", str(code)]
        self.page += ["```console", *block, "```", ""]
        print("\n".join(block), flush=True)
        self.write()

    def draw(self, report: str) -> None:
        """Show the pictures of a report.

        Args:
            report: its path below the folder of artifacts.
        """
        text = (self.root / "artifacts" / report).read_text()
        FIGURES.mkdir(exist_ok=True)
        for place, coded in enumerate(re.findall(r"data:image/png;base64,([\w+/=]+)", text)):
            path = FIGURES / f"{Path(report).parts[0]}_{place}.png"
            path.write_bytes(base64.b64decode(coded))
            self.say(f"![Picture {place + 1} of {report}]({path.relative_to(PAGE.parent)})")
        self.write()

    def write(self) -> None:
        """Write the page as far as it goes."""
        PAGE.write_text("\n".join(self.page).rstrip() + "\n")

    def without_paths(self, line: str) -> str:
        """A line without the folder of this run."""
        return line.replace(str(self.root / "artifacts"), "artifacts").replace(str(self.root), ".")


def printed(output: str) -> Iterator[str]:
    """The job's own lines."""
    for line in output.splitlines():
        line = line.rsplit("\r", 1)[-1].rstrip()
        spark = re.match(
            r"\d\d/\d\d/\d\d |Setting default log|To adjust logging|\[Stage|:: |WARN", line
        )
        if line.strip() and not spark:
            yield line


def in_cents(rows: pd.DataFrame) -> pd.DataFrame:
    """The last day's prices are in pence."""
    price = pd.to_numeric(rows["UnitPrice"])
    return rows.assign(UnitPrice=price.where(rows["day"] < str(TUESDAY), price * 100).astype(str))


def main() -> None:
    """Live through the week."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Online Retail as CSV")
    parser.add_argument("--root", type=Path, help="work folder to keep")
    options = parser.parse_args()
    root = options.root or Path(tempfile.mkdtemp())
    root.mkdir(parents=True, exist_ok=True)
    raw = pd.read_csv(options.data, dtype=str, encoding="latin1")
    raw["day"] = pd.to_datetime(raw["InvoiceDate"], format="mixed").dt.strftime("%Y-%m-%d")
    live(Week(raw, root))


def live(week: Week) -> None:
    """The days, one after the other."""
    week.deliver(SUNDAY)
    week.say("## Sunday: the first model")
    week.run("train.py", "--as-of", str(SUNDAY), keep="samples|test|version|champion|promoted")
    week.say("## Monday: a good day")
    week.deliver(MONDAY)
    week.run("score.py", "--run-date", str(MONDAY))
    week.say("## Tuesday: the last day's prices are delivered in pence; later, a right delivery")
    week.deliver(TUESDAY, in_cents)
    week.run("score.py", "--run-date", str(TUESDAY), code=4)
    week.deliver(TUESDAY)
    week.run("score.py", "--run-date", str(TUESDAY))
    week.say("## Wednesday: the day's invoices are late")
    week.deliver(TUESDAY)
    week.run("score.py", "--run-date", str(WEDNESDAY), code=4)
    week.deliver(WEDNESDAY)
    week.run("score.py", "--run-date", str(WEDNESDAY))
    week.say("## Friday: two days in one run")
    week.deliver(FRIDAY)
    week.run("score.py", "--from", str(THURSDAY), "--to", str(FRIDAY))
    week.say("## The month's end: a new model replaces the champion, and somebody goes back")
    end = dt.date(2011, 8, 31)
    week.deliver(end)
    week.run("train.py", "--as-of", str(end), "--set", "training.warm_start=champion",
             keep="carried|samples|test|version|champion|promoted")  # fmt: skip
    week.run("promote.py", "--version", "2", "--force")
    week.run("promote.py", "--explain")
    week.run("promote.py", "--rollback")
    week.run("promote.py", "--explain")
    week.say("## In December: what the customers then spent")
    week.deliver(MATURE)
    week.run("backtest.py")
    week.draw("backtests/online_retail/report.html")


if __name__ == "__main__":
    main()
