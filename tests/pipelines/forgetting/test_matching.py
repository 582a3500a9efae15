import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from quick import settings_of
from shop import config

from pipelines.features.splits import with_keys
from pipelines.forgetting.customers import Customers
from pipelines.forgetting.matching import Matcher
from pipelines.forgetting.places import Kind, data_files


@pytest.fixture
def matcher(spark, tmp_path):
    """Makes a matcher of ids by columns."""

    def make(columns, *ids):
        dataset = config(tmp_path, "sales.csv").dataset
        dataset = dataset.model_copy(update={"id": [*columns], "split_key": [columns[0]]})
        return Matcher(spark, Customers(tuple(columns), ids), dataset)

    with settings_of(spark):
        yield make


def write(folder, name, **columns):
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), folder / f"{name}.parquet")


def found(matcher, folder):
    files = data_files(folder, matcher.customers.columns)
    matcher.learn_hashes(files)
    return {path.stem: count for path, count in matcher.count(files).items()}


def test_an_id_is_found_as_a_number_of_each_type_and_as_text(matcher, tmp_path):
    folder = tmp_path / "a folder, 100%"
    ids = [17, 7, 170]
    write(folder, "int", customer=pa.array(ids, pa.int32()))
    write(folder, "long", customer=pa.array(ids, pa.int64()))
    write(folder, "double", customer=pa.array([17.0, 7.0, 170.5]))
    write(folder, "decimal", customer=pa.array(ids).cast(pa.decimal128(22, 2)))
    write(folder, "text", customer=["17", " 17.0 ", "017"])
    write(folder, "null", customer=pa.array([None, "170"]))
    write(folder, "nobody", total=[17])
    one = matcher(["customer"], ("17",))
    assert found(one, folder) == {"int": 1, "long": 1, "double": 1, "decimal": 1, "text": 2}
    assert one.seen(data_files(folder, ["customer"])) == {("17",)}
    large = matcher(["customer"], ("123456789012",))
    write(folder, "large", customer=pa.array([123456789012.0, 1e300]))
    assert found(large, folder) == {"large": 1}


def test_an_id_of_several_columns_is_found_by_all_of_them(matcher, tmp_path):
    write(tmp_path / "a", "both", customer=[1, 1, 2], product=["a", "b", "a"])
    write(tmp_path / "a", "part", customer=[1])
    pair = matcher(["customer", "product"], ("1", "b"), ("2", "c"))
    assert found(pair, tmp_path / "a") == {"both": 1}
    kinds = {
        file.path.stem: file.kind for file in data_files(tmp_path / "a", ["customer", "product"])
    }
    assert kinds == {"both": Kind.IDS, "part": Kind.PARTS}


def test_encoded_rows_are_found_by_the_hashes_of_ids_and_of_the_samples_that_are_theirs(
    spark, matcher, tmp_path
):
    one = matcher(["customer"], ("17",))
    rows = spark.createDataFrame([(17.0, "x"), (18.0, "y")], "customer double, kind string")
    keyed = with_keys(rows, one.dataset).toPandas()
    keys = {"row_key": keyed["row_key"], "group_key": keyed["group_key"]}
    write(tmp_path / "encoded", "encoded", **keys, num_x=[1.0, 2.0])
    assert found(one, tmp_path / "encoded") == {"encoded": 1}  # 17.0 is a form of 17
    other = {"row_key": [5, 6], "group_key": [7, 8]}
    write(tmp_path / "table", "samples", customer=["17", "18"], **other)
    write(tmp_path / "table", "encoded", **other, num_x=[1.0, 2.0])
    assert found(one, tmp_path / "table") == {"samples": 1, "encoded": 1}


def test_bad_rows_are_found_by_their_id_or_anywhere_where_it_is_missing(matcher, tmp_path):
    rows = [
        {"customer": "17", "amount": "x"},
        {"customer": 17.0, "amount": "x"},
        {"customer": "18", "amount": "17"},  # somebody else's
        {"amount": "17"},  # the id is missing: the fields may have moved
        {"customer": "x", "_ragged_line": "a;b; 17;2024-01-01"},
        {"customer": "x", "_ragged_line": "a;b;117;2024-01-17"},
        {"customer": None, "note": "call 17 back"},
    ]
    texts = [json.dumps(row) for row in rows]
    write(
        tmp_path / "bad", "bad", stage=["events"] * len(rows), reason=["r"] * len(rows), row=texts
    )
    one = matcher(["customer"], ("17",))
    assert found(one, tmp_path / "bad") == {"bad": 4}
    read = one.spark.read.parquet(str(tmp_path / "bad"))
    rest = [row["row"] for row in one.without(read, Kind.TEXT).collect()]
    assert sorted(rest) == sorted(texts[i] for i in (2, 5, 6))
