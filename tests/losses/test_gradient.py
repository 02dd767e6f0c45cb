import math

import pytest
import torch

from cvcourse.losses import gradient_loss, total_variation
from tests import oracle
from tests.losses.helpers import (
    assert_close,
    assert_finite_gradient,
    assert_zero_with_gradient,
    gradcheck,
    refuses,
)


@pytest.mark.parametrize("case", oracle.cases("gradient_loss"))
def test_oracle(case):
    oracle.assert_matches(case, gradient_loss)


@pytest.mark.parametrize("case", oracle.cases("image_gradients"))
def test_oracle_differences_of_torchmetrics(case):
    """Its (dy, dx), zero in the last row or column, have the same sums, image by image."""
    img, want = case["inputs"]["img"], case["expected"]
    total = sum(want[name].square().flatten(1).sum(1) for name in ("dx", "dy"))
    assert_close(gradient_loss(img, torch.zeros_like(img), p=2, reduction="none"), total)


def naive(difference, mask, p, scales):
    """Of (B, C, H, W): for each scale and direction the terms of each image."""
    result = []
    for step in (2**s for s in range(scales)):
        d, m = difference[..., ::step, ::step], mask[..., ::step, ::step]
        for dy, dx in ((0, 1), (1, 0)):
            terms = [[] for _ in d]
            b, c, h, w = d.shape
            for i in range(b):
                for k in range(c):
                    for y in range(h - dy):
                        for x in range(w - dx):
                            if m[i, k, y, x] and m[i, k, y + dy, x + dx]:
                                change = float(d[i, k, y + dy, x + dx] - d[i, k, y, x])
                                terms[i].append(abs(change) ** p)
            result.append(terms)
    return result


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("scales", [1, 3])
@pytest.mark.parametrize("masked", [None, 1, 2])
def test_naive_loop(p, scales, masked):
    pred, target = torch.randn(2, 2, 2, 5, 6).double()
    mask = None if masked is None else torch.rand(2, masked, 5, 6) < 0.7
    every = torch.ones_like(pred, dtype=torch.bool) if mask is None else mask.expand_as(pred)
    parts = naive(pred - target, every, p, scales)
    sums = [sum(sum(terms[i]) for terms in parts) for i in range(2)]
    mean = sum(sum(map(sum, terms)) / max(1, sum(map(len, terms))) for terms in parts)
    assert_close(gradient_loss(pred, target, p, mask, scales, "none"), sums)
    assert_close(gradient_loss(pred, target, p, mask, scales, "sum"), sum(sums))
    assert_close(gradient_loss(pred, target, p, mask, scales, "mean"), mean)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_gradcheck(p, reduction):
    mask = torch.rand(1, 1, 3, 4) < 0.8
    gradcheck(lambda x, y: gradient_loss(x, y, p, mask, 2, reduction), *torch.randn(2, 1, 2, 3, 4))


def test_identical():
    x = torch.randn(2, 3, 4, requires_grad=True)
    assert_zero_with_gradient(gradient_loss(x, x.detach()), x)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_all_masked(reduction):
    x, y = torch.randn(2, 2, 3, 4, requires_grad=True), torch.full((2, 2, 3, 4), math.nan)
    mask = torch.zeros(2, 1, 3, 4, dtype=torch.bool)
    loss = gradient_loss(x, y, mask=mask, scales=2, reduction=reduction)
    assert_zero_with_gradient(loss, x)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4), (2, 1, 1)])
def test_empty_and_one_pixel(shape, reduction):
    x = torch.randn(shape, requires_grad=True)
    loss = gradient_loss(x, torch.zeros(shape), scales=3, reduction=reduction)
    assert_zero_with_gradient(loss, x)


def test_nan_and_inf_outside_the_mask_are_free():
    x, y = torch.randn(1, 4, 5, requires_grad=True), torch.randn(1, 4, 5)
    mask = torch.rand(1, 4, 5) < 0.7
    want = gradient_loss(x, y, mask=mask)
    for junk in (math.nan, math.inf):
        loss = gradient_loss(x, y.where(mask, junk), mask=mask)
        assert loss == want
        assert_finite_gradient(loss, x)


def test_nan_stays_nan():
    assert gradient_loss(torch.zeros(1, 2, 2), torch.full((1, 2, 2), math.nan)).isnan()


def test_property_offset_is_free_and_zero_target_is_total_variation():
    x, y = torch.randn(2, 2, 3, 4, 5).double()
    assert_close(gradient_loss(x + 5, y), gradient_loss(x, y))
    assert_close(gradient_loss(x, torch.zeros_like(x)), total_variation(x))


@pytest.mark.as_user
def test_bad_input():
    x = torch.zeros(2, 3, 4, 5)
    good = torch.ones(2, 1, 4, 5, dtype=torch.bool)
    with refuses("pred"):
        gradient_loss(x.long(), x)
    with refuses("pred"):
        gradient_loss(x[0, 0], x[0, 0])
    with refuses("target"):
        gradient_loss(x, x[:1])
    with refuses("target"):
        gradient_loss(x, x.long())
    with refuses("p"):
        gradient_loss(x, x, p=3)
    for mask in (good.float(), good[:1], good[:, 0], good[..., :4], good.expand(2, 2, 4, 5)):
        with refuses("mask"):
            gradient_loss(x, x, mask=mask)
    with refuses("mask"):
        gradient_loss(x[None], x[None], mask=torch.ones(1, 2, 2, 4, 5, dtype=torch.bool))
    for scales in (0, 1.5):
        with refuses("scales"):
            gradient_loss(x, x, scales=scales)
    with refuses("reduction"):
        gradient_loss(x, x, reduction="avg")
