"""Tables of a real PostgreSQL that the tests start."""

import datetime as dt

import pytest
from postgres import PASSWORD, USER

from optdist.config.source import SamplesSourceConfig
from optdist.config.tables import TableConfig
from optdist.errors import DataError
from pipelines.sources.formats.registry import (
    explain_read_errors,
    input_fingerprint,
    pinned_tables,
    read_table,
)

ROWS = """
CREATE TABLE sales (id bigint, customer text, day date, at timestamp, moment timestamptz,
                    amount numeric(10, 2), "Odd Name" int);
INSERT INTO sales
SELECT i, lpad(i::text, 3, '0'), date '2024-01-01' + i,
       timestamp '2024-01-01 00:30' + i * interval '1 day',
       timestamptz '2024-01-01 00:30+00' + i * interval '1 day', i * 1.25, i
FROM generate_series(1, 20) i;
CREATE TABLE nobody (id bigint, day date);
"""


@pytest.fixture(scope="module")
def server(database):
    database.sql(ROWS)
    yield database
    database.sql("DROP TABLE sales, nobody")


@pytest.fixture
def table(server):
    def make(path="sales", **options):
        login = {"url": server.url, "user": USER, "password": PASSWORD}
        return TableConfig(path=path, format="jdbc", options={**login, **options})

    return make


@pytest.fixture
def java_in_new_york(spark):
    zones = spark._jvm.java.util.TimeZone
    before = zones.getDefault()
    zones.setDefault(zones.getTimeZone("America/New_York"))
    yield
    zones.setDefault(before)


def source_of(table):
    return SamplesSourceConfig(kind="samples", tables={"sales": table}, label="amount")


def read(spark, table):
    with explain_read_errors():
        return read_table(spark, "sales", table).orderBy("id").collect()


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("sales", {}),
        ("public.sales", {"fetchsize": "3"}),
        ("", {"dbtable": "sales"}),
        ("", {"query": "SELECT * FROM sales;"}),
        ("", {"QUERY": "SELECT * FROM sales", "partitionColumn": "ID"}),
        ("sales", {"partitionColumn": "id"}),
        ("sales", {"partitionColumn": "day", "numPartitions": "3"}),
        ("sales", {"partitionColumn": "at", "numPartitions": "3"}),
        ("sales", {"partitionColumn": "moment", "numPartitions": "3"}),
        ("sales", {"partitionColumn": "amount", "numPartitions": "3"}),
        ("sales", {"partitionColumn": "Odd Name", "lowerBound": "5", "numPartitions": "4"}),
    ],
)
def test_a_table_or_a_query_is_read_whole_at_once_or_in_parts(spark, table, path, options):
    made = table(path, **options)
    frame = read_table(spark, "sales", made)
    rows = read(spark, made)
    assert [row["id"] for row in rows] == list(range(1, 21))
    assert [row["customer"] for row in rows[:2]] == ["001", "002"]
    assert [row["day"] for row in rows[:2]] == [dt.date(2024, 1, 2), dt.date(2024, 1, 3)]
    assert [float(row["amount"]) for row in rows[:2]] == [1.25, 2.5]
    parts = 1 if "partitionColumn" not in options else int(options.get("numPartitions", 2))
    assert frame.rdd.getNumPartitions() == parts


def test_the_bounds_of_parts_are_those_of_the_table(spark, table):
    rows = read_table(spark, "sales", table(partitionColumn="id", numPartitions="4"))
    sizes = [len(part) for part in rows.rdd.glom().collect()]
    assert sum(sizes) == 20
    assert max(sizes) <= 6


def test_an_empty_table_is_not_parted(spark, table):
    for column in ("id", "day"):
        rows = read_table(spark, "sales", table("nobody", partitionColumn=column))
        assert rows.collect() == []


@pytest.mark.usefixtures("java_in_new_york")
def test_days_do_not_move_where_javas_time_zone_is_another(spark, table):
    rows = read_table(spark, "sales", table()).where("id = 1")
    [row] = rows.selectExpr("to_date(at) AS at", "to_date(moment) AS moment", "day").collect()
    assert list(row) == [dt.date(2024, 1, 2)] * 3


@pytest.mark.usefixtures("java_in_new_york")
def test_parts_of_local_times_are_refused_where_javas_time_zone_is_another(spark, table):
    with pytest.raises(DataError, match=r"cannot be parted by at.*Name a number or a date"):
        read_table(spark, "sales", table(partitionColumn="at"))


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("nope", {}, r'read from nope: The database says: relation "nope" does not exist\.'),
        ("", {"query": "SELECT nope FROM sales"}, r'column "nope" does not exist\. Correct the'),
        ("", {"query": "SELEC 1"}, r"syntax error at or near .*Correct the query"),
        ("sales", {"password": "wrong-one"}, r"authentication failed.*password as \$\{env:NAME\}"),
        ("sales", {"url": "jdbc:postgresql://127.0.0.1:1/shop"}, r"127.0.0.1:1 refused.*Check"),
        ("sales", {"url": "jdbc:mysql://127.0.0.1/shop"}, r"--packages com.mysql:mysql"),
        ("sales", {"url": "jdbc:nosuch:x"}, r"driver of this database is not there"),
        ("sales", {"partitionColumn": "customer"}, r"which is text: name a number, date or timest"),
        ("sales", {"partitionColumn": "nope"}, r"no column nope.*Found: id, customer, day"),
        ("sales", {"fetchsize": "many"}, r"fetchsize must be a whole number, not many"),
        ("sales", {"dbtable": "sales"}, r"needs one of path .*dbtable and query"),
        ("", {}, r"needs one of path .*dbtable and query"),
        ("", {"query": "SELECT 1 / (id - id) AS x FROM sales"}, r"database says: division by zero"),
    ],
)  # fmt: skip
def test_what_a_database_refuses_is_one_sentence(spark, table, path, options, message):
    with pytest.raises(DataError, match=message) as error:
        source = source_of(table(path, **options))
        with pinned_tables(spark, source):
            pass
    assert "\n" not in str(error.value)
    assert PASSWORD not in str(error.value)


def test_a_database_that_is_another_is_named(spark, table, server):
    other = table(url=server.url + "x")
    with pytest.raises(DataError, match=r'database "shopx" does not exist\. Correct the database'):
        read(spark, other)


def test_no_url_says_what_to_write(spark):
    with pytest.raises(DataError, match=r"needs the option url, such as jdbc:postgresql://host"):
        read_table(spark, "sales", TableConfig(path="sales", format="jdbc"))


def test_a_job_reads_a_table_once_and_its_fingerprint_is_that_of_the_rows(spark, table, server):
    source = source_of(table(partitionColumn="id", numPartitions="3"))

    def fingerprint():
        with pinned_tables(spark, source) as now:
            return input_fingerprint(now)

    before = fingerprint()
    assert fingerprint() == before
    assert PASSWORD not in str(before)
    with pinned_tables(spark, source) as now:
        server.sql("UPDATE sales SET amount = 99 WHERE id = 7")
        again = read(spark, now.tables["sales"])
        assert float(again[6]["amount"]) == 8.75  # as it was
        assert input_fingerprint(now) == before
    assert fingerprint() != before
    server.sql("UPDATE sales SET amount = 8.75 WHERE id = 7")  # which moves the row to the end
    assert fingerprint() == before
    server.sql('UPDATE sales SET customer = NULL, "Odd Name" = 7 WHERE id = 7')
    assert fingerprint() != before
    server.sql("UPDATE sales SET customer = '007' WHERE id = 7")
    assert fingerprint() == before


def test_a_database_whose_driver_spark_brings_is_read_in_parts_too(spark):
    login = {"url": "jdbc:derby:memory:readers;create=true"}
    rows = spark.range(1, 21).selectExpr("id", "timestamp'2024-01-01 00:30:00' AS at")
    driver = "org.apache.derby.jdbc.EmbeddedDriver"
    rows.write.format("jdbc").options(**login, dbtable="sales", driver=driver).save()
    options = {**login, "partitionColumn": "id", "numPartitions": "2"}
    frame = read_table(spark, "t", TableConfig(path="sales", format="jdbc", options=options))
    assert frame.dtypes == [("id", "bigint"), ("at", "timestamp_ntz")]
    assert sorted(row["id"] for row in frame.collect()) == list(range(1, 21))
    with pytest.raises(DataError, match=r"NOTHING.* does not exist\. Correct the table's name"):
        read_table(spark, "t", TableConfig(path="nothing", format="jdbc", options=login))
