"""What FineGAN's generator, MixNMatch's encoders and its critics learn from (Li et al. 2019,
arXiv:1911.11758).

Four codes in this order: latent, background, shape, texture. Some samples are *tied*: shape follows
from texture and background is texture's, as pictures of one kind have it; encoders are asked for
codes of untied ones too, so that they cannot read one factor off another.

The second stage needs no loss of its own: features of shapes by `non_saturating_gan_loss` against
the generator's, plus the mean absolute difference where the picture is the generator's.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cvcourse.losses import non_saturating_gan_loss, wasserstein_gan_loss
from cvcourse.losses._checks import check_same_shape
from cvcourse.losses._reduce import reduce_loss
from cvcourse.ops._checks import as_float, check_boxes, check_floating, check_same_length

Four = tuple[Tensor, Tensor, Tensor, Tensor]
CODE_WEIGHTS = (5.0, 5.0, 10.0, 10.0)
_TINY = 1e-16  # as in the authors' code, for the slope of a norm at 0


def shape_of_texture(
    texture: Float[Tensor, "batch textures"], shapes: int
) -> Float[Tensor, "batch shapes"]:
    """One-hot shapes: textures in order, equally many to each shape.

    Raises ValueError for codes that are not (batch, textures), or more shapes than textures.
    """
    check_floating("texture", texture)
    if texture.ndim != 2 or not 1 <= shapes <= texture.shape[1]:
        raise ValueError(
            f"texture must be (batch, {shapes} or more), shapes 1 or more, got "
            f"{tuple(texture.shape)} and {shapes}"
        )
    kind = texture.argmax(1) * shapes // texture.shape[1]
    return F.one_hot(kind, shapes).to(texture.dtype)


def draw_factors(
    count: int,
    *,
    latent: int = 100,
    backgrounds: int = 200,
    shapes: int = 20,
    textures: int = 200,
    tied: bool = False,
    generator: torch.Generator | None = None,
) -> Four:
    """Normal latents, and one-hot codes of background, shape and texture, on the CPU.

    tied: shape follows from texture and background is texture's, as in pictures; needs as many
        backgrounds as textures.

    Raises ValueError for tied codes of different numbers.
    """
    if tied and backgrounds != textures:
        raise ValueError(
            f"backgrounds must be as many as textures if tied, got {backgrounds} and {textures}"
        )
    options = {"generator": generator, "device": "cpu"}

    def one_hot(numbers: int) -> Tensor:
        return F.one_hot(torch.randint(numbers, (count,), **options), numbers).float()

    z = torch.randn(count, latent, dtype=torch.float32, **options)
    texture = one_hot(textures)
    if tied:
        return z, texture, shape_of_texture(texture, shapes), texture
    return z, one_hot(backgrounds), one_hot(shapes), texture


def background_patches(
    boxes: Float[Tensor, "batch 4"], *, patches: int = 24, field: int = 34, stride: int = 4
) -> Float[Tensor, "batch 1 patches patches"]:
    """1 for each patch of a square picture that does not touch the object's box, else 0.

    Args:
        boxes: x1, y1, x2, y2 in pixels of the picture; one without width or height touches none.
        patches, field, stride: how many in a row, of how many pixels, how far apart: those of
            `models.FineGANPatchDiscriminator` for 126 × 126 pixels.

    Raises ValueError for boxes of another shape.
    """
    check_boxes("boxes", boxes)
    if boxes.ndim != 2:
        raise ValueError(f"boxes must have shape (batch, 4), got {tuple(boxes.shape)}")
    boxes = as_float(boxes)[0]
    start = torch.arange(patches, device=boxes.device, dtype=boxes.dtype) * stride
    low, high = boxes[:, :2, None], boxes[:, 2:, None]
    touches = (start + field >= low) & (start <= high)  # (B, 2, patches), along x and y
    both = touches[:, 0, None, :] & touches[:, 1, :, None]
    empty = (low == high).any(1)[..., None]
    return (~both | empty)[:, None].to(boxes.dtype)


def background_discriminator_loss(
    real: Float[Tensor, "batch 2 rows columns"],
    made: Float[Tensor, "batch 2 rows columns"],
    patches: Float[Tensor, "batch 1 rows columns"],
    weight: float = 10.0,
) -> Float[Tensor, ""]:
    """Which patches are background alone, and which of these are real.

    Args:
        real, made: logits of true pictures and of made backgrounds: of background, of real.
        patches: of the true pictures, `background_patches`. The others cannot say what a real
            background is: they are left out, and the mean is over those that remain.
        weight: of real against made.

    Raises ValueError for other shapes and dtypes.
    """
    _check_patches("real", real)
    _check_patches("made", made)
    check_same_shape("patches", patches, "real[:, :1]", real[:, :1])
    of_real = F.softplus(-real[:, 1:]) * patches
    kept = patches.sum()
    seen = torch.where(kept > 0, of_real.sum() / kept.clamp(min=1), of_real.sum())
    kind = F.binary_cross_entropy_with_logits(real[:, :1], patches)
    return weight * (seen + non_saturating_gan_loss(made[:, 1:], False)) + kind


def background_generator_loss(
    made: Float[Tensor, "batch 2 rows columns"], weight: float = 10.0
) -> Float[Tensor, ""]:
    """Made backgrounds shall be background alone, and real."""
    _check_patches("made", made)
    kind, real = (non_saturating_gan_loss(made[:, i], True) for i in (0, 1))
    return weight * real + kind


def encoder_loss(
    predicted: Sequence[Tensor], codes: Sequence[Tensor], weights: Sequence[float] = CODE_WEIGHTS
) -> Float[Tensor, ""]:
    """Codes read from made pictures: mean absolute difference of latents, cross-entropies else.

    Args:
        predicted: latents, and logits of the others.
        codes: what the pictures were made of, drawn freely.

    Means over the batch, of an empty one 0; at least float32.

    Raises ValueError for another number of codes or weights, or another shape.
    """
    for name, values in (("predicted", predicted), ("codes", codes), ("weights", weights)):
        check_same_length(name, values, "the factors", CODE_WEIGHTS)
    for i, (x, y) in enumerate(zip(predicted, codes, strict=True)):
        check_same_shape(f"codes[{i}]", y, f"predicted[{i}]", x)
    pairs = [as_float(x, y) for x, y in zip(predicted, codes, strict=True)]
    each = [(pairs[0][0] - pairs[0][1]).abs()]
    each += [F.cross_entropy(x, y, reduction="none") for x, y in pairs[1:]]
    parts = [reduce_loss(part, "mean") for part in each]
    return torch.stack([w * part for w, part in zip(weights, parts, strict=True)]).sum()


def pair_critic_loss(
    critics: Callable[[Tensor, Sequence[Tensor]], Sequence[Tensor]],
    images: Float[Tensor, "batch 3 side side"],
    encoded: Sequence[Tensor],
    made: Float[Tensor, "batch 3 side side"],
    codes: Sequence[Tensor],
    *,
    penalty: float = 10.0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    r"""The critics': scores of made pairs less those of encoded pairs, and their slopes to be 1.

    .. math:: L = \sum_k \big( D_k(G(c), c_k) - D_k(x, E_k(x)) \big)
        + λ \sum_k \big( (\|\nabla_x D_k\| - 1)^2 + (\|\nabla_{c} D_k\| - 1)^2 \big)

    Args:
        critics: such as `models.MixNMatchCritics`.
        images, encoded: true pictures, and their codes as the encoders give them, softmax applied.
        made, codes: made pictures, and what they were made of.
        penalty: λ.
        generator: for the places between the pairs where slopes are taken, on the CPU.

    **Conventions**: all four are constants here. Slopes of pictures and of codes are held at 1 each
    by itself, as in the authors' code, at places drawn for each tensor; means over the batch.

    Raises ValueError for tensors of different shapes.
    """
    ours, theirs = [images, *encoded], [made, *codes]
    check_same_length("codes", codes, "encoded", encoded)
    between = []
    for i, (x, y) in enumerate(zip(ours, theirs, strict=True)):
        name = "made" if i == 0 else f"codes[{i - 1}]"
        check_same_shape(name, y, "images" if i == 0 else f"encoded[{i - 1}]", x)
        share = torch.rand(len(x), generator=generator, device="cpu", dtype=torch.float32).to(x)
        share = share.view(-1, *[1] * (x.ndim - 1))
        between.append(torch.lerp(y.detach(), x.detach(), share).requires_grad_())
    loss = pair_fooling_loss(critics, *(_constants(v) for v in (images, encoded, made, codes)))
    slopes = images.new_zeros(())
    for score, code in zip(critics(between[0], between[1:]), between[1:], strict=True):
        for gradient in torch.autograd.grad(score.sum(), [between[0], code], create_graph=True):
            norm = (gradient.flatten(1) + _TINY).norm(dim=1)
            slopes = slopes + (norm - 1).square().mean()
    return penalty * slopes - loss


def pair_fooling_loss(
    critics: Callable[[Tensor, Sequence[Tensor]], Sequence[Tensor]],
    images: Float[Tensor, "batch 3 side side"],
    encoded: Sequence[Tensor],
    made: Float[Tensor, "batch 3 side side"],
    codes: Sequence[Tensor],
) -> Float[Tensor, ""]:
    """The encoders' and the generator's: encoded pairs shall score low, made ones high."""
    of_encoded = [wasserstein_gan_loss(score, False) for score in critics(images, encoded)]
    of_made = [wasserstein_gan_loss(score, True) for score in critics(made, codes)]
    return torch.stack([*of_encoded, *of_made]).sum()


def _constants(values):
    if isinstance(values, Tensor):
        return values.detach()
    return tuple(value.detach() for value in values)


def _check_patches(name: str, logits: Tensor) -> None:
    check_floating(name, logits)
    if logits.ndim != 4 or logits.shape[1] != 2:
        raise ValueError(f"{name} must have shape (B, 2, rows, columns), got {tuple(logits.shape)}")
