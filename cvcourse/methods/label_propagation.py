"""Joint propagation: a labelled frame makes labelled neighbours (Zhu et al. 2019, 1812.01593).

    frame t and its labels ── one motion, t → t + k ──→ moved frame and moved labels

Labels moved onto the *real* frame t + k are wrong wherever the motion is. Moved together, picture
and labels fit each other even there: the new pair is less true, but it is aligned.
"""

from jaxtyping import Bool, Float, Integer
from torch import Tensor

from cvcourse.losses._checks import check_integers
from cvcourse.ops import warp, warp_is_inside
from cvcourse.ops._checks import as_float
from cvcourse.ops.warp import looked_up


def propagate(
    image: Float[Tensor, "batch channels height width"],
    labels: Integer[Tensor, "batch height width"],
    flow: Float[Tensor, "batch 2 height width"],
    *,
    visible: Bool[Tensor, "batch height width"] | None = None,
    ignore_index: int = 255,
) -> tuple[Float[Tensor, "batch channels height width"], Integer[Tensor, "batch height width"]]:
    """Move a frame and its labels by the same flow.

    Args:
        image: the labelled frame.
        labels: its class of each pixel.
        flow: from the frame that is made *back* to the labelled one, (x, y) in pixels: pixel p of
            the result is looked up at p + flow(p), as in `warp`.
        visible: where the flow can be trusted, such as `flow_is_consistent`; elsewhere labels
            become `ignore_index`. The moved frame is whole.

    **Conventions**: pictures are looked up bilinearly and continue beyond their border; labels are
    those of the nearest pixel, never mixed, and `ignore_index` beyond the border. Propagate farther
    by one composed flow (`compose_flows`), not frame by frame, which rounds again at each.

    Raises ValueError for shapes that do not fit, or labels that are not integers.
    """
    check_integers("labels", labels)
    if labels.ndim != 3:
        raise ValueError(f"labels: expected (batch, height, width), got {tuple(labels.shape)}")
    moved = warp(image, flow, padding="border")
    batch, height, width = labels.shape
    if flow.shape != (batch, 2, height, width):
        raise ValueError(
            f"labels: expected shape {(flow.shape[0], *flow.shape[2:])}, got {tuple(labels.shape)}"
        )
    columns, rows = (
        values.nan_to_num(-2).clamp(-2, 2**30).round().long()
        for values in looked_up(*as_float(flow))
    )
    known = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    if visible is not None:
        known = known & visible
    where = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)  # (B, H, W)
    found = labels.flatten(1).gather(1, where.flatten(1)).unflatten(1, (height, width))
    return moved, found.masked_fill(~known, ignore_index)


def compose_flows(
    first: Float[Tensor, "batch 2 height width"], second: Float[Tensor, "batch 2 height width"]
) -> Float[Tensor, "batch 2 height width"]:
    """From frame a to c: `first` goes from a to b, `second` from b to c.

    The second flow is looked up where the first one arrives, between pixels bilinearly.
    """
    return first + warp(second, first, padding="border")


def flow_is_consistent(
    forward: Float[Tensor, "batch 2 height width"],
    backward: Float[Tensor, "batch 2 height width"],
    *,
    relative: float = 0.01,
    absolute: float = 0.5,
) -> Bool[Tensor, "batch height width"]:
    """Where going there and back arrives where it began: neither hidden nor out of the picture.

    |f + b|² < relative · (|f|² + |b|²) + absolute, with b looked up where f arrives.

    Reference: Sundaram et al., Dense Point Trajectories by GPU-accelerated Large Displacement
    Optical Flow, 2010, equation 5.
    """
    back = warp(backward, forward, padding="border")
    error = (forward + back).square().sum(1)
    size = forward.square().sum(1) + back.square().sum(1)
    return (error < relative * size + absolute) & warp_is_inside(forward)
