"""From a word in a picture to the same word with one letter changed (Roy et al. 2019,
arXiv:1903.01192): cut a letter out, fit its successor in, move the others, put them back.

`models.FANnet` draws the new letter and `models.Colornet` colours it; here is what the authors'
program does around them. Where it finds letters by maximally stable regions and a threshold, and
fills the old ones by Telea's method, it is told masks and a function that fills.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from cvcourse.ops import masks_to_boxes
from cvcourse.ops._checks import check_choice, check_floating, check_tensor

PADDING = 0.1
FADE = 2  # pixels around the old letters that are filled as well


class EditedWord(NamedTuple):
    """The picture, where its letters are (1 for ink), and their boxes x1, y1, x2, y2, exclusive."""

    image: Float[Tensor, "3 height width"]
    ink: Float[Tensor, "height width"]
    boxes: Int64[Tensor, "letters 4"]


def glyph_square(
    ink: Float[Tensor, "height width"], side: int = 64, padding: float = PADDING
) -> Float[Tensor, "1 1 side side"]:
    """A letter in the middle of a square a tenth larger than its longer side, as `FANnet` has it.

    Raises ValueError for another shape or dtype, or a padding or side below 0 or 1.
    """
    _check_ink("ink", ink)
    if side < 1 or not padding >= 0:
        raise ValueError(f"side and padding must be from 1 and from 0, got {side} and {padding}")
    height, width = ink.shape
    longest = -int(-(1 + padding) * max(height, width) // 1)  # rounded up
    top, left = (longest - height) // 2, (longest - width) // 2
    around = (left, longest - width - left, top, longest - height - top)
    square = F.pad(ink, around)[None, None]
    return F.interpolate(square, (side, side), mode="bilinear", antialias=True)


def fit_height(
    values: Float[Tensor, "channels rows columns"], ink: Float[Tensor, "rows columns"], height: int
) -> Float[Tensor, "channels height width"]:
    """What lies within the ink's bounding box, resized to a height, its proportions kept.

    Raises ValueError for other shapes and dtypes, no ink, or a height below 1.
    """
    _check_ink("ink", ink)
    check_floating("values", values)
    if values.ndim != 3 or values.shape[1:] != ink.shape:
        raise ValueError(
            f"values must have shape (channels, {', '.join(map(str, ink.shape))}), "
            f"got {tuple(values.shape)}"
        )
    if height < 1:
        raise ValueError(f"height must be at least 1, got {height}")
    if not (ink > 0).any():
        raise ValueError("ink must not be empty, got none above 0")
    top, bottom, left, right = _bounds(ink > 0)
    cut = values[None, :, top:bottom, left:right]
    width = max(1, int((right - left) / (bottom - top) * height))
    if (height, width) == (bottom - top, right - left):
        return cut[0]
    return F.interpolate(cut, (height, width), mode="bilinear", antialias=True)[0]


def shift_boxes(
    boxes: Int64[Tensor, "letters 4"],
    index: int,
    width: int,
    anchor: Literal["centre", "left"] = "centre",
) -> Int64[Tensor, "letters 4"]:
    """Boxes of a word's letters from left to right when one of them becomes so wide.

    Args:
        boxes: x1, y1, x2, y2, exclusive.
        index: the letter.
        width: the new one's.
        anchor: "centre" moves what is left of the letter's middle to the left and the others to the
            right, by half of the change each, as the authors do; "left" only moves what follows.

    **Conventions**: gaps between letters stay as they are; where an odd change is halved, the one
    after the letter gets a pixel narrower.

    Raises ValueError for other boxes, an index that is not, a width below 1, or another anchor.
    """
    check_tensor("boxes", boxes)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype != torch.int64:
        raise ValueError(f"boxes must be int64 (N, 4), got {boxes.dtype} {tuple(boxes.shape)}")
    check_choice("anchor", anchor, ("centre", "left"))
    _check_index(index, len(boxes))
    if width < 1:
        raise ValueError(f"width must be at least 1, got {width}")
    x1, _, x2, _ = boxes[index].tolist()
    change = width - (x2 - x1)
    before, after = (change // 2, change // 2) if anchor == "centre" else (0, change)
    moved = boxes.clone()
    moved[: index + 1, ::2] -= before
    moved[index + 1 :, ::2] += after
    moved[index, 2] = moved[index, 0] + width
    return moved


def edit_word(
    image: Float[Tensor, "3 height width"],
    letters: Bool[Tensor, "letters height width"],
    index: int,
    ink: Float[Tensor, "rows columns"],
    colors: Float[Tensor, "3 rows columns"],
    fill: Callable[[Tensor, Tensor], Tensor],
    *,
    anchor: Literal["centre", "left"] = "centre",
    fade: int = FADE,
) -> EditedWord:
    """The picture with letter `index` exchanged for another, and the others moved to make room.

    Args:
        image: with the word.
        letters: a mask for each letter, from left to right.
        ink, colors: the new letter, as `FANnet` and `Colornet` give it; cut and resized here to the
            old one's height. Ink in [0, 1].
        fill: from (image, mask) to the image without what is in the mask (height, width), bool.
        anchor: of `shift_boxes`.
        fade: pixels around the old letters that are filled with them.

    **Conventions**: letters that leave the picture are cut. The new letter is mixed by its ink, the
    others are pasted by their masks.

    Raises ValueError for other shapes and dtypes, no letter, an empty one, or an index that is not.
    """
    check_floating("image", image)
    if image.ndim != 3:
        raise ValueError(f"image must have shape (3, H, W), got {tuple(image.shape)}")
    check_tensor("letters", letters)
    if letters.dtype != torch.bool or letters.ndim != 3 or letters.shape[1:] != image.shape[1:]:
        raise ValueError(
            f"letters must be bool (N, {image.shape[1]}, {image.shape[2]}), "
            f"got {letters.dtype} {tuple(letters.shape)}"
        )
    _check_index(index, len(letters))
    if not letters.flatten(1).any(1).all():
        raise ValueError("letters must each have a pixel, got one without")
    _check_ink("ink", ink)
    if colors.shape != (len(image), *ink.shape):
        expected = (len(image), *ink.shape)
        raise ValueError(f"colors must have shape {expected}, got {tuple(colors.shape)}")
    boxes = masks_to_boxes(letters, inclusive=False).long()
    height = int(boxes[index, 3] - boxes[index, 1])
    both = fit_height(torch.cat([ink[None].to(colors), colors]), ink, height)
    new_ink, new_colors = both[0], both[1:]
    moved = shift_boxes(boxes, index, new_ink.shape[1], anchor)
    old = letters.any(0)
    wide = F.max_pool2d(old[None, None].float(), 2 * fade + 1, 1, fade)[0, 0] > 0
    picture, where = fill(image, wide).clone(), torch.zeros_like(image[0])
    for i, (then, now) in enumerate(zip(boxes.tolist(), moved.tolist(), strict=True)):
        if i == index:
            patch, alpha = new_colors, new_ink
        else:
            x1, y1, x2, y2 = then
            patch, alpha = image[:, y1:y2, x1:x2], letters[i, y1:y2, x1:x2].to(image)
        _paste(picture, where, patch, alpha, now[:2])
    return EditedWord(picture, where, moved)


def most_frequent_color(
    image: Float[Tensor, "3 height width"], mask: Bool[Tensor, "height width"]
) -> Float[Tensor, "3"]:
    """The commonest of the colours in a mask, in steps of 1/255: what the program colours with.

    It is right for letters of one colour, and wrong for gradients, for which Colornet is.

    Raises ValueError for other shapes and dtypes, or an empty mask.
    """
    check_floating("image", image)
    check_tensor("mask", mask)
    if mask.dtype != torch.bool or image.ndim != 3 or mask.shape != image.shape[1:]:
        raise ValueError(
            f"mask must be bool of the size of image, {tuple(image.shape[1:])}, "
            f"got {mask.dtype} {tuple(mask.shape)}"
        )
    if not mask.any():
        raise ValueError("mask must not be empty, got no pixel")
    colors = (255 * image[:, mask].T.float()).round().long()
    kinds, counts = colors.unique(dim=0, return_counts=True)
    return kinds[counts.argmax()].to(image.dtype) / 255


def _paste(picture: Tensor, where: Tensor, patch: Tensor, alpha: Tensor, corner) -> None:
    """Mixed in place by `alpha`, what lies outside the picture left out."""
    x, y = corner
    height, width = picture.shape[1:]
    x1, y1 = max(x, 0), max(y, 0)
    x2, y2 = min(x + alpha.shape[1], width), min(y + alpha.shape[0], height)
    if x1 >= x2 or y1 >= y2:
        return
    part = (slice(y1 - y, y2 - y), slice(x1 - x, x2 - x))
    there = (slice(y1, y2), slice(x1, x2))
    share = alpha[part]
    picture[:, *there] = torch.lerp(picture[:, *there], patch[:, *part], share)
    where[there] = torch.maximum(where[there], share)


def _bounds(mask: Tensor) -> tuple[int, int, int, int]:
    rows, columns = (mask.any(axis).nonzero()[:, 0] for axis in (1, 0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _check_ink(name: str, ink: Tensor) -> None:
    check_floating(name, ink)
    if ink.ndim != 2 or 0 in ink.shape:
        raise ValueError(f"{name} must have shape (H, W), got {tuple(ink.shape)}")


def _check_index(index: int, count: int) -> None:
    if not 0 <= index < count:
        raise ValueError(f"index must be from 0 to {count - 1}, got {index}")
