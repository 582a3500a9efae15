"""Who was champion when, without a single row being scored."""

import json
import re

import pytest
from registered import register, write_package
from shop import config
from table import FEATURES, frame

from optdist.config import LimitsConfig, PromotionConfig, config_from
from optdist.config.identity import DATASET, identity
from optdist.data.fitting import fit_schema
from optdist.errors import ModelError
from optdist.tracking import CHAMPION, PREVIOUS, Tracker
from optdist.tracking.champions import champions, previous
from pipelines.registry.history import explain, rollback
from pipelines.registry.promotion import promote, promote_by_force
from pipelines.registry.rule import dump_gates, pass_gates

RULE = PromotionConfig(
    gates={"normalized_gini": LimitsConfig(min=0.2), "total_ratio": LimitsConfig(min=0.5, max=2.0)}
)
GOOD = {"normalized_gini": 0.5, "total_ratio": 1.0, "mae": 3.0}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The configuration and the registry of three versions of one logged model."""
    folder = tmp_path_factory.mktemp("champions")
    made = config(folder / "root", folder / "sales.csv")
    tracker = Tracker(made)
    package = write_package(fit_schema(frame(200), FEATURES, "label"), folder / "package")
    first = tracker.client.get_model_version(made.model_name, register(tracker, package))
    for _ in range(2):
        tracker.register(first.source, first.run_id, first.tags)
    return made, tracker


@pytest.fixture
def reigns(shop):
    """Versions 1, 2 and 3 were champion one after the other; nothing was before."""
    tracker = shop[1]
    tracker.drop_alias(CHAMPION)
    tracker.tag_model("champions", "[]")
    for version in ("1", "2", "3"):
        promote_by_force(tracker, version)
    return tracker


def test_rolling_back_leads_to_the_champion_before_and_then_to_the_one_before_that(shop, reigns):
    described = identity(shop[0])
    assert reigns.resolve(PREVIOUS) == "2"
    version, decision = rollback(reigns, described)
    assert (version, reigns.resolve(CHAMPION), reigns.resolve(PREVIOUS)) == ("2", "2", "1")
    assert decision.reason.startswith("rolled back from version 3 on 20")
    assert tags(reigns, "2")["promotion_reason"] == decision.reason
    assert rollback(reigns, described)[0] == "1"
    assert reigns.find(PREVIOUS) is None
    with pytest.raises(ModelError, match=r"No champion of optdist-shop is known before version 1"):
        rollback(reigns, described)
    assert [reign.how for reign in champions(reigns)] == ["forced"] * 3 + ["rolled back"] * 2


def test_a_version_that_was_rolled_back_is_promoted_by_force_alone(shop, reigns):
    made, tracker = shop
    spark = table = None  # neither is asked
    rollback(tracker, identity(made))
    decision = promote(spark, made, tracker, table, "3")
    assert not decision.promoted and "rolled back to version 2" in decision.reason
    assert promote_by_force(tracker, "3").promoted
    assert promote(spark, made, tracker, table, "3").reason == "version 3 is champion already"
    assert rollback(tracker, identity(made))[0] == "2"


def test_going_back_to_a_damaged_package_or_another_data_set_changes_nothing(shop, reigns):
    made, tracker = shop
    other = made.model_dump(mode="json")
    other["dataset"]["source"]["horizon_days"] = 60
    tracker.tag_version("2", DATASET, identity(config_from(other))[DATASET])
    with pytest.raises(ModelError, match=r"trained on other data: source\.horizon_days changed"):
        rollback(tracker, identity(made))
    tracker.tag_version("2", DATASET, identity(made)[DATASET])
    file = tracker.package("2").path / "calibration.json"
    content = file.read_bytes()
    file.write_bytes(content + b" ")
    with pytest.raises(ModelError, match=r"calibration\.json is damaged"):
        rollback(tracker, identity(made))
    file.write_bytes(content)
    assert tracker.resolve(CHAMPION) == "3"


def test_a_job_that_was_killed_before_the_alias_moved_changed_nothing(reigns):
    tag = json.loads(reigns.model_tag("champions"))
    tag.append({"version": "1", "since": "x", "how": "promoted"})  # and then it was killed
    reigns.tag_model("champions", json.dumps(tag))
    assert [reign.version for reign in champions(reigns)] == ["1", "2", "3"]
    reigns.set_alias(CHAMPION, "1")  # by hand, in MLflow's pages
    assert previous(champions(reigns)) == "3"
    reigns.tag_model("champions", "not JSON")
    assert [reign.how for reign in champions(reigns)] == ["changed elsewhere"]


def test_explain_says_who_is_champion_since_when_why_and_from_where(shop, reigns):
    reigns.tag_version(
        "3", "promotion_gates", dump_gates(pass_gates(RULE, GOOD | {"total_ratio": 3.0}).gates)
    )
    text = explain(reigns)
    for expected in (
        "champion is version 3",
        "promoted by --force, instead of version 2",
        "passed: Norm-GINI is 0.5, required at least 0.2",
        "FAILED: total ratio is 3, required between 0.5 and 2",
        reigns.package("3").digest,
        "optdist       ",
        "--rollback would go back to version 2",
    ):
        assert expected in text, text
    assert re.search(r"since +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC, forced", text)


def tags(tracker, version):
    return tracker.client.get_model_version(tracker.model_name, version).tags
