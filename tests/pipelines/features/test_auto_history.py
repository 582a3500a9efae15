import datetime as dt

import pandas as pd
import pytest
from shop import transactions

from optdist.config import config_from
from optdist.config.history import HistoryConfig
from optdist.errors import ConfigError, DataError
from pipelines.features.auto_blocks import literal, write_history
from pipelines.features.auto_choices import fitting_windows
from pipelines.features.build import build_features
from pipelines.features.history_sql import written_history
from pipelines.features.samples import build_samples, scoring_samples
from pipelines.features.splits import split_of, with_keys

# known: 31 days before the first snapshot, so that of 30, 90 and 365 days only 30 fit
DATES = ["2024-03-03", "2024-04-01"]
AISLES = ["Tea's \\ Co", "Coffee", "Wine"]


def shop_events(customers=80, seed=0):
    events = transactions(customers, seed)
    order = range(len(events))
    events["aisle"] = [AISLES[(i * 7 + i // 3) % 3] for i in order]
    events["home"] = ["x" if c % 2 else "y" for c in events["customer"]]  # one of each customer
    events["units"] = [1 + i % 4 for i in order]
    first = pd.DataFrame(
        [(998, "2024-02-01", 9.0, "a", "Wine", "x", 1)], columns=list(events.columns)
    )
    return pd.concat([first, events], ignore_index=True)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A function that writes events to a file of their own and returns the shop's config."""
    folder = tmp_path_factory.mktemp("auto")

    def write(events=None, history="auto", features=None, **source):
        raw = folder / f"sales-{len(list(folder.iterdir()))}.csv"
        (shop_events() if events is None else events).to_csv(raw, index=False)
        dataset = {
            "name": "shop",
            "id": ["customer"],
            "split_key": ["customer"],
            "source": {
                "kind": "transactions",
                "tables": {"sales": {"path": str(raw)}},
                "amount": "amount",
                "timestamp": "day",
                "snapshots": {"dates": DATES},
                "horizon_days": 30,
                "history": history,
                **source,
            },
            "features": features or {},
        }
        return config_from({"dataset": dataset, "paths": {"root": str(folder / "root")}})

    return write


def collected(frame):
    rows = frame.toPandas()
    return rows.sort_values(["customer", rows.columns[1]]).reset_index(drop=True)


@pytest.fixture(scope="module")
def built(spark, shop):
    """The config of `history: auto`, and its samples."""
    config = shop()
    return config, build_samples(spark, config.dataset, split=config.split)


def test_auto_makes_the_features_that_one_writes_by_hand(spark, shop, built):
    config, samples = built
    learned = samples.history
    by_hand = {
        "history": [block.model_dump() for block in learned.blocks],
        "sample_columns": learned.sample_columns,
        "features": {"numeric": {name: {"log1p": True} for name in learned.numeric}},
    }
    same = build_samples(spark, shop(**by_hand).dataset)
    assert same.history is None
    pd.testing.assert_frame_equal(collected(samples.rows), collected(same.rows), check_like=True)


def test_windows_are_those_that_the_data_fill_before_the_first_sample(built, spark, shop, capsys):
    assert built[1].history.blocks[0].windows == {"30d": 30, "all": None}
    build_samples(spark, shop(snapshots={"dates": ["2024-06-01"]}).dataset)
    out = capsys.readouterr().out
    assert "leaves out 365d: 121 days are known before the first sample" in out
    assert "features of customer: windows 30d, 90d, all" in out


def test_windows_suit_the_days_that_most_samples_know(spark, shop, capsys):
    # of four samples in five 60 days are known and more
    snapshots = {"dates": ["2024-02-10", "2024-04-01", "2024-04-11", "2024-04-21", "2024-05-01"]}
    learned = build_samples(spark, shop(snapshots=snapshots).dataset).history
    assert learned.blocks[0].windows == {"30d": 30, "all": None}
    assert "days are known before 75% of the samples" in capsys.readouterr().out
    assert [list(fitting_windows(known)) for known in (0, 1, 6, 20, 29.5, 30, 400)] == [
        ["all"],
        ["1d", "all"],
        ["1d", "3d", "all"],
        ["7d", "14d", "all"],
        ["7d", "14d", "all"],
        ["30d", "all"],
        ["30d", "90d", "365d", "all"],
    ]


def test_an_attribute_of_which_a_key_has_one_value_is_not_looked_for(spark, shop):
    config = shop(
        features={"categorical": ["aisle", "home"]},
        attributes={"aisle": "max(aisle)", "home": "max(home)"},
    )
    learned = build_samples(spark, config.dataset, split=config.split).history
    assert [block.key for block in learned.blocks] == [["customer"], ["customer", "aisle"]]
    config = shop(
        history=[{"kind": "auto", "attributes": ["home"], "categories": {}}],
        features={"categorical": ["aisle", "home"]},
        attributes={"aisle": "max(aisle)", "home": "max(home)"},
    )
    learned = build_samples(spark, config.dataset, split=config.split).history
    assert [block.key for block in learned.blocks] == [["customer"], ["customer", "home"]]


def test_categories_are_those_of_which_a_customer_has_several(built):
    names = built[1].history.numeric
    assert {name for name in names if name.startswith("events_aisle")} == {
        f"events_aisle_{aisle}_{window}"
        for aisle in ("tea_s_co", "coffee", "wine")
        for window in ("30d", "all")
    }
    others = ("home", "segment", "units")  # one of each customer, or a number
    assert not [name for name in names if any(other in name for other in others)]


def test_every_kind_of_feature_is_there_worked_by_hand(spark, shop):
    events = pd.DataFrame(
        [
            (1, "2024-01-01", 8.0, 1),  # 61 days before
            (1, "2024-01-31", 10.0, 2),  # 31
            (1, "2024-02-20", 30.0, 3),  # 11
            (1, "2024-02-20", 20.0, 4),
            (1, "2024-03-01", 40.0, 5),  # 1
            (1, "2024-03-02", 999.0, 9),  # the snapshot's own day
            (2, "2024-04-01", 1.0, 1),
        ],
        columns=["customer", "day", "amount", "units"],
    )
    history = [{"kind": "auto", "values": ["units"], "categories": {}}]
    config = shop(events, history, snapshots={"dates": ["2024-03-02"]}, days_incomplete=0)
    row = build_samples(spark, config.dataset).rows.first().asDict()
    expected = {
        "events_30d": 3,
        "events_all": 5,
        "repeat_days_30d": 2,
        "recency_30d": 1,
        "tenure_all": 61,
        "gap_mean_all": 20.0,  # 30, 20, 10
        "gap_std_all": 10.0,
        "amount_sum_30d": 90.0,
        "amount_mean_30d": 30.0,
        "amount_max_all": 40.0,
        "amount_std_30d": 10.0,
        "units_sum_all": 15.0,
        "amount_trend_30d": 90 / 30 - 108 / 61,
        "events_trend_30d": 3 / 30 - 5 / 61,
    }
    assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_training_and_scoring_agree_for_the_same_customer_and_day(spark, shop, built):
    config, samples = built
    trained = collected(samples.rows).drop(columns="label")
    for day in DATES:
        before = dt.date.fromisoformat(day) - dt.timedelta(1)
        scored = scoring_samples(
            spark, config.dataset, before, types=samples.types, history=samples.history
        )
        same = trained[trained["snapshot_date"].astype(str) == day].reset_index(drop=True)
        pd.testing.assert_frame_equal(collected(scored.rows), same[collected(scored.rows).columns])


def test_a_later_event_moves_no_feature(spark, shop, built):
    config, samples = built
    known = shop_events()
    late = known.assign(day=DATES[-1], amount=777.0, aisle="Wine", units=50)
    changed = shop(pd.concat([known, late]))
    moved = build_samples(spark, changed.dataset, split=changed.split)
    assert moved.history == samples.history
    assert collected(moved.rows)["label"].sum() > 777 * 30
    before, after = (collected(s.rows).drop(columns="label") for s in (samples, moved))
    pd.testing.assert_frame_equal(before, after)


def test_categories_are_learned_from_training_samples_alone(spark, shop):
    events = shop_events()
    config = shop(events)
    keyed = with_keys(
        spark.createDataFrame(events[["customer"]].assign(snapshot_date="")), config.dataset
    )
    split = keyed.withColumn("split", split_of(config.split)).toPandas().drop_duplicates()
    others = set(split["customer"][split["split"] != "train"])
    events["aisle"] = events["aisle"].mask(events["customer"].isin(others), "Test only")
    config = shop(events, [{"kind": "auto", "categories": ["aisle"], "top": 9}])
    names = build_samples(spark, config.dataset, split=config.split).history.numeric
    assert not [name for name in names if "test_only" in name]
    assert [name for name in names if "events_aisle_wine" in name]


def test_the_category_of_a_first_purchase_is_looked_for_in_the_customers_past(spark, shop):
    events = pd.DataFrame(
        [
            ("a", "tea", "2024-02-01", 5.0, "drinks"),
            ("a", "tea", "2024-02-20", 6.0, "drinks"),
            ("a", "soap", "2024-02-25", 7.0, "home"),
            ("a", "milk", "2024-03-05", 8.0, "drinks"),  # of drinks: 5 + 6 before
            ("b", "tea", "2024-03-06", 9.0, "drinks"),
            ("b", "tea", "2024-05-30", 9.0, "drinks"),
        ],
        columns=["user", "product", "day", "amount", "aisle"],
    )
    config = shop(
        events,
        features={"categorical": ["aisle"]},
        attributes={"aisle": "first(aisle)"},
        snapshots=None,
        first_purchase={"start": "2024-03-01", "end": "2024-03-31"},
    )
    dataset = config.dataset.model_copy(update={"id": ["user", "product"], "split_key": ["user"]})
    rows = build_samples(spark, dataset).rows.toPandas().set_index(["user", "product"])
    assert rows["amount_sum_same_aisle_all"].to_dict() == {("a", "milk"): 11.0, ("b", "tea"): 0.0}
    assert rows["events_all"].to_dict() == {("a", "milk"): 3, ("b", "tea"): 0}
    assert rows.loc[("a", "milk"), "recency_same_aisle_all"] == 14
    with pytest.raises(DataError, match="history: auto has no key: user has no event before"):
        build_samples(spark, dataset.model_copy(update={"id": ["user"]}))


def test_the_sql_that_a_run_logs_gives_the_features(spark, shop, built):
    config, samples = built
    history = samples.history
    source = config.dataset.source.model_copy(
        update={"history": history.blocks, "sample_columns": history.sample_columns}
    )
    samples.events.createOrReplaceTempView("events")
    samples.rows.select("customer", "snapshot_date").createOrReplaceTempView("samples")
    rows = collected(samples.rows).set_index(["customer", "snapshot_date"])
    queries = [q for q in written_history(source).split(";") if "SELECT" in q]
    assert len(queries) == 2
    for query in queries:
        values = spark.sql(query).toPandas().set_index(["customer", "snapshot_date"]).sort_index()
        values = values[[name for name in values if name in rows]]
        expected = rows.loc[values.index, values.columns]
        pd.testing.assert_frame_equal(
            values.astype(float), expected.astype(float), check_exact=False, rtol=1e-12
        )


def test_schema_and_manifest_of_the_table_have_what_was_learned(spark, shop):
    config = shop(shop_events(300))
    table = build_features(spark, config)
    assert table.schema.history.blocks[0].key == ["customer"]
    assert {f.name for f in table.schema.numeric} == set(table.schema.history.numeric)
    assert "GROUP BY `customer`, `snapshot_date`;" in table.manifest.history_sql


def test_scoring_without_what_training_learned_is_refused(spark, shop, built):
    with pytest.raises(DataError, match="knows nothing of history: auto"):
        scoring_samples(spark, built[0].dataset, dt.date(2024, 4, 1))


def test_own_blocks_go_next_to_auto_and_their_names_may_not_meet(spark, shop):
    own = {"key": ["customer"], "features": {"n": "count(*)"}}
    rows = build_samples(spark, shop(history=["auto", own]).dataset).rows
    assert "n_all" not in rows.columns  # a feature only where features names it
    features = {"numeric": ["n_all"]}
    rows = build_samples(spark, shop(history=["auto", own], features=features).dataset).rows
    assert {"n_all", "events_all"} <= set(rows.columns)
    with pytest.raises(DataError, match="makes the columns events_all, which samples have"):
        same = {"key": ["customer"], "features": {"events": "count(*)"}}
        build_samples(spark, shop(history=["auto", same]).dataset)


def test_settings_of_auto_are_checked(spark, shop):
    with pytest.raises(ConfigError, match="history has auto twice"):
        shop(history=["auto", "auto"])
    with pytest.raises(ConfigError, match=r"history\.0\.tops is not a setting.*top"):
        shop(history=[{"kind": "auto", "tops": 3}])
    with pytest.raises(DataError, match="history: auto names columns that are not there: colour"):
        wrong = [{"kind": "auto", "categories": ["colour"]}]
        build_samples(spark, shop(history=wrong).dataset)
    with pytest.raises(ConfigError, match="at least one categorical or numeric feature"):
        shop(history=[])


def test_names_of_features_stay_apart_and_texts_stay_whole():
    categories = {"c": ["A b", "a-b", "é", "it's \\n"]}
    learned = write_history(["k"], {"all": None}, "My Amount", categories=categories)
    features = learned.blocks[0].features
    assert [name for name in features if name.startswith("events_c")] == [
        "events_c_category_1",
        "events_c_category_2",
        "events_c_category_3",
        "events_c_it_s_n",
    ]
    assert "my_amount_sum" in features
    assert features["events_c_it_s_n"].endswith(r"= 'it\'s \\n')")
    assert literal("a") == "'a'"
    assert all(isinstance(block, HistoryConfig) for block in learned.blocks)
