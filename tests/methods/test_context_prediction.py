"""Pairs of patches, their labels, and what takes the colour fringes away."""

import pytest
import torch

from cvcourse.methods import context_pairs, drop_colors, project_colors
from cvcourse.methods.context_prediction import OFFSETS
from cvcourse.ops import chromatic_aberration
from tests import oracle


def places(height, width, batch=1):
    """A picture whose channels are its rows, its columns and zero."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows, columns, 0 * rows]).float().expand(batch, 3, height, width)


@pytest.mark.parametrize("case", oracle.cases("context_labels", "less_supervision/cases.json"))
def test_labels_are_the_authors(case):
    dx, dy = case["inputs"]["dx"].tolist(), case["inputs"]["dy"].tolist()
    found = [OFFSETS.index((y, x)) for x, y in zip(dx, dy, strict=True)]
    assert found == case["expected"]["value"].tolist()


def test_patches_lie_where_the_label_says():
    generator = torch.Generator().manual_seed(0)
    images = places(40, 47, batch=600)
    first, second, labels = context_pairs(images, 6, gap=3, jitter=2, generator=generator)
    assert first.shape == second.shape == (600, 3, 6, 6)
    for patch in (first, second):  # whole patches, none stretched
        corner = patch[:, :2, :1, :1]
        assert torch.equal(patch[:, :2] - corner, places(6, 6, batch=600)[:, :2])
    apart = (second - first)[:, :2, 0, 0] - 9 * torch.tensor(OFFSETS)[labels]
    assert set(apart.flatten().tolist()) == set(range(-4, 5))  # each moves by up to 2
    assert labels.bincount(minlength=8).min() > 600 / 8 - 5 * (600 / 8) ** 0.5
    assert first[:, 0].min() >= 0
    assert second[:, 1].max() <= 46


def test_patches_reach_all_of_the_picture():
    """Of 5 rows and 6 columns the first patch of a small picture is at each place."""
    images = places(3 * 4 + 4, 3 * 4 + 5, batch=2000)
    first, _, _ = context_pairs(images, 4, gap=0, generator=torch.Generator().manual_seed(1))
    found = {tuple(corner) for corner in first[:, :2, 0, 0].tolist()}
    assert found == {(4.0 + r, 4.0 + c) for r in range(5) for c in range(6)}


def test_without_gap_and_jitter_patches_touch():
    first, second, labels = context_pairs(places(12, 12, batch=50), 4, gap=0)
    right = labels == OFFSETS.index((0, 1))
    assert torch.equal(second[right][:, 1, :, 0], first[right][:, 1, :, -1] + 1)


def test_aberration_moves_red_and_blue_apart():
    images = places(21, 21)
    red = chromatic_aberration(images[:, [1, 1, 1]], 0.1)
    row = red[0, :, 10]
    assert torch.equal(row[1], torch.arange(21.0))
    centre = 10.0
    expected = centre + (torch.arange(21.0) - centre) / 1.1
    assert torch.allclose(row[0], expected, atol=1e-4)
    inner = centre + (torch.arange(21.0) - centre) / 0.9
    assert torch.allclose(row[2, 1:-1], inner[1:-1].clamp(0, 20), atol=1e-4)
    assert torch.allclose(chromatic_aberration(images, 0.0), images, atol=1e-5)


def test_a_dropped_colour_leaves_one_channel():
    patches = torch.rand(200, 3, 5, 5)
    out = drop_colors(patches, torch.Generator().manual_seed(0))
    kept = (out == patches).flatten(2).all(2)
    assert (kept.sum(1) == 1).all()
    assert kept.sum(0).min() > 40
    for patch, original, mine in zip(out, patches, kept, strict=True):
        noise = patch[~mine] - original[mine].mean()
        assert noise.std() < 0.02 * original[mine].std()
        assert noise.std() > 0.005 * original[mine].std()


def test_projected_colours_have_no_green_to_magenta():
    patches = torch.rand(2, 3, 4, 4).double()
    out = project_colors(patches)
    assert (2 * out[:, 1] - out[:, 0] - out[:, 2]).abs().max() < 1e-12
    assert torch.allclose(project_colors(out), out)
    grey = torch.rand(2, 1, 4, 4).double().expand(2, 3, 4, 4)
    assert torch.allclose(project_colors(grey), grey)
    matrix = torch.tensor([[0.833, 0.333, -0.167], [0.333, 0.333, 0.333], [-0.167, 0.333, 0.833]])
    by_matrix = torch.einsum("dc,bchw->bdhw", matrix.double(), patches)  # as published, rounded
    assert torch.allclose(out, by_matrix, atol=2e-3)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: context_pairs(places(20, 20), 6, gap=3), "24 pixels high and wide or more"),
        (
            lambda: context_pairs(places(20, 20), 6, gap=-1),
            "jitter 0 or more, got 6, -1, 0",
        ),
        (lambda: drop_colors(torch.rand(2, 1, 4, 4)), r"patches must have shape \(B, 3, H, W\)"),
        (lambda: project_colors(torch.rand(3, 4, 4)), r"patches must have shape \(B, 3, H, W\)"),
        (
            lambda: chromatic_aberration(places(4, 4), 1.0),
            "strength must be a number in",
        ),
        (lambda: chromatic_aberration(torch.rand(1, 1, 4, 4), 0.1), "images must have shape"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
