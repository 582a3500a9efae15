"""A PostgreSQL of the tests' own, started from Debian's packages."""

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

DRIVER = Path("/usr/share/java/postgresql.jar")
_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
_OWNER = "postgres"  # initdb refuses to run as root; Debian's package makes this user
USER, PASSWORD, DATABASE = "reader", "s3cret-pw/9", "shop"


@dataclass(frozen=True)
class Server:
    """A running server that listens on the loopback interface alone."""

    folder: Path
    port: int

    @property
    def url(self):
        return f"jdbc:postgresql://127.0.0.1:{self.port}/{DATABASE}"

    def sql(self, *statements, database=DATABASE):
        """Run statements as the server's owner."""
        for statement in statements:
            options = ["-h", str(self.folder), "-p", str(self.port), "-U", _OWNER, "-d", database]
            _run("psql", "-qAt", "-v", "ON_ERROR_STOP=1", *options, "-c", statement)

    def copy(self, table, file):
        """Fill a table with a CSV file that has a header."""
        with file.open() as rows:
            options = ["-h", str(self.folder), "-p", str(self.port), "-U", _OWNER, "-d", DATABASE]
            _run("psql", *options, "-c", f"COPY {table} FROM STDIN CSV HEADER", stdin=rows)


def require():
    """Skip the test, or fail it in CI, where Debian's packages are missing."""
    if _BINARIES and DRIVER.exists() and shutil.which("setpriv"):
        return
    message = "needs Debian's packages: apt-get install postgresql libpostgresql-jdbc-java"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def running():
    """A server with a database and a user with a password, gone after the block."""
    folder = Path(tempfile.mkdtemp(prefix="optdist-pg-"))  # pytest's own folders are root's alone
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _OWNER, _OWNER)
        owner = ["-U", _OWNER, "--auth-local=trust", "--auth-host=scram-sha-256"]
        _run("initdb", "-D", str(folder / "data"), *owner, "--no-sync", "--no-instructions")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"
        control = ["-D", str(folder / "data"), "-l", str(folder / "log"), "-w"]
        _run("pg_ctl", *control, "-o", settings, "start")
        try:
            server = Server(folder, port)
            server.sql(
                f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'",
                f"CREATE DATABASE {DATABASE} OWNER {USER}",
                database="postgres",
            )
            server.sql(f"GRANT pg_read_all_data TO {USER}")
            yield server
        finally:
            _run("pg_ctl", *control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(program, *arguments, stdin=subprocess.DEVNULL):
    command = [str(_BINARIES[-1].with_name(program)), *arguments]
    if os.geteuid() == 0:
        command = ["setpriv", f"--reuid={_OWNER}", f"--regid={_OWNER}", "--clear-groups", *command]
    done = subprocess.run(
        command, stdin=stdin, capture_output=True, text=True, cwd="/", timeout=120
    )
    assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
