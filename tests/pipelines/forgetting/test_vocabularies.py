import os
import shutil

import pandas as pd
import pytest
from table import write_table

from optdist.data.feature_table import FeatureTable
from optdist.data.schema import FeatureSchema
from pipelines.forgetting.customers import Customers
from pipelines.forgetting.vocabularies import count_in_schema, hide_in_schema, id_features


@pytest.fixture
def table(tmp_path):
    """A table whose feature `city` has the values of the id, `who`, and one with others."""
    table = write_table(tmp_path / "table", rows=600)
    for path in table.samples.rglob("*.parquet"):
        rows = pd.read_parquet(path)
        rows.assign(who=rows["city"], other="a").to_parquet(path)
    return table


def test_a_feature_with_the_values_of_an_id_is_found_also_under_another_name(table):
    assert id_features([table], ["who"]) == {"city": "who"}
    assert id_features([table], ["other"]) == {}  # equal in some rows by chance
    assert id_features([table], ["city"]) == {"city": "city"}
    assert id_features([table], ["gone"]) == {}


def test_ids_among_the_categories_of_a_table_are_hidden_and_the_others_keep_their_codes(
    table, tmp_path
):
    customers, features = Customers(("who",), (("b",), ("z",))), {"city": "who"}
    assert count_in_schema(table.schema, customers, features) == 1
    staged = tmp_path / "staged"
    shutil.copytree(table.path, staged, copy_function=os.link)
    (staged / "report.json").write_text("{}")
    hide_in_schema(staged, customers, features)
    hidden = FeatureSchema.load(staged / "schema.json")
    [before], [after] = (s.categorical for s in (table.schema, hidden))
    same = [a == b for a, b in zip(before.vocabulary, after.vocabulary, strict=True)]
    assert same == [text != "b" for text in before.vocabulary]
    assert count_in_schema(hidden, customers, features) == 0
    assert not (staged / "report.json").exists()
    assert FeatureTable.open(table.path).schema == table.schema  # of which the copy is a link
