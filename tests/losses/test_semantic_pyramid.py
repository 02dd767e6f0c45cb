"""Semantic reconstruction and diversity, beside another's code and by hand."""

import pytest
import torch

from cvcourse.losses import diversity_loss, semantic_reconstruction_loss
from tests import oracle

FILE = "generative/losses.json"


@pytest.mark.parametrize("case", oracle.cases("semantic_reconstruction_loss", FILE))
def test_reconstruction_equals_the_oracle(case):
    given = case["inputs"]
    fake = [x.clone().requires_grad_() for x in given["fake"]]
    value = semantic_reconstruction_loss(fake, given["real"], given["masks"])
    expected = case["expected"]
    torch.testing.assert_close(value, expected["value"], atol=1e-12, rtol=0)
    for i, gradient in enumerate(torch.autograd.grad(value, fake)):
        torch.testing.assert_close(gradient, expected[f"grad_fake_{i}"], atol=1e-12, rtol=0)


@pytest.mark.parametrize("case", oracle.cases("diversity_loss", FILE))
def test_diversity_equals_the_oracle(case):
    oracle.assert_matches(case, diversity_loss)


def test_a_shift_within_a_window_costs_nothing():
    x = torch.zeros(1, 1, 4, 4)
    x[..., 0, 0] = 1
    shifted = x.roll((1, 1), (2, 3))
    masks = [torch.ones(1, 1, 4, 4)]
    assert semantic_reconstruction_loss([shifted], [x], masks) == 0
    assert semantic_reconstruction_loss([shifted.roll(1, 3)], [x], masks) == 2 / 4


def test_masked_levels_are_free():
    torch.manual_seed(0)
    x, y = ([torch.randn(2, 3, 4, 4), torch.randn(2, 5)] for _ in range(2))
    nowhere = [torch.zeros(2, 1, 4, 4), torch.zeros(2, 1)]
    assert semantic_reconstruction_loss(x, y, nowhere) == 0
    whole, one = (
        semantic_reconstruction_loss(x, y, [nowhere[0], torch.ones(2, 5)]),
        torch.ones(2, 1),
    )
    assert semantic_reconstruction_loss(x, y, [nowhere[0], one]) == whole > 0


@pytest.mark.parametrize("shape", [(1, 2, 1, 1), (1, 2, 3, 5), (1, 7), (1, 1)], ids=str)
def test_odd_ends_count(shape):
    """Every element is in a window: a difference at the end is seen."""
    x = torch.zeros(shape)
    x.view(-1)[-1] = 1
    mask = torch.ones(shape) if len(shape) == 2 else torch.ones(1, 1, *shape[2:])
    assert semantic_reconstruction_loss([x], [torch.zeros(shape)], [mask]) > 0


def test_diversity_by_hand():
    images = torch.tensor([0.0, 0.2, 0.5, 0.4])[:, None]
    latents = torch.tensor([1.0, -1.0, 2.0, 1.0])[:, None]
    assert diversity_loss(images, latents).item() == pytest.approx(1.5 / 0.35)
    same = diversity_loss(images[:1].expand(4, 1), latents)
    assert same.item() == pytest.approx(1.5e8)


def test_nothing_is_0():
    none = torch.zeros(0, 3, 4, 4, requires_grad=True)
    assert diversity_loss(none, torch.zeros(0, 2)) == 0
    masks = [torch.zeros(0, 1, 4, 4)]
    assert semantic_reconstruction_loss([none], [none], masks) == 0


MAP, MASK, ROW = torch.rand(2, 3, 4, 4), torch.ones(2, 1, 4, 4), torch.rand(2, 5)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: semantic_reconstruction_loss([], [], []), "features must hold at least one"),
        (
            lambda: semantic_reconstruction_loss([MAP], [MAP], []),
            "masks must be 1, one for each level, got 0",
        ),
        (
            lambda: semantic_reconstruction_loss([MAP], [MAP[:, :2]], [MASK]),
            r"target_features\[0\] must have the shape of features\[0\]",
        ),
        (
            lambda: semantic_reconstruction_loss([MAP], [MAP], [MASK[..., :2]]),
            r"masks\[0\] must fit features\[0\], \(2, 3, 4, 4\), .*, got \(2, 1, 4, 2\)",
        ),
        (
            lambda: semantic_reconstruction_loss([MAP], [MAP], [MASK.bool()]),
            r"masks\[0\] must be a floating point tensor, got torch.bool",
        ),
        (
            lambda: semantic_reconstruction_loss([MAP[0]], [MAP[0]], [MASK[0]]),
            r"masks\[0\] must fit features\[0\], \(3, 4, 4\), maps or vectors",
        ),
        (lambda: diversity_loss(MAP[:1], ROW[:1]), "equally many, an even number, got"),
        (lambda: diversity_loss(MAP, ROW[:1]), "equally many, an even number, got"),
        (lambda: diversity_loss(MAP.long(), ROW), "images must be a floating point tensor"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
