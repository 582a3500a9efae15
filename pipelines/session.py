"""Starts Spark sessions, and sends this project's code to a cluster's executors."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pyspark import SparkContext, SparkFiles
from pyspark.sql import SparkSession

from optdist.log import is_json
from optdist.privacy import current_umask
from pipelines.running import stopping

# In an executor's working directory: ranks, which Horovod starts there, find it by this name.
CODE_ARCHIVE = "optdist.zip"
_TREE = Path(__file__).resolve().parents[1]
_JSON_LOG = _TREE / "conf" / "spark" / "log4j2-json.properties"
_SUFFIXES = {".py", ".typed", ".yaml"}


def spark_session(settings: Mapping[str, str], app_name: str) -> SparkSession:
    """The session of this job: the submitter's settings, then those of the config.

    Executors of a cluster get the code of this tree, whatever is installed on their nodes.

    Args:
        settings: Spark's settings, the section `spark`.
        app_name: the job's name in Spark's lists.
    """
    _stay_on_loopback(settings)
    builder = SparkSession.builder.appName(app_name)
    # Hadoop gives files their rights itself, whatever the process's umask is
    builder = builder.config("spark.hadoop.fs.permissions.umask-mode", f"{current_umask():03o}")
    for key, value in settings.items():
        builder = builder.config(key, value)
    if is_json():
        builder = builder.config("spark.ui.showConsoleProgress", "false")
    if "PYSPARK_SUBMIT_ARGS" in os.environ:  # else settings, also secret ones, would stand in `ps`
        SparkContext._ensure_initialized()
    session = builder.getOrCreate()
    stopping.restore()
    if is_json():
        _log_as_json(session)
    if not _is_local(session.sparkContext.master):
        _send_code(session)
    return session


def _stay_on_loopback(settings: Mapping[str, str]) -> None:
    """Let a Spark on this machine alone listen to nobody else, as spark-submit.sh does."""
    chosen = {"PYSPARK_SUBMIT_ARGS", "PYSPARK_GATEWAY_PORT", "MASTER", "SPARK_MASTER"}
    if not chosen & os.environ.keys() and _is_local(settings.get("spark.master", "local")):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")


def _log_as_json(session: SparkSession) -> None:
    """Make Spark's own warnings JSON, each on its line."""
    jvm = session.sparkContext._jvm
    if _JSON_LOG.is_file() and jvm is not None:
        configurator = jvm.org.apache.logging.log4j.core.config.Configurator
        configurator.reconfigure(jvm.java.net.URI(_JSON_LOG.as_uri()))


def _is_local(master: str) -> bool:
    return master == "local" or master.startswith("local[")


def _send_code(session: SparkSession) -> None:
    """Send the packages once a session, from a folder that Spark removes at its end."""
    archive = Path(SparkFiles.getRootDirectory()) / CODE_ARCHIVE
    if archive.exists():
        return
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        for path in _sources():
            bundle.write(path, path.relative_to(_TREE))
    session.sparkContext.addPyFile(str(archive))
    sys.path.remove(str(archive))  # the driver continues with the tree, which has conf/ next to it


def _sources() -> Iterator[Path]:
    for package in ("optdist", "pipelines"):
        for path in sorted((_TREE / package).rglob("*")):
            if path.suffix in _SUFFIXES:
                yield path
