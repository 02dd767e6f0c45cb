import pytest
import torch
import torch.nn.functional as F

from cvcourse.ops import separable_convolution
from tests import oracle


@pytest.mark.parametrize(
    "case", oracle.cases("separable_adaptive_convolution", "video/cases_interpolation.json")
)
def test_published_convention(case):
    names = ("input", "vertical", "horizontal")
    inputs = [case["inputs"][name].clone().requires_grad_() for name in names]
    out = separable_convolution(*inputs)
    (case["inputs"]["w"] * out).sum().backward()
    got = {"out": out} | {f"grad_{n}": x.grad for n, x in zip(names, inputs, strict=True)}
    for name, want in case["expected"].items():
        torch.testing.assert_close(got[name], want, atol=case["atol"], rtol=0)


def by_unfolding(image, vertical, horizontal):
    taps, height, width = vertical.shape[1:]
    patches = F.unfold(image, taps).unflatten(1, (-1, taps, taps))
    kernels = (vertical[:, :, None] * horizontal[:, None]).flatten(3)
    return (patches * kernels[:, None]).sum((2, 3)).unflatten(2, (height, width))


def test_equals_the_outer_product():
    image = oracle.formula_tensor("sep/image", (2, 3, 14, 17)).double()
    vertical, horizontal = oracle.formula_tensor("sep/k", (2, 2, 7, 8, 11), -1, 1).double()
    want = by_unfolding(image, vertical, horizontal)
    torch.testing.assert_close(separable_convolution(image, vertical, horizontal), want)


def test_of_one_kernel_everywhere_is_a_convolution():
    image = oracle.formula_tensor("sep/image", (1, 1, 9, 12)).double()
    column, row = oracle.formula_tensor("sep/one", (2, 5), -1, 1).double()
    everywhere = (weights[None, :, None, None].expand(1, 5, 5, 8) for weights in (column, row))
    want = F.conv2d(image, torch.outer(column, row)[None, None])
    torch.testing.assert_close(separable_convolution(image, *everywhere), want)


def test_gradcheck_twice():
    image = torch.rand(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    kernels = torch.rand(2, 1, 3, 2, 3, dtype=torch.float64, requires_grad=True).unbind()
    assert torch.autograd.gradcheck(separable_convolution, (image, *kernels))
    assert torch.autograd.gradgradcheck(separable_convolution, (image, *kernels))


@pytest.mark.as_user
def test_bad_input():
    image, kernel = torch.rand(1, 3, 10, 11), torch.rand(1, 5, 6, 7)
    with pytest.raises(ValueError, match=r"image must have shape \(1, 3, 10, 11\) for 5 taps"):
        separable_convolution(image[..., 1:], kernel, kernel)
    with pytest.raises(ValueError, match="horizontal must have the shape of vertical"):
        separable_convolution(image, kernel, kernel[:, 1:])
    with pytest.raises(ValueError, match=r"vertical must have shape \(batch, taps"):
        separable_convolution(image, kernel[0], kernel[0])
    with pytest.raises(ValueError, match="horizontal must be floating point"):
        separable_convolution(image, kernel, kernel.long())
