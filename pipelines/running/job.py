"""Runs a job from its command line to its exit code, and tells what it did."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from optdist.config import Config
from optdist.config.loading import read_on_failure
from optdist.config.secrets import hide_secrets
from optdist.errors import ConfigError
from optdist.log import LOG, describe_lines, write_logs_as
from optdist.privacy import USER_ALONE
from pipelines.running import stopping
from pipelines.running.failures import Failure, explain
from pipelines.running.hook import call_hook
from pipelines.running.results import JobError, JobResult, default_places, plain, write_result

Facts = Mapping[str, Any] | None
_HOOK_SECONDS = 10.0  # at most, where the job was stopped: whoever stops it waits


def main(
    run: Callable[[argparse.Namespace], Facts],
    options: argparse.ArgumentParser,
    dry_run: Callable[[argparse.Namespace], object],
    check: Callable[[argparse.Namespace], str | None] | None = None,
) -> None:
    """Run a job and exit with 0, or with the code of its error: docs/operations.md.

    An error that the user can fix is one message. A dry run that finds a problem exits as a wrong
    configuration does. No error shows a secret.

    Args:
        run: the job; it returns facts for the result file.
        options: its command line.
        dry_run: looks at what the job would do, with `--dry-run`, and returns a report with
            `problems`.
        check: what is wrong with options that do not fit each other, or None.
    """
    args = options.parse_args()
    problem = check(args) if check else None
    if problem:
        options.error(problem)
    os.umask(USER_ALONE)  # until the settings say more: `cli.load`
    write_logs_as(getattr(args, "log_format", "text"))
    started = dt.datetime.now(dt.UTC)
    result = JobResult(
        job=Path(options.prog).stem,
        run=f"{started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}",
        started=started,
        dataset=getattr(args, "dataset", None),
        env=getattr(args, "env", None),
        date=getattr(args, "run_date", None) or getattr(args, "as_of", None),
    )
    describe_lines(job=result.job, run=result.run)
    if result.date:
        describe_lines(date=result.date.isoformat())
    with stopping.raising_when_stopped():
        is_stopped = _run(result, lambda: _look(dry_run, args) if args.dry_run else run(args), args)
        _tell(result, args)
        if is_stopped:
            stopping.leave(result.exit_code)
    sys.exit(result.exit_code)


def _look(dry_run: Callable[[argparse.Namespace], object], args: argparse.Namespace) -> Facts:
    """Print the report of a dry run, and fail where it has problems."""
    report = dry_run(args)
    LOG.info(str(report))
    problems = getattr(report, "problems", None)
    if problems:
        raise _ProblemsError(f"{len(problems)} problems: the job would stop")
    return {}


class _ProblemsError(ConfigError):
    """A dry run that found problems, which it has printed."""


def _run(result: JobResult, run: Callable[[], Facts], args: argparse.Namespace) -> bool:
    """Run the job into its result; whether a signal has stopped it."""
    clock, failure, is_stopped = time.monotonic(), None, False
    try:
        result.facts = plain(run())
    except KeyboardInterrupt as error:
        is_stopped, code = True, stopping.exit_code(error)
        name, result.facts = str(error) or "SIGINT", plain(getattr(error, "facts", None))
        message = f"error: stopped by {name}. The same command continues or starts again."
        failure = Failure(code, message, "Stopped")
        LOG.error(message)
        stopping.end_children()
    except Exception as error:
        failure = explain(error, config.root if (config := _config(args)) else None)
        result.facts = plain(getattr(error, "facts", None))
        if not isinstance(error, _ProblemsError):
            LOG.error(_without_secrets(failure.message, args))
    result.seconds = round(time.monotonic() - clock, 3)
    if failure:
        result.status = "stopped" if is_stopped else "failed"
        result.exit_code = failure.exit_code
        result.checks = [_without_secrets(reason, args) for reason in failure.checks]
        summary = _without_secrets(failure.summary, args)
        result.error = JobError(kind=failure.kind, message=summary)
    return is_stopped


def _tell(result: JobResult, args: argparse.Namespace) -> None:
    """Write the result, and call the hook where the job failed; neither changes the exit code."""
    try:
        write_result(result, _places(result, args))
    except OSError as error:
        LOG.warning(f"the result could not be written: {error}")
    if args.dry_run or not result.exit_code:
        return
    try:
        hook = read_on_failure(result.dataset, result.env or "local", getattr(args, "set", []))
    except ConfigError as error:
        LOG.warning(str(error))
        return
    if result.status == "stopped":
        limit = min(hook.timeout_seconds, _HOOK_SECONDS)
        hook = hook.model_copy(update={"timeout_seconds": limit})
    call_hook(hook, result.model_dump_json())


def _places(result: JobResult, args: argparse.Namespace) -> list[Path]:
    chosen, config = getattr(args, "result", None), _config(args)
    if chosen:
        return [chosen]
    if args.dry_run or config is None:  # nothing is written, or nobody knows where
        return []
    return default_places(config.layout.results(result.job), result.run)


def _config(args: argparse.Namespace) -> Config | None:
    """The configuration, if the job got as far as reading it."""
    return getattr(args, "config", None)


def _without_secrets(text: str, args: argparse.Namespace) -> str:
    config = _config(args)
    return hide_secrets(text, config.written) if config else text
