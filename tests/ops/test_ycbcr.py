import numpy as np
import pytest
import torch
from skimage.color import rgb2ycbcr, ycbcr2rgb

from cvcourse.ops import rgb_to_ycbcr, ycbcr_to_rgb
from tests import oracle

IMAGE = torch.rand(3, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_equals_scikit_image_both_ways():
    ycbcr = rgb_to_ycbcr(IMAGE)
    np.testing.assert_allclose(
        255 * ycbcr.permute(1, 2, 0), rgb2ycbcr(IMAGE.permute(1, 2, 0).numpy()), rtol=1e-13
    )
    back = ycbcr2rgb(255 * ycbcr.permute(1, 2, 0).numpy())
    np.testing.assert_allclose(ycbcr_to_rgb(ycbcr).permute(1, 2, 0), back, atol=1e-13)


def test_round_trip_of_a_batch():
    images = torch.stack([IMAGE, 1 - IMAGE])
    torch.testing.assert_close(ycbcr_to_rgb(rgb_to_ycbcr(images)), images, rtol=0, atol=1e-14)


def test_equals_a_well_known_port_but_for_its_slip():
    """SRCNN-pytorch rounds to /256 and weighs red in Y by 64.738 where MATLAB's is 65.738."""
    _, want = oracle.restoration_golden("srcnn")
    rgb = torch.from_numpy(want["rgb"])  # (3, H, W) in [0, 255]
    y, cb, cr = 255 * rgb_to_ycbcr(rgb / 255)
    np.testing.assert_allclose(y - rgb[0] / 256, want["y"], atol=2e-3)
    np.testing.assert_allclose(y - rgb[0] / 256, want["ycbcr"][..., 0], atol=2e-3)
    np.testing.assert_allclose(torch.stack([cb, cr], -1), want["ycbcr"][..., 1:], atol=2e-3)
    corrected = torch.from_numpy(want["ycbcr"]).permute(2, 0, 1)
    back = 255 * ycbcr_to_rgb(corrected / 255)
    np.testing.assert_allclose(back, want["rgb_back"].transpose(2, 0, 1), atol=0.1)


def test_white_black_and_grey():
    y, cb, cr = 255 * rgb_to_ycbcr(torch.tensor([0.0, 1.0, 0.5]).expand(3, 1, 3).double())
    torch.testing.assert_close(y[0], torch.tensor([16.0, 235, 125.5]).double())
    torch.testing.assert_close(cb[0], torch.full((3,), 128.0).double())
    torch.testing.assert_close(cr[0], torch.full((3,), 128.0).double())


@pytest.mark.parametrize("op", [rgb_to_ycbcr, ycbcr_to_rgb])
def test_gradcheck(op):
    assert torch.autograd.gradcheck(op, IMAGE[None, :, :2, :2].clone().requires_grad_())


@pytest.mark.as_user
@pytest.mark.parametrize("op", [rgb_to_ycbcr, ycbcr_to_rgb])
def test_bad_input(op):
    with pytest.raises(ValueError, match="images must be floating point"):
        op((255 * IMAGE).to(torch.uint8))
    with pytest.raises(ValueError, match=r"images must have shape \(\.\.\., 3, height, width\)"):
        op(IMAGE.permute(1, 2, 0))
