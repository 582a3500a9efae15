"""Jobs whose processes are killed: nothing is half done, nothing stays behind, a rerun is right."""

import signal
import time

import pytest
from processes import gone, job_at
from quick import settings_of
from reliability_page import record
from standing_shop import DATE, rows_of

from optdist.errors import BusyError
from optdist.files import locked
from optdist.tracking import CHAMPION, PROMOTION_REASON
from pipelines.registry.promotion import promote_by_force
from pipelines.scoring.pipeline import score

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def quick(spark):
    with settings_of(spark):
        yield


def kill(process, folder, number=signal.SIGKILL):
    """Send a signal to a job, and see all of its processes and its lock gone."""
    process.send_signal(number)
    code = process.wait(40)
    assert gone(process.tree, 20), [p.name() for p in process.tree if p.is_running()]
    lock = folder.with_name(f".{folder.name}.lock")
    assert number == signal.SIGKILL or not lock.exists()
    with locked(folder):  # the kernel has released it
        return code


def test_a_job_stopped_before_it_publishes_leaves_the_scores_that_were_there(spark, shop, tmp_path):
    score(spark, shop.config, shop.tracker, DATE, "1")
    arguments = ["--run-date", DATE, "--model", "2"]
    swap = "pipelines.scoring.pipeline:swap_in"  # checked, with its manifest
    with job_at(swap, tmp_path, "score.py", *shop.args, *arguments) as process:
        with pytest.raises(BusyError, match=rf"process {process.pid}, since"):
            score(spark, shop.config, shop.tracker, DATE, "1")
        started = time.monotonic()
        assert kill(process, shop.published, signal.SIGTERM) == 143, process.log.read_text()
    assert rows_of(shop.published).equals(shop.scores["1"])
    score(spark, shop.config, shop.tracker, DATE, "2")
    assert rows_of(shop.published).equals(shop.scores["2"])
    assert not list(shop.config.layout.scores.path.glob("_staging/*"))
    text = "Readers see the scores that were there; the next start publishes the same rows as "
    record("killed_publishing", text + "an undisturbed one.", time.monotonic() - started)


def test_a_job_killed_while_it_promotes_leaves_one_champion(shop, tmp_path):
    arguments = ["--version", "2", "--force"]
    before = "optdist.tracking.registry:Registry.set_alias"
    shop.tracker.set_alias(CHAMPION, "1")
    started = time.monotonic()
    with job_at(before, tmp_path, "promote.py", *shop.args, *arguments) as process:
        process.kill()
        assert process.wait(40) == -signal.SIGKILL
    assert shop.tracker.resolve(CHAMPION) == "1"
    reason = promote_by_force(shop.tracker, "2").reason
    assert shop.tracker.resolve(CHAMPION) == "2"
    assert shop.tracker.tags("2")[PROMOTION_REASON] == reason
    shop.tracker.set_alias(CHAMPION, "1")
    text = "The champion stays; the next start promotes, and the reason stands with it."
    record("killed_promoting", text, time.monotonic() - started)
