import pytest
import torch

from cvcourse.classroom.subjects.calibration import calibration_curve, show_calibration

EDGES = torch.tensor([0.0, 0.5, 1.0])


def test_mean_score_and_share_of_each_bin():
    scores = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9, 0.9])
    truth = torch.tensor([0, 1, 0, 1, 1, 1])
    promised, kept = calibration_curve(scores, truth, edges=EDGES, least=1)
    assert promised.tolist() == pytest.approx([0.2, 0.75])
    assert kept.tolist() == [0.5, 0.75]


def test_bins_with_few_true_or_few_false_ones_are_left_out():
    scores = torch.tensor([0.1, 0.1, 0.1, 0.9, 0.9, 0.9])
    truth = torch.tensor([0, 0, 1, 1, 1, 1])
    assert calibration_curve(scores, truth, edges=EDGES, least=2)[0].tolist() == []
    assert calibration_curve(scores, truth, edges=EDGES, least=1)[1].tolist() == [
        pytest.approx(1 / 3)
    ]


def test_honest_scores_lie_on_the_line():
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(1_000_000, generator=generator) ** 4
    truth = torch.rand(len(scores), generator=generator) < scores
    figure = show_calibration({"honest": (scores, truth)}, title="Honest", lowest=0.1)
    (axes,) = figure.axes
    x, y = axes.lines[1].get_data()
    assert len(x) == 5
    assert y == pytest.approx(x, rel=0.05)
    assert axes.get_xscale() == axes.get_yscale() == "log"
