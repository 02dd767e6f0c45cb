import math

import pytest
import torch

from cvcourse.classroom.subjects.outlines import drawn, filled, filled_ellipses, mask_iou


def test_a_box_holds_the_pixels_whose_centres_it_holds():
    masks = filled(torch.tensor([[2.0, 3, 6, 8], [0.6, 0.4, 1.4, 1.6]]), (10, 7))
    assert masks.shape == (2, 10, 7)
    assert masks[0].sum() == 20 == masks[0, 3:8, 2:6].sum()
    assert masks[1].sum() == 0  # between the centres of columns 0 and 1
    assert filled(torch.zeros(0, 4), (5, 5)).shape == (0, 5, 5)


def test_overlap():
    a = filled(torch.tensor([[0.0, 0, 4, 4], [0, 0, 2, 2]]), (6, 6))
    b = filled(torch.tensor([[2.0, 0, 6, 4]]), (6, 6))
    assert mask_iou(a, b).tolist() == [pytest.approx(1 / 3), 0]
    assert mask_iou(a[None], a).tolist() == [[1, 1]]
    assert mask_iou(a & ~a, a & ~a).isnan().all()


def test_drawn_shapes_have_their_area():
    assert drawn("disk").shape == (1, 200, 200)
    assert drawn("disk").float().mean().item() == pytest.approx(math.pi * 0.45**2, abs=0.005)
    assert drawn("square", 100).float().mean().item() == pytest.approx(0.68**2, abs=0.02)


def test_ellipses_fill_a_quarter_of_pi_of_their_boxes_and_touch_the_sides():
    ellipses = filled_ellipses(torch.tensor([[10.0, 20, 90, 60], [0.0, 0, 40, 100]]), (100, 100))
    areas = ellipses.sum((1, 2)) / torch.tensor([80 * 40, 40 * 100])
    torch.testing.assert_close(areas, torch.full((2,), math.pi / 4), rtol=0, atol=0.01)
    assert ellipses[0].any(0).nonzero()[[0, -1], 0].tolist() == [10, 89]
    assert ellipses[0].any(1).nonzero()[[0, -1], 0].tolist() == [20, 59]
