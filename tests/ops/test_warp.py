import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.ops import warp, warp_is_inside

PADDINGS = pytest.mark.parametrize("padding", ["zeros", "border"])


def naive(image, flow, padding):
    batch, _, height, width = image.shape
    out = torch.zeros_like(image)
    for b in range(batch):
        for i in range(height):
            for j in range(width):
                x, y = j + flow[b, 0, i, j].item(), i + flow[b, 1, i, j].item()
                if padding == "border":
                    x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
                for row in (math.floor(y), math.floor(y) + 1):
                    for column in (math.floor(x), math.floor(x) + 1):
                        if 0 <= row < height and 0 <= column < width:
                            weight = (1 - abs(x - column)) * (1 - abs(y - row))
                            out[b, :, i, j] += weight * image[b, :, row, column]
    return out


@PADDINGS
def test_naive_loop(padding):
    image = torch.randn(2, 3, 5, 6, dtype=torch.float64)
    flow = 3 * torch.randn(2, 2, 5, 6, dtype=torch.float64)
    want = naive(image, flow, padding)
    torch.testing.assert_close(warp(image, flow, padding=padding), want)


@PADDINGS
@pytest.mark.parametrize("align_corners", [True, False])
def test_equals_grid_sample(padding, align_corners):
    image = torch.randn(2, 3, 5, 6, dtype=torch.float64)
    flow = 3 * torch.randn(2, 2, 5, 6, dtype=torch.float64)
    y, x = torch.meshgrid(torch.arange(5), torch.arange(6), indexing="ij")
    x, y = x + flow[:, 0], y + flow[:, 1]
    if align_corners:
        grid = torch.stack((2 * x / 5 - 1, 2 * y / 4 - 1), dim=3)
    else:
        grid = torch.stack(((2 * x + 1) / 6 - 1, (2 * y + 1) / 5 - 1), dim=3)
    want = F.grid_sample(image, grid, padding_mode=padding, align_corners=align_corners)
    torch.testing.assert_close(warp(image, flow, padding=padding), want)


@given(st.integers(-4, 4), st.integers(-4, 4))
def test_whole_pixels_move_the_picture(dx, dy):
    image = torch.randn(1, 2, 6, 7, dtype=torch.float64)
    flow = torch.tensor([dx, dy]).double().view(1, 2, 1, 1).expand(1, 2, 6, 7)
    want = F.pad(image, (4, 4, 4, 4))[:, :, 4 + dy : 10 + dy, 4 + dx : 11 + dx]
    torch.testing.assert_close(warp(image, flow), want)
    inside = F.pad(torch.ones(1, 6, 7), (4, 4, 4, 4))[:, 4 + dy : 10 + dy, 4 + dx : 11 + dx]
    assert torch.equal(warp_is_inside(flow), inside.bool())


@PADDINGS
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (440, 1024)], ids=str)
def test_zero_flow_is_the_identity(padding, size):
    image = torch.rand(1, 1, *size)
    got = warp(image, torch.zeros(1, 2, *size), padding=padding)
    torch.testing.assert_close(got, image, rtol=0, atol=1e-7 * max(size))


def test_x_goes_right_and_y_goes_down():
    image = torch.arange(6.0).view(1, 1, 2, 3)
    right, down = torch.zeros(2, 1, 2, 2, 3).unbind()
    right[:, 0] = down[:, 1] = 1
    torch.testing.assert_close(warp(image, right)[0, 0], torch.tensor([[1.0, 2, 0], [4, 5, 0]]))
    torch.testing.assert_close(warp(image, down)[0, 0], torch.tensor([[3.0, 4, 5], [0, 0, 0]]))
    assert warp_is_inside(right)[0].tolist() == [[True, True, False]] * 2


@PADDINGS
def test_gradcheck(padding):
    image = torch.randn(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    flow = torch.rand(1, 2, 4, 5, dtype=torch.float64) * 0.8 + 0.1  # between pixels, where smooth
    flow = (flow + torch.randint(-2, 3, flow.shape)).requires_grad_()
    assert torch.autograd.gradcheck(lambda i, f: warp(i, f, padding=padding), (image, flow))


def test_nan_infinite_and_huge_flow():
    flow = torch.zeros(1, 2, 1, 5)
    flow[0, 0, 0] = torch.tensor([math.nan, math.inf, -math.inf, 1e30, 0])
    got = warp(torch.ones(1, 1, 1, 5), flow).flatten()
    assert got[0].isnan()
    torch.testing.assert_close(got[1:], torch.tensor([0.0, 0, 0, 1]))
    assert warp_is_inside(flow).flatten().tolist() == [False] * 4 + [True]
    got = warp(torch.ones(1, 1, 1, 5), flow, padding="border").flatten()
    assert got[0].isnan()
    torch.testing.assert_close(got[3:], torch.ones(2))


@PADDINGS
@pytest.mark.parametrize("axis", [0, 1])
def test_gradients_where_the_flow_is_nan(padding, axis):
    """Those of the other points alone; `F.grid_sample` itself ends the process at a border."""
    image = torch.randn(2, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    flow = 3 * torch.randn(2, 2, 5, 6, dtype=torch.float64)
    lost = torch.rand(2, 5, 6) < 0.3
    x, y = torch.arange(6) + flow[:, 0], torch.arange(5)[:, None] + flow[:, 1]
    grid = torch.stack((2 * x / 5 - 1, 2 * y / 4 - 1), dim=3).requires_grad_()
    sampled = F.grid_sample(image, grid, padding_mode=padding, align_corners=True)
    loss = sampled.masked_fill(lost[:, None], 0).square().sum()
    of_image, of_grid = torch.autograd.grad(loss, (image, grid))
    flow[:, axis][lost] = torch.nan
    flow.requires_grad_()
    warped = warp(image, flow, padding=padding)
    assert torch.equal(warped.isnan(), lost[:, None].expand_as(warped))
    got = torch.autograd.grad(warped.nan_to_num(0).square().sum(), (image, flow))
    torch.testing.assert_close(got[0], of_image)
    want = of_grid.movedim(3, 1) * torch.tensor([2 / 5, 2 / 4]).view(2, 1, 1)
    torch.testing.assert_close(got[1], want)


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 0, 4, 4), (2, 3, 0, 4)], ids=str)
def test_empty_everything(shape):
    flow = torch.zeros(shape[0], 2, *shape[2:])
    assert warp(torch.zeros(shape), flow).shape == shape
    assert warp_is_inside(flow).shape == (shape[0], *shape[2:])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(dtype):
    image, flow = torch.randn(1, 2, 4, 5).to(dtype), torch.randn(1, 2, 4, 5).to(dtype)
    got = warp(image, flow)
    assert got.dtype == dtype
    assert torch.equal(got, warp(image.float(), flow.float()).to(dtype))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_inside_of_wide_pictures_in_half_precision(dtype):
    """Column 2049 + 2 is rounded in both halves, to beyond the last one, 2051, and to before it."""
    flow = torch.zeros(1, 2, 1, 2052, dtype=dtype)
    flow[:, 0] = 2
    assert warp_is_inside(flow).tolist() == [[[True] * 2050 + [False] * 2]]


@pytest.mark.as_user
def test_bad_input():
    image, flow = torch.zeros(1, 3, 4, 5), torch.zeros(1, 2, 4, 5)
    with pytest.raises(
        ValueError, match=r"flow must have shape \(1, 2, 4, 5\), got \(1, 4, 5, 2\)"
    ):
        warp(image, flow.permute(0, 2, 3, 1))
    with pytest.raises(ValueError, match=r"image must have shape \(batch, channels"):
        warp(image[0], flow)
    with pytest.raises(ValueError, match="image must be floating point"):
        warp(image.to(torch.uint8), flow)
    with pytest.raises(ValueError, match="padding must be one of 'zeros', 'border', got 'reflect'"):
        warp(image, flow, padding="reflect")
    with pytest.raises(ValueError, match="flow must have two channels, x and y, got 3"):
        warp_is_inside(image)
    with pytest.raises(ValueError, match="flow must have shape"):
        warp_is_inside(flow[0])
