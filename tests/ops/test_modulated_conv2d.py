"""Modulation and resampling: the authors' values, the grouped form, unit variance."""

import pytest
import torch
import torch.nn.functional as F

from cvcourse.ops import modulated_conv2d, upfirdn2d
from tests import oracle
from tests.ops import grouped


def authors(case, meta):
    shape = (meta["n"], meta["ci"], meta["hw"], meta["hw"])
    x = oracle.formula_tensor(f"{case}/x", shape, -1, 1).double()
    w = oracle.formula_tensor(
        f"{case}/w", (meta["co"], meta["ci"], meta["k"], meta["k"]), -1, 1
    ).double()
    return x, w, oracle.formula_tensor(f"{case}/s", (meta["n"], meta["ci"]), 0.2, 1.8).double()


@pytest.mark.parametrize("case", ["mc_plain", "mc_noise", "mc_up", "mc_rgb"])
def test_equals_the_authors(case):
    meta, want = oracle.generative_golden("stylegan2_modconv")
    meta = meta["cases"][case]
    out = modulated_conv2d(*authors(case, meta), demodulate=meta["demod"], up=meta["up"])
    if meta["noise"]:
        side = meta["hw"] * meta["up"]
        out = out + oracle.formula_tensor(f"{case}/noise", (1, 1, side, side), -1, 1).double()
    torch.testing.assert_close(out, torch.from_numpy(want[case]), rtol=0, atol=1e-9)


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize(("side", "up"), [(1, 1), (3, 1), (5, 1), (1, 2), (3, 2), (5, 2), (7, 2)])
def test_equals_a_convolution_for_each_picture(side, up, demodulate):
    x, style = torch.randn(3, 4, 6, 7).double(), torch.randn(3, 4).double()
    weight = torch.randn(5, 4, side, side).double()
    inputs = [t.requires_grad_() for t in (x, weight, style)]
    ours = modulated_conv2d(*inputs, demodulate=demodulate, up=up)
    theirs = grouped.modulated_conv2d(*inputs, demodulate=demodulate, up=up)
    assert ours.shape == (3, 5, 6 * up, 7 * up)
    torch.testing.assert_close(ours, theirs)
    direction = torch.randn_like(ours)
    for got, want in zip(
        *(torch.autograd.grad((y * direction).sum(), inputs) for y in (ours, theirs)), strict=True
    ):
        torch.testing.assert_close(got, want)


def test_unit_variance():
    x, weight = torch.randn(64, 16, 12, 12), torch.randn(8, 16, 3, 3)
    style = torch.logspace(-2, 2, 16).expand(64, 16)
    out = modulated_conv2d(x, weight, style)[:, :, 1:-1, 1:-1]
    torch.testing.assert_close(out.std((0, 2, 3)), torch.ones(8), rtol=0.05, atol=0)
    plain = modulated_conv2d(x, weight, style, demodulate=False)
    assert (plain.std((0, 2, 3)) > 100).all()


def test_demodulated_does_not_know_the_size_of_the_style():
    x, weight, style = torch.randn(2, 3, 5, 5), torch.randn(4, 3, 3, 3), 0.5 + torch.rand(2, 3)
    want = modulated_conv2d(x, weight, style)
    torch.testing.assert_close(modulated_conv2d(x, weight, 30 * style), want)


def test_second_gradient():
    x, w, s = torch.randn(1, 2, 3, 3), torch.randn(2, 2, 3, 3), torch.randn(1, 2)
    inputs = [t.double().requires_grad_() for t in (x, w, s)]
    assert torch.autograd.gradgradcheck(lambda *t: modulated_conv2d(*t, up=2), inputs)


RESAMPLED = {"up2": {"up": 2}, "down2": {"down": 2}, "blur": {}}


@pytest.mark.parametrize("name", RESAMPLED)
def test_resampling_equals_the_authors(name):
    _, want = oracle.generative_golden("stylegan2_modconv")
    images = oracle.formula_tensor("stylegan2_modconv/res", (1, 2, 6, 6), -1, 1).double()
    got = upfirdn2d(images, **RESAMPLED[name])
    torch.testing.assert_close(got, torch.from_numpy(want[name]), rtol=0, atol=1e-9)


@pytest.mark.parametrize("padding", [(0, 0), (3, 1), (-1, 2), (1, -2)])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2), (3, 1), (1, 3), (3, 2)])
@pytest.mark.parametrize("taps", [(1, 3, 3, 1), (1, 2, 5), (2.0,)])
def test_resampling_by_hand(taps, up, down, padding):
    images = torch.randn(2, 3, 7, 8).double()
    if min(7, 8) * up + sum(padding) < len(taps):
        pytest.skip("nothing would be left")
    got = upfirdn2d(images, taps, up=up, down=down, padding=padding)
    wide = torch.zeros(2, 3, 7 * up, 8 * up).double()
    wide[:, :, ::up, ::up] = images
    first, last = padding
    wide = F.pad(wide, (first, last, first, last))
    line = torch.tensor(taps).double()
    kernel = torch.outer(line, line).flip(0, 1) / line.sum() ** 2 * up**2
    want = F.conv2d(wide, kernel.expand(3, 1, -1, -1), groups=3)[:, :, ::down, ::down]
    torch.testing.assert_close(got, want)


def test_a_flat_picture_stays_flat_inside():
    images = torch.full((1, 1, 8, 8), 3.0)
    for options in ({"up": 2}, {"down": 2}, {}):
        out = upfirdn2d(images, **options)
        assert out.shape[2] == 8 * options.get("up", 1) // options.get("down", 1)
        torch.testing.assert_close(out[:, :, 2:-2, 2:-2], torch.full_like(out, 3)[:, :, 2:-2, 2:-2])


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: upfirdn2d(torch.rand(3, 4, 4)), "images must have shape"),
        (lambda: upfirdn2d(torch.rand(1, 1, 4, 4), up=0), "up must be at least 1, got 0"),
        (lambda: upfirdn2d(torch.rand(1, 1, 4, 4), (1, -1)), "taps must have a sum other than 0"),
        (lambda: upfirdn2d(torch.rand(1, 1, 2, 2), padding=(0, 0)), "padding must leave 4 pixels"),
        (
            lambda: modulated_conv2d(
                torch.rand(1, 2, 4, 4), torch.rand(3, 2, 2, 2), torch.rand(1, 2)
            ),
            "weight must have 2 input channels and two equal odd sides, got",
        ),
        (
            lambda: modulated_conv2d(
                torch.rand(1, 2, 4, 4), torch.rand(3, 2, 3, 3), torch.rand(2, 2)
            ),
            r"style must have shape \(1, 2\), got \(2, 2\)",
        ),
        (
            lambda: modulated_conv2d(
                torch.rand(1, 2, 4, 4), torch.rand(3, 2, 3, 3), torch.rand(1, 2), up=4
            ),
            "up must be 1 or 2, got 4",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
