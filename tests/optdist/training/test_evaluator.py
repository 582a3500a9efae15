from table import write_table

from optdist.config import OptDistConfig
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
    assert bytes_a_row(evaluation.at_epoch) == (4 + 8 + 8) + 3 * 4 == 32
    for number in (164, 32):
        assert f"{number} bytes a row" in " ".join(Evaluation.__doc__.split())
