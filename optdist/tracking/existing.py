"""Opens an MLflow store only to read it: nothing is created where it has not been used yet."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from optdist.config import Config
from optdist.errors import ModelError
from optdist.tracking.mlflow_globals import hide_credentials, quiet
from optdist.tracking.registry import Registry
from optdist.tracking.tracker import client_of, explain_failure, tracking_uri

T = TypeVar("T")


def open_existing(config: Config, seconds: float = 10) -> Registry | None:
    """The registry of a configuration, if its store is there; nothing is written.

    Args:
        config: names the store and the model.
        seconds: how long the store may take to answer.

    Returns:
        The registry; None where a job would create the store.

    Raises:
        ModelError: the store does not work, or does not answer in time.
    """
    uri = tracking_uri(config)

    def connect() -> Registry | None:
        if not _is_there(uri):
            return None
        registry = Registry(client_of(uri), uri, config.model_name, config.layout)
        registry.client.get_experiment_by_name(config.tracking.experiment)  # does it answer?
        return registry

    try:
        with quiet(), _one_attempt(seconds):
            return _within(seconds, connect)
    except TimeoutError:
        raise ModelError(
            f"MLflow at {hide_credentials(uri)} did not answer within {seconds:g} seconds. Start "
            f"it, or set MLFLOW_TRACKING_URI or tracking.uri."
        ) from None
    except Exception as error:  # every kind of store raises its own
        raise ModelError(explain_failure(uri, error)) from error


@contextmanager
def _one_attempt(seconds: float) -> Iterator[None]:
    """Let MLflow ask a server once: it would try one that does not answer for minutes."""
    changes = {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, int(seconds))),
    }
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _is_there(uri: str) -> bool:
    """Whether a store is there, so that opening it makes neither a file nor a table."""
    parts = urlsplit(uri)
    if parts.scheme in {"", "file"}:
        return Path(parts.path).is_dir()
    if parts.scheme in {"http", "https"} or parts.scheme.startswith("databricks"):
        return True
    import sqlalchemy

    url = sqlalchemy.make_url(uri)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return False
    engine = sqlalchemy.create_engine(url)
    try:
        return "experiments" in sqlalchemy.inspect(engine).get_table_names()
    finally:
        engine.dispose()


def _within(seconds: float, call: Callable[[], T]) -> T:
    """Call a function in a thread, which is left alone if it takes longer."""
    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:  # raised again in the caller
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]
