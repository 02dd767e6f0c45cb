import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cvcourse.ops.polygons_to_masks import polygons_to_masks


def by_the_definition(polygon, height, width):
    """Count, for each centre, the edges that a ray to the left meets."""
    mask = torch.zeros(height, width, dtype=torch.bool)
    corners = polygon.tolist()
    for row in range(height):
        for column in range(width):
            x, y, inside = column + 0.5, row + 0.5, False
            for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
                if (y1 <= y) != (y2 <= y) and x1 + (y - y1) * (x2 - x1) / (y2 - y1) <= x:
                    inside = not inside
            mask[row, column] = inside
    return mask


# quarters: many corners and edges lie exactly on pixel centres
COORDINATE = st.integers(-12, 52).map(lambda quarter: quarter / 4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(COORDINATE, COORDINATE), min_size=1, max_size=7))
def test_even_odd_rule_at_pixel_centres(corners):
    polygon = torch.tensor(corners, dtype=torch.float64)
    mask = polygons_to_masks(polygon[None], (9, 11))[0]
    assert torch.equal(mask, by_the_definition(polygon, 9, 11))


def test_boxes_on_pixel_edges_are_those_pixels():
    box = torch.tensor([[2.0, 1.0], [5.0, 1.0], [5.0, 3.0], [2.0, 3.0]])
    expected = torch.zeros(4, 6, dtype=torch.bool)
    expected[1:3, 2:5] = True
    masks = polygons_to_masks(torch.stack([box, box.flip(0), box + 100]), (4, 6))
    assert torch.equal(masks[0], expected)
    assert torch.equal(masks[1], expected)  # either way round
    assert not masks[2].any()


def test_neighbours_share_an_edge_and_no_pixel():
    a = torch.tensor([[0.0, 0.0], [4.5, 0.0], [2.5, 6.0], [0.0, 6.0]])
    b = torch.tensor([[4.5, 0.0], [8.0, 0.0], [8.0, 6.0], [2.5, 6.0]])
    left, right = polygons_to_masks(torch.stack([a, b]), (6, 8))
    assert (left ^ right).all()


def test_a_region_covered_twice_is_outside():
    star = torch.tensor([[5.0, 0.0], [8.0, 9.0], [0.0, 3.5], [10.0, 3.5], [2.0, 9.0]])
    mask = polygons_to_masks(star[None], (10, 10))[0]
    assert not mask[5, 5]
    assert mask[2, 4]


def test_area_of_a_large_disc():
    angle = torch.arange(360) * torch.pi / 180
    disc = torch.stack([100 + 90 * angle.cos(), 100 + 90 * angle.sin()], dim=1)
    area = polygons_to_masks(disc[None], (200, 200)).sum().item()
    assert area == pytest.approx(torch.pi * 90**2, rel=2e-3)


@pytest.mark.parametrize("shape", [(0, 5, 2), (3, 0, 2)])
def test_nothing_is_empty(shape):
    masks = polygons_to_masks(torch.zeros(shape), (4, 6))
    assert masks.shape == (shape[0], 4, 6)
    assert not masks.any()


@pytest.mark.parametrize("odd", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("corner", [(0, 0), (2, 1)])
def test_a_polygon_with_a_corner_nowhere_is_empty_and_the_others_are_not(odd, corner):
    polygons = torch.tensor([[1.0, 1.0], [5.0, 1.0], [5.0, 5.0], [1.0, 5.0]]).repeat(3, 1, 1)
    polygons[1][corner] = odd
    assert polygons_to_masks(polygons, (7, 8)).sum((1, 2)).tolist() == [16, 0, 16]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_far_from_the_corner(dtype):
    """Rows and columns from 2048 on: neither half tells them from their neighbours."""
    box = torch.tensor([[[0.0, 0.0], [2048.0, 0.0], [2048.0, 2048.0], [0.0, 2048.0]]]).to(dtype)
    (mask,) = polygons_to_masks(box, (2060, 2060))
    assert mask[:2048, :2048].all()
    assert mask.sum() == 2048**2


@pytest.mark.as_user
def test_one_polygon_without_its_batch_is_refused():
    with pytest.raises(
        ValueError, match=r"polygons: expected shape \(n, vertices, 2\), got \(5, 2"
    ):
        polygons_to_masks(torch.zeros(5, 2), (4, 4))
