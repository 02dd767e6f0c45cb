"""Dense CRF: every pixel votes on every other's label (Krähenbühl & Koltun 2011, arXiv:1210.5644).

    E(x) = Σ_i ψ(x_i) + Σ_{i<j} μ(x_i, x_j) k(i, j)
    k(i, j) = w_s exp(-|p_i - p_j|² / 2σ_s²)                               smoothness
            + w_b exp(-|p_i - p_j|² / 2σ_b² - |c_i - c_j|² / 2σ_c²)        appearance
    mean field:  Q_i(l) ∝ exp(-ψ_i(l) - Σ_l' μ(l, l') Σ_{j≠i} k(i, j) Q_j(l'))

with a network's negative log-probabilities ψ, positions p, colours c. Near pixels of one colour
want one label, so labels snap to the picture's edges. Each update is a Gaussian filter of Q:

* exact: the (pixels × pixels) matrix k, for small pictures and for studying;
* filtered: smoothness exactly, because it separates into rows and columns; appearance on a
  bilateral grid (Paris & Durand 2006), see `_bilateral_filter`. The authors use a permutohedral
  lattice for both.

Every step is differentiable, so the weights can be learnt (CRF-RNN, Zheng et al. 2015,
arXiv:1502.03240).
"""

from collections.abc import Callable
from itertools import product
from math import exp, prod
from typing import NamedTuple

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from cvcourse.ops._checks import as_float, check_floating, check_ndim, check_tensor


class Pairwise(NamedTuple):
    """The pairwise term: weights and widths of its two Gaussian kernels.

    `normalize` divides each kernel by the square roots of its two pixels' sums (their own 1
    included), as the authors' code does: votes then weigh the same in plain and in busy regions,
    whatever the widths. The defaults are those of the authors' demonstration program.
    """

    smooth_weight: float | Tensor = 3.0
    smooth_sigma: float = 3.0  # pixels
    bilateral_weight: float | Tensor = 10.0
    bilateral_sigma: float = 60.0  # pixels
    color_sigma: float = 20 / 255  # in the units of the image
    normalize: bool = True


DEFAULT = Pairwise()


def dense_crf(
    logits: Float[Tensor, "batch classes height width"],
    images: Float[Tensor, "batch channels height width"],
    pairwise: Pairwise = DEFAULT,
    *,
    compatibility: Float[Tensor, "classes classes"] | None = None,
    iterations: int = 10,
    exact: bool | None = None,
) -> Float[Tensor, "batch classes height width"]:
    """Probabilities of the labels after mean-field inference; they sum to 1 over the classes.

    Args:
        logits: of a network; `ψ = -log_softmax(logits)`.
        images: in [0, 1], any number of channels (the filter's cost doubles with each).
        pairwise: weights and widths.
        compatibility: symmetric penalty μ(l, l') for two labels that meet; None is Potts' model,
            1 for different labels.
        iterations: parallel updates of all pixels; 0 gives the softmax.
        exact: with the matrix of all pairs of pixels. None decides by size: up to 1024 pixels.

    **Conventions**: parallel updates, like the authors'; unlike `mean_field(sequential=True)` they
    do not promise that the free energy falls. A pixel has no vote on itself. Computed and returned
    in float32 at least, under autocast too. An empty batch gives an empty batch.
    Raises ValueError for shapes that do not fit, and logits, images or compatibility of integers.
    """
    for name, maps in (("logits", logits), ("images", images)):
        check_floating(name, maps)
        check_ndim(name, maps, "(batch, channels, height, width)")
    if images.shape[0] != logits.shape[0] or images.shape[-2:] != logits.shape[-2:]:
        raise ValueError(
            "images: expected the batch, height and width of logits, got "
            f"{tuple(images.shape)} for {tuple(logits.shape)}"
        )
    classes = logits.shape[1]
    if compatibility is not None:
        check_floating("compatibility", compatibility)
        if compatibility.shape != (classes, classes):
            raise ValueError(
                f"compatibility: expected shape {(classes, classes)}, "
                f"got {tuple(compatibility.shape)}"
            )
    _check(pairwise, iterations)
    logits, images = as_float(logits, images)
    if not len(logits):
        return logits.softmax(1)
    if exact is None:
        exact = logits.shape[-2] * logits.shape[-1] <= 1024
    marginals = []
    for unary, image in zip(-logits.log_softmax(1).flatten(2), images, strict=True):
        if exact:
            kernel = pairwise_kernel(image, pairwise)
            q = mean_field(unary, kernel, compatibility=compatibility, iterations=iterations)
        else:
            with _full_precision(image):
                votes = _filtered_votes(image, pairwise)
                q = _parallel_updates(unary, votes, compatibility, iterations)
        marginals.append(q)
    return torch.stack(marginals).view_as(logits)


def pairwise_kernel(
    image: Float[Tensor, "channels height width"], pairwise: Pairwise = DEFAULT
) -> Float[Tensor, "pixels pixels"]:
    """k(i, j) for all pairs of pixels, row by row; 0 on the diagonal. In float32 at least."""
    check_floating("image", image)
    _check(pairwise, iterations=0)
    (image,) = as_float(image)
    height, width = image.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=image.device, dtype=image.dtype),
        torch.arange(width, device=image.device, dtype=image.dtype),
        indexing="ij",
    )
    distance = _squared_distances(torch.stack([y, x]).flatten(1))
    smooth = torch.exp(-distance / (2 * pairwise.smooth_sigma**2))
    bilateral = torch.exp(
        -distance / (2 * pairwise.bilateral_sigma**2)
        - _squared_distances(image.flatten(1)) / (2 * pairwise.color_sigma**2)
    )
    total = 0
    for weight, k in (
        (pairwise.smooth_weight, smooth),
        (pairwise.bilateral_weight, bilateral),
    ):
        if pairwise.normalize:
            scale = k.sum(1).rsqrt()
            k = k * scale * scale[:, None]
        total = total + weight * k
    return total * (1 - torch.eye(len(total), device=image.device, dtype=image.dtype))


def _squared_distances(points: Float[Tensor, "dims n"]) -> Float[Tensor, "n n"]:
    return sum((axis - axis[:, None]) ** 2 for axis in points)


def crf_energy(
    labels: Integer[Tensor, "*batch pixels"],
    unary: Float[Tensor, "classes pixels"],
    kernel: Float[Tensor, "pixels pixels"],
    *,
    compatibility: Float[Tensor, "classes classes"] | None = None,
) -> Float[Tensor, "*batch"]:
    """E(x) of labellings; the distribution is `exp(-E) / Z`."""
    check_tensor("labels", labels)
    unary, kernel, compatibility = _in_one_dtype(unary, kernel, compatibility)
    labels = labels.long()
    penalty = compatibility[labels[..., :, None], labels[..., None, :]]  # (..., pixels, pixels)
    own = unary[labels, torch.arange(unary.shape[1], device=unary.device)]
    return own.sum(-1) + (penalty * kernel).sum((-1, -2)) / 2


def free_energy(
    q: Float[Tensor, "classes pixels"],
    unary: Float[Tensor, "classes pixels"],
    kernel: Float[Tensor, "pixels pixels"],
    *,
    compatibility: Float[Tensor, "classes classes"] | None = None,
) -> Float[Tensor, ""]:
    """Mean energy minus entropy under independent pixels: `KL(Q || P) - log Z`.

    Mean field seeks its minimum; with `-log Z` it bounds what no Q can pass.
    """
    check_floating("q", q)
    q, unary, kernel, compatibility = as_float(q, *_in_one_dtype(unary, kernel, compatibility))
    with _full_precision(q):
        mean_energy = (q * unary).sum() + (q * (compatibility @ q @ kernel)).sum() / 2
    return mean_energy + torch.xlogy(q, q).sum()


def mean_field(
    unary: Float[Tensor, "classes pixels"],
    kernel: Float[Tensor, "pixels pixels"],
    *,
    compatibility: Float[Tensor, "classes classes"] | None = None,
    iterations: int = 10,
    sequential: bool = False,
) -> Float[Tensor, "classes pixels"]:
    """Marginals Q from `softmax(-unary)`, by updates of all pixels at once or of one at a time.

    One at a time, each update is the minimum of `free_energy` over that pixel's Q, so the free
    energy never rises; all at once is what is fast.
    """
    unary, kernel, compatibility = _in_one_dtype(unary, kernel, compatibility)
    with _full_precision(unary):
        if not sequential:
            return _parallel_updates(unary, lambda q: q @ kernel, compatibility, iterations)
        q = list((-unary).softmax(0).unbind(1))
        for _ in range(iterations):
            for i in range(len(q)):
                vote = torch.stack(q, dim=1) @ kernel[:, i]  # (classes,)
                q[i] = (-unary[:, i] - compatibility @ vote).softmax(0)
        return torch.stack(q, dim=1)


def _parallel_updates(
    unary: Float[Tensor, "classes pixels"],
    votes: Callable[[Tensor], Tensor],
    compatibility: Float[Tensor, "classes classes"] | None,
    iterations: int,
) -> Float[Tensor, "classes pixels"]:
    compatibility = _potts(unary) if compatibility is None else compatibility.to(unary.dtype)
    q = (-unary).softmax(0)
    for _ in range(iterations):
        q = (-unary - compatibility @ votes(q)).softmax(0)
    return q


def _full_precision(values: Tensor) -> torch.autocast:
    """Within which matrices are multiplied in their own dtype."""
    return torch.autocast(values.device.type, enabled=False)


def _in_one_dtype(
    unary: Tensor, kernel: Tensor, compatibility: Tensor | None
) -> tuple[Tensor, ...]:
    """All three in float32 at least; without `compatibility` Potts' model."""
    for name, values in (("unary", unary), ("kernel", kernel)):
        check_floating(name, values)
    return as_float(unary, kernel, _potts(unary) if compatibility is None else compatibility)


def _potts(unary: Tensor) -> Tensor:
    return 1 - torch.eye(len(unary), device=unary.device, dtype=unary.dtype)


def _check(pairwise: Pairwise, iterations: int) -> None:
    for name in ("smooth_sigma", "bilateral_sigma", "color_sigma"):
        if not getattr(pairwise, name) > 0:
            raise ValueError(f"pairwise: expected {name} > 0, got {getattr(pairwise, name)}")
    if iterations < 0:
        raise ValueError(f"iterations: expected 0 or more, got {iterations}")


def _filtered_votes(
    image: Float[Tensor, "channels height width"], pairwise: Pairwise
) -> Callable[[Tensor], Tensor]:
    """q (classes, pixels) to `q @ kernel`, without the kernel."""
    bilateral = _bilateral_filter(image, pairwise.bilateral_sigma, pairwise.color_sigma)
    terms = []
    for weight, blur in (
        (pairwise.smooth_weight, _smooth_filter(image, pairwise.smooth_sigma)),
        (pairwise.bilateral_weight, bilateral),
    ):
        ones = torch.ones_like(image[:1].flatten(1))  # (1, pixels)
        terms.append((weight, blur, blur(ones).rsqrt() if pairwise.normalize else ones))

    def votes(q: Tensor) -> Tensor:
        return sum(w * scale * (blur(q * scale) - q * scale) for w, blur, scale in terms)

    return votes


def _gaussian(size: int, sigma: float, image: Tensor) -> Float[Tensor, "size size"]:
    position = torch.arange(size, device=image.device, dtype=image.dtype)
    return torch.exp(-((position - position[:, None]) ** 2) / (2 * sigma**2))


def _smooth_filter(image: Tensor, sigma: float) -> Callable[[Tensor], Tensor]:
    rows, columns = (_gaussian(size, sigma, image) for size in image.shape[-2:])
    return lambda q: (rows @ q.unflatten(1, image.shape[-2:]) @ columns).flatten(1)


def _bilateral_filter(
    image: Tensor, sigma: float, color_sigma: float
) -> Callable[[Tensor], Tensor]:
    """The appearance kernel, approximately, on a grid over (row, column, channels…).

    Positions and colours are measured in their sigmas, with one vertex per sigma. Each pixel is
    spread over the 2^dims vertices of its cell (multilinear weights), the grid is blurred along
    each axis by an untruncated Gaussian, and read back with the same weights. Spreading and reading
    widen each axis by a variance of 1/6 each, so the blur has 1 - 1/3. How high a kernel comes out
    depends on where in its cell a pixel lies; that is divided out, so that k(i, i) is exactly 1.
    On a photograph of 64×64 the votes are within 3 % (rms, normalised kernel) of the exact ones.
    """
    height, width = image.shape[-2:]
    y = torch.arange(height, device=image.device, dtype=image.dtype) / sigma
    x = torch.arange(width, device=image.device, dtype=image.dtype) / sigma
    place = torch.stack([y[:, None].expand(height, width), x.expand(height, width)])
    coordinates = torch.cat([place, image / color_sigma]).flatten(1)  # (dims, pixels)
    coordinates = coordinates - coordinates.amin(1, keepdim=True)
    low = coordinates.floor()
    sizes = [int(last) + 2 for last in low.amax(1)]
    vertices = prod(sizes)
    if vertices > 2**24:
        raise ValueError(
            f"pairwise: the sigmas ask for a bilateral grid of {' × '.join(map(str, sizes))} "
            "vertices, expected at most 2**24"
        )
    share = coordinates - low  # (dims, pixels), in [0, 1)
    corners = []
    for corner in product((0, 1), repeat=len(sizes)):
        index = torch.zeros_like(low[0], dtype=torch.long)
        weight = torch.ones_like(share[0])
        for axis, upper in enumerate(corner):
            index = index * sizes[axis] + low[axis].long() + upper
            weight = weight * (share[axis] if upper else 1 - share[axis])
        corners.append((index, weight))
    variance = 2 / 3
    gaussians = [_gaussian(size, variance**0.5, image) for size in sizes]
    # what a pixel would give itself: its two vertices on an axis, and the way between them
    own = (1 - share) ** 2 + share**2 + 2 * share * (1 - share) * exp(-0.5 / variance)
    height_one = own.prod(0).rsqrt()

    def blur(q: Tensor) -> Tensor:
        q = q * height_one
        grid = q.new_zeros(len(q), vertices)
        for index, weight in corners:
            grid.index_add_(1, index, q * weight)
        for axis, gaussian in enumerate(gaussians):
            lines = grid.view(-1, sizes[axis], prod(sizes[axis + 1 :]))
            grid = (gaussian @ lines).view_as(grid)
        return sum(weight * grid.index_select(1, index) for index, weight in corners) * height_one

    return blur
