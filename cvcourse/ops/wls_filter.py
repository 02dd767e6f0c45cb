"""Edge-preserving smoothing by weighted least squares, and the two layers that it makes."""

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_positive
from cvcourse.ops._pictures import grey


def wls_filter(
    image: Float[Tensor, "*batch height width"],
    *,
    smoothness: float = 1.0,
    alpha: float = 1.2,
    guide: Float[Tensor, "*batch height width"] | None = None,
    small: float = 1e-4,
) -> Float[Tensor, "*batch height width"]:
    r"""Near the image, and smooth but for where the guide has an edge.

    .. math:: \min_u \sum (u - g)^2
              + λ \sum \frac{(∂_x u)^2}{|∂_x L|^α + ε} + \frac{(∂_y u)^2}{|∂_y L|^α + ε}

    Args:
        image: g, single pictures in [0, 1].
        smoothness: λ > 0.
        alpha: α, how much more a strong edge counts than a weak one.
        guide: L, whose edges stay; log(image) if None.
        small: ε, the softest possible edge.

    **Conventions**: forward differences, free borders, as the authors' wlsFilter.m. Solved exactly,
    row by row of the block-tridiagonal system, in float64 where the device has it: the cost grows
    with the longer side times the cube of the shorter one.

    Raises ValueError for images that are not floating point or have no pixel, a guide of another
    shape, and a smoothness or small that is not positive.

    Reference: Farbman et al., Edge-Preserving Decompositions for Multi-Scale Tone and Detail
    Manipulation, 2008.
    """
    check_floating("image", image)
    check_positive("smoothness", smoothness)
    check_positive("small", small)
    if image.ndim < 2 or not image.shape[-1] * image.shape[-2]:
        raise ValueError(f"image must have height and width above 0, got {tuple(image.shape)}")
    if guide is not None:
        check_floating("guide", guide)
        if guide.shape != image.shape:
            raise ValueError(
                f"guide must have shape {tuple(image.shape)}, got {tuple(guide.shape)}"
            )
    exact = torch.float32 if image.device.type == "mps" else torch.float64
    g = image.to(exact)
    edges = (g + torch.finfo(torch.float64).eps).log() if guide is None else guide.to(exact)
    if g.shape[-2] < g.shape[-1]:  # rows are the blocks: the fewer columns the better
        options = {"smoothness": smoothness, "alpha": alpha, "small": small}
        return wls_filter(g.mT, guide=edges.mT, **options).mT.to(image.dtype)
    down = smoothness / (edges.diff(dim=-2).abs() ** alpha + small)  # (..., H - 1, W)
    right = smoothness / (edges.diff(dim=-1).abs() ** alpha + small)  # (..., H, W - 1)
    with torch.autocast(image.device.type, enabled=False):
        return _solve(g, down, right).to(image.dtype)


def _solve(g: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """u with u - g = Σ weight · (neighbour - u), by elimination of row after row."""
    height = g.shape[-2]
    beside = torch.zeros_like(g[..., :1])
    above = torch.zeros_like(g[..., :1, :])
    diagonal = 1 + torch.cat([right, beside], -1) + torch.cat([beside, right], -1)
    diagonal = diagonal + torch.cat([down, above], -2) + torch.cat([above, down], -2)
    solved = []  # of each row: u = y + X · (u of the next row)
    block, value = _row(diagonal, right, 0), g[..., 0, :]
    for i in range(height):
        if i:
            y, x = solved[-1]
            link = down[..., i - 1, :]
            block = _row(diagonal, right, i) - link[..., None] * x
            value = g[..., i, :] + link * y
        link = down[..., i, :] if i + 1 < height else torch.zeros_like(value)
        both = torch.cat([value[..., None], torch.diag_embed(link)], -1)
        both = torch.linalg.solve(block, both)
        solved.append((both[..., 0], both[..., 1:]))
    rows = [solved[-1][0]]
    for y, x in reversed(solved[:-1]):
        rows.append(y + (x @ rows[-1][..., None])[..., 0])
    return torch.stack(rows[::-1], -2)


def _row(diagonal: Tensor, right: Tensor, i: int) -> Tensor:
    """What links the pixels of row i, (..., W, W)."""
    links = right[..., i, :]
    return (
        torch.diag_embed(diagonal[..., i, :])
        - torch.diag_embed(links, 1)
        - torch.diag_embed(links, -1)
    )


def split_frequencies(
    images: Float[Tensor, "*batch 3 height width"],
    *,
    smoothness: float = 2.0,
    alpha: float = 2.0,
) -> tuple[Float[Tensor, "*batch 1 height width"], Float[Tensor, "*batch 1 height width"]]:
    """Luminance, smooth between edges, and detail; together the grey picture over its maximum.

    Args:
        images: RGB in [0, 1].
        smoothness, alpha: of `wls_filter`.

    **Conventions**: grey is 0.299 R + 0.587 G + 0.114 B, divided by the largest of its picture (a
    black picture gives zeros). Half precision is computed in float32.

    Raises ValueError for images of another dtype or shape.

    Reference: Cai, Gu, Zhang, Learning a Deep Single Image Contrast Enhancer from Multi-Exposure
    Images, 2018, and the authors' code.
    """
    check_floating("images", images)
    if images.ndim < 3 or images.shape[-3] != 3 or not images.shape[-1] * images.shape[-2]:
        raise ValueError(
            f"images must have shape (..., 3, height, width), got {tuple(images.shape)}"
        )
    (x,) = as_float(images)
    picture = grey(x)
    picture = picture / picture.amax((-2, -1), keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
    luminance = wls_filter(picture, smoothness=smoothness, alpha=alpha)
    detail = picture - luminance
    return luminance[..., None, :, :].to(images.dtype), detail[..., None, :, :].to(images.dtype)
