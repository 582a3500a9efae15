import numpy as np
import pytest
from matplotlib.figure import Figure

from optdist.evaluation import plots

HISTORY = [
    {"epoch": i, "loss": 3.0 - i / 10, "validation": {"normalized_gini": g}, "sdn_share": s}
    for i, g, s in [(1, 0.3, [0.9, 0.1]), (2, 0.6, [0.6, 0.4]), (3, 0.5, [0.5, 0.5])]
]
Y = np.array([0.0, 0.0, 5.0, 20.0, 0.0, 1000.0])
PREDICTED = np.array([0.5, 1.0, 4.0, 30.0, 2.0, 500.0])


def heights(axes):
    return [[bar.get_height() for bar in bars] for bars in axes.containers]


@pytest.mark.parametrize(
    "figure",
    [
        plots.training_curves(HISTORY),
        plots.sdn_shares(HISTORY),
        plots.deciles(Y, PREDICTED, groups=3),
        plots.sdn_boxplots(Y, PREDICTED, np.array([0, 0, 1, 1, 0, 1])),
    ],
)
def test_every_plot_has_a_title_and_named_axes_and_can_be_drawn(figure, tmp_path):
    assert isinstance(figure, Figure)
    figure.savefig(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 5_000
    assert figure.axes[0].get_title() and figure.axes[0].get_ylabel()


def test_the_curves_are_the_historys_and_the_best_epoch_is_marked():
    left, right = plots.training_curves(HISTORY).axes
    assert left.lines[0].get_ydata().tolist() == pytest.approx([2.9, 2.8, 2.7])
    assert right.lines[0].get_ydata().tolist() == [0.3, 0.6, 0.5]
    assert right.texts[0].get_text() == "0.6000"
    assert right.texts[0].xy == (2, 0.6)


def test_shares_of_an_epoch_fill_its_bar():
    first, second = heights(plots.sdn_shares(HISTORY).axes[0])
    assert first == [0.9, 0.6, 0.5]
    assert np.add(first, second).tolist() == pytest.approx([1, 1, 1])


def test_deciles_go_from_the_highest_prediction_down():
    predicted, actual = heights(plots.deciles(Y, PREDICTED, groups=3).axes[0])
    assert predicted == [265.0, 3.0, 0.75]
    assert actual == [510.0, 2.5, 0.0]


def test_box_plots_show_each_selected_sdn_and_its_share_on_a_log_scale():
    axes = plots.sdn_boxplots(Y, PREDICTED, np.array([0, 0, 3, 3, 0, 3])).axes[0]
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["SDN 0\n50.0% of rows", "SDN 3\n50.0% of rows"]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "0",
        "1",
        "10",
        "100",
        "1,000",
    ]
    np.testing.assert_allclose(axes.get_yticks(), np.log1p([0, 1, 10, 100, 1000]))
