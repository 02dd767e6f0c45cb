"""One call of every op, for the tests that hold for all of them."""

import torch

from tests.ops.boxes import random_boxes


def calls(dtype=torch.float32):
    """Name to (arguments, options); floating inputs have `dtype`."""
    boxes, others = (random_boxes(7).to(dtype) for _ in range(2))
    scores, labels = torch.rand(7).to(dtype), torch.arange(7) % 3
    image, flow = torch.rand(2, 3, 8, 10).to(dtype), torch.randn(2, 2, 8, 10).to(dtype)
    coarse = torch.rand(2, 3, 4, 5).to(dtype)
    masks = torch.rand(7, 6, 6).to(dtype)
    listed = [boxes[:3], boxes[3:]]
    rois = torch.cat((torch.tensor([0, 1] * 3 + [1])[:, None].to(dtype), boxes), dim=1)
    iou = torch.rand(3, 7).to(dtype)
    where = (2 * torch.arange(5) + 20 * torch.arange(4)[:, None]).expand(2, 3, 4, 5)
    like = {"dtype": dtype}
    other = torch.rand(2, 3, 8, 10).to(dtype)
    kernel = torch.rand(3, 5).to(dtype)
    alpha, depth = torch.rand(2, 1, 8, 10).to(dtype), 1 + 4 * torch.rand(2, 8, 10).to(dtype)
    eye = torch.eye(3, dtype=dtype).expand(2, 3, 3)
    spots = torch.rand(2, 9, 3).to(dtype) * torch.tensor([10, 8, 3], dtype=dtype)
    pyramid = [torch.rand(2, n, m).to(dtype) for n, m in ((7, 10), (4, 5), (2, 3))]
    return {
        "adain": ((image, coarse + other[:, :, :4, :5]), {}),
        "add_reflection": ((image, other, kernel / 8), {}),
        "align_scale_shift": ((depth, alpha[:, 0], alpha[:, 0] > 0.3), {}),
        "anchor_grid": (([(2, 3)], [8], [(8, 16)], (0.5, 1)), like),
        "batched_nms": ((boxes, scores, labels, 0.3), {}),
        "blur": ((image, kernel), {}),
        "box_area": ((boxes,), {}),
        "box_convert": ((boxes, "xyxy", "cxcywh"), {}),
        "box_iou": ((boxes, others), {}),
        "chromatic_aberration": ((torch.rand(2, 3, 9, 12).to(dtype), 0.05), {}),
        "clip_boxes": ((boxes, (9, 12)), {}),
        "collapse_pyramid": ((pyramid,), {}),
        "complete_box_iou": ((boxes, others), {}),
        "correlation": ((image, image.flip(3), 4, 2), {}),
        "composite": ((alpha, image, other), {}),
        "crop_masks": ((masks[:3], boxes, labels, 5), {}),
        "decode_boxes": ((scores[:, None] * boxes, others), {}),
        "decode_distances": ((boxes, others), {}),
        "defocus_kernel": ((2.3,), like),
        "default_boxes": (([(2, 3)], (16, 24), (0.2, 0.4), [(2,)]), like),
        "depth_discontinuities": ((depth,), {}),
        "distance_box_iou": ((boxes, others), {}),
        "edge_map": ((image,), {}),
        "encode_boxes": ((boxes, others), {}),
        "encode_distances": ((boxes, others), {}),
        "exposure_fusion": ((image,), {}),
        "fpn_level": ((boxes, 2, 5), {"canonical_size": 10}),
        "fusion_weights": ((image,), {}),
        "gaussian_kernel": ((1.3,), like),
        "gaussian_pyramid": ((image, 3), {}),
        "generalized_box_iou": ((boxes, others), {}),
        "lambert_shading": ((2 * image - 1, torch.randn(2, 3).to(dtype)), {}),
        "laplacian_pyramid": ((image, 3), {}),
        "log_spectrum": ((image,), {}),
        "masks_to_boxes": ((masks > 0.9,), {}),
        "match_anchors": ((iou, 0.7, 0.3), {"allow_low_quality": True}),
        "max_unpool": ((coarse, where, 2), {}),
        "modulated_conv2d": (
            (image, torch.randn(4, 3, 3, 3).to(dtype), other[:, :, 0, 0]),
            {"up": 2},
        ),
        "motion_kernel": ((4.5, 0.7), like),
        "move_points": ((depth, eye * 9, torch.eye(4, dtype=dtype).expand(2, 4, 4)), {}),
        "multiscale_roi_align": (([image, coarse], listed, [(16, 20), (16, 18)], 3), {}),
        "nms": ((boxes, scores, 0.3), {}),
        "polygons_to_masks": ((3 * torch.rand(2, 5, 2).to(dtype) * 4, (9, 12)), {}),
        "paste_masks": ((masks, boxes, (9, 12)), {}),
        "remove_small_boxes": ((boxes, 3), {}),
        "resize_bicubic": ((image, (5, 13)), {"border": "symmetric"}),
        "rgb_to_ycbcr": ((image,), {}),
        "roi_align": ((image, rois, 3, 0.5, 2), {}),
        "roi_pool": ((image, rois, 3, 0.5), {}),
        "separable_convolution": ((image, *torch.randn(2, 2, 3, 6, 8).to(dtype)), {}),
        "sharpen_depth": ((depth,), {"windows": (5, 3)}),
        "soft_nms": ((boxes, scores), {}),
        "splat_points": ((spots, torch.rand(2, 3, 9).to(dtype), (8, 10)), {"radius": 1.5}),
        "split_frequencies": ((image,), {}),
        "split_illumination": ((image,), {"sigma": 1.5}),
        "upfirdn2d": ((image,), {"up": 2}),
        "warp": ((image, flow), {}),
        "warp_is_inside": ((flow,), {}),
        "wls_filter": ((depth / 5,), {}),
        "ycbcr_to_rgb": ((image,), {}),
    }
