"""A model trained on one file scores files of other writers as it should, or refuses them."""

import datetime as dt
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from quality_page import record, refusal
from quick import settings_of

from optdist.config import load_config
from optdist.errors import OptDistError
from optdist.serving.predictor import load_predictor
from optdist.tracking import Tracker
from pipelines.features.samples import scoring_samples
from pipelines.monitoring.gate.verdict import Accepting
from pipelines.scoring.pipeline import score
from pipelines.training.pipeline import run_training

pytestmark = [pytest.mark.slow, pytest.mark.integration]

FILES = Path(__file__).resolve().parents[1] / "data" / "quirks" / "case90_train_score"
SAME = {  # files of the same people as s_same.csv: what is written in another way there
    "s_order_extra.csv": "columns in another order, and more of them",
    "s_upper.csv": "names in upper case",
    "s_label_null.csv": "an empty label",
    "s_plan_int.csv": "3 for 3.0",
    "s_bool_lower.csv": "true for True",
    "s_parquet.parquet": "types of Parquet",
}
REFUSED = {  # what the sentence must name
    "s_lower_blank.csv": r"\d+ categories of country are unknown to the model, \d+ .* letter case",
    "s_new_categories.csv": r"categories of country are unknown to the model",
    "s_missing_col.csv": r"features names columns that are not there: visits",
    "s_semicolon.csv": r"options: \{sep: ';'\}",
    "s_thousands.csv": r"unparsable visits .*`9,999`",
    "s_empty.csv": r"has a header and no row",
    "s_all_null_num.csv": r"missing: the share of missing values of age differs by 1 .*--accept",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, spark):
    root = tmp_path_factory.mktemp("scored_files")
    config = configured(root, "users.csv")
    with settings_of(spark):
        report = run_training(spark, config)
    return config, report.version


def configured(root, file, format="parquet"):
    return load_config(
        FILES / "config.yaml",
        overrides=[
            f"paths.root={root}",
            f"dataset.source.tables.main.path={FILES / file}",
            f"dataset.source.tables.main.format={format}",  # parquet: the file's name decides
            "build.min_row_groups=2",
            "dataset.features.min_frequency=1",
            "training={engine: one_process, ranks: 1, epochs: 1, batch_size: 64}",
            "model={sdn: [8], dsm: [8], num_sdns: 2}",
        ],
    )


def scores_of(spark, trained, file, accepting=None):
    config, version = trained
    made = configured(config.root, file)
    day = dt.date(2024, 1, 1) + dt.timedelta(sorted(f.name for f in FILES.iterdir()).index(file))
    with settings_of(spark):
        done = score(spark, made, Tracker(made), day, model=version, accepting=accepting)
    return pd.read_parquet(done.path).set_index("user_id").sort_index()


def by_predictor(trained, rows):
    """The scores that the package gives rows in memory, without Spark."""
    config, version = trained
    predictor = load_predictor(Tracker(config).package(version).path)
    return predictor.predict(rows)["predicted_cltv"]


@pytest.fixture(scope="module")
def same(spark, trained):
    return scores_of(spark, trained, "s_same.csv")


def test_the_same_file_gets_the_scores_of_its_rows(trained, same):
    rows = pd.read_csv(FILES / "s_same.csv").sort_values("user_id")
    assert list(same.index) == list(rows["user_id"])
    assert same["predicted_cltv"].nunique() > 50
    np.testing.assert_allclose(same["predicted_cltv"], by_predictor(trained, rows), rtol=1e-5)


@pytest.mark.parametrize("file", SAME)
def test_the_same_people_written_in_another_way_get_the_same_scores(spark, trained, same, file):
    pd.testing.assert_series_equal(
        scores_of(spark, trained, file)["predicted_cltv"], same["predicted_cltv"], rtol=1e-6
    )
    record(file, "right scores")


@pytest.mark.parametrize("file", REFUSED)
def test_what_the_model_cannot_score_is_refused_in_one_sentence(spark, trained, file):
    with pytest.raises(OptDistError) as error:
        scores_of(spark, trained, file)
    text = str(error.value)
    assert re.search(REFUSED[file], text) and "\n" not in text and "Traceback" not in text
    record(file, refusal(error.value, trained[0].root, FILES))


def test_a_format_that_the_config_fixes_is_asked_for(spark, trained):
    config, _ = trained
    with pytest.raises(OptDistError, match=r"is a Parquet file\. Set format: parquet\."):
        made = configured(config.root, "s_parquet.parquet", "csv")
        scoring_samples(spark, made.dataset, dt.date(2024, 1, 1))


def test_people_without_a_number_are_scored_as_such_where_that_is_accepted(spark, trained):
    rows = pd.read_csv(FILES / "s_all_null_num.csv").sort_values("user_id")
    assert rows["age"].isna().all()
    accepting = Accepting(("missing", "psi", "js", "score_mean", "score_quantiles"), "no ages here")
    scores = scores_of(spark, trained, "s_all_null_num.csv", accepting)["predicted_cltv"]
    np.testing.assert_allclose(scores, by_predictor(trained, rows), rtol=1e-5)


def test_every_file_is_tried():
    tried = {*SAME, *REFUSED, "s_same.csv"}
    assert {path.name for path in FILES.glob("s_*")} == tried
