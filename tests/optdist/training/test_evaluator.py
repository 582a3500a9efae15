import numpy as np
import pytest
from table import write_table

from optdist.config import OptDistConfig, TwoStageConfig, ZilnConfig
from optdist.models import build_model
from optdist.training.communicator import OneRank
from optdist.training.evaluator import Evaluation


def test_evaluation_holds_the_bytes_a_row_that_its_docstring_says(tmp_path):
    table = write_table(tmp_path, rows=600)
    model = build_model(table.schema, OptDistConfig(num_sdns=2, sdn=[8], dsm=[8]))
    evaluation = Evaluation(table, model, OneRank(), 64)

    def bytes_a_row(reading):
        rows = evaluation._rows("validation", reading)
        return sum(values.nbytes for values in rows.values()) / len(rows["label"])

    final = bytes_a_row(evaluation._graph(evaluation._final_reading))
    # label, keys; and of three rules mean, p, mu, sigma, selection (2), median, intervals (4), nll
    assert final == (4 + 8 + 8) + 3 * 12 * 4 == 164
    # label, keys; mean, nll, selection; and whether mu and sigma are at a bound
    assert bytes_a_row(evaluation.at_epoch) == (4 + 8 + 8) + 3 * 4 + 2 * 1 == 34
    for number in (164, 34):
        assert f"{number} bytes a row" in " ".join(Evaluation.__doc__.split())


@pytest.mark.parametrize(
    "config", [OptDistConfig(num_sdns=2, sdn=[8], dsm=[8]), ZilnConfig(tower=[8])]
)
def test_the_shares_of_rows_at_a_bound_are_measured_each_epoch(tmp_path, config):
    table = write_table(tmp_path, rows=600)
    model = build_model(table.schema, config)
    evaluation = Evaluation(table, model, OneRank(), 64)
    shares = ("at_mu_bound", "at_sigma_bound")
    metrics, _ = evaluation.epoch("validation")
    assert [metrics[share] for share in shares] == [0, 0]
    stack = model.network if isinstance(config, ZilnConfig) else model.dlm
    bias = np.zeros(stack.biases[-1].shape, np.float32)
    for outputs, expected in (([0, 99, 1], [1, 0]), ([0, -99, -99], [1, 1]), ([0, 1, 99], [0, 1])):
        stack.biases[-1].assign(bias + np.array(outputs, np.float32))
        metrics, _ = evaluation.epoch("validation")
        assert [metrics[share] for share in shares] == expected


def test_a_model_without_a_distribution_has_no_bounds(tmp_path):
    table = write_table(tmp_path, rows=600)
    model = build_model(table.schema, TwoStageConfig(tower=[8]))
    metrics, _ = Evaluation(table, model, OneRank(), 64).epoch("validation")
    assert "at_mu_bound" not in metrics
