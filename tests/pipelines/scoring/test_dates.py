"""Several dates in one job: outcomes, exit codes, checksums, and the columns that settings add."""

import datetime as dt
import json

import pandas as pd
import pytest
from registered import built_shop, register, write_package
from shop import config

from optdist.config import config_from
from optdist.errors import BusyError, ConfigError, DataError, GateError, StoreError
from optdist.layout import ScoresFolder
from optdist.tracking import CHAMPION
from pipelines.running.stopping import Stopped
from pipelines.scoring.columns import with_ranks
from pipelines.scoring.dates import DatesError, dates_between, facts_of, score_dates
from pipelines.scoring.manifest import ScoresManifest, read_manifest
from pipelines.scoring.pipeline import score

DAYS = [dt.date(2024, 6, day) for day in range(1, 7)]


def manifest(date, **others):
    values = {
        "dataset": "shop",
        "path": f"/scores/run_date={date}",
        "model_name": "optdist-shop",
        "model_version": "1",
        "inference": "soft",
        "quantiles": [0.5],
        "input": "_inputs/x",
        "input_fingerprint": "x",
        "source_fingerprint": "",
        "quarantined": {},
        "rows": 3,
        "total_predicted": 6.0,
    }
    return ScoresManifest(run_date=str(date), **values | others)


def outcomes(tmp_path, errors, days=DAYS, **options):
    """The outcomes of dates, of which some raise."""

    def one(date):
        if date in errors:
            raise errors[date]
        return manifest(date)

    options = {"skip_published": True, **options}
    return score_dates(days, one, ScoresFolder(tmp_path), {}, **options)


def test_the_dates_of_a_range_include_both_ends():
    assert dates_between(DAYS[0], DAYS[3]) == DAYS[:4]
    assert dates_between(DAYS[0], DAYS[3], 2) == [DAYS[0], DAYS[2]]
    assert dates_between(DAYS[0], DAYS[0], 7) == [DAYS[0]]


def test_a_date_that_fails_leaves_the_others_and_the_worst_decides_the_code(tmp_path, capsys):
    gate = GateError(["rows is 3; the gate requires >= 9"], "Nothing was published.")
    errors = {DAYS[1]: gate, DAYS[3]: DataError("a file is missing"), DAYS[4]: BusyError("busy")}
    done = outcomes(tmp_path, errors)
    states = ["published", "failed", "published", "failed", "failed", "published"]
    assert [outcome.status for outcome in done] == states
    assert [outcome.exit_code for outcome in done] == [0, 4, 0, 3, 5, 0]
    error = DatesError(done)
    assert error.exit_code == 3 and error.reasons == ["rows is 3; the gate requires >= 9"]
    assert "3 of 6 dates were not published: 2024-06-02, 2024-06-04" in str(error)
    assert error.facts["published"] == 3 and error.facts["dates"][3]["error"] == "a file is missing"
    assert "2024-06-02: error: rows is 3" in capsys.readouterr().err


def test_a_bug_on_one_date_is_the_worst_and_the_others_are_scored(tmp_path):
    done = outcomes(tmp_path, {DAYS[0]: KeyError("a raw value"), DAYS[1]: StoreError("away")})
    assert DatesError(done).exit_code == 1 and done[-1].status == "published"
    assert "a raw value" not in json.dumps(facts_of(done))


def test_what_stops_all_dates_is_not_tried_on_each(tmp_path):
    errors = {day: StoreError("away") for day in DAYS}
    states = [outcome.status for outcome in outcomes(tmp_path, errors)]
    assert states == ["failed", "failed", *["not tried"] * 4]
    errors = {day: DataError("late") for day in DAYS}
    assert {outcome.status for outcome in outcomes(tmp_path, errors)} == {"failed"}


def test_a_job_that_is_stopped_still_tells_of_the_dates_before(tmp_path):
    with pytest.raises(Stopped) as stopped:
        outcomes(tmp_path, {DAYS[2]: Stopped(15)})
    assert [one["run_date"] for one in stopped.value.facts["dates"]] == ["2024-06-01", "2024-06-02"]


@pytest.fixture(scope="module")
def shop(spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dates")
    made, table, tracker = built_shop(spark, folder)
    tracker.set_alias(CHAMPION, register(tracker, write_package(table.schema, folder / "package")))
    columns = ["decile", "percentile", "historic_value", "total_value"]
    sections = {"scoring": {"columns": columns}, "gate": {"enabled": False}}  # quarters differ
    return config(made.root, folder / "sales.csv", **sections), tracker, folder


@pytest.mark.slow
def test_a_range_is_scored_skipped_and_scored_again_to_the_same_rows(spark, shop, capsys):
    made, tracker, folder = shop
    days = [dt.date(2024, 3, 31), dt.date(2030, 1, 1), dt.date(2024, 6, 30)]

    def run(skip):
        one = lambda day: score(spark, made, tracker, day)  # noqa: E731
        scores = made.layout.scores
        return score_dates(days, one, scores, made.written, skip_published=skip)

    first, second, third = run(True), run(True), run(False)
    assert [one.status for one in first] == ["published", "failed", "published"]
    assert first[1].exit_code == 3 and not made.layout.scores.date(days[1]).exists()
    assert [one.status for one in second] == ["skipped", "failed", "skipped"]
    for one, two, three in zip(first, second, third, strict=True):
        assert one.checksum == two.checksum == three.checksum and three.replaced is None
    assert "differ from those" not in capsys.readouterr().err

    rows = pd.read_parquet(first[2].path)
    raw = pd.read_csv(folder / "sales.csv", dtype={"customer": str})
    first_day = raw.groupby("customer")["day"].transform("min")
    known = raw[(raw["day"] == first_day) & (raw["day"] <= "2024-06-30")]
    spent = known.groupby("customer")["amount"].sum()  # the label begins the day after
    joined = rows.set_index("customer")
    pd.testing.assert_series_equal(
        joined["historic_value"].sort_index(), spent, check_names=False, check_index_type=False
    )
    expected = joined["historic_value"] + joined["predicted_cltv"].astype(float)
    pd.testing.assert_series_equal(joined["total_value"], expected, check_names=False)
    share = rows["predicted_cltv"].rank(method="max") / len(rows)
    assert (rows["percentile"] == (100 * share - 1e-9).apply("ceil")).all()
    assert (rows["decile"] == 11 - (10 * share - 1e-9).apply("ceil")).all()
    assert rows.loc[rows["predicted_cltv"].idxmax(), "decile"] == 1

    path = made.layout.scores.date(days[0]) / "_manifest.json"
    pinned = read_manifest(path.parent)
    path.write_text(pinned.model_copy(update={"checksum": "xxhash64-1-0"}).model_dump_json())
    again = score(spark, made, tracker, days[0])
    assert (again.replaced, again.checksum) == ("xxhash64-1-0", first[0].checksum)
    assert "the rows differ from those that were published before" in capsys.readouterr().err


@pytest.mark.slow
def test_ranks_of_ties_and_of_nobody(spark):
    def ranks(values):
        rows = spark.createDataFrame([(value,) for value in values], "predicted_cltv double")
        with with_ranks(rows.repartition(3), ["decile", "percentile"]) as ranked:
            found = ranked.orderBy("predicted_cltv").toPandas()
        return found["decile"].tolist(), found["percentile"].tolist()

    assert ranks([5.0]) == ([1], [100])
    assert ranks([1.0, 1.0, 1.0, 2.0]) == ([3, 3, 3, 1], [75, 75, 75, 100])
    assert ranks([float(n) for n in range(10)]) == (
        list(range(10, 0, -1)),
        list(range(10, 101, 10)),
    )
    assert ranks([]) == ([], [])


def test_columns_that_a_source_cannot_have_are_refused(tmp_path):
    described = config(tmp_path, tmp_path / "x.csv").model_dump(mode="json", exclude_defaults=True)
    taken = described | {"scoring": {"columns": ["decile"]}}
    taken["dataset"] = described["dataset"] | {"id": ["decile"], "split_key": ["decile"]}
    with pytest.raises(ConfigError, match="the data set has a column decile"):
        config_from(taken)
    samples = {"kind": "samples", "tables": {"t": {"path": "x.csv"}}, "label": "y"}
    dataset = {"name": "s", "id": ["u"], "split_key": ["u"], "source": samples}
    dataset["features"] = {"numeric": {"x": {}}}
    with pytest.raises(ConfigError, match="total_value needs a source of transactions"):
        config_from({"dataset": dataset, "scoring": {"columns": ["total_value"]}})
