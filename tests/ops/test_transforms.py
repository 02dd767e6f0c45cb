"""`torch.func`: gradients and batches of every op with a gradient, beside autograd and a loop."""

import pytest
import torch

from cvcourse import ops
from tests.ops.calls import calls

WITHOUT_A_GRADIENT = {
    "anchor_grid", "batched_nms", "default_boxes", "fpn_level", "masks_to_boxes", "match_anchors",
    "nms", "polygons_to_masks", "remove_small_boxes", "soft_nms", "warp_is_inside",
    "defocus_kernel", "depth_discontinuities", "gaussian_kernel", "motion_kernel",
}  # fmt: skip
OF_A_LIST = {"collapse_pyramid", "multiscale_roi_align"}
OF_A_SIZE_THAT_VALUES_DECIDE = {"splat_points"}  # takes a batch itself; vmap has no such sizes
NAMES = sorted(calls().keys() - WITHOUT_A_GRADIENT - OF_A_LIST)


def as_function(name):
    """The op as a function of its first argument, summed; and that argument."""
    (x, *others), options = calls()[name]

    def op(x):
        out = getattr(ops, name)(x, *others, **options)
        parts = out if isinstance(out, (tuple, list)) else (out,)
        return sum(part.sum() for part in parts)

    return op, x


def gradient_of(op, x):
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(op(x), x)[0]


@pytest.mark.parametrize("name", NAMES)
def test_grad(name):
    op, x = as_function(name)
    torch.testing.assert_close(torch.func.grad(op)(x), gradient_of(op, x))


@pytest.mark.parametrize("name", [n for n in NAMES if n not in OF_A_SIZE_THAT_VALUES_DECIDE])
def test_vmap(name):
    op, x = as_function(name)
    several = torch.stack([x, 1.1 * x, x.flip(0)])
    torch.testing.assert_close(torch.vmap(op)(several), torch.stack([op(each) for each in several]))
    got = torch.vmap(torch.func.grad(op))(several)
    torch.testing.assert_close(got, torch.stack([gradient_of(op, each) for each in several]))


def test_boxes_of_several_pictures_at_once():
    """Where another argument than the first is batched."""
    (boxes1, boxes2), _ = calls()["box_iou"]
    several = torch.stack([boxes2, boxes2 + 1])
    for name in ("box_iou", "generalized_box_iou", "distance_box_iou", "complete_box_iou"):
        op = getattr(ops, name)
        got = torch.vmap(op, in_dims=(None, 0))(boxes1, several)
        torch.testing.assert_close(got, torch.stack([op(boxes1, each) for each in several]))


def test_regions_of_several_pictures_at_once():
    (maps, rois, *others), _ = calls()["roi_align"]
    several = torch.stack([rois, rois * torch.tensor([1, 0.9, 0.9, 1.1, 1.1])])
    got = torch.vmap(lambda rois: ops.roi_align(maps, rois, *others))(several)
    want = torch.stack([ops.roi_align(maps, each, *others) for each in several])
    torch.testing.assert_close(got, want)
