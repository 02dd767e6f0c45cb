"""Boxes, suppression, RoIAlign and points beside torchvision's and PyTorch3D's, and kornia.

torchvision and PyTorch3D cannot be installed beside this package. torchvision's box IoUs are Python
and are written out here; its NMS and RoIAlign and PyTorch3D's renderer of points are serial C++
loops, written anew in `serial_kernels.cpp` and compiled with -O3 when the benchmark runs (needs a
C++ compiler and ninja; without them these are left out).
"""

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.harness import Case
from cvcourse.ops import (
    anchor_grid,
    batched_nms,
    box_iou,
    decode_boxes,
    encode_boxes,
    generalized_box_iou,
    modulated_conv2d,
    nms,
    roi_align,
    splat_points,
    upfirdn2d,
)


def cases() -> Iterator[Case]:
    yield Case(
        name="box_iou",
        sizes="4000 x 400",
        inputs=lambda: (spread_boxes(4000), spread_boxes(400)),
        ours=box_iou,
        peers={"torchvision (its formula)": peer_box_iou, "kornia": kornia_box_iou},
        target={"torchvision (its formula)": 2.5},
    )
    yield Case(
        name="generalized_box_iou",
        sizes="4000 x 400",
        inputs=lambda: (spread_boxes(4000), spread_boxes(400)),
        ours=generalized_box_iou,
        peers={"torchvision (its formula)": peer_generalized_box_iou},
        target={"torchvision (its formula)": 2.5},
    )
    yield from _suppression()
    yield from _roi_align()
    yield from _modulation()
    if _can_compile():
        peer = "PyTorch3D (its naive loop, -O3)"
        yield Case(
            name="splat_points",
            sizes="64 x 64 points of 64 features, radius 4, 128 a pixel",
            inputs=lambda: (random_points(64), torch.randn(1, 64, 4096)),
            ours=lambda points, features: splat_points(points, features, 64),
            peers={
                peer: lambda points, features: _kernels().splat_points(points, features, 64, 4, 128)
            },
            target={peer: 1.0},
            atol=1e-4,
        )
    yield Case(
        name="encode_boxes",
        sizes="100k boxes",
        inputs=lambda: (spread_boxes(100_000), spread_boxes(100_000)),
        ours=encode_boxes,
        peers={"torchvision (its formula)": peer_encode},
    )
    yield Case(
        name="decode_boxes",
        sizes="100k boxes",
        inputs=lambda: (torch.randn(100_000, 4), spread_boxes(100_000)),
        ours=decode_boxes,
        peers={"torchvision (its formula)": peer_decode},
        rtol=1e-3,
        atol=1e-2,
    )
    yield Case(
        name="anchor_grid",
        sizes="5 levels of 800 x 1216, 3 a cell",
        inputs=lambda: (),
        ours=lambda: anchor_grid(
            LEVELS, STRIDES, ANCHOR_SIZES, (0.5, 1.0, 2.0), offset=0, round=True
        ),
        peers={"torchvision (its formula)": peer_anchors},
    )


def _modulation() -> Iterator[Case]:
    grouped = "StyleGAN2's (grouped form)"
    for name, up, requires_grad in (
        ("", 1, False),
        (" with backward", 1, True),
        (", up 2, with backward", 2, True),
    ):
        yield Case(
            name=f"modulated_conv2d{name}",
            sizes="8 x 64 x 32 x 32, 64 filters of 3 x 3",
            inputs=lambda requires_grad=requires_grad: (
                torch.randn(8, 64, 32, 32, requires_grad=requires_grad),
                torch.randn(64, 64, 3, 3, requires_grad=requires_grad),
                (0.5 + torch.rand(8, 64)).requires_grad_(requires_grad),
            ),
            ours=lambda x, w, s, up=up: modulated_conv2d(x, w, s, up=up),
            peers={grouped: lambda x, w, s, up=up: peer_modulated_conv2d(x, w, s, up)},
            target={grouped: 1.0},
            rtol=1e-3,
            atol=1e-3,
        )


def _suppression() -> Iterator[Case]:
    serial = "torchvision (its algorithm, -O3)"
    for name, boxes, target in (("spread", spread_boxes, 2.0), ("clustered", clustered_boxes, 1.0)):
        peers = {"kornia": kornia_nms}
        if _can_compile():
            peers = {serial: lambda *inputs: _kernels().nms(*inputs), **peers}
        yield Case(
            name=f"nms {name}",
            sizes="5000 boxes",
            inputs=lambda boxes=boxes: (boxes(5000), torch.randperm(5000) / 5000, 0.5),
            ours=nms,
            peers=peers,
            target={serial: target},
        )
    yield Case(
        name="batched_nms",
        sizes="2000 boxes, 80 classes",
        inputs=lambda: (spread_boxes(2000, 300), torch.rand(2000), torch.randint(80, (2000,)), 0.5),
        ours=batched_nms,
        peers={serial: peer_batched_nms} if _can_compile() else {},
    )


def _roi_align() -> Iterator[Case]:
    serial = "torchvision (its algorithm, -O3)"
    for name, target, requires_grad in (("", 2.0, False), (" with backward", 3.0, True)):
        yield Case(
            name=f"roi_align{name}",
            sizes="512 RoIs, 256 x 50 x 50, 7 x 7, 2 samples",
            inputs=lambda requires_grad=requires_grad: (
                torch.randn(1, 256, 50, 50, requires_grad=requires_grad),
                random_rois(512),
            ),
            ours=lambda maps, rois: roi_align(maps, rois, 7, 1 / 16, 2),
            peers={serial: SerialRoIAlign.apply} if _can_compile() else {},
            target={serial: target},
        )


# Inputs


def spread_boxes(n: int, largest: float = 60.0) -> Tensor:
    corner = torch.rand(n, 2) * 1000
    return torch.cat((corner, corner + 4 + torch.rand(n, 2) * largest), dim=1)


def clustered_boxes(n: int, objects: int = 50) -> Tensor:
    """Many boxes around few objects, as a detector finds them."""
    centre = (torch.rand(objects, 2) * 1000).repeat(n // objects, 1)
    size = (30 + torch.rand(objects, 2) * 100).repeat(n // objects, 1)
    corner = centre + 3 * torch.randn(n, 2)
    return torch.cat((corner, corner + size + 3 * torch.randn(n, 2)), dim=1)


def random_rois(n: int) -> Tensor:
    """Image 0 of 800 x 800 pixels, sides of 16 to 416."""
    corner = torch.rand(n, 2) * 600
    return torch.cat((torch.zeros(n, 1), corner, corner + 16 + torch.rand(n, 2) * 400), dim=1)


def random_points(side: int) -> Tensor:
    """A picture's pixels moved by some pixels each, at depths from 1 to 3."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    moved = torch.stack((x, y), 2).flatten(0, 1) + 3 * torch.randn(side**2, 2)
    return torch.cat((moved, 1 + 2 * torch.rand(side**2, 1)), dim=1)[None]


LEVELS = [(200, 304), (100, 152), (50, 76), (25, 38), (13, 19)]
STRIDES = [(800 // h, 1216 // w) for h, w in LEVELS]
ANCHOR_SIZES = [(32,), (64,), (128,), (256,), (512,)]


# Peers


def _inter_union(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    area1, area2 = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (boxes1, boxes2))
    left_top = torch.max(boxes1[:, None, :2], boxes2[:, :2])
    right_bottom = torch.min(boxes1[:, None, 2:], boxes2[:, 2:])
    sides = (right_bottom - left_top).clamp(min=0)
    intersection = sides[:, :, 0] * sides[:, :, 1]
    return intersection, area1[:, None] + area2 - intersection


def peer_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    intersection, union = _inter_union(boxes1, boxes2)
    return intersection / union


def peer_generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    intersection, union = _inter_union(boxes1, boxes2)
    left_top = torch.min(boxes1[:, None, :2], boxes2[:, :2])
    right_bottom = torch.max(boxes1[:, None, 2:], boxes2[:, 2:])
    sides = (right_bottom - left_top).clamp(min=0)
    hull = sides[:, :, 0] * sides[:, :, 1]
    return intersection / union - (hull - union) / hull


def kornia_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    from kornia.metrics import mean_iou_bbox

    return mean_iou_bbox(boxes1, boxes2)


def kornia_nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    from kornia.geometry.bbox import nms as peer

    return peer(boxes, scores, iou_threshold)


def peer_batched_nms(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> Tensor:
    """Groups are moved apart by more than the largest coordinate."""
    shift = groups.to(boxes) * (boxes.max() + 1)
    return _kernels().nms(boxes + shift[:, None], scores, threshold)


class SerialRoIAlign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, maps, rois):
        ctx.save_for_backward(rois)
        ctx.shape = list(maps.shape)
        return _kernels().roi_align(maps, rois, 1 / 16, 7, 2)

    @staticmethod
    def backward(ctx, gradient):
        (rois,) = ctx.saved_tensors
        return _kernels().roi_align_backward(gradient, rois, ctx.shape, 1 / 16, 7, 2), None


def peer_modulated_conv2d(x: Tensor, weight: Tensor, style: Tensor, up: int) -> Tensor:
    """The authors' fused path: weights for each picture, one group for each."""
    batch, channels, height, width = x.shape
    w = weight[None] * style[:, None, :, None, None]
    w = w * (w.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    x = x.reshape(1, batch * channels, height, width)
    if up == 1:
        x = torch.nn.functional.conv2d(x, w.flatten(0, 1), padding=1, groups=batch)
        return x.view(batch, -1, height, width)
    w = w.transpose(1, 2).flatten(0, 1)
    x = torch.nn.functional.conv_transpose2d(x, w, stride=2, groups=batch)
    return 4 * upfirdn2d(x.view(batch, -1, *x.shape[2:]), padding=(1, 1))


def peer_encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    x1, y1, x2, y2 = (boxes[:, i].unsqueeze(1) for i in range(4))
    left, top, right, bottom = (anchors[:, i].unsqueeze(1) for i in range(4))
    width, height = right - left, bottom - top
    x, y = left + 0.5 * width, top + 0.5 * height
    wx, wy, ww, wh = torch.ones(4)
    dx = wx * (x1 + 0.5 * (x2 - x1) - x) / width
    dy = wy * (y1 + 0.5 * (y2 - y1) - y) / height
    dw = ww * torch.log((x2 - x1) / width)
    dh = wh * torch.log((y2 - y1) / height)
    return torch.cat((dx, dy, dw, dh), dim=1)


def peer_decode(deltas: Tensor, anchors: Tensor) -> Tensor:
    width, height = anchors[:, 2] - anchors[:, 0], anchors[:, 3] - anchors[:, 1]
    x, y = anchors[:, 0] + 0.5 * width, anchors[:, 1] + 0.5 * height
    dx, dy, dw, dh = (deltas[:, i::4] / 1.0 for i in range(4))  # the weights
    dw, dh = (x.clamp(max=4.135166556742356) for x in (dw, dh))
    x, y = dx * width[:, None] + x[:, None], dy * height[:, None] + y[:, None]
    half_width = 0.5 * torch.exp(dw) * width[:, None]
    half_height = 0.5 * torch.exp(dh) * height[:, None]
    corners = (x - half_width, y - half_height, x + half_width, y + half_height)
    return torch.stack(corners, dim=2).flatten(1)


def peer_anchors() -> Tensor:
    levels = []
    for (height, width), (stride_y, stride_x), sizes in zip(
        LEVELS, STRIDES, ANCHOR_SIZES, strict=True
    ):
        root = torch.tensor([0.5, 1.0, 2.0]).sqrt()
        widths = (1 / root[:, None] * torch.tensor(sizes)[None]).view(-1)
        heights = (root[:, None] * torch.tensor(sizes)[None]).view(-1)
        shapes = (torch.stack((-widths, -heights, widths, heights), dim=1) / 2).round()
        x = torch.arange(0, width, dtype=torch.int32) * stride_x
        y = torch.arange(0, height, dtype=torch.int32) * stride_y
        y, x = torch.meshgrid(y, x, indexing="ij")
        shifts = torch.stack((x.reshape(-1), y.reshape(-1), x.reshape(-1), y.reshape(-1)), dim=1)
        levels.append((shifts.view(-1, 1, 4) + shapes.view(1, -1, 4)).reshape(-1, 4))
    return torch.cat(levels)


def _can_compile() -> bool:
    return all(shutil.which(tool) for tool in ("c++", "ninja"))


@cache
def _kernels():
    from torch.utils import cpp_extension

    source = Path(__file__).with_name("serial_kernels.cpp")
    return cpp_extension.load("serial_kernels", [str(source)], extra_cflags=["-O3"])
