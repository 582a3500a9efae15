"""Settings of Spark for small tables, for which code takes longer to compile than to run."""

from contextlib import contextmanager

QUICK = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
}


@contextmanager
def settings_of(spark, **values):
    """Other settings of a session within a block, which is quick on small tables."""
    values = {**QUICK, **values}
    before = {name: spark.conf.get(name) for name in values}
    for name, value in values.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            spark.conf.set(name, value)
