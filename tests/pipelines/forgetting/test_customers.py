import os

import pytest
from shop import config

from optdist.errors import ConfigError, DataError
from pipelines.forgetting.customers import Customers, columns_of, read_customers
from pipelines.forgetting.raw import refuse_raw_rows
from pipelines.forgetting.receipt import KEY, hide
from pipelines.forgetting.spark_files import abandoned

UUID = "01234567-89ab-cdef-0123-456789abcdef"


def test_a_customer_is_what_the_split_key_names_where_it_is_part_of_the_id(tmp_path):
    dataset = config(tmp_path, "sales.csv").dataset
    assert columns_of(dataset) == ("customer",)
    basket = dataset.model_copy(update={"id": ["customer", "product"]})
    assert columns_of(basket) == ("customer",)
    assert columns_of(basket, ["customer", "product"]) == ("customer", "product")
    household = dataset.model_copy(update={"split_key": ["household"]})
    assert columns_of(household) == ("customer",)  # a household's other members stay
    with pytest.raises(ConfigError, match=r"by columns of dataset\.id"):
        columns_of(household, ["household"])


def test_ids_come_from_arguments_and_a_file_each_once(tmp_path):
    file = tmp_path / "ids.csv"
    file.write_bytes(b"\xef\xbb\xbfCustomer\r\n 17 \r\n\r\n17.0\r\na,b\r\n")
    customers = read_customers(["007", "17"], file, ["customer"])
    assert customers.ids == (("007",), ("17",), ("a,b",))
    assert ("17.0",) in customers.forms()
    several = read_customers(['17,"a, b"', "customer,product"], None, ["customer", "product"])
    assert several.ids == (("17", "a, b"), ("customer", "product"))


@pytest.mark.parametrize(
    ("texts", "columns", "message"),
    [
        ([], ["a"], "No customer is named"),
        (["17"], ["a", "b"], "argument 1 has 1 value; a customer of this data set is a,b"),
        ([" "], ["a"], "empty value"),
        (["5", "null"], ["a"], "argument 2 has an empty value, or a word for none"),
    ],
)
def test_a_wish_that_names_nobody_is_refused_without_showing_a_value(texts, columns, message):
    with pytest.raises(ConfigError, match=message):
        read_customers(texts, None, columns)


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        read_customers([], tmp_path / "ids", ["a"])


def test_rows_in_raw_tables_are_counted_and_refused(tmp_path):
    source = config(tmp_path, "sales.csv").dataset.source
    refuse_raw_rows({"sales": 0}, source)
    with pytest.raises(DataError, match=r"sales 1,200\. The next build.*Delete them there first;"):
        refuse_raw_rows({"sales": 1200, "other": 0}, source)
    tables = {"sales": source.tables["sales"].model_copy(update={"format": "delta"})}
    with pytest.raises(DataError, match="until it is vacuumed"):
        refuse_raw_rows({"sales": 1}, source.model_copy(update={"tables": tables}))


def test_a_receipt_has_hashes_that_depend_on_salt_and_key_and_no_id(monkeypatch):
    customers = Customers(("customer",), (("17850",),))
    first, second = hide(customers), hide(customers)
    assert first.hashes != second.hashes and not first.is_keyed
    assert "17850" not in first.model_dump_json().replace(first.salt, "").replace(
        first.hashes[0], ""
    )
    monkeypatch.setenv(KEY, "secret")
    keyed = hide(customers)
    assert keyed.is_keyed and "secret" not in keyed.model_dump_json()


def test_only_folders_of_spark_that_no_living_job_can_have_made_are_abandoned(tmp_path):
    names = [f"blockmgr-{UUID}", f"spark-{UUID}", "spark-warehouse", "blockmgr-mine"]
    for name in names:
        (tmp_path / name / "0c").mkdir(parents=True)
        (tmp_path / name / "0c" / "rdd").write_text("rows")
        for path in (tmp_path / name / "0c" / "rdd", tmp_path / name / "0c", tmp_path / name):
            os.utime(path, (1e9, 1e9))
    (tmp_path / f"spark-{UUID}" / "new").touch()  # somebody works here
    assert abandoned([tmp_path, tmp_path / "none"]) == [tmp_path / names[0]]
