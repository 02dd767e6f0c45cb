"""Limited-context inpainting: splines against SciPy, pasting by loops, the six kinds by value."""

import math

import numpy as np
import pytest
import torch
from scipy.interpolate import RBFInterpolator

from cvcourse.methods import (
    LimitedContext,
    erase_middle,
    inpainting_loss,
    limited_context_batch,
    paste_patches,
    patch_discriminator_loss,
    patch_pairs,
    thin_plate_flow,
    warp_smoothly,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_flow_is_scipys_thin_plate_spline():
    torch.manual_seed(0)
    size = torch.tensor([23.0, 17.0]).double()  # width, height
    points, moves = torch.rand(2, 9, 2).double() * size, torch.randn(2, 9, 2).double()
    flow = thin_plate_flow(moves, points, (17, 23))
    y, x = np.mgrid[:17, :23]
    pixels = np.stack([x.ravel(), y.ravel()], 1).astype(float)
    for n in range(2):
        spline = RBFInterpolator(points[n], moves[n], kernel="thin_plate_spline", degree=1)
        expected = spline(pixels).T.reshape(2, 17, 23)
        np.testing.assert_allclose(flow[n], expected, atol=1e-9)


def test_a_linear_move_stays_linear():
    points = torch.tensor([[[0.0, 0], [9, 0], [0, 5], [9, 5]]])
    flow = thin_plate_flow(0.1 * points + 1, points, (6, 10))
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(10.0), indexing="ij")
    assert torch.allclose(flow[0], 0.1 * torch.stack([x, y]) + 1, atol=1e-5)


def test_warping_moves_the_points_where_it_says():
    """A picture of its own columns: where a point went, the column it came from is found."""
    x = torch.arange(40.0).expand(1, 1, 40, 40)
    bent = warp_smoothly(x, strength=0.1, generator=seeded())
    draw = torch.rand(2, 1, 16, 2, generator=seeded())
    source, moves = 40 * draw[0, 0], (2 * draw[1, 0] - 1) * 4
    found = 0
    for (from_x, from_y), (by_x, by_y) in zip(source.tolist(), moves.tolist(), strict=True):
        to_x, to_y = from_x + by_x, from_y + by_y
        if 0 <= to_x <= 39 and 0 <= to_y <= 39 and 1 <= from_x <= 38 and 1 <= from_y <= 38:
            left, top = int(to_x), int(to_y)
            near = bent[0, 0, top : top + 2, left : left + 2]
            assert near.min() - 0.5 <= from_x <= near.max() + 0.5
            found += 1
    assert found > 8
    assert torch.allclose(warp_smoothly(x, strength=0.0), x, atol=1e-4)


def test_the_middle_is_noise_and_the_frame_stays():
    patches = torch.rand(60, 3, 16, 16)
    erased, seen = erase_middle(patches, 10, generator=seeded())
    expected = torch.ones(16, 16)
    expected[3:13, 3:13] = 0
    assert torch.equal(seen[7, 0], expected)
    frame = expected.bool()
    assert torch.equal(erased[..., frame], patches[..., frame])
    noise = erased[..., ~frame]
    assert noise.std().item() == pytest.approx(0.1, rel=0.05)
    assert abs(noise.mean().item()) < 0.01


def test_pasting_by_a_loop():
    images, patches = torch.rand(3, 3, 7, 9), torch.rand(3, 3, 4, 4)
    corners = torch.tensor([[0, 5], [3, 0], [2, 2]])
    expected = images.clone()
    for n, (row, column) in enumerate(corners.tolist()):
        for i in range(4):
            for j in range(4):
                expected[n, :, row + i, column + j] = patches[n, :, i, j]
    assert torch.equal(paste_patches(images, patches, corners), expected)


def whole(patches):
    return patches + 1


def test_the_six_kinds():
    images = torch.rand(4, 3, 20, 20)
    batch = limited_context_batch(
        images, whole, patch=20, hole=10, crop=20, tilt=0.0, generator=seeded()
    )
    views = batch.views.view(6, 4, 3, 20, 20)
    assert torch.equal(batch.labels, torch.arange(6).repeat_interleave(4))
    assert torch.allclose(views[0, :2], images[:2], atol=1e-5)  # untouched as they were
    assert torch.allclose(views[0, 2:], images[2:] + 1, atol=1e-5)  # through the autoencoder
    inner = views[1, :, :, 5:15, 5:15]
    assert inner.mean().item() == pytest.approx(1, abs=0.02)  # its answer to noise
    assert torch.allclose(views[1, :, :, :5], images[:, :, :5] + 1, atol=1e-5)
    for k in (1, 2, 3):
        assert torch.equal(views[1 + k], views[0].rot90(k, (2, 3)))
    assert (views[5] - images).abs().mean() > 0.05
    assert torch.equal(batch.encoded, images + 1)
    assert torch.equal(batch.patches, images)


def test_patches_stand_where_they_came_from():
    images = torch.rand(6, 3, 24, 24)
    batch = limited_context_batch(
        images, lambda patches: patches, patch=8, hole=6, crop=24, tilt=0.0, generator=seeded()
    )
    views = batch.views.view(6, 6, 3, 24, 24)
    assert torch.allclose(views[0], images, atol=1e-5)
    changed = ((views[1] - images).abs() > 1e-5).any(1)
    assert (changed.sum((1, 2)) <= 36).all()
    assert (changed.sum((1, 2)) > 30).all()
    assert len({tuple(c.nonzero()[0].tolist()) for c in changed}) > 3  # at places of their own


def test_half_of_every_kind_is_tilted():
    images = torch.ones(4, 3, 32, 32)
    batch = limited_context_batch(
        images, lambda patches: patches, patch=8, hole=6, crop=32, tilt=0.2, generator=seeded()
    )
    corners = batch.views.view(6, 4, 3, 32, 32)[[0, 5], :, 0, 0, 0]  # outside is black
    assert (corners[:, :2] < 0.9).all()
    assert (corners[:, 2:] > 0.9).all()


def test_losses_in_closed_form():
    patches = torch.zeros(2, 3, 8, 8)
    _, seen = erase_middle(patches, 6)
    filled = 3 - 2 * seen.expand_as(patches)  # off by 1 on the frame, by 3 in the hole: free
    encoded = torch.full_like(patches, 0.5)
    batch = LimitedContext(patches, patches, patches, filled, encoded, seen)
    loss = inpainting_loss(torch.tensor([1.0, 3.0]), batch, torch.tensor(0.7))
    assert loss.item() == pytest.approx(-2 - 0.7 + 50 * (1 + 0.25))
    hinge = patch_discriminator_loss(torch.tensor([2.0, 0.0]), torch.tensor([-2.0, 1.0]))
    assert hinge.item() == pytest.approx(0.5 + 1.0)
    pairs = patch_pairs(torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 2, 2))
    assert pairs[:, ::3, 0, 0].tolist() == [[0, 2], [1, 3]]


def test_gradients_reach_the_inpainter():
    scale = torch.tensor(0.5, requires_grad=True)
    batch = limited_context_batch(
        torch.rand(2, 3, 16, 16), lambda p: scale * p, patch=8, hole=6, crop=12, generator=seeded()
    )
    batch.views[batch.labels == 1].sum().backward()
    assert math.isfinite(scale.grad)
    assert scale.grad != 0


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: erase_middle(torch.zeros(1, 3, 8, 6)), "patches must be square"),
        (lambda: erase_middle(torch.zeros(1, 3, 8, 8), 9), "hole must be from 1 to 8, got 9"),
        (
            lambda: paste_patches(
                torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 4, 4), torch.tensor([[0, 5]])
            ),
            r"corners must be from 0 to \(4, 4\)",
        ),
        (
            lambda: thin_plate_flow(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2), (4, 4)),
            "points must be 3 or more, got 2",
        ),
        (lambda: patch_pairs(torch.zeros(3, 3, 2, 2)), "patches must be an even number, got 3"),
        (
            lambda: limited_context_batch(torch.zeros(2, 3, 32, 32), whole),
            "must be from 1 to 32",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
