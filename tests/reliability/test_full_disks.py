"""A disk that is full: one sentence, exit code 9, nothing lost, and a rerun once there is room."""

import time

import pytest
from processes import fill, small_disk
from quick import settings_of
from reliability_page import record, sentence
from standing_shop import DATE, rows_of

from optdist.config import load_config
from optdist.tracking import Tracker
from pipelines.features.build import build_features
from pipelines.running.failures import explain
from pipelines.scoring import pipeline as scoring
from pipelines.scoring.pipeline import score

pytestmark = pytest.mark.slow


def failed(call, root):
    """What a job exits with and says."""
    with pytest.raises(Exception) as raised:
        call()
    failure = explain(raised.value, root)
    assert failure.exit_code == 9, failure.message
    assert len(failure.message.splitlines()) == 1, failure.message
    return failure.message


def test_features_that_do_not_fit_on_the_disk_are_built_once_there_is_room(spark, shop, tmp_path):
    with small_disk(tmp_path / "disk", 4) as disk, settings_of(spark):
        config = load_config(shop.file, overrides=[f"paths.root={disk}"])
        filler = fill(disk, leave=40_000)
        message = failed(lambda: build_features(spark, config), disk)
        filler.unlink()
        started = time.monotonic()
        table = build_features(spark, config)
        seconds = time.monotonic() - started
        assert table.schema == shop.table.schema
        for split in ("train", "validation", "test"):
            rows = [t.read(split).to_pandas() for t in (table, shop.table)]
            rows = [r.sort_values("row_key", ignore_index=True) for r in rows]
            assert rows[0].equals(rows[1])
    record("disk_full_building", f"Exit code 9: {sentence(message, disk)}", seconds)


def test_scores_that_do_not_fit_on_the_disk_leave_those_that_were_there(
    spark, shop, tmp_path, monkeypatch
):
    with small_disk(tmp_path / "disk", 4) as disk, settings_of(spark):
        registry = shop.config.layout.registry
        overrides = [f"paths.root={disk}", f"tracking.uri=sqlite:///{registry}"]
        config = load_config(shop.file, overrides=overrides)
        tracker = Tracker(config)
        score(spark, config, tracker, DATE, "1")
        published = config.layout.scores.date(DATE)
        messages = []
        for function in ("stage_scores", "write_manifest"):
            real = getattr(scoring, function)
            fillers = []

            def filling(*args, real=real, fillers=fillers, **named):
                fillers.append(fill(disk))
                return real(*args, **named)

            with monkeypatch.context() as patch:
                patch.setattr(scoring, function, filling)
                messages.append(
                    failed(lambda: score(spark, config, tracker, DATE, "2"), config.root)
                )
            assert rows_of(published).equals(shop.scores["1"])
            fillers[0].unlink()
        started = time.monotonic()
        score(spark, config, tracker, DATE, "2")
        seconds = time.monotonic() - started
        assert rows_of(published).equals(shop.scores["2"])
    record("disk_full_staging", f"Exit code 9: {sentence(messages[0], disk)}", seconds)
    record("disk_full_publishing", f"Exit code 9: {sentence(messages[1], disk)}", seconds)
