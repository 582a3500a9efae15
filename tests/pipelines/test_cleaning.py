import datetime as dt
import os
import shutil
import time

import pytest
from holding import held
from registered import built_shop, register, write_package

from optdist.tracking import CHAMPION, Tracker
from pipelines.cleaning import leftovers, remove
from pipelines.features.build import finished_features
from pipelines.scoring.pipeline import score
from pipelines.training.pipeline import training_plan

pytestmark = pytest.mark.slow
DATE = dt.date(2024, 12, 20)


@pytest.fixture(scope="module")
def used(spark, tmp_path_factory):
    """A shop with two versions, of which scores name the first and the second is champion."""
    folder = tmp_path_factory.mktemp("cleaning")
    made, table, tracker = built_shop(spark, folder)
    for seed in (1, 2, 3):
        package = write_package(table.schema, folder / f"package{seed}", seed)
        version = register(tracker, package)
        tracker.package(version)
        run_folder = made.layout.run(tracker.runs()[version])
        shutil.copytree(package, run_folder / "package")
        (run_folder / "test_predictions.npz").write_bytes(bytes(1000))
    tracker.set_alias(CHAMPION, "1")
    score(spark, made, tracker, DATE)
    tracker.set_alias(CHAMPION, "2")
    return made, tracker, table


@pytest.fixture
def shop(used, tmp_path):
    """A copy of the shop's artifacts with what failed jobs have left, all of it old."""
    made, _, table = used
    root = tmp_path / "root"
    shutil.copytree(made.root, root)
    mine = made.model_copy(
        update={
            "paths": made.paths.model_copy(update={"root": str(root)}),
            "tracking": made.tracking.model_copy(
                update={"uri": f"sqlite:///{made.root}/mlflow.db"}
            ),
        }
    )
    left = [
        training_plan(mine, table).path,
        mine.layout.scores.inputs(DATE) / "0123abcd",
        mine.layout.scores.staging(DATE),
        mine.layout.feature_table("0123abcd"),
        root / "features" / "another" / "0123abcd",
        root / "runs" / "unfinished-another-0123",
    ]
    for folder in left:
        folder.mkdir(parents=True)
        (folder / "part").write_bytes(bytes(500))
    age(root, 40)
    return mine, Tracker(mine), left


def age(root, days):
    then = time.time() - days * 86_400
    for path in (root, *root.rglob("*")):
        os.utime(path, (then, then), follow_symlinks=False)


def names(found, root):
    return {str(leftover.path.relative_to(root)) for leftover in found}


def test_what_nothing_needs_is_listed_and_what_is_needed_is_not(shop, used):
    mine, tracker, left = shop
    runs, table = tracker.runs(), used[2]
    third = tracker.package("3").path.relative_to(mine.root)
    found = leftovers(mine.layout, tracker, 30)
    expected = {str(path.relative_to(mine.root)) for path in left[:4]}
    expected |= {f"features/shop/{table.path.name}", str(third)}  # no version is of this table
    assert names(found, mine.root) == expected | {f"runs/{runs['1']}", f"runs/{runs['3']}"}
    assert {f.size for f in found if f.path in left} == {500}
    assert leftovers(mine.layout, tracker, 50) == []


def test_features_of_the_champion_stay_and_so_do_those_that_were_opened(shop, used):
    mine, tracker, _ = shop
    name = f"features/shop/{used[2].path.name}"
    assert name in names(leftovers(mine.layout, tracker, 30), mine.root)
    assert finished_features(mine) is not None
    assert name not in names(leftovers(mine.layout, tracker, 30), mine.root)
    age(mine.root, 40)
    tracker.tag_version("2", "data_fingerprint", used[2].path.name)
    try:
        assert name not in names(leftovers(mine.layout, tracker, 30), mine.root)
    finally:
        tracker.client.delete_model_version_tag(tracker.model_name, "2", "data_fingerprint")


def test_removing_leaves_scores_that_a_rerun_gives_again(spark, shop):
    mine, tracker, left = shop
    before = spark.read.parquet(str(mine.layout.scores.path)).toPandas()
    found = leftovers(mine.layout, tracker, 30)
    assert all(remove(leftover, 30) for leftover in found)
    assert not any(leftover.path.exists() for leftover in found)
    assert not list(mine.root.rglob("_removed-*")) and left[4].exists() and left[5].exists()
    assert leftovers(mine.layout, tracker, 30) == []
    done = score(spark, mine, tracker, DATE)
    assert (done.rows, done.model_version) == (len(before), "1")
    assert tracker.package("3").path.exists()  # fetched again


def test_what_a_job_works_on_or_has_used_meanwhile_stays(shop):
    mine, tracker, left = shop
    found = {leftover.path: leftover for leftover in leftovers(mine.layout, tracker, 30)}
    plan, inputs = left[0], left[1]
    with held(plan):
        assert not remove(found[plan], 30)
    with held(mine.layout.scores.date(DATE)):
        assert not remove(found[inputs], 30)
    (plan / "part").write_bytes(bytes(600))
    assert not remove(found[plan], 30)
    assert plan.exists() and remove(found[inputs], 30)
