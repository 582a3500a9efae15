"""Opens an MLflow store only to read it: nothing is created where it has not been used yet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from optdist.config import Config
from optdist.errors import OptDistError, StoreError
from optdist.tracking.mlflow_globals import hide_credentials, quiet
from optdist.tracking.registry import Registry
from optdist.tracking.store import call_within, client_of, explain_failure
from optdist.tracking.tracker import tracking_uri


def open_existing(config: Config, seconds: float = 10) -> Registry | None:
    """The registry of a configuration, if its store is there; nothing is written.

    Args:
        config: names the store and the model.
        seconds: how long the store may take to answer.

    Returns:
        The registry; None where a job would create the store.

    Raises:
        StoreError: the store does not work, or does not answer in time.
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
            return call_within(seconds, connect)
    except TimeoutError:
        raise StoreError(
            f"MLflow at {hide_credentials(uri)} did not answer within {seconds:g} seconds. Start "
            f"it, or set MLFLOW_TRACKING_URI or tracking.uri."
        ) from None
    except OptDistError:
        raise
    except Exception as error:  # every kind of store raises its own
        raise StoreError(explain_failure(uri, error)) from error


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
