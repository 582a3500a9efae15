"""Keeps MLflow's global state in order: the URI that it uses, and what it prints."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # hundreds of lines in a log


def point_to(uri: str) -> None:
    """Make `mlflow.*` use `uri`, but not the next `Tracker`: MLflow would set the variable too."""
    import mlflow

    name = "MLFLOW_TRACKING_URI"
    before = os.environ.get(name)
    mlflow.set_tracking_uri(uri)
    if before is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = before


@contextmanager
def quiet() -> Iterator[None]:
    """Keep MLflow's and alembic's messages out of the job's output; errors still raise.

    MLflow logs the SQL and the traceback of an error that it also raises.
    """
    loggers = [
        logging.getLogger(name)
        for name in ("mlflow", "mlflow.store.db.utils", "alembic", "alembic.runtime.migration")
    ]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def hide_credentials(uri: str) -> str:
    """A tracking URI without the user and password that it may contain."""
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
