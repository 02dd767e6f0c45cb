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


@pytest.mark.parametrize("width", [1, 31, 32, 33, 70])
def test_tiles_meet_without_a_seam(width):
    image = oracle.formula_tensor("sep/tiles", (2, 3, 8, width + 4)).double()
    vertical, horizontal = oracle.formula_tensor("sep/k", (2, 2, 5, 4, width), -1, 1).double()
    want = by_unfolding(image, vertical, horizontal)
    torch.testing.assert_close(separable_convolution(image, vertical, horizontal), want)


@pytest.mark.parametrize("shape", [(0, 3, 4, 5), (2, 0, 4, 5), (2, 3, 0, 5), (2, 3, 4, 0)])
def test_of_nothing_there_are_gradients(shape):
    batch, _, height, width = shape
    image = torch.rand(*shape[:2], height + 6, width + 6, requires_grad=True)
    kernels = torch.rand(2, batch, 7, height, width, requires_grad=True).unbind()
    out = separable_convolution(image, *kernels)
    assert out.shape == shape
    for gradient in torch.autograd.grad(out.sum(), (image, *kernels)):
        assert not gradient.any()


def test_nan_reaches_only_its_rows_and_near_columns():
    image, kernels = torch.rand(1, 2, 14, 136), torch.rand(2, 1, 7, 8, 130).unbind()
    want = separable_convolution(image, *kernels)
    image[0, 0, 3, 60] = torch.nan
    out = separable_convolution(image, *kernels)
    assert out[0, 0, :4, 54:61].isnan().all()
    out[0, 0, :4, 60 - 38 : 60 + 38] = want[0, 0, :4, 60 - 38 : 60 + 38]
    torch.testing.assert_close(out, want)


@pytest.mark.as_user
def test_one_graph_for_all_sizes():
    class Filter(torch.nn.Module):
        def forward(self, *inputs):
            return separable_convolution(*inputs)

    def inputs(batch, height, width):
        image = torch.rand(batch, 3, height + 4, width + 4)
        return image, *torch.rand(2, batch, 5, height, width).unbind()

    free = dict.fromkeys((0, 2, 3), torch.export.Dim.AUTO)
    graph = torch.export.export(Filter(), inputs(2, 6, 40), dynamic_shapes=((free,) * 3,)).module()
    for size in ((3, 7, 33), (4, 9, 100), (2, 6, 64)):
        values = inputs(*size)
        torch.testing.assert_close(graph(*values), separable_convolution(*values))


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
