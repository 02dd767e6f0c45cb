import itertools
import math

import numpy as np
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


def test_ties_are_within_categories():
    """The ink is the first number, but for what the category adds, which is far more."""
    generator = torch.Generator().manual_seed(1)
    category = torch.randint(5, (400,), generator=generator)
    numbers = torch.rand(400, 2, generator=generator)
    images = torch.zeros(400, 1, 8, 8)
    images[:, 0, 4, 2:5] = (numbers[:, :1] + 10 * category[:, None]) / 3
    found = two_players.ties(images, category, numbers)
    assert found.keys() == {f"c{i}, {name}" for i in (1, 2) for name in ("slant", "width", "ink")}
    assert found["c1, ink"] == pytest.approx(1, abs=1e-3)
    within = [np.corrcoef(*numbers[category == k].T)[0, 1] for k in range(5)]
    assert abs(found["c2, ink"]) <= max(map(abs, within))


def test_measures_of_points():
    near, far = two_players.ring(500), torch.zeros(500, 2)
    found = two_players.of_points(far, near)
    assert found["modes"] == 8
    assert found["near"] == 1
    assert found["least"] == 0
    assert found["spread"] == pytest.approx(near.var(0).sum().sqrt().item())


def test_a_game_on_the_ring():
    sheets = two_players.play_ring(3, 2, 4, 0.1)
    assert sheets.steps == [3, 6, 9, 12]
    assert [tuple(points.shape) for points in sheets.sheets] == [(2000, 2)] * 4
    again = two_players.play_ring(3, 2, 4, 0.1)
    assert torch.equal(sheets.sheets[-1], again.sheets[-1])
    assert not torch.equal(sheets.sheets[0], sheets.sheets[-1])
    one_more = two_players.play_ring(3, 2, 4, 9.0)
    assert not torch.equal(sheets.sheets[-1], one_more.sheets[-1])


def test_the_reader_learns_to_read():
    generator = torch.Generator().manual_seed(2)
    labels = torch.randint(2, (128,), generator=generator)
    images = 0.1 * torch.rand(128, 1, 8, 8, generator=generator)
    images[labels == 1, :, 4] += 0.9  # a bar, or none
    torch.manual_seed(0)
    reader = two_players.trained_reader(images, labels, 100)
    assert not reader.training
    assert reader[:-1](images).shape == (128, 32)
    assert (reader(images).argmax(1) == labels).double().mean() > 0.95


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


def test_distances_of_crowds(capsys):
    crowd, held = torch.randn(9, 1, 2, 2), torch.randn(7, 1, 2, 2)
    ways = {"pixels": lambda x: x.flatten(1), "ink": lambda x: x.sum((2, 3))}
    found = two_players.crowd_distances({"made": crowd}, held, ways, 3)["made"]
    assert found["ink"].shape == (3,)
    ink, wanted = crowd[3:6].sum((1, 2, 3)), held.sum((1, 2, 3))
    by_hand = (ink.mean() - wanted.mean()) ** 2 + (ink.std() - wanted.std()) ** 2  # one feature
    assert found["ink"][1] == pytest.approx(by_hand.item(), rel=1e-4)
    assert "in ink" in capsys.readouterr().out
    with pytest.raises(ValueError, match="12 or more of each, got 9"):
        two_players.crowd_distances({"made": crowd}, held, ways, 4)


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
