"""Connects to an MLflow store, and says in one sentence what is wrong with one that fails."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from optdist.errors import OptDistError, StoreError
from optdist.log import LOG
from optdist.tracking.mlflow_globals import hide_credentials, point_to, quiet

T = TypeVar("T")
_SECONDS = 30.0  # that a store may take to answer before it counts as unreachable

_PATIENCE = 10.0  # seconds after which a call that still waits is spoken of

# MLflow asks a server that does not answer for minutes. These let it ask one that refuses to
# connect for about 10 seconds, and one that connects and then says nothing for about 90.
for _name, _value in {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}.items():
    os.environ.setdefault(_name, _value)

# MLflow's codes of answers, which say something about a run or version and not about the store
_ANSWERS = re.compile("RESOURCE_.*|INVALID_.*|NOT_FOUND|ENDPOINT_NOT_FOUND|ABORTED|CANCELLED")
_REASONS = {
    "locked": "its data base is locked by another process",
    "readonly|read-only|Read-only": "it is read-only",
    "disk is full|No space left": "there is no space left for it: database or disk is full",
    "unable to open database|Permission denied": "its file cannot be opened or made",
    "not a database|malformed": "its file is damaged",
    "refused": "nothing listens there",
    "timed out|did not answer|Timeout": "it does not answer",
    "NameResolution|not known|could not translate host|Temporary failure": "its host is not known",
    "authentication|UNAUTHENTICATED|PERMISSION_DENIED|401|403": "it refuses the credentials given",
    "RemoteDisconnected|Connection aborted|reset by peer|server closed": "it ended the connection",
    "error code 5\\d\\d|too many 5\\d\\d": "its server answers with an internal error",
}
_SQL = re.compile(r"\s*(\[SQL:|\[parameters:|\(Background on).*", re.DOTALL)
_CLASS = re.compile(r"^\([\w.]+\)\s*")  # "(sqlite3.OperationalError) "


def explain_failure(uri: str, error: BaseException) -> str:
    """What to say of a store that fails: one sentence, without credentials and SQL.

    Args:
        uri: the store's.
        error: what MLflow, its database or the network raised.
    """
    text = _SQL.sub("", str(error)).replace(uri, hide_credentials(uri)).strip()
    reason = next((said for known, said in _REASONS.items() if re.search(known, text)), None)
    if reason is None:
        line = next(iter(text.splitlines()), type(error).__name__)
        reason = _CLASS.sub("", line)[:200].rstrip(". ")
    return (
        f"MLflow at {hide_credentials(uri)} cannot be used: {reason}. Put that right, or name "
        f"another store in MLFLOW_TRACKING_URI or tracking.uri; then start the job again."
    )


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turn a store's failure into a `StoreError`; its answers, such as "no such run", stay.

    Raises:
        StoreError: the store could not be reached, read or written.
    """
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with quiet():
            yield
    except MlflowException as error:
        if _ANSWERS.fullmatch(str(error.error_code)):
            raise
        raise StoreError(explain_failure(uri, error)) from error
    except (RequestException, SQLAlchemyError, ConnectionError, TimeoutError) as error:
        raise StoreError(explain_failure(uri, error)) from error


class GuardedClient:
    """An `mlflow.MlflowClient` whose calls raise `StoreError` where the store fails."""

    def __init__(self, client: Any, uri: str) -> None:
        """Wrap a client of the store at `uri`."""
        self._client, self._uri = client, uri

    def __getattr__(self, name: str) -> Any:
        """An attribute of the client; its methods are guarded."""
        value = getattr(self._client, name)
        if not callable(value):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            with store_errors(self._uri), _spoken_of(self._uri):
                return value(*args, **kwargs)

        return call


@contextmanager
def _spoken_of(uri: str) -> Iterator[None]:
    """Say that a store lets the job wait, while it does."""
    place = hide_credentials(uri)
    text = f"MLflow at {place} has not answered for {_PATIENCE:g} seconds; the job waits for it"
    timer = threading.Timer(_PATIENCE, LOG.warning, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def client_of(uri: str) -> Any:
    """A client of the store, to which `mlflow.*` points from now on.

    Raises:
        StoreError: the store cannot be reached.
    """
    import mlflow

    point_to(uri)
    try:
        with store_errors(uri):
            _require_database(uri)
            return GuardedClient(mlflow.MlflowClient(), uri)
    except OptDistError:
        raise
    except Exception as error:  # every kind of store raises its own
        raise StoreError(explain_failure(uri, error)) from error


def _require_database(uri: str) -> None:
    """Connect to a database once: MLflow would try for minutes, and print each attempt."""
    scheme = urlsplit(uri).scheme
    if scheme in {"", "file", "http", "https", "uc"} or scheme.startswith("databricks"):
        return
    import sqlalchemy

    file = sqlalchemy.make_url(uri).database if scheme.startswith("sqlite") else None
    if file and not file.startswith("file:"):
        with suppress(OSError):  # to connect says the same in its words
            Path(file).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.pool.NullPool)

    def connect() -> None:
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("SELECT 1"))

    call_within(_SECONDS, connect)


def call_within(seconds: float, call: Callable[[], T]) -> T:
    """Call a function in a thread, which is left alone if it takes longer.

    Args:
        seconds: how long it may take.
        call: the function.

    Raises:
        TimeoutError: it took longer.
    """
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
        raise TimeoutError(f"did not answer within {seconds:g} seconds")
    return results[0]
