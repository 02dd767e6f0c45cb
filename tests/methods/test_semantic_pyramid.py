"""Masks of a pyramid: one level everywhere, finer ones outside a region."""

import pytest
import torch

from cvcourse.methods import draw_pyramid_masks, pyramid_masks

FEATURES = [
    torch.rand(2, 3, 8, 12),
    torch.rand(2, 4, 4, 6),
    torch.rand(2, 5, 2, 3),
    torch.rand(2, 6),
    torch.rand(2, 7),
]


@pytest.mark.parametrize("level", range(5))
def test_one_level_is_told(level):
    masks = pyramid_masks(FEATURES, level)
    shapes = [tuple(m.shape) for m in masks]
    assert shapes == [(2, 1, 8, 12), (2, 1, 4, 6), (2, 1, 2, 3), (2, 1), (2, 1)]
    assert [m.mean().item() for m in masks] == [float(i == level) for i in range(5)]


def test_outside_a_region_finer_levels_are_told_too():
    region = torch.zeros(2, 16, 24, dtype=torch.bool)
    region[0, 4:8, 6:13] = True
    masks = pyramid_masks(FEATURES, 2, region)
    inside = torch.zeros(8, 12, dtype=torch.bool)
    inside[2:4, 3:7] = True  # a pixel of the map is two of the picture
    assert torch.equal(masks[0][0, 0] == 0, inside)
    inside = torch.zeros(4, 6, dtype=torch.bool)
    inside[1, 1:4] = True
    assert torch.equal(masks[1][0, 0] == 0, inside)
    assert (masks[0][1] == 1).all()
    assert (masks[2] == 1).all()
    assert not masks[3].any()
    assert not masks[4].any()


def test_a_region_says_nothing_of_vectors():
    region = torch.ones(2, 16, 24, dtype=torch.bool)
    masks = pyramid_masks(FEATURES, 4, region)
    assert not any(m.any() for m in masks[:4])
    masks = pyramid_masks(FEATURES, 4, ~region)
    assert all((m == 1).all() for m in masks[:3])
    assert not masks[3].any()


def test_draws():
    generator, levels, regions = torch.Generator().manual_seed(0), [0] * 5, 0
    for _ in range(400):
        masks = draw_pyramid_masks(FEATURES, generator=generator)
        full = [i for i, m in enumerate(masks) if (m == 1).all()]
        level = max(full)
        levels[level] += 1
        assert all(not m.any() for m in masks[level + 1 :])
        values = torch.cat([m.flatten() for m in masks])
        assert torch.equal(values, values.round())
        partly = any(m.any() for m in masks[:level])
        regions += partly
    assert min(levels) > 50  # 80 expected, 8 the deviation
    # 0.3 of those above the first level; a region of a whole picture does not show
    assert 60 < regions < 130


def test_no_share_no_regions():
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        masks = draw_pyramid_masks(FEATURES, share=0, generator=generator)
        assert sum(m.any().item() for m in masks) == 1
    same = [
        draw_pyramid_masks(FEATURES, share=1, generator=torch.Generator().manual_seed(5))
        for _ in range(2)
    ]
    torch.testing.assert_close(*same)


REGION = torch.ones(2, 8, 12, dtype=torch.bool)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pyramid_masks([], 0), "features must hold at least one level, got none"),
        (lambda: pyramid_masks(FEATURES, 5), "level must be from 0 to 4, got 5"),
        (lambda: pyramid_masks(FEATURES, -1), "level must be from 0 to 4, got -1"),
        (lambda: pyramid_masks([FEATURES[0][0]], 0), r"features\[0\] must be maps .* vectors"),
        (lambda: pyramid_masks(FEATURES, 1, REGION.float()), "region must be bool of shape"),
        (lambda: pyramid_masks(FEATURES, 1, REGION[:1]), r"region must be bool of shape \(2, 8"),
        (lambda: pyramid_masks(FEATURES, 1, REGION[0]), r"region must have shape \(B, H, W\)"),
        (lambda: pyramid_masks(FEATURES, 1, REGION[:, :7]), r"region must be no smaller than a"),
        (lambda: draw_pyramid_masks(FEATURES, share=1.1), r"share must lie in \[0, 1\], got 1.1"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
