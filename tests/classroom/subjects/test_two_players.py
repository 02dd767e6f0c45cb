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


def test_an_even_circle_finds_no_mode():
    circle = two_players.even_circle(4000)
    assert circle.norm(dim=1).tolist() == pytest.approx([2] * 4000)
    shares = two_players.shares_of_modes(circle)[:8]
    want = 4 * math.asin(0.3 / 2 / two_players.RADIUS) / (2 * math.pi)  # chord of 0.3, both sides
    assert shares.tolist() == pytest.approx([want] * 8, abs=0.001)
    assert two_players.modes_found(circle) == 0


def test_measures_of_points():
    points = two_players.ring(500)
    found = two_players.of_points(points)
    assert found["modes"] == 8
    assert found["near"] == 1
    assert found["spread"] == pytest.approx(points.var(0).sum().sqrt().item())
    away = two_players.of_points(torch.zeros(50, 2))
    assert away == {"modes": 0, "near": 0, "spread": 0}


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


def test_turned_pictures_are_drawn():
    figure = two_players.show_turned(lambda a, b: torch.full((2, 1, 3, 3), a), 0.5, 0.0, "Turned")
    shown = [axes.images[0].get_array() for axes in figure.axes]
    assert len(shown) == 20
    assert figure.axes[0].get_title() == "c1 -1.0"
    assert figure.axes[9].get_title() == "c2 +1.0"


def test_points_are_drawn():
    points = two_players.ring(100)
    figure = two_players.show_points({"real": points, "made": points / 2}, title="Two clouds")
    assert [axes.get_title() for axes in figure.axes] == ["real", "made"]
