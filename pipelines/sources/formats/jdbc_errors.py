"""Says in one sentence what a database, or its driver, refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Driver:
    """The class of a driver, and the package that has it."""

    name: str
    package: str


_DRIVERS = {
    "db2": Driver("com.ibm.db2.jcc.DB2Driver", "com.ibm.db2:jcc:12.1.0.0"),
    "derby": Driver("org.apache.derby.jdbc.EmbeddedDriver", "org.apache.derby:derby:10.14.2.0"),
    "duckdb": Driver("org.duckdb.DuckDBDriver", "org.duckdb:duckdb_jdbc:1.3.2.0"),
    "h2": Driver("org.h2.Driver", "com.h2database:h2:2.3.232"),
    "mariadb": Driver("org.mariadb.jdbc.Driver", "org.mariadb.jdbc:mariadb-java-client:3.5.3"),
    "mysql": Driver("com.mysql.cj.jdbc.Driver", "com.mysql:mysql-connector-j:9.2.0"),
    "oracle": Driver("oracle.jdbc.OracleDriver", "com.oracle.database.jdbc:ojdbc11:23.7.0.25.01"),
    "postgresql": Driver("org.postgresql.Driver", "org.postgresql:postgresql:42.7.5"),
    "redshift": Driver(
        "com.amazon.redshift.Driver", "com.amazon.redshift:redshift-jdbc42:2.1.0.32"
    ),
    "snowflake": Driver(
        "net.snowflake.client.jdbc.SnowflakeDriver", "net.snowflake:snowflake-jdbc:3.23.1"
    ),
    "sqlite": Driver("org.sqlite.JDBC", "org.xerial:sqlite-jdbc:3.49.1.0"),
    "sqlserver": Driver(
        "com.microsoft.sqlserver.jdbc.SQLServerDriver",
        "com.microsoft.sqlserver:mssql-jdbc:12.10.0.jre11",
    ),
}
_WRONG_USER = "Check the options user and password; write the password as ${env:NAME}."
_NO_SERVER = "Check host and port of the option url, and whether the server runs."
# the beginning of an SQLSTATE -> what to do; longer ones first
_REMEDIES = {
    "42P01": "Correct the table's name; outside of the default schema write schema.table.",
    "42S02": "Correct the table's name.",
    "42X05": "Correct the table's name.",
    "42703": "Correct the column's name in the query.",
    "42S22": "Correct the column's name in the query.",
    "42X04": "Correct the column's name in the query.",
    "42501": "Let the user read it, or choose another user.",
    "3D000": "Correct the database's name in the option url.",
    "53300": "Lower numPartitions, or try again later.",
    "57014": "Raise the option queryTimeout, or read in parts (partitionColumn).",
    "57P": "Start the job again when the server runs.",
    "08": _NO_SERVER,
    "28": _WRONG_USER,
    "42": "Correct the query.",
}


def driver_of(url: str) -> Driver | None:
    """The driver of a JDBC URL; None: none that is known."""
    match = re.match(r"jdbc:(\w+):", url)
    return _DRIVERS.get(match[1].lower()) if match else None


def explain_database(error: Exception) -> str | None:
    """What a database or a driver says, and what to do; None: another error."""
    for cause in _causes(error):
        kind, message = str(cause.getClass().getName()), str(cause.getMessage())
        if kind == "java.lang.ClassNotFoundException" and "jdbc" in str(error).lower():
            return _explain_driver(message)
        if message.endswith("No suitable driver") or "could not open a JDBC connection" in message:
            return (
                "The driver of this database is not there, or the option url is not one of its. "
                "Pass its jar to spark-submit.sh (--jars), and name its class by the option driver."
            )
        if _is_sql_error(cause):
            state = str(cause.getSQLState())
            remedy = next((_REMEDIES[r] for r in _REMEDIES if state.startswith(r)), "")
            return f"The database says: {_sentence(message)} {remedy}".strip()
    return None


def _explain_driver(name: str) -> str:
    known = next((driver for driver in _DRIVERS.values() if driver.name == name), None)
    package = f"--packages {known.package}, or " if known else ""
    return (
        f"The database's driver, {name}, is not there. Pass it to spark-submit.sh: "
        f"{package}--jars with the driver's jar."
    )


def _causes(error: Exception) -> Iterator[Any]:
    """The exceptions of Java behind an error, outermost first."""
    cause = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
    while cause is not None:
        yield cause
        cause = cause.getCause()


def _is_sql_error(cause: Any) -> bool:
    kind = cause.getClass()
    while kind is not None:
        if kind.getName() == "java.sql.SQLException":
            return True
        kind = kind.getSuperclass()
    return False


def _sentence(message: str) -> str:
    """The first line of a database's message, without its level."""
    line = message.strip().splitlines()[0]
    return re.sub(r"^(ERROR|FATAL): ", "", line).rstrip(".") + "."
