import datetime as dt

import pandas as pd
import pytest

from optdist.config import config_from
from optdist.config.identity import identity
from optdist.errors import ConfigError, DataError
from pipelines.features.build import build_features
from pipelines.features.samples import build_samples, scoring_samples

SALES = [
    ("a", "2024-01-05", 10),
    ("a", "2024-03-10", 20),
    ("b", "2024-02-10", 5),
    ("c", "2024-02-20", 7),
    ("c", "2024-04-20", 3),
    ("a", "2024-05-31", 1),
]
TIERS = [
    ("a", "2024-01-05 08:00", "new", 1),
    ("a", "2024-02-29 09:00", "silver", 2),  # two changes on one day: the later one counts
    ("a", "2024-02-29 17:00", "gold", 3),
    ("a", "2024-03-01 00:00", "lost", 4),  # the snapshot's own day
    ("b", "2024-03-15", "new", 1),
    ("z", "2024-01-01", "new", 9),
]
SNAPSHOTS = {"snapshots": {"dates": ["2024-03-01", "2024-04-01"]}}
FIRST = {"first_purchase": {"start": "2024-01-01", "end": "2024-03-01"}}


@pytest.fixture
def shop(tmp_path):
    """A function that writes sales and tiers, and returns the config that joins them."""

    def write(tiers=TIERS, source=SNAPSHOTS, columns=("since", "tier", "rank"), **join):
        sales = pd.DataFrame(SALES, columns=["customer", "day", "amount"])
        sales.to_csv(tmp_path / "sales.csv", index=False)
        tiers = pd.DataFrame(tiers, columns=["customer", *columns])
        tiers.to_csv(tmp_path / "tiers.csv", index=False)
        tables = {name: {"path": str(tmp_path / f"{name}.csv")} for name in ("sales", "tiers")}
        join = {"table": "tiers", "by": ["customer"], "valid_from": "since", **join}
        dataset = {
            "name": "shop",
            "id": ["customer"],
            "split_key": ["customer"],
            "source": {
                "kind": "transactions",
                "tables": tables,
                "joins": [join],
                "amount": "amount",
                "timestamp": "day",
                "horizon_days": 30,
                "days_incomplete": 0,
                **source,
            },
            "features": {"categorical": ["tier"], "numeric": ["rank"]},
        }
        return config_from({"dataset": dataset, "build": {"max_quarantined_share": 1}})

    return write


def known(frame, day="snapshot_date"):
    rows = frame.toPandas()
    none = rows["tier"].isna()
    rows["tier"] = rows["tier"].mask(none, "")
    rows["rank"] = rows["rank"].fillna(-1)
    return {(r["customer"], str(r[day])): (r["tier"], r["rank"]) for _, r in rows.iterrows()}


def tiers_of(frame, day="snapshot_date"):
    return {key: tier for key, (tier, _) in known(frame, day).items()}


def test_a_snapshot_gets_the_latest_row_from_before_its_date(spark, shop, capsys):
    samples = build_samples(spark, shop().dataset)
    assert tiers_of(samples.rows) == {
        ("a", "2024-03-01"): "gold",
        ("b", "2024-03-01"): "",
        ("c", "2024-03-01"): "",
        ("a", "2024-04-01"): "lost",
        ("b", "2024-04-01"): "new",
        ("c", "2024-04-01"): "",
    }
    assert known(samples.rows)["a", "2024-03-01"] == ("gold", 3.0)
    out = capsys.readouterr().out
    assert "join with tiers: 3 of 6 rows (50.0%) have a row that was valid at their cut" in out


def test_a_first_purchase_gets_the_latest_row_until_the_end_of_its_day(spark, shop):
    rows = build_samples(spark, shop(source=FIRST).dataset).rows
    assert tiers_of(rows, "first_day") == {
        ("a", "2024-01-05"): "new",
        ("b", "2024-02-10"): "",
        ("c", "2024-02-20"): "",
    }


def read_anew(spark, dataset):
    """Samples that leave nothing in Spark's memory: a table at the same path is read again."""
    samples = build_samples(spark, dataset)
    rows = samples.rows.toPandas()
    samples.release()
    return rows


@pytest.mark.parametrize("source", [SNAPSHOTS, FIRST])
def test_a_change_after_the_cut_moves_no_feature(spark, shop, source):
    cut = "2024-04-01" if source is SNAPSHOTS else "2024-01-06"
    before = read_anew(spark, shop(source=source).dataset)
    late = [(c, f"{cut} 00:00", "other", 77) for c in ("a", "b", "c")]
    moved = [*TIERS, *late] if source is SNAPSHOTS else [TIERS[0], *late, TIERS[-1]]
    after = read_anew(spark, shop(moved, source).dataset)
    if source is FIRST:  # b and c became known as customers later than the change
        before, after = (rows[rows["customer"] == "a"] for rows in (before, after))
    keys = ["customer", before.columns[1]]
    before, after = (rows.sort_values(keys).reset_index(drop=True) for rows in (before, after))
    pd.testing.assert_frame_equal(before, after)


def test_scoring_sees_what_the_training_snapshot_of_the_next_day_sees(spark, shop):
    dataset = shop().dataset
    trained = known(build_samples(spark, dataset).rows)
    for day, next_day in (("2024-02-29", "2024-03-01"), ("2024-03-31", "2024-04-01")):
        scored = known(scoring_samples(spark, dataset, dt.date.fromisoformat(day)).rows)
        assert scored == {key: row for key, row in trained.items() if key[1] == next_day}


def test_as_of_checks_each_join_once(spark, shop, capsys):
    dataset = shop().dataset
    samples = build_samples(spark, dataset, dt.date(2024, 4, 15))
    assert {day for _, day in known(samples.rows)} == {"2024-03-01"}
    seen = {"attributes": {"tier": "first(tier)", "rank": "first(rank)"}, **SNAPSHOTS}
    plain = shop([t for t in TIERS if t[3] == 1], seen, valid_from=None).dataset
    capsys.readouterr()
    build_samples(spark, plain, dt.date(2024, 4, 15))
    assert capsys.readouterr().out.count("have a partner") == 1


def test_a_row_may_end_before_the_next_one_begins(spark, shop):
    tiers = [
        ("a", "2024-01-01", "2024-02-29", "new", 1),
        ("a", "2024-03-05", "2024-03-20", "gold", 2),
        ("b", "2024-01-01", None, "new", 3),
    ]
    columns = ("since", "until", "tier", "rank")
    rows = build_samples(spark, shop(tiers, columns=columns, valid_to="until").dataset).rows
    assert tiers_of(rows) == {
        ("a", "2024-03-01"): "new",  # its last day is the last one that a snapshot sees
        ("b", "2024-03-01"): "new",
        ("c", "2024-03-01"): "",
        ("a", "2024-04-01"): "",
        ("b", "2024-04-01"): "new",
        ("c", "2024-04-01"): "",
    }


def test_an_inner_join_drops_samples_without_a_valid_row_and_the_share_has_a_limit(spark, shop):
    rows = build_samples(spark, shop(how="inner").dataset).rows
    assert set(known(rows)) == {
        ("a", "2024-03-01"),
        ("a", "2024-04-01"),
        ("b", "2024-04-01"),
    }
    with pytest.raises(DataError, match=r"3 of 6 rows \(50\.0%\) have a row .* requires 60\.0%"):
        build_samples(spark, shop(min_matched=0.6).dataset)


def test_aggregates_see_all_rows_from_before_the_cut(spark, shop):
    aggregate = {"tier": "max_by(tier, rank)", "rank": "sum(rank)"}
    rows = build_samples(spark, shop(aggregate=aggregate).dataset).rows
    assert known(rows)["a", "2024-03-01"] == ("gold", 6.0)
    assert known(rows)["a", "2024-04-01"] == ("lost", 10.0)
    assert tiers_of(rows)["b", "2024-03-01"] == ""


def test_aggregates_may_name_the_key(spark, shop):
    aggregate = {"tier": "concat(max_by(tier, rank), ' ', first(customer))", "rank": "sum(rank)"}
    rows = build_samples(spark, shop(aggregate=aggregate).dataset).rows
    assert known(rows)["a", "2024-03-01"] == ("gold a", 6.0)


def test_rows_that_differ_at_one_moment_are_refused_and_copies_are_not(spark, shop):
    copies = [*TIERS, TIERS[2]]
    assert tiers_of(build_samples(spark, shop(copies).dataset).rows)["a", "2024-03-01"] == "gold"
    with pytest.raises(DataError, match=r"tiers 1 keys \(customer\) .* same moment \(since\)"):
        build_samples(spark, shop([*copies, ("a", "2024-02-29 17:00", "iron", 3)]).dataset)


def test_days_that_cannot_be_read_are_counted_or_refused_with_a_way_to_read_them(
    spark, shop, capsys
):
    some = [*TIERS, ("b", "soon", "gold", 1)]
    build_samples(spark, shop(some).dataset)
    assert "1 of 7 rows of tiers have no since, such as `aaaa`" in capsys.readouterr().out
    european = [("a", "05/01/2024", "new", 1), ("b", "17/02/2024", "gold", 2)]
    with pytest.raises(DataError, match=r"2 of 2 rows .*`99/99/9999`.* to_date\(since, 'dd/MM/yy"):
        build_samples(spark, shop(european).dataset)
    read = shop(european, valid_from="to_date(since, 'dd/MM/yyyy')")
    assert tiers_of(build_samples(spark, read.dataset).rows)["b", "2024-03-01"] == "gold"


def test_a_table_that_says_nothing_before_any_cut_is_refused(spark, shop):
    with pytest.raises(DataError, match="cuts are 2024-03-01 to 2024-04-01, and since is 2025"):
        build_samples(spark, shop([("a", "2025-01-01", "new", 1)]).dataset)
    with pytest.raises(DataError, match="join with tiers by customer matches nothing"):
        build_samples(spark, shop([("A1", "2024-01-01", "new", 1)]).dataset)


def test_samples_of_a_table_need_a_date_for_it(spark, tmp_path):
    users = pd.DataFrame(
        [(1, "2024-03-01", 5), (2, "2024-04-01", 6), (3, "2024-03-01 12:00", 7)],
        columns=["user", "day", "value"],
    )
    tiers = [(1, "2024-02-28", "new"), (1, "2024-03-01", "late"), (3, "2024-03-01 11:00", "noon")]
    users.to_csv(tmp_path / "users.csv", index=False)
    pd.DataFrame(tiers, columns=["user", "day", "tier"]).to_csv(tmp_path / "tiers.csv", index=False)
    tables = {name: {"path": str(tmp_path / f"{name}.csv")} for name in ("users", "tiers")}
    source = {
        "kind": "samples",
        "tables": tables,
        "label": "value",
        "joins": [{"table": "tiers", "by": ["user"], "valid_from": "day"}],
    }
    dataset = {
        "name": "t",
        "id": ["user"],
        "split_key": ["user"],
        "features": {"categorical": ["tier"]},
    }
    with pytest.raises(ConfigError, match=r"tiers has valid_from, .* set source\.date"):
        config_from({"dataset": {**dataset, "source": source}})
    config = config_from({"dataset": {**dataset, "source": {**source, "date": "users_day"}}})
    rows = build_samples(spark, config.dataset).rows.orderBy("user").collect()
    assert [row["tier"] for row in rows] == ["new", None, "noon"]


def test_a_plain_join_of_a_table_with_days_says_that_it_is_read_as_it_is_now(
    spark, shop, capsys, tmp_path
):
    latest = [("a", "2024-03-01", "lost", 4), ("b", "2024-03-15", "new", 1)]
    attributes = {"attributes": {"tier": "first(tier)", "rank": "first(rank)"}}
    dataset = shop(latest, {**FIRST, **attributes}, valid_from=None).dataset
    [match] = build_samples(spark, dataset).joins
    assert "read as it is now" in match.note and "if since says" in match.note
    assert "join with tiers: it is read as it is now" in capsys.readouterr().out
    with pytest.raises(
        DataError, match=r"tiers has 4 rows of one key .*If since says .*valid_from"
    ):
        build_samples(spark, shop(source=FIRST, valid_from=None).dataset)


def test_the_manifest_tells_what_each_join_matched(spark, tmp_path):
    from shop import config, transactions

    sales = transactions(120)
    sales.to_csv(tmp_path / "sales.csv", index=False)
    tiers = pd.DataFrame({"customer": range(60), "since": "2024-01-01", "tier": "x"})
    tiers.to_csv(tmp_path / "tiers.csv", index=False)
    raw = config(tmp_path, tmp_path / "sales.csv").model_dump(mode="json", exclude_defaults=True)
    raw["dataset"]["source"]["tables"]["tiers"] = {"path": str(tmp_path / "tiers.csv")}
    join = {"table": "tiers", "by": ["customer"], "valid_from": "since"}
    raw["dataset"]["source"]["joins"] = [join]
    raw["dataset"]["features"]["categorical"].append("tier")
    [match] = build_features(spark, config_from(raw)).manifest.joins
    assert (match.table, match.valid_from, match.matched) == ("tiers", "since", 60)


def test_a_join_without_valid_from_keeps_the_identity_that_it_had(shop):
    plain = identity(shop(valid_from=None))
    assert plain == identity(shop(valid_from=None, valid_to=None))
    assert plain != identity(shop())
