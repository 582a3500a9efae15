"""Ranks that are killed or stopped: training goes on by itself, to the same bytes."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from processes import KILL, STOP, Breaker, gone, ranks_below
from reliability_page import record, sentence
from table import write_table

from optdist.config import HorovodConfig, OptDistConfig, TrainingConfig
from optdist.errors import TrainingError
from optdist.ranks.watch import RanksFailed, Sign, Watch
from optdist.serving.package import load_model
from optdist.training import TrainingPlan
from optdist.training.local_launcher import LocalHorovod
from pipelines.training.spark_launcher import SparkHorovod

SILENCE = 20.0  # a machine with other work may keep a rank waiting for some seconds
QUICK = HorovodConfig(silence_seconds=SILENCE, restarts=1)


def plan(table, folder):
    return TrainingPlan(
        table=str(table.path),
        table_fingerprint="made",
        folder=str(folder),
        model=OptDistConfig(num_sdns=2, sdn=[8], dsm=[8]),
        training=TrainingConfig(epochs=4, batch_size=16, patience=9, ranks=2),
    )


def weights(made):
    """The bytes of the package's weights, and of all variables after the last epoch."""
    package = [value.tobytes() for value in load_model(made.run_folder.package).get_weights()]
    with np.load(made.run_folder.checkpoint) as content:
        names = [name for name in content.files if name != "state"]
        return package + [content[name].tobytes() for name in names]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A table, and the weights and metrics of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    table = write_table(folder / "table", rows=4000)
    made = plan(table, folder / "run")
    result = LocalHorovod(HorovodConfig()).launch(made, lambda event: None)
    return table, weights(made), result.test


@pytest.mark.slow
def test_ranks_that_are_killed_or_stopped_start_again_and_end_at_the_same_bytes(
    undisturbed, tmp_path, capsys
):
    table, expected, metrics = undisturbed
    made = plan(table, tmp_path / "run")

    # one restart is allowed: after a kill training goes on, after the second one it gives up
    breaker = Breaker((1, 1, KILL), (2, 0, KILL))
    with pytest.raises(TrainingError, match=r"Rank 0 .*killed by signal 9 \(SIGKILL") as raised:
        LocalHorovod(QUICK).launch(made, breaker)
    [restart] = breaker.of("restart")
    [resume] = breaker.of("resume")
    assert resume["epoch"] >= 1
    assert restart["reason"].startswith("Rank 1 (process ") and "SIGKILL" in restart["reason"]
    assert "started again once before (horovod.restarts)" in str(raised.value)
    assert not ranks_below()
    assert breaker.open == []  # to other machines

    # a new start continues; a rank that is stopped is found and killed, and both start again
    breaker = Breaker((3, 1, STOP))
    result = LocalHorovod(QUICK).launch(made, breaker)
    assert [event["epoch"] >= 2 for event in breaker.of("resume")] == [True, True]
    [restart] = breaker.of("restart")
    assert restart["reason"].startswith("Rank 1 (process ")
    assert "a signal had stopped it" in restart["reason"]
    assert not ranks_below()
    assert result.test == metrics
    assert weights(made) == expected


@pytest.mark.slow
def test_ranks_in_spark_that_are_killed_or_stopped_start_again(spark, undisturbed, tmp_path):
    table, expected, metrics = undisturbed
    made = plan(table, tmp_path / "run")
    breaker = Breaker((1, 0, KILL), (2, 1, STOP))
    horovod = QUICK.model_copy(update={"restarts": 2})
    result = SparkHorovod(spark, horovod).launch(made, breaker)
    seconds = time.monotonic() - breaker.times[1]
    assert breaker.open == []
    killed, stopped = (event["reason"] for event in breaker.of("restart"))
    assert killed.startswith("Rank 0 (process ") and "killed by signal 9 (SIGKILL" in killed
    assert stopped.startswith("Rank 1 (process ") and "a signal had stopped it" in stopped
    assert not ranks_below()
    assert result.test == metrics
    assert weights(made) == expected
    again, lost = " All start again by themselves, to the same bytes.", "the epoch's steps"
    took = breaker.times[1] - breaker.times[0]
    record("rank_killed_in_spark", sentence(killed, tmp_path) + again, took, lost)
    record("rank_stopped_in_spark", sentence(stopped, tmp_path) + again, seconds, lost)


START = """
import json, sys
from optdist.config import HorovodConfig
from optdist.training import TrainingPlan
from optdist.training.local_launcher import LocalHorovod

plan = TrainingPlan.model_validate_json(sys.stdin.read())
LocalHorovod(HorovodConfig()).launch(plan, lambda event: print(json.dumps(event), flush=True))
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_rank_survives_the_process_that_started_it(undisturbed, tmp_path, number):
    made = plan(undisturbed[0], tmp_path / "run")
    with subprocess.Popen(
        [sys.executable, "-c", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as launcher:
        launcher.stdin.write(made.model_dump_json())
        launcher.stdin.close()
        assert json.loads(launcher.stdout.readline())["event"] == "step"
        ranks = list(ranks_below(launcher.pid).values())
        assert len(ranks) == 2
        ranks[0].send_signal(STOP)
        launcher.send_signal(number)
        assert launcher.wait(20) == -number
        assert gone(ranks)


# What is a lost rank ------------------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def signs(*counts):
    """Signs of ranks from (alive, progress) or (alive, progress, code)."""
    return [
        Sign(rank=i, host="h", pid=i + 1, log="log", alive=c[0], progress=c[1], code=(*c, None)[2])
        for i, c in enumerate(counts)
    ]


@pytest.fixture
def watch():
    clock = Clock()
    made = Watch(HorovodConfig(silence_seconds=10, first_batch_seconds=100), clock)

    def look(now, *counts):
        clock.now = now
        return made.silent(signs(*counts))

    return look


def test_before_the_first_batch_ranks_may_take_longer(watch):
    assert watch(90, (0, 0), (0, 0)) is None  # Python starts
    assert watch(95, (5, 0), (5, 0)) is None  # TensorFlow compiles
    assert watch(99, (8, 1), (9, 0)) is None  # one of them has its first batch
    assert watch(108, (9, 1), (10, 0)) is None
    assert watch(199, (98, 1), (98, 0)) is None
    hung = str(watch(200, (99, 1), (99, 0)))
    assert hung.startswith("Rank 1 (process 2 on h) finished no batch") and "200 seconds" in hung


def test_a_rank_without_any_sign_of_life_hangs_even_if_others_get_on(watch):
    assert watch(1, (1, 1), (1, 1)) is None
    assert watch(11, (9, 9), (1, 1)) is None
    assert str(watch(12, (10, 10), (1, 1))).startswith(
        "Rank 1 (process 2 on h) gave no sign of life for 11 seconds"
    )


def test_the_rank_that_the_others_wait_for_is_named(watch):
    assert watch(1, (1, 1), (1, 1)) is None
    assert watch(4, (4, 1), (3, 1)) is None  # rank 1 is stopped, and no batch was finished since
    hung = str(watch(12, (12, 1), (3, 1)))
    assert hung.startswith("Rank 1 (process 2 on h) gave no sign of life for 8 seconds")


def test_ranks_that_wait_for_one_that_works_do_not_hang(watch):
    assert watch(1, (1, 1), (1, 1)) is None
    for now in range(2, 60):  # rank 0 writes a checkpoint, rank 1 waits and is alive
        assert watch(now, (now, now), (now, 1)) is None
    assert watch(69, (69, 59), (69, 1)) is None
    hung = str(watch(70, (70, 59), (70, 1)))
    assert hung.startswith("Rank 1 (process 2 on h) finished no batch, and no other rank did, for")


def test_a_rank_that_has_ended_well_is_not_silent(watch):
    assert watch(1, (1, 1), (1, 1)) is None
    assert watch(30, (1, 1, 0), (30, 30)) is None
    assert watch(99, (1, 1, 0), (1, 1, 0)) is None


def test_of_several_ranks_that_ended_the_killed_one_is_named():
    assert RanksFailed.ended(signs((1, 1, 0), (1, 1))) is None
    failure = RanksFailed.ended(signs((1, 1, 1), (1, 1, -15), (1, 1, 1)))
    assert "Rank 1 (process 2 on h) was killed by signal 15 (SIGTERM); see log" in str(failure)
    assert failure.reason is None
    failure = RanksFailed.ended(signs((1, 1, 3), (1, 1, 1)))
    assert "Rank 0 (process 1 on h) ended with exit code 3" in str(failure)
    said = Sign(rank=2, host="h", pid=3, log="log", code=1, error="No space left on device")
    failure = RanksFailed.ended([*signs((1, 1, 1), (1, 1, 1)), said])
    assert failure.reason == "No space left on device"
