import itertools
import math

import pytest
import torch

from cvcourse.classroom.subjects import two_players


def test_ring():
    points = two_players.ring(4000, torch.Generator().manual_seed(0))
    shares = two_players.shares_of_modes(points)
    assert shares[-1] == 0
    assert (shares[:8] - 1 / 8).abs().max() < 4 * (7 / 64 / 4000) ** 0.5
    assert two_players.modes_found(points) == 8
    radius = points.norm(dim=1)
    assert radius.mean().item() == pytest.approx(2, abs=0.005)
    assert two_players.modes_found(two_players.centres()[:3].repeat(10, 1)) == 3
    assert two_players.shares_of_modes(torch.zeros(5, 2))[-1] == 1


def test_strokes_by_hand():
    """A line from (0, 0) to (4, 4) leans by one column a row; an upright one by none."""
    diagonal, upright = torch.eye(5), torch.zeros(5, 5)
    upright[1:4, 2] = 0.5
    found = two_players.strokes(torch.stack([diagonal, upright])[:, None])
    assert found["slant"].tolist() == pytest.approx([1, 0])
    assert found["width"].tolist() == pytest.approx([2, 0])
    assert found["ink"].tolist() == pytest.approx([5, 1.5])
    flipped = two_players.strokes(diagonal.flip(1)[None, None])
    assert flipped["slant"].item() == pytest.approx(-1)
    assert math.isfinite(two_players.strokes(torch.zeros(1, 1, 5, 5))["slant"])


def test_names_of_clusters_are_the_best_of_all():
    generator = torch.Generator().manual_seed(3)
    clusters, labels = torch.randint(4, (2, 60), generator=generator)
    names = max(
        itertools.permutations(range(4)),
        key=lambda p: (torch.tensor(p)[clusters] == labels).sum(),
    )
    tested, truth = torch.randint(4, (2, 50), generator=generator)
    want = (torch.tensor(names)[tested] == truth).double().mean().item()
    got = two_players.score_of_clusters(clusters, labels, tested, truth, classes=4)
    assert got == pytest.approx(want)


def test_points_are_drawn():
    points = two_players.ring(100)
    figure = two_players.show_points({"real": points, "made": points / 2}, title="Two clouds")
    assert [axes.get_title() for axes in figure.axes] == ["real", "made"]
