"""Checks what a draft of a data set's YAML needs: settings, tables, and a place to write it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.drafting.checking import checker, refuse_existing, shared_config
from pipelines.drafting.files import table_of
from pipelines.drafting.request import Request
from pipelines.dry_run.quick_session import quick_session
from pipelines.dry_run.report import Report
from pipelines.dry_run.tables import look_at_table


def dry_run_draft(
    request: Request, out: Path | None, env: str, overrides: Sequence[str], *, force: bool
) -> Report:
    """What `jobs/draft.py` would read, and whether it could write.

    Args:
        request: the tables, and what the user gives.
        out: the job's option.
        env: the job's option.
        overrides: the job's `--set`.
        force: the job's option.
    """
    report, check = Report("draft"), checker(env, overrides)
    with report.check("--out") as attempt:
        refuse_existing(out, force=force)
        attempt.say(str(out) if out else "the draft is printed")
    with report.check("configuration") as attempt:
        config = shared_config(check)
    if attempt.failed:
        return report
    spark = quick_session(config.spark, "dry run of a draft")
    for argument in request.tables:
        with report.check(f"table {argument}") as attempt:
            name, _, table = table_of(argument, request, check)
            look_at_table(attempt, spark, name, table)
    return report
