import math

import pytest
import torch

from cvcourse.losses import edge_aware_smoothness_loss, total_variation
from tests import oracle
from tests.losses.helpers import assert_close, assert_zero_with_gradient, gradcheck, refuses


@pytest.mark.parametrize("case", oracle.cases("total_variation"))
def test_oracle_kornia(case):
    """kornia reduces every channel by itself."""

    def adapter(img, reduction):
        channels = img.flatten(0, 1)[:, None]
        each = [total_variation(c[None], reduction=reduction) for c in channels]
        return torch.stack(each).view(img.shape[:2])

    oracle.assert_matches(case, adapter)


@pytest.mark.parametrize("case", oracle.cases("total_variation/torchmetrics"))
def test_oracle_torchmetrics(case):
    """Its "mean" is the sum of each image, averaged over images."""
    assert case["params"] == {"reduction": "mean"}
    oracle.assert_matches(
        case, lambda img, reduction: total_variation(img, reduction="none").mean()
    )


def naive(img, p):
    """Of (C, H, W): sums and counts of |dx|^p and |dy|^p."""
    dx, dy = [], []
    for channel in img.tolist():
        for y, row in enumerate(channel):
            for x, value in enumerate(row):
                if x + 1 < len(row):
                    dx.append(abs(row[x + 1] - value) ** p)
                if y + 1 < len(channel):
                    dy.append(abs(channel[y + 1][x] - value) ** p)
    return dx, dy


@pytest.mark.parametrize("p", [1, 2])
def test_naive_loop(p):
    img = torch.randn(2, 3, 4, 5).double()
    parts = [naive(image, p) for image in img]
    sums = [sum(dx) + sum(dy) for dx, dy in parts]
    mean = sum(sum(sum(part[k]) for part in parts) / (2 * len(parts[0][k])) for k in (0, 1))
    assert_close(total_variation(img, p, "none"), sums)
    assert_close(total_variation(img, p, "sum"), sum(sums))
    assert_close(total_variation(img, p, "mean"), mean)
    assert_close(total_variation(img[:, 0], p, "none")[0], sum(map(sum, naive(img[0, :1], p))))


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_gradcheck(p, reduction):
    gradcheck(lambda x: total_variation(x, p, reduction), torch.randn(2, 3, 4))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("shape", [(2, 1, 1), (2, 3, 1, 1), (0, 3, 4), (2, 0, 4), (2, 3, 0)])
def test_one_pixel_and_empty(shape, reduction):
    x = torch.randn(shape, requires_grad=True)
    assert_zero_with_gradient(total_variation(x, reduction=reduction), x)


def test_identical_pixels():
    x = torch.full((2, 3, 4, 5), 0.7, requires_grad=True)
    assert_zero_with_gradient(total_variation(x), x)


def test_nan_stays_nan():
    x = torch.zeros(2, 3, 3)
    x[1, 1, 1] = math.nan
    assert total_variation(x, reduction="none").isnan().tolist() == [False, True]


def test_property_mean_does_not_depend_on_the_resolution():
    """A ramp over the width changes by width times the step, whatever the step is."""
    ramps = [torch.linspace(0, 1, n + 1).expand(1, 7, n + 1) * n for n in (10, 100)]
    for ramp in ramps:
        assert_close(total_variation(ramp), 1.0, atol=1e-5)


def naive_edge_aware(depth, image):
    total = 0
    for dy, dx in ((0, 1), (1, 0)):
        terms = []
        b, c, h, w = image.shape
        for i in range(b):
            for y in range(h - dy):
                for x in range(w - dx):
                    edges = (image[i, :, y + dy, x + dx] - image[i, :, y, x]).abs().tolist()
                    change = abs(float(depth[i, 0, y + dy, x + dx] - depth[i, 0, y, x]))
                    terms.append(change * math.exp(-sum(edges) / c))
        total += sum(terms) / max(1, len(terms))
    return total


@pytest.mark.parametrize("channels", [1, 3])
def test_edge_aware_naive_loop(channels):
    depth, image = torch.rand(2, 1, 4, 5).double(), torch.rand(2, channels, 4, 5).double()
    assert_close(edge_aware_smoothness_loss(depth, image), naive_edge_aware(depth, image))


def test_edge_aware_gradcheck():
    gradcheck(edge_aware_smoothness_loss, torch.rand(1, 1, 3, 3), torch.rand(1, 2, 3, 3))


@pytest.mark.parametrize("size", [(1, 1), (0, 4)])
def test_edge_aware_one_pixel_and_empty(size):
    depth, image = torch.rand(1, 1, *size, requires_grad=True), torch.rand(1, 3, *size)
    assert_zero_with_gradient(edge_aware_smoothness_loss(depth, image), depth)


def test_edge_aware_flat_picture_is_total_variation():
    depth = torch.rand(2, 1, 6, 7)
    got = edge_aware_smoothness_loss(depth, torch.full((2, 3, 6, 7), 0.3))
    assert_close(got, total_variation(depth), atol=1e-6)


def test_edge_aware_edges_of_the_picture_are_cheaper():
    depth = torch.zeros(1, 1, 4, 6)
    depth[..., 3:] = 1
    blank = torch.zeros(1, 3, 4, 6)
    assert edge_aware_smoothness_loss(depth, blank + depth) < edge_aware_smoothness_loss(
        depth, blank
    )


def test_edge_aware_nan_stays_nan():
    depth = torch.zeros(1, 1, 3, 3)
    assert edge_aware_smoothness_loss(depth, torch.full((1, 3, 3, 3), math.nan)).isnan()


@pytest.mark.as_user
def test_bad_input():
    x = torch.zeros(2, 3, 4, 5)
    with refuses("img"):
        total_variation(x.long())
    with refuses("img"):
        total_variation(x[0, 0, 0])
    with refuses("p"):
        total_variation(x, p=3)
    with refuses("reduction"):
        total_variation(x, reduction="avg")
    with refuses("depth"):
        edge_aware_smoothness_loss(x, x)
    with refuses("depth"):
        edge_aware_smoothness_loss(x[:1, :1], x)
    with refuses("depth"):
        edge_aware_smoothness_loss(x[:, :1].long(), x)
    with refuses("image"):
        edge_aware_smoothness_loss(x[:, :1], x.long())


def test_one_picture_is_a_batch_of_one():
    picture = torch.rand(5, 7)
    for reduction in ("none", "sum", "mean"):
        alone, batch = (total_variation(x, reduction=reduction) for x in (picture, picture[None]))
        assert alone.equal(batch)
