"""Targets of split-brain autoencoders: nearest colours by brute force, losses in closed form."""

import math

import pytest
import torch

from cvcourse.methods import split_brain_losses, split_brain_targets

CENTRES = torch.tensor([[0.0, 0], [50, 0], [0, 50], [-50, -50]])


def lab(batch=2, height=12, width=18):
    scale = torch.tensor([100.0, 160, 160])[:, None, None]
    return scale * torch.rand(batch, 3, height, width) - torch.tensor([0.0, 80, 80])[:, None, None]


def test_targets_by_brute_force():
    images = lab()
    colors, levels = split_brain_targets(images, CENTRES, (4, 6), levels=10)
    for n in range(2):
        for i in range(4):
            for j in range(6):
                lightness, *ab = images[n, :, 3 * i + 1, 3 * j + 1].tolist()
                distances = [math.dist(ab, centre) for centre in CENTRES.tolist()]
                assert colors[n, i, j] == distances.index(min(distances))
                assert levels[n, i, j] == int(lightness // 10)


def test_ends_of_lightness_and_ties_of_colour():
    images = torch.zeros(1, 3, 1, 2)
    images[0, 0, 0] = torch.tensor([0.0, 100.0])
    images[0, 1] = 25.0  # as far from the first as from the second
    colors, levels = split_brain_targets(images, CENTRES, (1, 2))
    assert levels.flatten().tolist() == [0, 99]
    assert colors.flatten().tolist() == [0, 0]


def test_losses_are_cross_entropies():
    images = lab()
    even = torch.zeros(2, 4, 4, 6), torch.zeros(2, 10, 4, 6)
    of_color, of_lightness = split_brain_losses(*even, images, CENTRES)
    assert of_color.item() == pytest.approx(math.log(4))
    assert of_lightness.item() == pytest.approx(math.log(10))
    targets = split_brain_targets(images, CENTRES, (4, 6), 10)
    sure = [60 * torch.nn.functional.one_hot(t, n).movedim(-1, 1).float()
            for t, n in zip(targets, (4, 10), strict=True)]  # fmt: skip
    assert sum(split_brain_losses(*sure, images, CENTRES)).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: split_brain_targets(lab()[:, :2], CENTRES, (4, 6)), "lab must have shape"),
        (lambda: split_brain_targets(lab(), CENTRES, (4, 6), 1), "levels must be at least 2"),
        (lambda: split_brain_targets(lab(), CENTRES.T, (4, 6)), "centres must have shape"),
        (
            lambda: split_brain_losses(
                torch.zeros(2, 3, 4, 6), torch.zeros(2, 10, 4, 6), lab(), CENTRES
            ),
            r"colors must have shape \(B, 4, 4, 6\), got \(2, 3, 4, 6\)",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
