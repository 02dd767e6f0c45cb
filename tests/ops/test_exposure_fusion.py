import numpy as np
import pytest
import torch
from scipy.ndimage import convolve

from cvcourse.ops import exposure_fusion, fusion_weights
from tests import oracle


@pytest.mark.parametrize(
    ("powers", "name"),
    [((1, 1, 1), "fused"), ((1, 0, 0), "contrast_only"), ((0, 0, 1), "exposure_only")],
)
def test_equals_opencv_but_for_its_border_rule(powers, name):
    _, want = oracle.restoration_golden("exposure_fusion")
    stack = torch.from_numpy(want["stack"]).permute(0, 3, 1, 2).double() / 255
    contrast, saturation, exposedness = powers
    got = exposure_fusion(
        stack, contrast=contrast, saturation=saturation, exposedness=exposedness
    ).permute(1, 2, 0)
    error = np.abs(got.numpy() - want[name])
    assert error[4:-4, 4:-4].max() < 5e-3
    assert error.max() < 1e-2


def test_weights_equal_the_formula():
    x = torch.rand(3, 3, 6, 7, dtype=torch.float64)
    got = fusion_weights(x, contrast=0.5, saturation=2.0, exposedness=1.5, sigma=0.3)
    want = []
    for image in x.numpy():
        grey = 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
        edges = convolve(grey, np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]), mode="mirror")
        good = np.exp(-((image - 0.5) ** 2) / (2 * 0.3**2)).prod(0)
        want.append(np.abs(edges) ** 0.5 * image.std(0) ** 2 * good**1.5 + 1e-12)
    np.testing.assert_allclose(got, np.array(want) / np.sum(want, 0), rtol=1e-9)


def test_one_picture_many_times_is_itself():
    image = torch.rand(3, 13, 18, dtype=torch.float64)
    for stack in (image[None], image.expand(4, -1, -1, -1)):
        torch.testing.assert_close(exposure_fusion(stack), image, rtol=0, atol=1e-13)


def test_black_and_grey_pictures_share_alike_with_finite_gradients():
    x = torch.zeros(2, 3, 5, 5, dtype=torch.float64)
    x[1] = 0.5
    x.requires_grad_()
    weights = fusion_weights(x)
    torch.testing.assert_close(weights, torch.full_like(weights, 0.5))
    (gradient,) = torch.autograd.grad(exposure_fusion(x).sum(), x)
    assert gradient.isfinite().all()


def test_a_batch_is_fused_each_by_itself():
    x = torch.rand(2, 3, 3, 9, 10)
    torch.testing.assert_close(exposure_fusion(x)[1], exposure_fusion(x[1]))
    torch.testing.assert_close(
        exposure_fusion(x, levels=1)[0], (x[0] * fusion_weights(x[0])[:, None]).sum(0)
    )


def test_gradcheck():
    x = torch.rand(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(exposure_fusion, x)


@pytest.mark.as_user
def test_bad_input():
    x = torch.rand(2, 3, 4, 5)
    for op in (exposure_fusion, fusion_weights):
        with pytest.raises(ValueError, match=r"images must have shape \(\.\.\., exposures, 3"):
            op(x[0])
        with pytest.raises(ValueError, match="contrast must be 0 or more, got -1"):
            op(x, contrast=-1.0)
        with pytest.raises(ValueError, match="sigma must be above 0, got 0"):
            op(x, sigma=0.0)
        with pytest.raises(ValueError, match="images must be floating point"):
            op(x.long())
    with pytest.raises(ValueError, match="levels must be at least 1, got 0"):
        exposure_fusion(x, levels=0)
