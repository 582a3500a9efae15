import numpy as np
from table import FEATURES, frame, write_table

from optdist.data import encoding
from optdist.data.fitting import fit_schema
from pipelines.experiments.run.boosting import features
from pipelines.experiments.run.description import value_by_cluster


def test_missing_numbers_are_nan_and_categories_keep_their_ids():
    raw = frame(200)
    raw.loc[:9, "spend"] = np.nan
    raw.loc[0, "city"] = None
    schema = fit_schema(raw, FEATURES, "label")
    matrix = features(encoding.encode(raw, schema), schema)
    assert matrix.shape == (200, 2)  # the indicator says nothing that NaN does not
    assert np.isnan(matrix[:10, 1]).all() and not np.isnan(matrix[10:]).any()
    assert matrix[0, 0] == 0  # missing
    assert set(matrix[1:, 0]) == {2.0, 3.0, 4.0}
    order = np.argsort(raw["spend"].to_numpy()[10:])
    assert (np.diff(matrix[10:, 1][order]) >= 0).all()  # trees see the order of raw values


def test_clusters_hold_every_training_row_once(tmp_path):
    table = write_table(tmp_path, rows=2000)
    found = value_by_cluster(table)
    assert sum(sum(counts) for counts in found.counts) == table.manifest.counts["train"]
    assert len(found.edges) == len(found.counts[0]) + 1
    sizes = [sum(counts) for counts in found.counts]
    assert sizes == sorted(sizes, reverse=True)
    zeros = table.manifest.counts["train"] - table.manifest.counts["train_positive"]
    assert sum(counts[0] for counts in found.counts) >= zeros
