from functools import partial

import matplotlib.pyplot as plt
import pytest
import torch
from sklearn.cluster import KMeans

from cvcourse.classroom.history import History
from cvcourse.classroom.subjects import tabletop


@pytest.fixture
def g():
    return torch.Generator().manual_seed(0)


def test_each_thing_has_its_colour_at_its_place_and_the_hand_is_on_top(g):
    places = torch.tensor([[[10.5, 12.5], [30.5, 12.5], [20.5, 38.5]]])
    seen = tabletop.camera(places, g)[0]
    for (row, column), colour in zip(places[0].long().tolist(), tabletop.COLOURS, strict=True):
        assert (seen[:, row, column] - colour).abs().max() < 0.1
    assert (seen - tabletop.cloth()).abs().amax(0)[42:].max() < 0.12  # nothing but noise below
    heap = torch.full((1, 3, 2), 24.5)
    assert (tabletop.camera(heap, g)[0, :, 24, 24] - tabletop.COLOURS[0]).abs().max() < 0.1


def test_things_stay_on_the_table_when_they_move(g):
    places = tabletop.anywhere(500, g)
    there = tabletop.moved(places, g)
    for x in (places, there):
        assert x.min() >= tabletop.EDGE
        assert x.max() <= tabletop.SIDE - tabletop.EDGE
    torch.testing.assert_close(tabletop.moved(places, g, reach=0.0), places)
    assert 6 < (there - places).abs().square().mean().sqrt() < 8  # less than 8: some bounce


def test_the_cloth_is_pulled_by_whole_pixels():
    torch.testing.assert_close(tabletop.cloth(4)[..., :-4], tabletop.cloth()[..., 4:])
    with pytest.raises(ValueError, match="pull"):
        tabletop.cloth(7)


@pytest.fixture
def groups(g):
    watched = tabletop.camera(tabletop.anywhere(100, g), g).movedim(1, 3)
    chosen = tabletop.colourful(watched.movedim(3, 1))
    return KMeans(3, n_init=5, random_state=0).fit(watched[chosen])


def test_middles_are_where_the_things_are(g, groups):
    places = torch.tensor([[[12.0, 12.0], [36.0, 20.0], [20.0, 36.0]]])
    images = tabletop.camera(places, g)
    for rule in (tabletop.colourful, partial(tabletop.differs, empty=tabletop.cloth())):
        found = 23.5 * tabletop.middles(images, rule, groups).view(3, 2)
        assert torch.cdist(places[0] - 24, found).min(1).values.max() < 0.7


def test_a_table_without_things_has_its_middles_in_the_middle(groups):
    for rule in (tabletop.colourful, partial(tabletop.differs, empty=tabletop.cloth())):
        assert not tabletop.middles(tabletop.cloth()[None], rule, groups).any()


def test_a_hand_that_knows_arrives_and_one_that_stands_still_does_not(groups):
    def knowing(images):
        found = tabletop.middles(images, tabletop.colourful, groups).view(-1, 3, 2)
        return found[:, square] - found[:, hand]

    centres = torch.as_tensor(groups.cluster_centers_).float()
    hand, square = torch.cdist(tabletop.COLOURS[:2], centres).argmin(1)
    arrived, films = tabletop.walk(knowing, 40)
    assert arrived.float().mean() > 0.9
    assert films.shape == (8, 30, 3, 48, 48)
    places = tabletop.anywhere(40, torch.Generator().manual_seed(7))
    near = (places[:, 0] - places[:, 1]).norm(dim=1) < tabletop.TOUCH
    stood, _ = tabletop.walk(lambda images: torch.zeros(len(images), 2), 40)
    assert stood.equal(near)


def test_places_are_marked_where_they_are(g):
    images = tabletop.camera(tabletop.anywhere(3, g), g)
    places = [tabletop.anywhere(3, g) for _ in range(2)]
    figure = tabletop.show_places(images, places, title="Two networks")
    assert len(figure.axes) == 6
    marks = [line.get_xydata()[0].tolist() for line in figure.axes[4].lines]
    assert marks == [pytest.approx([x - 0.5, y - 0.5]) for y, x in places[1][1].tolist()]
    assert figure.axes[3].get_ylabel() == "network 1"
    plt.close(figure)
    one = tabletop.show_places(images[:1], [places[0][:1]], title="One")
    assert [axes.get_ylabel() for axes in one.axes] == [""]
    assert len(one.legends[0].get_texts()) == 3
    plt.close(one)


def test_curves_of_each_thing():
    rows = [{"step": s, "hand": 3.0 - s, "square": 4.0, "diamond": 1.0} for s in range(3)]
    figure = tabletop.show_learning([History(rows)] * 2, title="Learning")
    assert [axes.get_title() for axes in figure.axes] == ["the hand", "the square", "the diamond"]
    assert figure.axes[0].lines[1].get_ydata().tolist() == [3, 2, 1]
    plt.close(figure)


def test_a_hand_that_goes_up_arrives_by_hand_count():
    """`walk`, counted without it: rows fall by two a step, and a touch ends it."""
    start = tabletop.anywhere(200, torch.Generator().manual_seed(7))
    rows = (start[:, 0, 0] - 2 * torch.arange(1, 31)[:, None]).clamp(min=7)
    near = torch.hypot(rows - start[:, 1, 0], start[:, 0, 1] - start[:, 1, 1]) < 6
    arrived, _ = tabletop.walk(lambda x: torch.tensor([-1.0, 0]).expand(len(x), 2))
    assert torch.equal(near.any(0), arrived)
