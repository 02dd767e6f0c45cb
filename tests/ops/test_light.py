"""Retinex, edge maps, reflections and compositing: small formulas of light."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cvcourse.ops import add_reflection, composite, edge_map, gaussian_kernel, split_illumination
from tests import oracle


def test_retinex_multiplies_back_and_smooths_the_maximum():
    images = torch.rand(2, 3, 12, 15, dtype=torch.float64)
    for sigma in (None, 1.5):
        reflectance, light = split_illumination(images, sigma=sigma)
        torch.testing.assert_close(reflectance * light, images)
    want = gaussian_filter(images[0].amax(0).numpy(), 1.5, mode="nearest", radius=5)
    np.testing.assert_allclose(light[0, 0], want, rtol=1e-9)
    reflectance, light = split_illumination(torch.zeros(1, 3, 4, 4))
    assert reflectance.eq(0).all()
    assert light.unique().tolist() == [pytest.approx(1e-3)]


@pytest.mark.parametrize("border", ["halved", "full"])
def test_edge_map_equals_the_authors(border):
    _, want = oracle.restoration_golden("ceilnet")
    images = 255 * oracle.formula_images("ce", 1, 9, 11, 3)
    name = {"halved": "edge_lua", "full": "edge_errnet"}[border]
    np.testing.assert_allclose(edge_map(images, border=border), want[name], atol=1e-10)
    if border == "halved":
        np.testing.assert_allclose(50 * edge_map(images), want["edge_lua_002"], rtol=1e-12)


@pytest.mark.parametrize("border", ["halved", "full"])
def test_edge_map_of_single_pixels_and_constants(border):
    assert edge_map(torch.rand(1, 3, 1, 1), border=border).eq(0).all()
    assert edge_map(torch.full((1, 3, 4, 5), 0.7), border=border).eq(0).all()
    row = edge_map(torch.tensor([[[[0.0, 1, 1]]]]), border=border)
    assert row.flatten().tolist() == [0.5 if border == "halved" else 1, 0.5, 0]


def test_reflection_equals_the_authors():
    _, want = oracle.restoration_golden("ceilnet")
    b, r = (oracle.formula_images(f"ce/{x}", 1, 20, 24, 3) for x in "BR")
    kernel = gaussian_kernel(3.0, size=11, dtype=torch.float64)
    line = kernel.sum(0)
    np.testing.assert_allclose(line, want["kernel1d"] / want["kernel1d"].sum(), atol=1e-12)
    image, reflection = add_reflection(b, r, kernel)
    for got, name in ((image, "I"), (reflection, "R_final")):
        np.testing.assert_allclose(got[0].permute(1, 2, 0)[::3, ::3], want[name], atol=1e-10)
    undimmed = add_reflection(0 * b, r, kernel)[1]
    np.testing.assert_allclose(undimmed[0].permute(1, 2, 0)[::3, ::3], want["R_blur"], atol=1e-10)


def test_dark_pictures_are_added_as_they_are_and_each_is_dimmed_by_itself():
    b = torch.stack([torch.full((3, 9, 9), v) for v in (0.2, 0.9)])
    r = torch.full_like(b, 0.3)
    one = torch.ones(1, 1)
    image, reflection = add_reflection(b, r, one)
    torch.testing.assert_close(image[0], torch.full_like(image[0], 0.5))
    torch.testing.assert_close(reflection[1], torch.full_like(reflection[1], 0.3 - 1.3 * 0.2))
    naive, _ = add_reflection(b, r, one, dimming=0.0)
    assert naive[1].unique() == 1


def test_composite_is_the_identity_at_both_ends():
    f, b = torch.rand(2, 2, 3, 5, 7)
    ones = torch.ones(2, 1, 5, 7)
    assert torch.equal(composite(ones, f, b), f)
    assert torch.equal(composite(0 * ones, f, b), b)
    alpha = torch.rand(2, 1, 5, 7)
    torch.testing.assert_close(composite(alpha, f, f), f)
    torch.testing.assert_close(composite(alpha, f, b), torch.lerp(b, f, alpha))


def test_gradcheck():
    like = {"dtype": torch.float64, "requires_grad": True}
    f, b, alpha = torch.rand(1, 2, 3, 4, **like), torch.rand(1, 2, 3, 4, **like), None
    alpha = torch.rand(1, 1, 3, 4, **like)
    assert torch.autograd.gradcheck(composite, (alpha, f, b))
    assert torch.autograd.gradcheck(edge_map, f)
    assert torch.autograd.gradcheck(split_illumination, f)
    kernel = torch.rand(3, 3, dtype=torch.float64) / 9
    assert torch.autograd.gradcheck(lambda x, y: add_reflection(x, y, kernel), (f, b))


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("images must have shape", lambda x: split_illumination(x[0])),
        ("eps must be positive", lambda x: split_illumination(x, eps=0.0)),
        ("sigma must be positive", lambda x: split_illumination(x, sigma=-1.0)),
        ("images must be floating point", lambda x: edge_map(x.long())),
        ("border must be one of", lambda x: edge_map(x, border="none")),
        ("reflection must have shape", lambda x: add_reflection(x, x[..., 1:], torch.ones(1, 1))),
        ("alpha must have shape", lambda x: composite(x, x, x)),
        ("background must have shape", lambda x: composite(x[:, :1], x, x[..., 1:])),
    ],
)
def test_bad_input(message, call):
    with pytest.raises(ValueError, match=f"^{message}"):
        call(torch.rand(1, 3, 4, 5))
