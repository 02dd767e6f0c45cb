import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvcourse.models.segmentation.overlap_tile import overlap_tile
from cvcourse.models.segmentation.unet import UNet


def whole(model, images, *, margin, sizes):
    """One pass over the picture mirrored to `sizes`, by index, not as the function does it."""
    height, width = images.shape[-2:]
    padded = F.pad(
        images,
        (margin, sizes[1] - width - margin, margin, sizes[0] - height - margin),
        mode="reflect",
    )
    with torch.no_grad():
        return model(padded)[..., :height, :width]


@pytest.mark.parametrize(
    ("widths", "tile"),
    [((3, 4, 5), 12), ((3, 4, 5), 20), ((2, 2, 3, 4), 12), ((2, 2, 3, 4), 28)],
)
def test_tiled_unet_equals_untiled(widths, tile):
    unet = UNet(3, in_channels=2, widths=widths).double().eval()
    images = torch.rand(2, 2, 61, 74, dtype=torch.float64)
    sizes = [unet.input_size(size) for size in images.shape[-2:]]
    expected = whole(unet, images, margin=unet.margin, sizes=sizes)
    options = {"tile": tile, "margin": unet.margin}
    ours = overlap_tile(unet, images, **options, stride=unet.stride)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    if tile % unet.stride:  # windows that begin between strides pool other pixels together
        assert (overlap_tile(unet, images, **options) - expected).abs().max() > 1e-6


def test_padded_model_equals_one_pass_over_the_mirrored_picture():
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 5, padding=2))
    model, images = model.double(), torch.rand(1, 1, 30, 41, dtype=torch.float64)
    with torch.no_grad():
        expected = model(F.pad(images, (3, 3, 3, 3), mode="reflect"))[..., 3:-3, 3:-3]
    for margin in (3, 5):
        ours = overlap_tile(model, images, tile=8, margin=margin)
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    with torch.no_grad():  # one pixel of context too few leaves seams
        assert (overlap_tile(model, images, tile=8, margin=2) - expected).abs().max() > 1e-6


def test_windows_by_hand():
    seen = []

    def model(windows):
        seen.append(windows)
        return windows[..., 1:-1, 1:-1]

    picture = torch.tensor([[1.0, 2.0, 3.0]]).view(1, 1, 1, 3)
    out = overlap_tile(model, picture, tile=2, margin=1)
    assert torch.equal(out, picture)
    assert [w[0, 0, 0].tolist() for w in seen] == [[2, 1, 2, 3], [2, 3, 2, 1]]


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 64), (64, 5)])
def test_pictures_smaller_than_margin_or_tile(size):
    images = torch.rand(1, 1, *size)
    assert torch.equal(overlap_tile(nn.Identity(), images, tile=16, margin=20), images)


def test_keeps_no_graph():
    assert not overlap_tile(
        nn.Conv2d(1, 1, 3), torch.rand(1, 1, 8, 8), tile=4, margin=1
    ).requires_grad


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 3, "margin": 1, "stride": 4}, "tile: expected at least 4, got 3"),
        ({"tile": 3, "margin": -1}, "margin: expected at least 0, got -1"),
        ({"tile": 3, "margin": 1, "stride": 0}, "stride: expected at least 1, got 0"),
        ({"tile": 8, "margin": 3}, "tile: expected what the model makes of 14×14 .* 12×12, got 8"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        overlap_tile(nn.Conv2d(1, 1, 3), torch.rand(1, 1, 20, 20), **options)


@pytest.mark.as_user
def test_a_picture_without_pixels_is_refused():
    with pytest.raises(ValueError, match=r"images: expected at least one pixel"):
        overlap_tile(nn.Identity(), torch.rand(1, 1, 0, 5), tile=4, margin=1)
