import pytest
import torch
from scipy import ndimage

from cvcourse.classroom.subjects import mixing, sprites


@pytest.fixture(scope="module")
def world():
    codes = sprites.draw_codes(40, tied=False, seed=4)
    return codes, *sprites.paint(codes)


def test_edges_are_those_of_scipy(world):
    _, pictures, _ = world
    planes = pictures[:5].flatten(0, 1).numpy()
    slopes = [
        torch.stack([torch.from_numpy(ndimage.sobel(x, axis, mode="nearest")) / 8 for x in planes])
        for axis in (0, 1)
    ]
    wanted = 2 * torch.hypot(*slopes).unflatten(0, (5, 3)).amax(1).clamp(max=0.5)
    torch.testing.assert_close(mixing.edges(pictures[:5])[:, 0], wanted)
    torch.testing.assert_close(mixing.drawn(pictures[:5])[:, 1], 1 - 2 * wanted)


def test_a_plain_picture_has_no_line_and_a_cartoon_three_levels():
    plain = torch.tensor([-0.75, 0.0, 0.75])[None, :, None, None].expand(2, 3, 16, 16)
    assert (mixing.drawn(plain) == 1).all()
    assert torch.equal(mixing.cartoon(plain)[0, :, 3, 3], torch.tensor([-1.0, 0, 1]))
    step = plain.clone()
    step[..., 8:] = -step[..., 8:]
    assert (mixing.cartoon(step)[..., 7:9] == -1).all()  # black along the edge


def test_rim_of_a_mask_is_dark_and_its_inside_is_not(world):
    _, _, masks = world
    drawn = mixing.outlined(masks)
    deep = -torch.nn.functional.max_pool2d(-masks, 3, 1, 1) == 1
    assert (drawn[:, :1][deep] == 1).all()
    assert drawn.amin((1, 2, 3)).max() == -1


def test_boxes_hold_all_that_is_covered_and_no_more(world):
    _, _, masks = world
    boxes = mixing.boxes_of(masks).int()
    for mask, (x1, y1, x2, y2) in zip(masks[:, 0] > 0.02, boxes, strict=True):
        assert mask[y1:y2, x1:x2].sum() == mask.sum()
        assert mask[y1].any()
        assert mask[y2 - 1].any()
        assert mask[:, x1].any()
        assert mask[:, x2 - 1].any()
    assert torch.equal(mixing.boxes_of(torch.zeros(2, 1, 16, 16)), torch.zeros(2, 4))
    assert mixing.boxes_of(masks[:0]).shape == (0, 4)


def test_ground_by_box_is_the_ground_where_all_stripes_are_seen():
    codes = sprites.draw_codes(60, tied=False, seed=1)
    pictures, masks = sprites.paint(codes)
    ground, mask = mixing.cut_by_box(pictures, mixing.boxes_of(masks))
    open_ = (masks == 0).expand_as(pictures)
    off = (ground - pictures).abs()[open_]
    assert off.median() < 1e-5
    both, either = ((mask > 0.5) & (masks > 0.5)).sum(), ((mask > 0.5) | (masks > 0.5)).sum()
    assert both / either > 0.75


def test_pasted_where_it_was_it_is_what_it_was(world):
    _, pictures, masks = world
    boxes = mixing.boxes_of(masks)
    ground, mask = mixing.cut_by_box(pictures, boxes)
    same = mixing.paste(boxes, ground, (mask, boxes), (pictures, mask, boxes))
    torch.testing.assert_close(same * mask, pictures * mask, atol=1e-3, rtol=0)


def test_pasted_elsewhere_it_is_moved(world):
    picture = torch.zeros(1, 3, 16, 16)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 2:6, 3:7] = 1
    picture[:, 0, 2:6, 3:7] = 1
    box = mixing.boxes_of(mask)
    to = box + torch.tensor([4.0, 5, 4, 5])
    moved = mixing.paste(to, torch.zeros_like(picture), (mask, box), (picture, mask, box))
    torch.testing.assert_close(moved[0, 0], picture[0, 0].roll((5, 4), (0, 1)), atol=1e-3, rtol=0)
    twice = torch.tensor([[0.0, 0, 8, 8]])
    large = mixing.paste(twice, torch.zeros_like(picture), (mask, box), (picture, mask, box))
    assert large[0, 0, 1:7, 1:7].min() > 0.99
    assert large[0, 0, 9:].max() < 1e-3


def test_a_closed_line_is_filled_less_its_rim():
    line = torch.zeros(1, 1, 16, 16)
    line[..., 3:10, 3:10] = 1
    line[..., 4:9, 4:9] = 0
    mask = mixing.filled((1 - 2 * line).expand(-1, 3, -1, -1), torch.tensor([[3.0, 3, 10, 10]]))
    assert mask.sum() == 25
    assert mask[0, 0, 4:9, 4:9].all()
    line[..., 3, 5] = 0  # a gap: nothing is surrounded
    open_ = mixing.filled((1 - 2 * line).expand(-1, 3, -1, -1), torch.tensor([[3.0, 3, 10, 10]]))
    assert open_.sum() == 0
