"""Dropping and local averages against SciPy, losses against their closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

from cvcourse.methods import (
    drop_positions,
    local_average,
    repair_loss,
    spotted_mask_loss,
    spotting_loss,
)


def test_local_average_is_scipys_over_the_neighbours_that_are_there():
    maps = torch.randn(2, 3, 5, 7).double()
    size = (1, 1, 3, 3)
    total = uniform_filter(maps.numpy(), size, mode="constant")
    there = uniform_filter(np.ones(maps.shape), size, mode="constant")
    np.testing.assert_allclose(local_average(maps), total / there, atol=1e-12)


def test_whole_places_are_dropped_and_take_the_average():
    code = torch.randn(40, 6, 5, 7).double()
    dropped, kept = drop_positions(code, 0.3, torch.Generator().manual_seed(0))
    assert kept.shape == (40, 1, 5, 7)
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    expected = torch.where(kept.bool(), code, local_average(code))
    assert torch.allclose(dropped, expected)
    places = kept.numel()
    assert abs(kept.sum() - 0.3 * places) < 4 * math.sqrt(0.21 * places)
    everything, kept = drop_positions(code, 1.0)
    assert torch.equal(everything, code)
    assert (kept == 1).all()
    assert torch.equal(drop_positions(code, 0.0)[0], local_average(code))


def test_mask_loss_of_the_paper():
    """-Σ Ω log σ(s) + (1 - Ω) log(1 - σ(s)), written out, and its values that need no computer."""
    kept = (torch.rand(3, 1, 4, 5) < 0.3).double()
    assert spotted_mask_loss(torch.zeros(3, 4, 5).double(), kept).item() == pytest.approx(
        math.log(2)
    )
    logits = torch.randn(3, 4, 5).double()
    total = 0.0
    for s, omega in zip(logits.flatten().tolist(), kept.flatten().tolist(), strict=True):
        sigma = 1 / (1 + math.exp(-s))
        total -= omega * math.log(sigma) + (1 - omega) * math.log(1 - sigma)
    assert spotted_mask_loss(logits, kept).item() == pytest.approx(total / 60)
    share = kept.mean().item()  # the best constant answer has the entropy of the share
    best = torch.full((3, 4, 5), math.log(share / (1 - share))).double()
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    assert spotted_mask_loss(best, kept).item() == pytest.approx(entropy)


def test_the_discriminators_loss():
    kept = torch.tensor([1.0, 0, 0, 1]).view(1, 1, 2, 2)
    undecided = (torch.zeros(1, 2), torch.zeros(1, 2, 2))
    assert spotting_loss(undecided, undecided, kept).item() == pytest.approx(1.1 * math.log(2))
    sure = (torch.tensor([[-40.0, 40]]), torch.full((1, 2, 2), 40.0))
    found = (torch.tensor([[40.0, -40]]), 80 * kept[:, 0] - 40)
    assert spotting_loss(sure, found, kept).item() == pytest.approx(0, abs=1e-6)
    assert spotting_loss(found, sure, kept).item() == pytest.approx(80 + 0.1 * 40 * 4 / 8)


def test_the_repairers_loss():
    images, kept = torch.zeros(1, 3, 4, 4), torch.tensor([1.0, 0, 0, 0]).view(1, 1, 2, 2)
    repaired = images.clone()
    repaired[..., 2:] = 100.0  # where nothing was kept: free
    repaired[:, :, 0, 0] = 2.0  # one of the four pixels that were
    passed = torch.tensor([[-40.0, 40]])
    assert repair_loss(passed, repaired, images, kept).item() == pytest.approx(30 * 4 / 4)
    assert repair_loss(torch.zeros(1, 2), images, images, kept).item() == pytest.approx(math.log(2))
    none = torch.zeros_like(kept)
    assert repair_loss(passed, repaired, images, none).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: local_average(torch.zeros(3, 4, 5)), "maps must have shape"),
        (lambda: drop_positions(torch.zeros(1, 2, 3, 4), 1.5), "keep must lie in"),
        (lambda: spotted_mask_loss(torch.zeros(1, 2, 2), torch.zeros(1, 1, 3, 3)), "logits must"),
        (
            lambda: repair_loss(
                torch.zeros(1, 2), torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 8, 8),
                torch.zeros(1, 1, 2, 2),
            ),
            "repaired must have the shape of images",
        ),
    ],
)  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
