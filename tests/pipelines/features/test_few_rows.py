"""Tables of fewer rows than row groups are wanted."""

import pandas as pd
import pytest

from optdist.config import BuildConfig, FeaturesConfig
from optdist.data.feature_table import FeatureTable
from optdist.data.fitting import fit_schema
from pipelines.features.encode import write_encoded


@pytest.mark.parametrize("rows", [2, 19, 21, 25, 33])
def test_every_row_group_of_a_small_table_has_a_row(spark, tmp_path, rows):
    frame = pd.DataFrame({"age": [float(i) for i in range(rows)], "label": 1.0})
    keys = frame.assign(row_key=range(rows), group_key=range(rows))
    table = FeatureTable.create(tmp_path / "table")
    table.samples_path("train").mkdir(parents=True)
    for i in range(4):  # files of which Spark makes several parts
        keys[i::4].to_parquet(table.samples_path("train") / f"part-{i}.parquet", index=False)
    build = BuildConfig()
    schema = fit_schema(frame, FeaturesConfig(numeric={"age": {}}), "label")
    write_encoded(spark, table, "train", rows, schema, build)
    sizes = [file.rows for file in table.split_manifest("train").files]
    assert len(sizes) == min(rows, build.min_row_groups)
    assert min(sizes) >= 1
    assert sum(sizes) == rows
