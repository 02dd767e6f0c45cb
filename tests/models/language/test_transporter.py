"""Transporter: the authors' formulas, the identity, what gradients reach."""

import numpy as np
import pytest
import torch

from cvcourse.models import Transporter, keypoint_maps, marginal_keypoints, transport
from tests import oracle
from tests.models import golden


def test_equals_the_authors_formulas():
    meta, want = oracle.design_language_golden("transporter")
    config = meta["config"]

    def given(name, channels, reach):
        shape = config["height"], config["width"], config[channels]
        tensor = oracle.formula_tensor(f"transporter/{name}", shape, -reach, reach).double()
        return tensor.permute(2, 0, 1)[None]

    fa, fb = given("fa", "channels", 1), given("fb", "channels", 1)
    ka, kb = given("ka", "keypoints", 30), given("kb", "keypoints", 30)
    centres = [marginal_keypoints(k) for k in (ka, kb)]
    maps = [keypoint_maps(c, (8, 8), std=config["gauss_std"]) for c in centres]
    for i, name in enumerate("ab"):
        np.testing.assert_allclose(centres[i][0], want[f"centers_{name}"], atol=1e-9, rtol=0)
        found = maps[i][0].permute(1, 2, 0)
        np.testing.assert_allclose(found, want[f"heatmaps_{name}"], atol=1e-9, rtol=0)
    carried = transport(fa, fb, *maps)[0].permute(1, 2, 0)
    np.testing.assert_allclose(carried, want["transported"], atol=1e-9, rtol=0)


def test_identity_and_everything():
    source, target = torch.randn(2, 2, 4, 5, 6).double().unbind(1)
    none, all_ = torch.zeros(2, 3, 5, 6).double(), torch.ones(2, 1, 5, 6).double()
    assert torch.equal(transport(source, target, none, none), source)
    assert torch.equal(transport(source, target, all_, all_), target)
    assert torch.equal(transport(source, target, all_, all_ * 0), source * 0)


def test_the_order_matters_only_where_keypoints_meet():
    source, target = torch.randn(2, 1, 4, 24, 24).double().unbind(0)
    far = keypoint_maps(torch.tensor([[[-0.8, -0.8], [0.8, 0.8]]]).double(), (24, 24))
    near = keypoint_maps(torch.tensor([[[0.0, 0.0], [0.05, 0.0]]]).double(), (24, 24))
    for maps, same in ((far, True), (near, False)):
        first, second = (
            transport(source, target, maps, maps),
            transport(source, target, maps.flip(1), maps.flip(1)),
        )
        assert torch.allclose(first, second, atol=1e-9) == same


def test_a_keypoint_is_where_its_map_is():
    maps = torch.full((1, 2, 9, 13), -50.0)
    maps[0, 0, 0, 12] = maps[0, 1, 8, 6] = 5000.0
    expected = torch.tensor([[[-1.0, 1.0], [1.0, 0.0]]])
    torch.testing.assert_close(marginal_keypoints(maps), expected)
    flat = marginal_keypoints(torch.zeros(1, 1, 4, 6, dtype=torch.float16))
    assert flat.dtype == torch.float32
    torch.testing.assert_close(flat, torch.zeros(1, 1, 2), atol=1e-6, rtol=0)


def test_gaussian_has_no_half():
    maps = keypoint_maps(torch.zeros(1, 1, 2), (3, 21), std=0.2)
    assert maps[0, 0, 1, 10] == 1
    assert maps[0, 0, 1, 12].item() == pytest.approx(np.exp(-1))  # 0.2 away


def test_count_of_the_authors_notebook():
    with torch.device("meta"):
        net = Transporter()
    assert golden.parameter_count(net.features) == 18_768
    assert golden.parameter_count(net.keypoints) == 18_933
    assert golden.parameter_count(net) == 298_440


def test_no_gradient_goes_through_the_source():
    net = Transporter(3, widths=(4, 4, 6, 6), decoder_width=8)
    source, target = torch.rand(2, 1, 3, 16, 20).requires_grad_().unbind(0)
    source.retain_grad(), target.retain_grad()
    net(source, target).image.square().sum().backward()
    assert source.grad is None
    assert target.grad.abs().sum() > 0
    assert all(p.grad.abs().sum() > 0 for p in net.keypoints[-1:].parameters() if p.ndim > 1)


def test_one_step_of_training_lowers_the_loss():
    net = Transporter(3, widths=(4, 4, 6, 6), decoder_width=8)
    source, target = torch.rand(2, 4, 3, 16, 20)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    losses = []
    for _ in range(2):
        loss = (net(source, target).image - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


@pytest.mark.as_user
def test_exports():
    net, frames = (
        Transporter(2, widths=(4, 4, 6), decoder_width=8).eval(),
        torch.rand(2, 1, 3, 9, 12),
    )
    expected = net(*frames)
    got = torch.export.export(net, tuple(frames)).module()(*frames)
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Transporter(0), "keypoints: expected at least 1, got 0"),
        (lambda: Transporter(std=0), "std must be positive and finite, got 0"),
        (lambda: Transporter(widths=(4, 4)), "widths: expected three or more"),
        (
            lambda: Transporter(2)(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 9)),
            r"source and target must have one shape, got \(1, 3, 8, 8\) and \(1, 3, 8, 9\)",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
