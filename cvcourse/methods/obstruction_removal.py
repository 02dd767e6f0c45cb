"""Two layers that move differently: the reflection or fence, and what is behind.

    frames = background moved + obstruction moved, each by a motion of its own

by optimisation, `separate_layers`
    coarse: of many velocities the two under which the frames agree best; layers = half the medians
    to fine: gradient descent on layers and translations together, then the same at twice the size
by networks, `reconstruct_layers`
    coarse: a translation for each layer and pair of frames; layers = means of the aligned frames
    to fine: each layer improved by a fusion network; at twice the size the flow of each layer anew
behind a fence, `remove_fence`
    the same for the background alone, with alpha in place of the second layer; then the mean of
    all frames where they show no fence

Reference: Liu et al., Learning to See Through Obstructions, 2020, arXiv:2004.01180. The loss of the
optimisation is that of the paper's last step: |frame - B - R| + 0.1 (|∇B| + |∇R|).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.ops import blur, gaussian_kernel, resize_bicubic, warp, warp_is_inside
from cvcourse.ops._checks import as_float, check_floating


class Layers(NamedTuple):
    """Two pictures of the key frame, and how far each moves from the key frame to every frame.

    `motion` is (2, frames, 2), of the first and the second layer, (x, y) in pixels.
    """

    first: Float[Tensor, "3 height width"]
    second: Float[Tensor, "3 height width"]
    motion: Float[Tensor, "2 frames 2"]


def translate(
    images: Float[Tensor, "batch channels height width"], motion: Float[Tensor, "batch 2"]
) -> Float[Tensor, "batch channels height width"]:
    """Each image where it has moved to by (x, y) pixels; its border goes on.

    Raises ValueError for a motion that is not (batch, 2).
    """
    if images.ndim != 4 or motion.shape != (len(images), 2):
        raise ValueError(f"motion must be ({len(images)}, 2), got {tuple(motion.shape)}")
    flow = -motion[:, :, None, None].expand(-1, -1, *images.shape[2:])
    return warp(images, flow, padding="border")


def separate_layers(
    frames: Float[Tensor, "frames 3 height width"],
    *,
    key: int | None = None,
    fastest: float = 3.0,
    tries: int = 13,
    apart: float = 1.0,
    scales: tuple[int, ...] = (4, 2, 1),
    steps: tuple[int, ...] = (60, 60, 120),
    layer_rate: float = 0.02,
    motion_rate: float = 0.03,
    smoothness: float = 0.1,
) -> Layers:
    """Pull apart two layers that add up to each frame.

    Args:
        frames: in [0, 1], in order, at even intervals.
        key: the frame whose layers are wanted, the middle one if None.
        fastest: the largest velocity tried, in pixels a frame along each axis.
        tries: how many velocities along each axis.
        apart: how much the two velocities must differ at least, in pixels a frame.
        scales: by what the size is divided, coarsest first.
        steps: of Adam at each scale.
        layer_rate, motion_rate: of Adam, for layers and for translations in pixels of the scale.
        smoothness: weight of the total variation of the layers.

    **Conventions**: nothing says which layer is the background, nor how a constant divides between
    them: compare with the better of the two, after fitting gain and offset. Layers without parallax
    cannot be separated. The first layer is the one whose velocity aligns the frames better. Half
    precision is computed in float32; the layers are returned as the frames came, the motion in
    float32.

    Raises ValueError for fewer than two frames or such that are not floating point, a key that is
    none of them, scales and steps of different length, or frames that have fewer than 8 pixels a
    side at the coarsest scale.
    """
    check_floating("frames", frames)
    if frames.ndim != 4 or len(frames) < 2 or frames.shape[1] != 3:
        raise ValueError(f"frames must be (2 or more, 3, height, width), got {tuple(frames.shape)}")
    key = len(frames) // 2 if key is None else key
    if not 0 <= key < len(frames):
        raise ValueError(f"key must be one of {len(frames)} frames, got {key}")
    if len(scales) != len(steps) or not len(scales):
        raise ValueError(f"steps must be one for each of {scales}, got {steps}")
    dtype, (frames,) = frames.dtype, as_float(frames)
    sizes = [tuple(max(1, n // s) for n in frames.shape[2:]) for s in scales]
    if min(sizes[0]) < 8:
        raise ValueError(f"frames must be 8 pixels or more at scale {scales[0]}, got {sizes[0]}")
    time = torch.arange(len(frames), device=frames.device, dtype=frames.dtype) - key
    small = resize_bicubic(frames, sizes[0])
    velocities = _two_velocities(small, time, fastest / scales[0], tries, apart / scales[0])
    motion = velocities[:, None] * time[:, None]  # (2, frames, 2)
    layers = torch.stack([_aligned_median(small, m) / 2 for m in motion])
    for i, (size, count) in enumerate(zip(sizes, steps, strict=True)):
        if i:
            layers = resize_bicubic(layers, size)
            motion = motion * (scales[i - 1] / scales[i])
        target = resize_bicubic(frames, size)
        layers, motion = _descend(
            target, layers, motion, key, count, layer_rate, motion_rate, smoothness
        )
    return Layers(*layers.clamp(0, 1).to(dtype), motion)


def _two_velocities(
    frames: Tensor, time: Tensor, fastest: float, tries: int, apart: float
) -> Tensor:
    """(2, 2): under which the frames' details agree best, and best among those far from it."""
    line = torch.linspace(-fastest, fastest, tries, device=frames.device, dtype=frames.dtype)
    candidates = torch.cartesian_prod(line, line)  # (tries², 2)
    detail = frames - F.avg_pool2d(frames, 5, 1, 2, count_include_pad=False)
    errors = []
    for velocity in candidates:
        aligned = translate(detail, -velocity * time[:, None])
        errors.append((aligned - aligned.median(0).values).abs().mean())
    errors = torch.stack(errors)
    best = candidates[errors.argmin()]
    near = (candidates - best).norm(dim=1) < apart
    return torch.stack([best, candidates[errors.masked_fill(near, torch.inf).argmin()]])


def _aligned_median(frames: Tensor, motion: Tensor) -> Tensor:
    return translate(frames, -motion).median(0).values


def _descend(
    frames: Tensor,
    layers: Tensor,
    motion: Tensor,
    key: int,
    steps: int,
    layer_rate: float,
    motion_rate: float,
    smoothness: float,
) -> tuple[Tensor, Tensor]:
    layers, motion = (x.detach().clone().requires_grad_() for x in (layers, motion))
    optimizer = torch.optim.Adam(
        [{"params": [layers], "lr": layer_rate}, {"params": [motion], "lr": motion_rate}]
    )
    others = torch.ones(len(frames), 1, device=frames.device, dtype=frames.dtype)
    others[key] = 0  # the key frame does not move
    with torch.enable_grad():
        for _ in range(steps):
            moved = [
                translate(layer.expand(len(frames), -1, -1, -1), m * others)
                for layer, m in zip(layers, motion, strict=True)
            ]
            loss = (frames - moved[0] - moved[1]).abs().mean()
            for dim in (-1, -2):
                loss = loss + smoothness * layers.diff(dim=dim).abs().mean()
            layers.grad, motion.grad = torch.autograd.grad(loss, [layers, motion])
            optimizer.step()
    return layers.detach(), (motion * others).detach()


def aligned_mean(
    frames: Float[Tensor, "batch frames channels height width"],
    flows: Float[Tensor, "batch frames 2 height width"],
    weights: Float[Tensor, "batch frames 1 height width"] | None = None,
    fallback: Float[Tensor, "batch channels height width"] | None = None,
) -> Float[Tensor, "batch channels height width"]:
    """Mean of the frames, each looked up where its flow points; beyond the border it goes on.

    Args:
        flows: from the wanted picture to each frame, in pixels; 0 for the frame itself.
        weights: of each frame's pixels after alignment, such as 1 - alpha of a fence; they count
            where the flow stays inside. None: all pixels count alike.
        fallback: the picture where all weights are 0; zeros if None.

    Raises ValueError for shapes that do not fit.
    """
    expected = (*frames.shape[:2], 2, *frames.shape[3:])
    if frames.ndim != 5 or flows.shape != expected:
        raise ValueError(f"flows must have shape {expected}, got {tuple(flows.shape)}")
    aligned = warp(frames.flatten(0, 1), flows.flatten(0, 1), padding="border")
    aligned = aligned.unflatten(0, frames.shape[:2])
    if weights is None:
        return aligned.mean(1)
    inside = warp_is_inside(flows.flatten(0, 1)).unflatten(0, frames.shape[:2])[:, :, None]
    weights = weights * inside
    total = weights.sum(1)
    mean = (aligned * weights).sum(1) / total.clamp(min=torch.finfo(total.dtype).tiny)
    return torch.where(total > 0, mean, 0 * mean if fallback is None else fallback)


def reconstruct_layers(
    frames: Float[Tensor, "batch frames 3 height width"],
    *,
    translations: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    fusions: Sequence[tuple[Callable[..., Tensor], Callable[..., Tensor]]],
    flow: Callable[[Tensor, Tensor], Tensor],
) -> tuple[
    Float[Tensor, "batch frames 3 height width"], Float[Tensor, "batch frames 3 height width"]
]:
    """Background and obstruction of every frame, from coarse to fine, by trained networks.

    Args:
        frames: in [0, 1].
        translations: of two frames the uniform flows (B, 2) of background and obstruction, in
            pixels of the coarsest scale, such as `LayerTranslations`.
        fusions: for each scale, coarsest first, a network for the background and one for the
            obstruction, called as `LayerFusion`; the next scale is twice as large, the last one
            that of the frames.
        flow: of two pictures (B, 3, h, w) in [0, 1] the flow (B, 2, h, w) from the first to the
            second, in pixels. Its gradient is not followed.

    **Conventions**: for `flow` the layers of all frames are stretched to [0, 1] together; between
    scales they are enlarged bilinearly.

    Raises ValueError for fewer than two frames, no fusion, or sizes that the coarsest scale does
    not divide.
    """
    scale, n = _coarsest(frames, fusions), frames.shape[1]
    uniform = _of_pairs(frames, translations)
    layers = []
    for level, networks in enumerate(fusions):
        small = _resized(frames, scale // 2**level)
        if level == 0:
            motions = [_everywhere(uniform, k, small) for k in (0, 1)]
            layers = [
                torch.stack([_aligned(small, motion, i) for i in range(n)], 1) for motion in motions
            ]
        else:
            layers = [_resized(layer, 1 / 2) for layer in layers]
            motions = [_flows(_stretched(layer), flow) for layer in layers]
        background, obstruction = layers
        seen = obstruction, background, small
        layers = [
            torch.stack([_fused(network, layer, *seen, motion, i) for i in range(n)], 1)
            for network, layer, motion in zip(networks, layers, motions, strict=True)
        ]
    return layers[0], layers[1]


class WithoutFence(NamedTuple):
    """The key frame without its fence; and of every frame the background and alpha (the fence's
    share of each pixel), as the networks give them.
    """

    picture: Float[Tensor, "batch 3 height width"]
    backgrounds: Float[Tensor, "batch frames 3 height width"]
    alphas: Float[Tensor, "batch frames 1 height width"]


def remove_fence(
    frames: Float[Tensor, "batch frames 3 height width"],
    *,
    translations: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    fusions: Sequence[Callable[..., tuple[Tensor, Tensor]]],
    flow: Callable[[Tensor, Tensor], Tensor],
    key: int | None = None,
) -> WithoutFence:
    """A frame without the fence before it, by trained networks and from what the others show.

    picture = mean of the frames, aligned by the background's flow, with weights 1 - alpha, where
    alpha is the largest of 5 × 5 pixels, held in [0, 1]; the network's background where all are 0.

    Args:
        frames: in [0, 1].
        translations, flow: as for `reconstruct_layers`; of the translations only the background's
            is used.
        fusions: for each scale, coarsest first, a network, called as `FenceFusion`.
        key: which frame; None is the middle one.

    **Conventions**: alpha is 0 before the first network; between scales all is enlarged bilinearly.
    For the last flow backgrounds are blurred (21 × 21 Gaussian, σ 3.5, as OpenCV chooses for that
    size; the border is repeated, where the authors mirror it).

    Raises ValueError for fewer than two frames, no fusion, sizes that the coarsest scale does not
    divide, or a key that is no frame.
    """
    scale, n = _coarsest(frames, fusions), frames.shape[1]
    key = n // 2 if key is None else key
    if not 0 <= key < n:
        raise ValueError(f"key must be one of {n} frames, got {key}")
    uniform = _of_pairs(frames, translations)
    for level, network in enumerate(fusions):
        small = _resized(frames, scale // 2**level)
        if level == 0:
            motion = _everywhere(uniform, 0, small)
            background = torch.stack([_aligned(small, motion, i) for i in range(n)], 1)
            alpha = torch.zeros_like(background[:, :, :1])
        else:
            background, alpha = _resized(background, 1 / 2), _resized(alpha, 1 / 2)
            motion = _flows(background, flow)
        fused = []
        for i in range(n):
            others, flows = _others(motion, n, i)
            seen = background[:, i], alpha[:, i], small[:, i], small[:, others]
            fused.append(network(*seen, flows))
        background, alpha = (torch.stack(of_all, 1) for of_all in zip(*fused, strict=True))
    kernel = gaussian_kernel(3.5, size=21, device=frames.device, dtype=background.dtype)
    soft = [blur(each, kernel, border="replicate") for each in background.unbind(1)]
    with torch.no_grad():
        flows = [flow(soft[key], each) for each in soft]
    flows[key] = torch.zeros_like(flows[key])
    flows = torch.stack(flows, 1)
    fence = F.max_pool2d(alpha.flatten(0, 1), 5, 1, 2).clamp(0, 1)
    free = 1 - warp(fence, flows.flatten(0, 1), padding="border").unflatten(0, alpha.shape[:2])
    picture = aligned_mean(frames, flows, free, background[:, key])
    return WithoutFence(picture, background, alpha)


def _coarsest(frames: Tensor, fusions: Sequence) -> int:
    if frames.ndim != 5 or frames.shape[1] < 2:
        raise ValueError(f"frames must be (B, 2 or more, 3, H, W), got {tuple(frames.shape)}")
    scale = 2 ** (len(fusions) - 1)
    if not len(fusions) or frames.shape[3] % scale or frames.shape[4] % scale:
        raise ValueError(
            f"fusions must be one for each scale that divides {tuple(frames.shape[3:])} in half "
            f"again, got {len(fusions)}"
        )
    return scale


def _of_pairs(frames: Tensor, of: Callable[[Tensor, Tensor], Any]) -> dict[tuple[int, int], Any]:
    """Of each frame and each other."""
    each = frames.unbind(1)
    return {
        (i, j): of(first, second)
        for i, first in enumerate(each)
        for j, second in enumerate(each)
        if i != j
    }


def _everywhere(uniform: dict[tuple[int, int], tuple], layer: int, frames: Tensor) -> dict:
    size = frames.shape[3:]
    return {
        pair: flows[layer][:, :, None, None].expand(-1, -1, *size)
        for pair, flows in uniform.items()
    }


def _resized(frames: Tensor, smaller: float) -> Tensor:
    size = [int(side / smaller) for side in frames.shape[3:]]
    resized = F.interpolate(frames.flatten(0, 1), size, mode="bilinear", align_corners=False)
    return resized.unflatten(0, frames.shape[:2])


def _aligned(frames: Tensor, motion: dict[tuple[int, int], Tensor], i: int) -> Tensor:
    still = torch.zeros_like(frames[:, 0, :2])
    flows = [still if j == i else motion[i, j] for j in range(frames.shape[1])]
    return aligned_mean(frames, torch.stack(flows, 1))


def _stretched(layers: Tensor) -> Tensor:
    low = layers.amin((1, 2, 3, 4), keepdim=True)
    return (layers - low) / (layers - low).amax((1, 2, 3, 4), keepdim=True).clamp(min=1e-10)


@torch.no_grad()
def _flows(layers: Tensor, flow: Callable[[Tensor, Tensor], Tensor]) -> dict:
    """From each frame's layer to each other's."""
    return _of_pairs(layers, flow)


def _others(motion: dict[tuple[int, int], Tensor], n: int, i: int) -> tuple[list[int], Tensor]:
    others = [j for j in range(n) if j != i]
    return others, torch.stack([motion[i, j] for j in others], 1)


def _fused(network, layers, obstruction, background, frames, motion, i: int) -> Tensor:
    others, flows = _others(motion, frames.shape[1], i)
    own = layers[:, i], obstruction[:, i], background[:, i], frames[:, i]
    return network(*own, frames[:, others], flows)
