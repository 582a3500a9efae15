from pathlib import Path

import pytest

from optdist.data.feature_table import FeatureTable, Manifest
from optdist.data.schema import FeatureSchema, LabelStatistics
from optdist.layout import Layout
from optdist.tracking import CHAMPION
from optdist.tracking.registry import Registry
from optdist.tracking.tracker import client_of
from pipelines.forgetting.places import DataFile, Kind
from pipelines.forgetting.survey import Findings
from pipelines.forgetting.versions import Versions

EMPTY = FeatureSchema(
    categorical=[],
    numeric=[],
    label=LabelStatistics(
        count=1, positives=1, total=1, median=1, log_mean=0, log_std=0, log_min=0, log_max=0
    ),
)


@pytest.fixture
def versions(tmp_path):
    """Three versions, of which two learned from one table, in a store without any model."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client, layout = client_of(uri), Layout(tmp_path, "shop")
    experiment = client.create_experiment("e", tmp_path.as_uri())
    registry = Registry(client, uri, "optdist-shop", layout)
    client.create_registered_model(registry.model_name)
    for table, dataset in (("aaaa", "shop"), ("aaaa", "shop"), ("bbbb", "shop"), (None, "other")):
        run = client.create_run(experiment, tags={"dataset": dataset}).info.run_id
        layout.run(run).mkdir(parents=True)
        if table:
            client.create_model_version(
                registry.model_name, tmp_path.as_uri(), run, tags={"data_fingerprint": table}
            )
    layout.package(registry.model_name, "1", "digest").mkdir(parents=True)
    registry.set_alias(CHAMPION, "2")
    return Versions(registry, layout)


def table(folder, **forgotten):
    """A table from which rows were taken since it was built."""
    about = {"fingerprint": folder, "dataset": "shop", "counts": {}, "splits": {}}
    return FeatureTable(Path(folder), Manifest(**about, forgotten=forgotten), EMPTY)


def findings(*files):
    data = {path: (DataFile(path, Kind.HASHES, ""), 1) for path in files}
    return Findings(data, {}, {}, 0, [], {})


def test_versions_that_learned_are_deleted_with_all_of_theirs_except_those_in_use(versions):
    tables = [table("aaaa", train=1), table("bbbb", test=3)]
    assert versions.learned(tables, findings()) == ["1", "2"]  # nobody learns from test rows
    still_there = findings(tables[1].split_path("validation") / "part.parquet")
    assert versions.learned(tables[1:], still_there) == ["3"]
    runs = versions.registry.runs()
    assert versions.delete(["1", "2"]) == ["1"]  # 2 is champion
    assert sorted(versions.registry.runs()) == ["2", "3"]
    assert not versions.layout.run(runs["1"]).exists() and versions.layout.run(runs["2"]).exists()
    assert not [*versions.layout.packages("optdist-shop")]


def test_versions_of_further_horizons_are_found_and_deleted_too(versions):
    further = versions.registry.of("optdist-shop-30d")
    further.client.create_registered_model(further.model_name)
    for _ in range(2):
        run = further.client.create_run(further.client.get_experiment_by_name("e").experiment_id)
        uri, tags = versions.layout.root.as_uri(), {"data_fingerprint": "aaaa"}
        further.client.create_model_version(further.model_name, uri, run.info.run_id, tags=tags)
    further.set_alias(CHAMPION, "2")
    both = Versions(versions.registry, versions.layout, [further.model_name])
    learned = both.learned([table("aaaa", train=1)], findings())
    assert learned == ["1", "2", "1 of optdist-shop-30d", "2 of optdist-shop-30d"]
    assert both.delete(learned) == ["1", "1 of optdist-shop-30d"]
    assert sorted(further.runs()) == ["2"] and sorted(versions.registry.runs()) == ["2", "3"]


def test_runs_of_other_data_sets_are_left_alone(versions):
    [other] = versions.other_runs()
    assert versions.registry.run_tags(other)["dataset"] == "other"
    versions.layout.run("unknown").mkdir()  # MLflow does not know it: it may be of this data set
    assert versions.other_runs() == {other}
    assert Versions(None, versions.layout).other_runs() == set()
