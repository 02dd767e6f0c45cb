"""Depth from two depths: closed forms, naive loops, and that fusion beats what it fuses."""

import math

import numpy as np
import pytest
import torch

from cvcourse.methods import (
    blend_backgrounds,
    fusion_losses,
    scale_invariant_gradient,
    scene_flow_loss,
)
from cvcourse.models import DepthFusion, ViewBlender
from cvcourse.ops import align_scale_shift
from tests import oracle

FILE = "generative/losses.json"


@pytest.mark.parametrize("case", oracle.cases("align_scale_shift", FILE))
def test_alignment_is_numpys(case):
    def adapted(source, target, mask):
        scale, shift = align_scale_shift(source[None], target[None], mask[None] > 0)
        return {"scale": scale[0], "shift": shift[0]}

    # `check` reads the expected Python floats as float32
    oracle.assert_matches({**case, "atol": 1e-7}, adapted)


def test_alignment_of_random_maps_is_numpys():
    source, target = torch.randn(2, 4, 5, 6, dtype=torch.float64)
    mask = torch.rand(4, 5, 6) < 0.5
    target[~mask] = math.nan
    scale, shift = align_scale_shift(source, target, mask)
    for b in range(4):
        x, y = source[b][mask[b]].numpy(), target[b][mask[b]].numpy()
        want = np.linalg.lstsq(np.stack([x, np.ones_like(x)], 1), y, rcond=None)[0]
        np.testing.assert_allclose([scale[b], shift[b]], want, rtol=1e-9)


def test_alignment_where_nothing_varies():
    source, mask = torch.full((3, 2, 2), 2.0), torch.ones(3, 2, 2, dtype=torch.bool)
    mask[1], mask[2, 0] = False, False
    scale, shift = align_scale_shift(source, torch.full((3, 2, 2), 5.0), mask)
    assert scale.tolist() == [1, 1, 1]
    assert shift.tolist() == [3, 0, 3]


def test_alignment_has_a_gradient():
    inputs = torch.randn(2, 2, 3, 4, dtype=torch.float64).requires_grad_()
    mask = torch.rand(2, 3, 4) < 0.8
    assert torch.autograd.gradcheck(lambda x: align_scale_shift(x[0], x[1], mask), (inputs,))


@pytest.mark.parametrize("case", oracle.cases("scale_invariant_gradient", FILE))
def test_gradient_is_the_closed_form(case):
    def adapted(depth):
        found = {}
        for k in (1, 2, 4):
            found[f"gx{k}"], found[f"gy{k}"] = scale_invariant_gradient(depth, k)
        return found

    oracle.assert_matches(case, adapted)


def test_gradient_forgets_the_scale():
    depth = 0.1 + torch.rand(2, 1, 9, 8)
    for a, b in zip(
        scale_invariant_gradient(depth, 2), scale_invariant_gradient(3 * depth, 2), strict=True
    ):
        torch.testing.assert_close(a, b)
    assert scale_invariant_gradient(depth, 8)[0].shape == (2, 1, 9, 0)


def test_fusion_losses_are_a_loop():
    fused, single, multi = torch.rand(3, 2, 7, 6, dtype=torch.float64) + 0.1
    known, moving = torch.rand(2, 7, 6) < 0.6, torch.rand(2, 7, 6) < 0.5
    multi[~known] = math.nan
    got = fusion_losses(fused, single, multi, known, moving, offsets=(1, 3))
    globally, locally, smooth = [], [], []
    for b in range(2):
        for y in range(7):
            for x in range(6):
                if known[b, y, x] and not moving[b, y, x]:
                    globally.append(abs(fused[b, y, x] - multi[b, y, x]))
                for k in (1, 3):
                    for v, u in ((y, x + k), (y + k, x)):
                        if v < 7 and u < 6 and moving[b, y, x] and moving[b, v, u]:
                            g = [(d[b, v, u] - d[b, y, x]) / (d[b, v, u] + d[b, y, x])
                                 for d in (fused, single)]  # fmt: skip
                            locally.append(abs(g[0] - g[1]))
                if 0 < y < 6 and 0 < x < 5:
                    around = sum(
                        fused[b, y + j, x + i] for j, i in ((0, 1), (1, 0), (0, -1), (-1, 0))
                    )
                    smooth.append(abs(around - 4 * fused[b, y, x]))
    for value, want in zip(got, (globally, locally, smooth), strict=True):
        torch.testing.assert_close(value, torch.stack(want).mean())


def test_fusion_losses_of_nothing():
    fused = torch.rand(1, 4, 4, requires_grad=True)
    none = torch.zeros(1, 4, 4, dtype=torch.bool)
    got = fusion_losses(fused, torch.rand(1, 4, 4), torch.full((1, 4, 4), math.nan), none, none)
    assert got.globally == 0
    assert got.locally == 0
    sum(got).backward()
    assert fused.grad.isfinite().all()


def test_scene_flow_of_what_moves_along():
    points = torch.randn(1, 3, 5, 6)
    flow = torch.zeros(1, 2, 5, 6)
    flow[:, 0] = 1
    others = torch.roll(points, 1, 3)
    assert scene_flow_loss(points, others, flow) < 1e-5
    others = others + torch.tensor([3.0, 0, 4]).view(1, 3, 1, 1)
    assert scene_flow_loss(points, others, flow).item() == pytest.approx(5, rel=1e-5)
    assert scene_flow_loss(points, others, flow + 99) == 0


def test_the_shortest_baseline_wins():
    pictures = torch.arange(3.0).view(1, 3, 1, 1, 1).expand(1, 3, 2, 1, 4) + 1
    known = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 1, 0]]).bool().view(1, 3, 1, 4)
    blended, anywhere = blend_backgrounds(pictures, known, torch.tensor([[0.5, 0.9, 0.2]]))
    assert blended[0, 0, 0].tolist() == [3, 1, 3, 0]
    assert anywhere[0, 0].tolist() == [True, True, True, False]


def test_networks_begin_with_what_they_are_given():
    single, multi = torch.rand(2, 2, 17, 22)
    known = torch.rand(2, 17, 22) < 0.5
    multi[~known] = math.nan
    fused = DepthFusion(width=4, levels=3)(single, multi, known, torch.rand(2, 3, 17, 22))
    torch.testing.assert_close(fused, single.clamp(1e-3, 1 - 1e-3))
    back, front = torch.rand(2, 2, 3, 17, 22)
    mask = (torch.rand(2, 1, 17, 22) < 0.5).float()
    blended = ViewBlender(width=4, levels=3)(back, front, mask)
    torch.testing.assert_close(blended, torch.where(mask > 0, front, back))


def test_fusion_learns_from_both():
    """Bent single-view depth, and a multi-view one with a hole: fitted, it is nearer than both."""
    torch.manual_seed(0)
    truth = torch.full((1, 16, 16), 0.3)
    truth[:, :, 8:] = 0.5
    truth[:, 5:11, 5:11] = 0.8
    hole = torch.zeros(1, 16, 16, dtype=torch.bool)
    hole[:, 5:11, 5:11] = True
    single = 0.9 * truth**1.5 + 0.05
    image = truth[:, None].expand(1, 3, 16, 16)
    model = DepthFusion(width=4, levels=2).eval()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def fused():
        return model(single, truth, ~hole, image)

    before = (fused() - truth)[~hole].abs().mean()
    for _ in range(60):
        losses = fusion_losses(fused(), single, truth, ~hole, hole, offsets=(1, 2))
        optimizer.zero_grad()
        (losses.globally + 0.1 * losses.locally).backward()
        optimizer.step()
    assert (fused() - truth)[~hole].abs().mean() < before / 3


@pytest.mark.as_user
def test_bad_input():
    maps, mask = torch.rand(2, 4, 5), torch.ones(2, 4, 5, dtype=torch.bool)
    with pytest.raises(ValueError, match="target must have shape"):
        align_scale_shift(maps, maps[:1], mask)
    with pytest.raises(ValueError, match="mask must be bool"):
        align_scale_shift(maps, maps, maps)
    with pytest.raises(ValueError, match="offset must be at least 1"):
        scale_invariant_gradient(maps[:, None], 0)
    with pytest.raises(ValueError, match="multi must have shape"):
        fusion_losses(maps, maps, maps[:1], mask, mask)
    with pytest.raises(ValueError, match="moving must be bool"):
        fusion_losses(maps, maps, maps, mask, maps)
    with pytest.raises(ValueError, match="others must have shape"):
        scene_flow_loss(torch.rand(1, 3, 4, 5), torch.rand(1, 3, 4, 4), torch.rand(1, 2, 4, 5))
    with pytest.raises(ValueError, match="baselines must have shape"):
        blend_backgrounds(torch.rand(1, 2, 3, 4, 5), mask[None], torch.rand(2))
    with pytest.raises(ValueError, match="single: expected"):
        DepthFusion(width=4, levels=2)(maps[:1], maps, mask, torch.rand(2, 3, 4, 5))
    with pytest.raises(ValueError, match="known: expected bool"):
        DepthFusion(width=4, levels=2)(maps, maps, maps, torch.rand(2, 3, 4, 5))
    with pytest.raises(ValueError, match="mask: expected"):
        ViewBlender(width=4, levels=2)(*torch.rand(2, 1, 3, 4, 5), torch.rand(1, 3, 4, 5))
