import torch
from scipy import ndimage

from cvcourse.classroom.subjects.edges import near_outlines, thin_parts


def test_near_outlines_sees_as_far_as_it_reaches():
    labels = torch.zeros(1, 9, 20, dtype=torch.int64)
    labels[..., 10:] = 2
    near = near_outlines(labels, reach=3)
    assert near[0].all(0).nonzero()[:, 0].tolist() == list(range(7, 13))
    assert near.any(1).sum() == 6
    assert not near_outlines(labels[..., :10]).any()


def test_thin_parts_are_what_opening_removes():
    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(3, 30, 30, generator=generator) < 0.93
    masks[:, :4] = masks[:, -4:] = masks[:, :, :4] = masks[:, :, -4:] = False
    for mask, thin in zip(masks, thin_parts(masks, reach=1), strict=True):
        opened = ndimage.binary_opening(mask.numpy(), structure=[[1] * 3] * 3)
        assert torch.equal(thin, mask & ~torch.from_numpy(opened))


def test_a_leg_is_thin_and_a_body_is_not():
    mask = torch.zeros(1, 40, 40, dtype=torch.bool)
    mask[:, 5:20, 5:30] = True
    mask[:, 20:38, 8:11] = True
    thin = thin_parts(mask)
    assert thin[0, 20:38, 8:11].all()
    assert thin.sum() == 18 * 3
