import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from optdist.config import GateConfig, LimitsConfig
from optdist.data.profile import ColumnProfile, DayCount, PartProfile, Profile, ScoreProfile
from optdist.data.schema import CategoricalFeature, FeatureSchema, LabelStatistics, NumericFeature
from optdist.errors import ConfigError
from pipelines.monitoring.gate.columns import against_last, against_training, compare_columns
from pipelines.monitoring.gate.days import Days, check_days
from pipelines.monitoring.gate.findings import Finding, checks_of, failed, in_short
from pipelines.monitoring.gate.ids import Change, Ids, check_forms, check_ids, check_unique
from pipelines.monitoring.gate.past_days import allow_as_before, check_history, check_repeats_of_all
from pipelines.monitoring.gate.scores import check_scores_against_training
from pipelines.monitoring.gate.verdict import Accepting, accept

GATE = GateConfig()
TODAY = dt.date(2024, 6, 30)


def days(count=300, per_day=200, seed=0, until=TODAY):
    rng = np.random.default_rng(seed)
    first = until - dt.timedelta(count - 1)
    rows = []
    for number in range(count):
        day = first + dt.timedelta(number)
        events = int(rng.poisson(per_day * (0.4 if day.weekday() == 6 else 1.0)))
        amount = float(f"{events * rng.normal(20, 1):.3g}")
        rows.append(DayCount(str(day), events, events, events // 50, amount))
    return rows


def changed(rows, last, **factors):
    """The last days with some of their counts multiplied."""
    return [
        row._replace(**{name: type(getattr(row, name))(getattr(row, name) * factor)
                        for name, factor in factors.items()})
        if place >= len(rows) - last else row
        for place, row in enumerate(rows)
    ]  # fmt: skip


def failing(findings):
    return checks_of(failed(findings))


def test_weeks_like_those_before_pass():
    for seed in range(20):
        assert failing(check_days(Days.of(days(seed=seed), TODAY), GATE)) == []


@pytest.mark.parametrize(
    ("rows", "check"),
    [
        (days()[:-3], "late"),  # three days have not come
        ([*days()[:-20], days()[-1]._replace(events=1)], "late"),  # but for one fresh row
        (changed(days(), 7, events=3, distinct=3, amount=3), "events"),
        (changed(days(), 7, events=2, amount=2), "repeats"),
        (changed(days(), 1, events=2, amount=2), "repeats"),
        (changed(days(), 1, amount=100), "amounts"),
        (changed(days(), 28, amount=0.01), "amounts"),
        (changed(days(), 28, negative=0), "negatives"),
        (changed(days(), 28, negative=50), "negatives"),
        (days()[:-20] + days()[-8:], "missing_days"),
    ],
)
def test_late_missing_and_doubled_days_and_other_amounts_are_found(rows, check):
    assert check in failing(check_days(Days.of(rows, TODAY), GATE))


def test_a_season_of_the_year_before_is_no_fault():
    rows = days(700)
    feast = [
        place for place, row in enumerate(rows) if row.day[5:] >= "06-24" and row.day[5:] < "07-01"
    ]
    for place in feast:
        row = rows[place]
        rows[place] = row._replace(events=row.events * 4, distinct=row.distinct * 4)
    assert "events" not in failing(check_days(Days.of(rows, TODAY), GATE))
    assert "events" in failing(check_days(Days.of(rows[400:], TODAY), GATE))


@pytest.mark.parametrize(
    "rows",
    [
        changed(days(), 300, events=0.5, distinct=0.5),  # half of the customers
        changed(days(), 300, events=2, amount=2),  # every row twice
        changed(days(), 300, amount=100),  # cents
        days()[-1:],  # yesterday alone
        days()[:100] + days()[160:],  # two months lost
        [row._replace(day=str(dt.date.fromisoformat(row.day) + dt.timedelta(1))) for row in days()],
    ],
)
def test_days_that_were_read_before_must_not_change(rows):
    then = days()[:-1]
    yesterday = TODAY - dt.timedelta(1)
    now = Days.of(rows, TODAY)
    assert failing(check_history(now, then, yesterday, "yesterday", GATE)) == ["history"]
    same = Days.of(days(), TODAY)
    assert failing(check_history(same, then, yesterday, "yesterday", GATE)) == []


def test_late_rows_and_a_moving_window_of_days_are_no_change():
    then, yesterday = days()[:-1], TODAY - dt.timedelta(1)
    filled = changed(days()[:-1], 5, events=1.5) + days()[-1:]
    assert failing(check_history(Days.of(filled, TODAY), then, yesterday, "yesterday", GATE)) == []
    moved = Days.of(days()[1:], TODAY)
    assert failing(check_history(moved, then, yesterday, "yesterday", GATE)) == []


def test_what_trainings_events_ended_with_is_allowed_and_no_more():
    ended = list(check_days(Days.of(changed(days(), 28, events=0.2), TODAY), GATE))
    assert "events" in failing(ended)
    assert "events" not in failing(allow_as_before(ended, ended))
    empty = list(check_days(Days.of(changed(days(), 28, events=0.1), TODAY), GATE))
    assert "events" in failing(allow_as_before(empty, ended))


def test_a_hole_of_weeks_does_not_make_itself_usual():
    fresh = days()[:-60] + changed(days()[-1:], 1, events=0.5)
    assert "events" in failing(check_days(Days.of(fresh, TODAY), GATE))


def test_more_repeated_events_than_before_are_found():
    twice = Days.of(changed(days(), 300, events=2), TODAY)
    assert failing(check_repeats_of_all(twice, days(), "training", GATE)) == ["repeats"]
    assert failing(check_repeats_of_all(Days.of(days(), TODAY), days(), "training", GATE)) == []


SCHEMA = FeatureSchema(
    categorical=[
        CategoricalFeature(name="city", vocabulary=["a", "b"], unknown_share=0.0),
        CategoricalFeature(name="month", vocabulary=["1"], unknown_share=0.0, calendar=True),
    ],
    numeric=[NumericFeature(name="spend", log1p=True, mean=2, std=1, indicator=False)],
    label=LabelStatistics(count=9, positives=9, total=9, median=1, log_mean=0, log_std=1,
                          log_min=0, log_max=1),
)  # fmt: skip


def part(mean=0.0, std=1.0, missing=0, city=(0, 0, 600, 400), month=(0, 0, 1000), **about):
    spend = ColumnProfile(
        rows=1000, missing=missing, mean=mean, std=std, shape=[missing, 500, 500 - missing],
        quantiles=[mean + std * z for z in (-1.6, -0.7, 0, 0.7, 1.6)],
    )  # fmt: skip
    categories = {
        name: ColumnProfile(rows=1000, unknown=shape[1], shape=list(shape))
        for name, shape in (("city", city), ("month", month))
    }
    return PartProfile(rows=1000, columns={"spend": spend, **categories}, **about)


def profile(*periods, **about):
    whole = about.pop("whole", periods[0] if periods else part())
    first, last = (periods[0].first, periods[-1].last) if periods else (None, None)
    return Profile(
        rows=1000, whole=whole, periods=list(periods), first_cut=first, last_cut=last, **about
    )


@pytest.mark.parametrize(
    ("now", "checks"),
    [
        (part(), []),
        (part(mean=0.3), []),
        (part(mean=3.5), ["mean", "quantiles"]),
        (part(std=4.0), ["spread", "quantiles"]),
        (part(missing=400), ["missing", "psi", "js"]),
        (part(city=(0, 1000, 0, 0)), ["unknown", "psi", "js", "categories"]),
        (part(city=(0, 0, 995, 5)), ["psi", "js", "categories"]),
        (part(month=(0, 1000, 0)), []),  # another month is no fault
    ],
)
def test_a_column_that_differs_from_the_last_date_is_found(now, checks):
    last = against_last(profile(), "2024-06-29", 1, profile())
    assert failing(compare_columns(now, last, SCHEMA, GATE)) == checks


def test_what_trainings_own_dates_differ_by_is_no_fault():
    seasons = [part(mean=mean, first=f"2023-{month:02d}-01", last=f"2023-{month:02d}-01")
               for month, mean in ((10, 0.0), (11, 0.5), (12, 2.0))]  # fmt: skip
    december, day = part(mean=2.2), dt.date(2023, 12, 1)
    calm = against_training(profile(*[part(first=p.first, last=p.last) for p in seasons]), day)
    assert failing(compare_columns(december, calm, SCHEMA, GATE)) == ["mean", "quantiles"]
    lively = against_training(profile(*seasons), day)
    assert failing(compare_columns(december, lively, SCHEMA, GATE)) == []
    assert "mean" in failing(compare_columns(part(mean=9.0), lively, SCHEMA, GATE))


def test_rows_of_one_household_are_no_independent_evidence():
    unknown, alone = part(city=(0, 250, 450, 300)), against_training(profile(part()), None)
    assert "unknown" in failing(compare_columns(unknown, alone, SCHEMA, GATE))
    alike = replace(alone, cluster=20.0)
    assert "unknown" not in failing(compare_columns(unknown, alike, SCHEMA, GATE))


def test_ids_must_not_vanish_double_or_grow_beyond_history():
    def checks(rate=0.001, arrived=0, **counts):
        ids = Ids(**({"rows": 1000, "ids": 1000, "repeated": 0, "last_rows": 1000} | counts))
        change = Change(1, rate, arrived)
        return failing([*check_unique(ids, GATE), *check_ids(ids, "d", change, GATE)])

    assert checks(new=10) == []
    assert checks(rows=500, ids=500, vanished=500) == ["rows", "vanished"]
    assert checks(repeated=3) == ["unique_ids"]
    assert checks(rows=1600, new=600) == ["new_ids"]
    assert checks(rate=0.3, rows=1600, new=600) == checks(arrived=300, rows=1600, new=600) == []


@pytest.mark.parametrize("form", ["9.", "09", "9A", "a9-"])
def test_ids_of_another_form_are_found(form):
    then = profile(forms={"id": {"9": 1000}}, lengths={"id": {"5": 1000}})
    now = profile(forms={"id": {form: 1000}}, lengths={"id": {"7": 1000}})
    found = failed(check_forms(now, then, "d", GATE))
    assert checks_of(found) == ["id_form"] and [f.column for f in found] == ["id", "id (length)"]
    assert failing(check_forms(then, then, "d", GATE)) == []


def test_predictions_far_from_trainings_are_found():
    rng = np.random.default_rng(0)
    values = rng.lognormal(2, 1, 1000)
    then = ScoreProfile.of(values)
    assert failing(check_scores_against_training(then, then, 0.0, GATE)) == []
    other = ScoreProfile.of(values * 12)
    found = check_scores_against_training(other, then, 0.0, GATE)
    assert failing(found) == ["score_mean", "score_quantiles"]


def test_a_check_is_turned_off_or_given_other_limits():
    gate = GateConfig(mean=None, quantiles={"max": 9}, psi=None, js=None)
    last = against_last(profile(), "d", 1, profile())
    assert failing(compare_columns(part(mean=3.5), last, SCHEMA, gate)) == []


def finding(check, value=2.0):
    limits = LimitsConfig(max=1)
    return Finding(check=check, value=value, limits=limits, what="it moved by", now=5, reference=3)


def test_a_failed_check_is_accepted_by_name_and_stays_so_for_the_same_input():
    findings = [finding("mean"), finding("mean", 3.0), finding("rows"), finding("psi", 0.5)]
    wrong, accepted = accept(findings, Accepting(("mean",), "new prices", "ana"))
    assert checks_of(wrong) == ["rows"]
    [one] = accepted
    assert (one.check, one.by, one.reason) == ("mean", "ana", "new prices")
    assert "it moved by 3 (5, was 3); allowed 1" in one.findings[0]
    again = accept(findings, Accepting(("rows",)), accepted)
    assert (
        again[0] == [] and again[1][-1] == one and {a.check for a in again[1]} == {"mean", "rows"}
    )


def test_accepting_a_check_that_there_is_not_lists_those_that_there_are():
    with pytest.raises(ConfigError, match=r"--accept men names no check.*history.*model_age"):
        Accepting(("men",))


def test_one_line_a_check_has_the_worst_findings_first_and_counts_the_rest():
    findings = [finding("mean", value) for value in (2.0, 9.0, 3.0, 4.0, 5.0)]
    [text] = in_short(findings)
    assert text.startswith("mean: it moved by 9 ") and text.endswith("(and 2 more like it)")
