import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
os.environ.pop("MLFLOW_TRACKING_URI", None)  # tests write to stores of their own

import pytest
from hypothesis import HealthCheck, Phase, settings

# The same examples in every run; `--hypothesis-profile=thorough` draws many others.
_COMMON = {
    "deadline": None,
    "database": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
}
_DRAW = (Phase.explicit, Phase.generate)  # to shrink a failure takes minutes where Spark runs
settings.register_profile("same", max_examples=100, derandomize=True, phases=_DRAW, **_COMMON)
_SHRINK = (*_DRAW, Phase.shrink)
settings.register_profile("thorough", max_examples=1000, phases=_SHRINK, **_COMMON)
settings.load_profile("same")


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """One real Spark of two slots for all tests, with PostgreSQL's driver where it is installed."""
    from postgres import DRIVER
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse")))
        .config("spark.driver.memory", "2g")
        .config("spark.jars", str(DRIVER) if DRIVER.exists() else "")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture(scope="session")
def database():
    """A PostgreSQL of the tests' own; without Debian's packages a skip, in CI a failure."""
    import postgres

    postgres.require()
    with postgres.running() as server:
        yield server
