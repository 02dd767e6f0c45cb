import pytest
import torch
import torch.nn.functional as F

from cvcourse.data.rendered_digits import FONTS, PARAMETERS, glyphs, render

NAMES = [p.name for p in PARAMETERS]


def drawn(count=40, seed=0, **values):
    parameters = torch.tensor([p.neutral for p in PARAMETERS]).repeat(count, 1)
    for name, value in values.items():
        parameters[:, NAMES.index(name.replace("_", " "))] = value
    return render(parameters, torch.Generator().manual_seed(seed))


def test_glyphs_are_white_on_black_as_high_as_their_picture_and_different():
    found = glyphs()
    assert found.shape == (len(FONTS), 10, 32, 32)
    assert found.min() >= 0
    assert found.max() <= 1
    rows = found.amax(3) > 0.3
    assert rows[..., 0].float().mean() > 0.9  # ink touches the upper and the lower border
    assert rows[..., -1].float().mean() > 0.9
    assert found[:, :, :, 0].mean() < 0.2  # and hardly those at the sides
    flat = found.flatten(0, 1).flatten(1)
    apart = torch.cdist(flat, flat) + 99 * torch.eye(len(flat))
    assert apart.min() > 0.5


def test_neutral_parameters_give_block_averages_of_the_glyphs():
    images, labels = drawn(300)
    assert images.shape == (300, 1, 8, 8)
    assert labels.unique().tolist() == list(range(10))
    known = F.avg_pool2d(glyphs().flatten(0, 1)[:, None], 4).unflatten(0, (len(FONTS), 10))
    for image, label in zip(images, labels, strict=True):
        assert (known[:, label] - image).abs().amax((1, 2, 3)).min() < 1e-5


def test_a_shift_moves_by_pixels():
    still, _ = drawn()
    right, _ = drawn(right=0.25)  # of half a side of 8: one pixel
    down, _ = drawn(down=-0.25)
    torch.testing.assert_close(right[..., 1:], still[..., :-1])
    torch.testing.assert_close(down[..., :-1, :], still[..., 1:, :])


def moments(images):
    """Mass, centre (x, y) and covariance of the ink."""
    at = torch.arange(8) - 3.5
    y, x = torch.meshgrid(at, at, indexing="ij")
    mass = images.sum((1, 2, 3))
    place = torch.stack([x, y])
    centre = (images * place).sum((2, 3)) / mass[:, None]
    away = place - centre[..., None, None]
    spread = torch.einsum("bhw,bihw,bjhw->bij", images[:, 0], away, away)
    return mass, centre, spread / mass[:, None, None]


def test_size_rotation_and_shear_by_their_moments():
    small = {"log_width": -0.5, "log_height": -0.5}  # so that nothing leaves the picture
    _, _, start = moments(drawn(**small)[0])
    _, _, full = moments(drawn()[0])
    pixel = 1 / 12  # the variance inside a pixel, on both sides
    ratio = (start - pixel * torch.eye(2)).mean(0) / (full - pixel * torch.eye(2)).mean(0)
    assert (
        abs(ratio[1, 1] / torch.tensor(-1.0).exp() - 1) < 0.15
    )  # (exp -0.5)², and a little for interpolation
    _, _, low = moments(drawn(log_height=-0.5)[0])
    assert abs(low[:, 0, 0].mean() / full[:, 0, 0].mean() - 1) < 0.1  # as wide as it was
    _, _, turned = moments(drawn(rotation=60.0, **small)[0])
    angle = torch.tensor(60.0).deg2rad()
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).view(2, 2)
    torch.testing.assert_close(turned.mean(0), turn @ start.mean(0) @ turn.T, atol=0.25, rtol=0)
    _, _, leaning = moments(drawn(shear=0.5, **small)[0])
    assert (leaning[:, 0, 1] < start[:, 0, 1]).all()  # what is above moves to the right


def test_thickness_wave_and_noise():
    thin, usual, thick = (moments(drawn(thickness=t)[0])[0] for t in (-1.0, 0.0, 2.0))
    assert (thin < usual).all()
    assert (usual < thick).all()
    quiet, loud = drawn(400)[0], drawn(400, noise=0.2)[0]
    inside = (quiet > 0.45) & (quiet < 0.55)  # where little is cut off
    assert abs((loud - quiet)[inside].std() - 0.2) < 0.02
    assert not drawn(wave=0.3)[0].equal(drawn()[0])


def test_alike_for_a_seed_and_within_zero_and_one():
    ends = torch.tensor([p.limits for p in PARAMETERS])
    parameters = ends[:, 0] + torch.rand(50, len(PARAMETERS)) * (ends[:, 1] - ends[:, 0])
    first, labels = render(parameters.double(), torch.Generator().manual_seed(3))
    again, same = render(parameters.double(), torch.Generator().manual_seed(3))
    assert first.equal(again)
    assert labels.equal(same)
    assert first.dtype == torch.float32
    assert first.aminmax() == (first.clamp(0, 1).min(), first.clamp(0, 1).max())


def test_parameters_of_another_shape_or_beyond_limits_are_refused():
    with pytest.raises(ValueError, match=r"parameters must be \(N, 9\)"):
        render(torch.zeros(4, 3))
    with pytest.raises(ValueError, match="within"):
        drawn(noise=-0.1)
