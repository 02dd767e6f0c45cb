"""3D photography: a picture with depth becomes layers, and what the front hides is filled in.

    depth ─ sharpened ─ links between pixels, cut where the disparity jumps ─ depth edges
    for each edge  context:   the far side, followed along links
                   synthesis: new pixels behind the near side, beginning at the cut
    edges, then depth, then colour are inpainted there ─ layers ─ pictures from other places

Reference: Shih et al., 3D Photography using Context-aware Layered Depth Inpainting, 2020,
arXiv:2004.04727. The released code grows regions on a mesh whose pixels may lie behind one another;
here each edge fills its own layer, once.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cvcourse.ops import depth_discontinuities

_SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))  # up, down, left, right, as `depth_discontinuities`


def cut_links(
    depth: Float[Tensor, "height width"], threshold: float = 0.04
) -> Bool[Tensor, "4 height width"]:
    """Whether each pixel is cut off from its neighbour above, below, to the left, to the right.

    Neighbours beyond the border count as cut. Raises ValueError as `depth_discontinuities`.
    """
    wide = depth.to(torch.promote_types(depth.dtype, torch.float32))
    around = F.pad(wide[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
    cut = depth_discontinuities(around, threshold)[:, 1:-1, 1:-1].clone()
    cut[0, 0] = cut[1, -1] = True
    cut[2, :, 0] = cut[3, :, -1] = True
    return cut


def depth_edges(
    depth: Float[Tensor, "height width"], threshold: float = 0.04, *, shortest: int = 12
) -> Int[Tensor, "height width"]:
    """The far pixels at each depth edge, numbered from 1 edge by edge; 0 elsewhere.

    A pixel is at an edge if it is farther than a neighbour from which it is cut. Touching ones,
    corners included, are one edge; edges of fewer than `shortest` pixels are left out.

    Raises ValueError as `depth_discontinuities`.
    """
    cut = cut_links(depth, threshold)
    far = torch.zeros_like(depth, dtype=torch.bool)
    for side, (dy, dx) in enumerate(_SIDES):
        neighbour = _neighbour(depth, dy, dx, torch.inf)
        far |= cut[side] & (depth > neighbour)
    labels = torch.arange(1, depth.numel() + 1, device=depth.device).view_as(depth) * far
    while True:
        grown = F.max_pool2d(labels[None, None].double(), 3, 1, 1)[0, 0].long() * far
        if torch.equal(grown, labels):
            break
        labels = grown
    numbers, inverse, counts = labels.unique(return_inverse=True, return_counts=True)
    kept = (counts >= shortest) & (numbers > 0)
    return (kept.cumsum(0) * kept)[inverse]


class Regions(NamedTuple):
    """Of one depth edge: pixels to follow, and pixels to make behind the near side."""

    context: Bool[Tensor, "height width"]
    synthesis: Bool[Tensor, "height width"]


def grow_regions(
    depth: Float[Tensor, "height width"],
    edge: Bool[Tensor, "height width"],
    threshold: float = 0.04,
    *,
    context_thickness: int = 140,
    synthesis_thickness: int = 70,
) -> Regions:
    """Context and synthesis region of the far pixels of one depth edge.

    Args:
        edge: the far pixels, one number of `depth_edges`.
        context_thickness: how many links the context goes on along from the edge.
        synthesis_thickness: how many pixels the new layer reaches behind the near side, beginning
            across the cut and never back onto the context.

    Raises ValueError for an edge of another shape than depth.
    """
    if edge.shape != depth.shape:
        raise ValueError(f"edge must have shape {tuple(depth.shape)}, got {tuple(edge.shape)}")
    cut = cut_links(depth, threshold)
    context = edge
    for _ in range(context_thickness):
        grown = context.clone()
        for side, (dy, dx) in enumerate(_SIDES):
            grown |= _neighbour(context, dy, dx, False) & ~cut[side]
        if torch.equal(grown, context):
            break
        context = grown
    hidden = torch.zeros_like(edge)
    for side, (dy, dx) in enumerate(_SIDES):  # a near pixel, beside a far one it is cut from
        far = _neighbour(edge, dy, dx, False) & (_neighbour(depth, dy, dx, -torch.inf) > depth)
        hidden |= far & cut[side]
    synthesis = hidden & ~context
    for _ in range(synthesis_thickness - 1):
        grown = synthesis.clone()
        for dy, dx in _SIDES:
            grown |= _neighbour(synthesis, dy, dx, False)
        grown &= ~context
        if torch.equal(grown, synthesis):
            break
        synthesis = grown
    return Regions(context, synthesis)


def _neighbour(x: Tensor, dy: int, dx: int, beyond: float | bool) -> Tensor:
    """What each pixel has at (y + dy, x + dx)."""
    padded = F.pad(x, (1, 1, 1, 1), value=beyond)
    return padded[1 + dy : 1 + dy + x.shape[0], 1 + dx : 1 + dx + x.shape[1]]


class Layer(NamedTuple):
    """A picture with depth, where `known`."""

    image: Float[Tensor, "3 height width"]
    depth: Float[Tensor, "height width"]
    known: Bool[Tensor, "height width"]


# of (image, depth, near-side edge, context, synthesis) to image and depth, all (1, C, H, W)
Inpaint = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def diffuse(
    image: Float[Tensor, "1 3 height width"],
    depth: Float[Tensor, "1 1 height width"],
    edge: Float[Tensor, "1 1 height width"],
    context: Float[Tensor, "1 1 height width"],
    synthesis: Float[Tensor, "1 1 height width"],
) -> tuple[Float[Tensor, "1 3 height width"], Float[Tensor, "1 1 height width"]]:
    """The plain way to fill: from the context inwards, each pixel the mean of its known neighbours.

    Colour and log depth; where the context does not reach, nothing is filled and depth stays.
    """
    values = torch.cat([image, depth.log()], 1)
    known, wanted = context.clone(), ((context + synthesis) > 0).to(context.dtype)
    values = values * known
    while True:
        weight = F.avg_pool2d(known, 3, 1, 1)
        mean = F.avg_pool2d(values * known, 3, 1, 1) / weight.clamp(min=1e-6)
        new = wanted * (1 - known) * (weight > 0)
        if not new.any():
            break
        values, known = values + new * mean, known + new
    filled = known > 0
    image = torch.where(filled, values[:, :3], image)
    return image, torch.where(filled, values[:, 3:].exp(), depth)


def inpaint_with_networks(
    edges: Callable[[Tensor], Tensor],
    depths: Callable[[Tensor], Tensor],
    colors: Callable[[Tensor], Tensor],
    *,
    probability: float = 0.5,
) -> Inpaint:
    """Fill by the paper's three networks, in its order: edge, depth, colour.

    Args:
        edges, depths, colors: such as `EdgeInpainting`, `DepthInpainting`, `ColorInpainting`.
        probability: from where on the edge network's answer is an edge.
    """

    @torch.no_grad()
    def inpaint(image, depth, edge, context, synthesis):
        disparity = context / depth
        disparity = disparity / disparity.amax().clamp(min=torch.finfo(depth.dtype).tiny)
        seen = [image * context, disparity, edge * context, context, synthesis]
        found = (edges(torch.cat(seen, 1)) > probability).to(image.dtype)
        edge = edge * context + found * synthesis
        mean = (depth.log() * context).sum() / context.sum().clamp(min=1)
        centred = (depth.log() - mean) * context
        centred = depths(torch.cat([centred, edge, context, synthesis], 1))
        color = colors(torch.cat([image * context, edge, context, synthesis], 1))
        fill = synthesis > 0
        return torch.where(fill, color, image), torch.where(fill, (centred + mean).exp(), depth)

    return inpaint


def layered_depth(
    image: Float[Tensor, "3 height width"],
    depth: Float[Tensor, "height width"],
    inpaint: Inpaint = diffuse,
    *,
    threshold: float = 0.04,
    shortest: int = 12,
    context_thickness: int = 140,
    synthesis_thickness: int = 70,
) -> list[Layer]:
    """The picture, and behind each of its depth edges a layer of what may be there.

    Args:
        image: in [0, 1].
        depth: > 0; `sharpen_depth` it first. A disparity would turn the scene inside out.
        inpaint: fills colour and depth of the synthesis region from the context.
        threshold, shortest: of `depth_edges`.
        context_thickness, synthesis_thickness: of `grow_regions`.

    **Conventions**: what was filled in front of the picture is left out.

    Raises ValueError for shapes that do not fit, and depth that is not above 0 everywhere.
    """
    if image.ndim != 3 or image.shape[1:] != depth.shape:
        raise ValueError(
            f"depth must have shape {tuple(image.shape[1:])}, got {tuple(depth.shape)}"
        )
    if not (depth > 0).all():
        raise ValueError("depth must be above 0 everywhere")
    layers = [Layer(image, depth, torch.ones_like(depth, dtype=torch.bool))]
    numbers = depth_edges(depth, threshold, shortest=shortest)
    for number in range(1, int(numbers.max()) + 1):
        edge = numbers == number
        regions = grow_regions(
            depth,
            edge,
            threshold,
            context_thickness=context_thickness,
            synthesis_thickness=synthesis_thickness,
        )
        masks = (m.to(image.dtype)[None, None] for m in (edge, *regions))
        color, far = inpaint(image[None], depth[None, None].to(image.dtype), *masks)
        behind = regions.synthesis & (far[0, 0] >= depth)
        layers.append(Layer(color[0], far[0, 0], behind))
    return layers


def render_layers(
    layers: list[Layer],
    *,
    focal: float,
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> tuple[Float[Tensor, "3 height width"], Bool[Tensor, "height width"]]:
    """The picture that a camera at another place would take, and where it sees anything.

    Every pixel of every layer goes to the nearest pixel of the new picture; of several the nearest
    to the camera is seen, and the layers' order decides between equals.

    Args:
        layers: of `layered_depth`.
        focal: focal length in pixels; the optical axis is in the middle of the picture.
        shift: (x, y, z) of the camera in units of depth: to the right, down, and forward. The
            paper's paths go as far as x -0.015, z -0.05 of a scene at about depth 1.

    **Conventions**: without a shift the picture comes back exactly. Positions are computed in
    float32 at least. Pixels behind the camera are not seen.

    Raises ValueError for no layer, or a focal length that is not above 0.
    """
    if not len(layers):
        raise ValueError("layers must hold at least one, got none")
    if not focal > 0:
        raise ValueError(f"focal must be above 0, got {focal}")
    height, width = layers[0].depth.shape
    dtype = torch.promote_types(layers[0].depth.dtype, torch.float32)
    like = {"device": layers[0].depth.device, "dtype": dtype}
    y, x = torch.meshgrid(torch.arange(height, **like), torch.arange(width, **like), indexing="ij")
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    places, depths, colors = [], [], []
    for layer in layers:
        z = layer.depth.to(dtype)
        ahead = z - shift[2]
        new_x = ((x - middle_x) * z - focal * shift[0]) / ahead + middle_x
        new_y = ((y - middle_y) * z - focal * shift[1]) / ahead + middle_y
        column, row = (new_x + 0.5).floor(), (new_y + 0.5).floor()
        seen = layer.known & (ahead > 0)
        seen &= (column >= 0) & (column < width) & (row >= 0) & (row < height)
        places.append((row[seen] * width + column[seen]).long())
        depths.append(ahead[seen])
        colors.append(layer.image[:, seen])
    place, depth = torch.cat(places), torch.cat(depths)
    far_first = depth.flip(0).sort(descending=True, stable=True).indices
    far_first = len(depth) - 1 - far_first  # among equals the first layer is last, and stays
    order = torch.full((height * width,), -1, device=place.device)
    rank = torch.arange(len(depth), device=place.device)
    order = order.scatter_reduce(0, place[far_first], rank, "amax")
    found = order >= 0
    out = layers[0].image.new_zeros(3, height * width)
    out[:, found] = torch.cat(colors, 1)[:, far_first[order[found]]]
    return out.view(3, height, width), found.view(height, width)
