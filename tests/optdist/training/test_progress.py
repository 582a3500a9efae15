"""What the progress bar prints."""

from optdist.training.progress import ProgressBar

EPOCH = {
    "event": "epoch",
    "epoch": 3,
    "epochs": 12,
    "loss": 2.5,
    "rows_per_second": 1e5,
    "sdn_share": None,
}


def line(capsys, **shares):
    validation = {"normalized_gini": 0.6, "total_ratio": 0.9, **shares}
    ProgressBar()(EPOCH | {"validation": validation})
    printed = capsys.readouterr()
    return printed.out + printed.err


def test_rows_at_a_bound_are_mentioned_where_they_are_more_than_one_in_a_hundred(capsys):
    printed = line(capsys, at_mu_bound=0.034, at_sigma_bound=0.01)
    assert "mu at a bound 3%" in printed and "sigma" not in printed
    assert "sigma at a bound 40%" in line(capsys, at_mu_bound=0.0, at_sigma_bound=0.4)


def test_a_model_without_bounds_has_a_line_too(capsys):
    assert "bound" not in line(capsys)
