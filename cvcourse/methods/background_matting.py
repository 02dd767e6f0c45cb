"""How background matting learns: from composites, then on real pictures against a discriminator.

    stage 1   network on composites of known alpha and foreground    `supervised_matting_losses`
    stage 2   a student from scratch on real pictures; its teacher, the network of stage 1, is
              frozen; its composites over other backgrounds shall look real
                                                                     `adapted_matting_losses`

The teacher is trusted less and less (weight 1, halved after every second epoch of 15); the
discriminator steps once in five steps of the student, at a tenth of its rate (1e-5, 1e-4).

Reference: Sengupta et al., Background Matting: The World is Your Green Screen, 2020,
arXiv:2004.00626, and the authors' code, whose thresholds these are, on alpha in [-1, 1].
"""

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.losses import (
    alpha_gradient_loss,
    composition_loss,
    least_squares_gan_loss,
    normalized_l1_loss,
)
from cvcourse.ops import composite

_OPAQUE = 0.95
_ANY_TRUE = -0.99
_ANY_TAUGHT = -0.98


def image_where_opaque(
    image: Float[Tensor, "batch 3 height width"],
    alpha: Float[Tensor, "batch 1 height width"],
    foreground: Float[Tensor, "batch 3 height width"],
) -> Float[Tensor, "batch 3 height width"]:
    """The foreground, but the image itself where alpha in [-1, 1] is above 0.95."""
    return torch.where(alpha > _OPAQUE, image, foreground)


def supervised_matting_losses(
    alpha: Float[Tensor, "batch 1 height width"],
    foreground: Float[Tensor, "batch 3 height width"],
    *,
    image: Float[Tensor, "batch 3 height width"],
    background: Float[Tensor, "batch 3 height width"],
    true_alpha: Float[Tensor, "batch 1 height width"],
    true_foreground: Float[Tensor, "batch 3 height width"],
) -> dict[str, Float[Tensor, ""]]:
    """Stage 1: what to add up for one batch of composites.

    Args:
        alpha, foreground: of the network. Alphas and colours are in [-1, 1].
        image, background: the composite, and its true background.
        true_alpha, true_foreground: what it was made of.
    """
    everywhere = torch.ones_like(true_alpha)
    covered = (true_alpha > _ANY_TRUE).to(alpha.dtype)
    seen = image_where_opaque(image, alpha, foreground)
    return {
        "alpha": normalized_l1_loss(alpha, true_alpha, everywhere),
        "alpha_gradient": alpha_gradient_loss(alpha, true_alpha, everywhere),
        "foreground": 2 * normalized_l1_loss(foreground, true_foreground, covered),
        "composition": composition_loss(image, alpha, seen, background, everywhere),
    }


def adapted_matting_losses(
    alpha: Float[Tensor, "batch 1 height width"],
    foreground: Float[Tensor, "batch 3 height width"],
    *,
    image: Float[Tensor, "batch 3 height width"],
    background: Float[Tensor, "batch 3 height width"],
    segmentation: Float[Tensor, "batch 1 height width"],
    taught_alpha: Float[Tensor, "batch 1 height width"],
    taught_foreground: Float[Tensor, "batch 3 height width"],
    scores: Float[Tensor, "batch *scores"],
    trust: float = 1.0,
) -> dict[str, Float[Tensor, ""]]:
    """Stage 2: what to add up for one batch of real pictures.

    Args:
        alpha, foreground: of the student. Alphas, colours and segmentation are in [-1, 1].
        image, background: the picture, and the photograph of the empty scene.
        segmentation: composition counts where it is above 0.95, that is, surely in the subject.
        taught_alpha, taught_foreground: of the frozen teacher. Detached.
        scores: of the discriminator for `shifted_composite` of the student's alpha and foreground.
        trust: w, of the teacher and the composition, beside the discriminator.
    """
    taught_alpha, taught_foreground = taught_alpha.detach(), taught_foreground.detach()
    everywhere = torch.ones_like(taught_alpha)
    covered = (taught_alpha > _ANY_TAUGHT).to(alpha.dtype)
    sure = (segmentation > _OPAQUE).to(alpha.dtype)
    weight = 0.05 * trust
    gradient = alpha_gradient_loss(alpha, taught_alpha, everywhere)
    return {
        "adversarial": least_squares_gan_loss(scores, True),
        "alpha": weight * normalized_l1_loss(alpha, taught_alpha, everywhere),
        "alpha_gradient": weight * 0.5 * gradient,
        "foreground": weight * normalized_l1_loss(foreground, taught_foreground, covered),
        "composition": weight * composition_loss(image, alpha, foreground, background, sure),
    }


def shifted_composite(
    alpha: Float[Tensor, "batch 1 height width"],
    foreground: Float[Tensor, "batch 3 height width"],
    background: Float[Tensor, "batch 3 height width"],
    segmentation: Float[Tensor, "batch 1 height width"],
    *,
    margin: int = 10,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch 3 height width"]:
    """Each subject over another background, moved sideways by a random number of pixels.

    Args:
        alpha: in [-1, 1]; `foreground`, as `image_where_opaque` gives it; `background`, others'.
        segmentation: in [-1, 1]; the subject is where it is above -0.8.
        margin: pixels that stay between the subject and the border, where there is room.

    **Conventions**: columns that leave on one side come in on the other; a subject without room, or
    without a pixel, stays where it is. The authors' code draws within the same limits, and fails
    there.
    """
    width = alpha.shape[3]
    moved = []
    for a, f, s in zip(alpha, foreground, segmentation, strict=True):
        columns = (s > -0.8).any(1)[0].nonzero().flatten().tolist()
        left, right = (columns[0], columns[-1]) if columns else (0, width)
        least, most = -(left - margin), width - right - margin
        shift = 0
        if least < most:
            drawn = torch.randint(least, most, (), generator=generator, device="cpu")
            shift = int(drawn)
        moved.append(torch.cat([(a + 1) / 2, f]).roll(shift, 2))
    moved = torch.stack(moved)
    return composite(moved[:, :1], moved[:, 1:], background)
