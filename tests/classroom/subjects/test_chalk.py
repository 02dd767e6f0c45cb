import matplotlib.pyplot as plt
import torch
from matplotlib.quiver import Quiver

from cvcourse.classroom.subjects import chalk


def test_canvases_are_a_function_of_their_arguments():
    one, two = (chalk.canvases("val", 6, seed=4) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    other = chalk.canvases("val", 6, seed=5)
    assert not torch.equal(one.images, other.images)


def test_digits_never_touch_and_lie_where_the_centres_say():
    images, centres, names = chalk.canvases("test", 200, seed=0)
    assert images.shape == (200, 1, 48, 48)
    assert 0 <= images.min() <= images.max() <= 1
    assert centres.shape == (200, 2, 2)
    assert names.shape == (200, 2)
    assert set(names.flatten().tolist()) == set(range(10))
    assert (centres[:, 0] - centres[:, 1]).abs().amax(1).min() >= chalk.APART
    assert centres.min() >= 7
    assert centres.max() <= 41
    corner = (centres[:, 0] - 7).long()  # the patch around a centre is brighter than the rest
    patches = torch.stack(
        [
            image[0, y : y + 14, x : x + 14]
            for image, (x, y) in zip(images, corner.tolist(), strict=True)
        ]
    )
    assert patches.mean() > images.mean() + 0.1


def test_one_quarter_puts_both_digits_into_one():
    _, centres, _ = chalk.canvases("val", 40, seed=1, one_quarter=0.5)
    quarter = centres >= 24
    together = (quarter[:, 0] == quarter[:, 1]).all(1)
    assert together[:20].all()
    assert together[20:].float().mean() < 0.5


def test_one_digit():
    assert chalk.canvases("val", 3, seed=1, each=1).centres.shape == (3, 1, 2)


def test_hit_and_distance_by_hand():
    centres = torch.tensor([[[10.0, 10], [30, 30]]])
    for point, wanted, far in (
        ((17.0, 3.0), 1, 98**0.5),
        ((17.1, 10), 0, 7.1),
        ((30, 29), 1, 1),
        ((20, 20), 0, 200**0.5),
    ):
        point = torch.tensor([point])
        assert chalk.hit(point, centres).item() == wanted
        assert abs(chalk.distance(point, centres).item() - far) < 1e-5


def test_beliefs_are_framed_where_the_bins_are():
    _, axes = plt.subplots()
    chalk.draw_beliefs(axes, torch.tensor([0.02, 0.6, 0.3, 0.08]))
    corners = [(frame.get_x(), frame.get_y(), frame.get_width()) for frame in axes.patches]
    assert corners == [(24, 0, 24), (0, 24, 24), (24, 24, 24)]
    assert [text.get_text() for text in axes.texts] == ["60%", "30%", "8%"]
    plt.close("all")


def test_refinement_goes_from_the_middle_of_the_bin_to_the_centre():
    centres = torch.tensor([[15.0, 33.0], [40.0, 2.0]])
    figure = chalk.show_refinement(torch.zeros(1, 48, 48), centres, bins=4, title="Two bins")
    choose, correct = figure.axes
    assert [frame.get_xy() for frame in choose.patches] == [(12, 24), (36, 0)]
    (arrows,) = (drawn for drawn in correct.collections if isinstance(drawn, Quiver))
    assert arrows.XY.tolist() == [[18, 30], [42, 6]]
    assert [arrows.U.tolist(), arrows.V.tolist()] == [[-3, -2], [3, -4]]
    assert (arrows.angles, arrows.scale_units, arrows.scale) == ("xy", "xy", 1)  # as long as said
    plt.close("all")


def test_a_shared_offset_is_read_as_that_of_each_bin():
    outputs = torch.arange(36.0).view(2, 18)
    wide = chalk.widen(outputs).view(2, 16, 3)
    assert wide[..., 0].equal(outputs[:, :16])
    assert (wide[0, :, 1:] == torch.tensor([16.0, 17])).all()
    assert (wide[1, :, 1:] == torch.tensor([34.0, 35])).all()


def test_numbers_of_beliefs_keep_away_from_points():
    _, axes = plt.subplots()
    half = torch.tensor([0.0, 0.0, 0.5, 0.5])  # bins of 24 pixels, the lower two
    chalk.draw_beliefs(axes, half, avoid=torch.tensor([[1.0, 47.0], [47.0, 47.0]]))
    places = [text.get_position() for text in axes.texts]
    assert places == [(22, 26), (26, 26)]  # the upper corners, away from the points
