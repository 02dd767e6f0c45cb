"""Glyphs and words of which the right edit is known: drawn again with the other letter."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cvcourse.classroom.device import fewer
from cvcourse.data import pictures
from cvcourse.data._extras import extra
from cvcourse.data.letters import ALPHABET, FACES, font
from cvcourse.methods import edit_word, fit_height, most_frequent_color
from cvcourse.metrics import ssim
from cvcourse.ops import masks_to_boxes

with extra("lessons", "cvcourse.classroom.subjects.lettering"):
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont
    from scipy import ndimage
    from skimage.restoration import inpaint_biharmonic

FILLS = ("solid", "gradient", "halves")
UPRIGHT = "BDEFHIKLNPRTU"  # capitals whose stems stand upright in an upright font
TEXTS = (
    "HAND", "TRAIN", "MILK", "COFFEE", "NORTH", "BRIDGE", "WATER", "LIGHT", "PAPER", "SUMMIT",
)  # fmt: skip
GROUNDS = ("coffee", "chelsea", "astronaut", "brick")
SHEET = (56, 192)  # pixels of a word's picture
CAPITAL = 24  # pixels of a word's H, in the middle of the sheet's height
SHEARS = torch.arange(-20, 21) / 40
NOISE = 0.02  # of a camera, brightness 1 is white


class Fonts(NamedTuple):
    """Glyphs (N, 26, 1, size, size) in [0, 1], ink 1; names of faces; slants and weights (N,)."""

    glyphs: Tensor
    faces: list[str]
    slants: Tensor
    weights: Tensor


def fonts(split: str, count: int, *, first: int = 0, size: int = 32) -> Fonts:
    """Fonts `first` and so on of a split of `cvcourse.data.letters`, with families of its own.

    In a rehearsal of lines 24 at most.
    """
    count = fewer(count, 24)
    made = [font(split, index, size=size) for index in range(first, first + count)]
    numbers = [torch.tensor([float(getattr(x, key)) for x in made]) for key in ("slant", "weight")]
    return Fonts(torch.stack([x.letters for x in made]), [x.face for x in made], *numbers)


def stroke_widths(glyphs: Tensor) -> Tensor:
    """Twice the ink (N,) over the length of its edge, in pixels, of glyphs (N, S, S) in [0, 1].

    The edge's length is the sum of gradients, which a blur does not change. A long bar has its
    width; a disk its radius.
    """
    g = F.pad(glyphs, (1, 1, 1, 1))
    across, down = g[:, 1:, 1:] - g[:, 1:, :-1], g[:, 1:, 1:] - g[:, :-1, 1:]
    return 2 * g.sum((1, 2)) / torch.hypot(across, down).sum((1, 2)).clamp(min=1e-3)


def slants(glyphs: Tensor) -> Tensor:
    """How far glyphs (N, S, S) lean, pixels to the right for each pixel up, from -0.5 to 0.5.

    It is the shear after whose undoing the columns are fullest and emptiest: the sum of their
    squared sums is largest. It means something for letters with a stem (`UPRIGHT`).
    """
    scores = []
    for shear in SHEARS.tolist():
        rows = torch.tensor([[1.0, -shear, 0.0], [0.0, 1.0, 0.0]]).expand(len(glyphs), 2, 3)
        grid = F.affine_grid(rows, [len(glyphs), 1, *glyphs.shape[1:]], align_corners=False)
        upright = F.grid_sample(glyphs[:, None], grid, align_corners=False)[:, 0]
        scores.append(upright.sum(1).square().sum(1))
    return SHEARS[torch.stack(scores).argmax(0)]


def glyph_errors(made: Tensor, true: Tensor, letters: Tensor) -> dict[str, Tensor]:
    """SSIM (N,) of glyphs (N, 1, S, S), errors of stroke width (N,) and of slant (M,).

    letters: (N,) in the alphabet; slants are those of the M with a stem.
    """
    stems = torch.isin(letters, torch.tensor([ALPHABET.index(x) for x in UPRIGHT]))
    widths, lean = (
        [measure(x[:, 0]) for x in pair]
        for measure, pair in ((stroke_widths, (made, true)), (slants, (made[stems], true[stems])))
    )
    return {
        "SSIM": ssim(made, true, reduction="none"),
        "stroke": (widths[0] - widths[1]).abs(),
        "slant": (lean[0] - lean[1]).abs(),
    }


def fills(kind: str, count: int, size: int, generator: torch.Generator) -> Tensor:
    """Colours (count, 3, size, size) in [0.15, 1]: one, a gradient between two, or two halves.

    A gradient runs at any angle; two halves meet in a sharp edge near the middle, at any angle.

    Raises ValueError for another kind.
    """
    if kind not in FILLS:
        raise ValueError(f"kind must be one of {', '.join(FILLS)}, got {kind!r}")
    ends = 0.15 + 0.85 * torch.rand(2, count, 3, 1, 1, generator=generator)
    angle = 2 * torch.pi * torch.rand(count, 1, 1, 1, generator=generator)
    place = (torch.arange(size) + 0.5) * 2 / size - 1
    along = angle.cos() * place + angle.sin() * place[:, None]
    share = {
        "solid": torch.zeros_like(along),
        "gradient": (along / 2**0.5 + 1) / 2,
        "halves": (along > 0).float(),
    }[kind]
    return ends[0] + share * (ends[1] - ends[0])


class Swaps:
    """`steps` batches: glyphs (B, 1, S, S), letters (B,) asked for, and these letters' glyphs.

    Both are of one font, at random from glyphs (N, 26, 1, S, S), and may be the same letter.
    """

    def __init__(self, glyphs: Tensor, steps: int, *, seed: int, size: int = 64) -> None:
        self.glyphs, self.steps, self.seed, self.size = glyphs, steps, seed, size

    def __len__(self) -> int:
        return self.steps

    def __iter__(self):
        g = torch.Generator().manual_seed(self.seed)
        for _ in range(self.steps):
            which = torch.randint(len(self.glyphs), (self.size,), generator=g)
            first, second = torch.randint(26, (2, self.size), generator=g)
            yield self.glyphs[which, first], second, self.glyphs[which, second]


class Colored(NamedTuple):
    """Letters in colours and other letters of the same fonts in the same colours.

    source: (N, 3, S, S), with a camera's noise, 0 outside of `ink`; ink, mask: (N, 1, S, S) bool of
    the source and of the target, which is a pixel wider than its ink; target: (N, 3, S, S).
    """

    source: Tensor
    ink: Tensor
    mask: Tensor
    target: Tensor


def colored(glyphs: Tensor, kind: str, count: int, *, seed: int = 0) -> Colored:
    """Pairs of two letters of a font each, drawn at random from glyphs (N, 26, 1, S, S)."""
    g = torch.Generator().manual_seed(seed)
    which = torch.randint(len(glyphs), (count,), generator=g)
    first = torch.randint(26, (count,), generator=g)
    second = (first + torch.randint(1, 26, (count,), generator=g)) % 26
    fill = fills(kind, count, glyphs.shape[-1], g)
    noisy = (fill + NOISE * torch.randn(fill.shape, generator=g)).clamp(0, 1)
    ink = glyphs[which, first] > 0.5
    mask = F.max_pool2d(glyphs[which, second], 3, 1, 1) > 0.5
    return Colored(noisy * ink, ink, mask, fill * mask)


class ColoredBatches:
    """`steps` batches (source, mask, target) of `colored`: half solid colours, half gradients."""

    def __init__(self, glyphs: Tensor, steps: int, *, seed: int, size: int = 16) -> None:
        self.glyphs, self.steps, self.seed, self.size = glyphs, steps, seed, size

    def __len__(self) -> int:
        return self.steps

    def __iter__(self):
        for step in range(self.steps):
            seed = 2 * (self.seed * self.steps + step)
            halves = [
                colored(self.glyphs, kind, self.size // 2, seed=seed + i)
                for i, kind in enumerate(FILLS[:2])
            ]
            pairs = Colored(*(torch.cat(field) for field in zip(*halves, strict=True)))
            yield pairs.source, pairs.mask.float(), pairs.target


def word(text: str, face: str, *, tracking: int = 0) -> Tensor:
    """Coverage (letters, 56, 192) in [0, 1] of each letter of a word set in a face.

    Letters stand where the face puts them, `tracking` pixels farther apart each; the pen begins 20
    pixels from the left whatever the word.
    """
    file = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf")
    top, bottom = ImageFont.truetype(file, 128).getbbox("H", anchor="ls")[1::2]
    set_in = ImageFont.truetype(file, round(128 * CAPITAL / (bottom - top)))
    drawn = []
    for i, letter in enumerate(text):
        pen = set_in.getlength(text[: i + 1]) - set_in.getlength(letter) + tracking * i
        sheet = Image.new("L", SHEET[::-1])
        place = (20 + round(pen), (SHEET[0] + CAPITAL) / 2)
        ImageDraw.Draw(sheet).text(place, letter, fill=255, font=set_in, anchor="ls")
        drawn.append(torch.from_numpy(np.asarray(sheet, dtype=np.float32) / 255))
    return torch.stack(drawn)


def painted(ground: Tensor, letters: Tensor, colors: Tensor) -> Tensor:
    """A picture (3, 56, 192) with a word on it, in colours (2, 3) from its top to its foot.

    letters: (N, 56, 192), as of `word`.
    """
    above = (SHEET[0] - CAPITAL) // 2
    share = ((torch.arange(SHEET[0]) - above) / CAPITAL).clamp(0, 1)[:, None]
    fill = colors[0, :, None, None] + share * (colors[1] - colors[0])[:, None, None]
    return torch.lerp(ground, fill.expand_as(ground), letters.amax(0))


def ground(number: int) -> Tensor:
    """A piece (3, 56, 192) of one of four photographs, in turn."""
    picture = pictures.load(GROUNDS[number % len(GROUNDS)])
    return picture[:, 20:76, 60:252].expand(3, -1, -1)


def widened(mask: Tensor, by: int = 2) -> Tensor:
    """A mask (H, W) and what is `by` pixels around it."""
    return F.max_pool2d(mask[None].float(), 2 * by + 1, 1, by)[0] > 0


def fill_in(picture: Tensor, mask: Tensor) -> Tensor:
    """A picture (3, H, W) without what is in the mask (H, W): scikit-image's biharmonic filling."""
    whole = inpaint_biharmonic(picture.permute(1, 2, 0).numpy(), mask.numpy(), channel_axis=-1)
    return torch.from_numpy(whole).permute(2, 0, 1).float().clamp(0, 1)


def paste_quickly(picture: Tensor, masks: Tensor, index: int, letter: str) -> Tensor:
    """A picture (3, H, W) with a letter of DejaVu Sans in place of that of mask `index` (N, H, W).

    It is stretched to the old one's box, in its commonest colour: what one does without a font.
    """
    x1, y1, x2, y2 = masks_to_boxes(masks, inclusive=False).long()[index].tolist()
    mine = word(letter, "DejaVuSans")[0]
    ink = fit_height(mine[None], mine, y2 - y1)[None]
    ink = F.interpolate(ink, (y2 - y1, x2 - x1), mode="bilinear")[0]
    colour = most_frequent_color(picture, masks[index])[:, None, None]
    made = fill_in(picture, widened(masks[index]))
    place = made[:, y1:y2, x1:x2]
    place.copy_(torch.lerp(place, colour.expand_as(place), ink))
    return made


def by_commonest(source: Tensor, ink: Tensor, mask: Tensor | None = None) -> Tensor:
    """The commonest colour (N, 3, S, S) of each source's ink, everywhere; as in `Colored`."""
    found = [most_frequent_color(s, i[0]) for s, i in zip(source, ink, strict=True)]
    return torch.stack(found)[:, :, None, None].expand_as(source)


def by_nearest_pixel(source: Tensor, ink: Tensor, mask: Tensor | None = None) -> Tensor:
    """For each place the colour (N, 3, S, S) of the nearest pixel that has ink in the source."""
    made = []
    for s, i in zip(source, ink, strict=True):
        _, index = ndimage.distance_transform_edt(~i[0].numpy(), return_indices=True)
        made.append(s[:, *torch.from_numpy(index).long()])
    return torch.stack(made)


def colour_errors(way: Callable[[Tensor, Tensor, Tensor], Tensor], pairs: Colored) -> Tensor:
    """How far colours are off (N,) within each target, in steps of 255, on average.

    way: from source, ink and mask to colours, as `by_commonest`.
    """
    with torch.no_grad():
        wrong = (way(*pairs[:3]) - pairs.target).abs() * pairs.mask
    return 255 * wrong.sum((1, 2, 3)) / (3 * pairs.mask.sum((1, 2, 3)))


class WordEdit(NamedTuple):
    """A word, one letter of which is to become another, and the answer.

    given, wanted: (3, 56, 192). masks: (letters, 56, 192) bool, of the word given. now, then:
    coverage (letters, 56, 192) of both words. index: the letter that changes, from old to new.
    """

    given: Tensor
    wanted: Tensor
    masks: Tensor
    now: Tensor
    then: Tensor
    index: int
    old: str
    new: str


def word_edits(count: int, seed: int) -> Iterator[WordEdit]:
    """Real words on four photographs, in the faces of the split "test", one letter exchanged."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        text = TEXTS[rng.integers(len(TEXTS))]
        index = int(rng.integers(len(text)))
        new = str(rng.choice([letter for letter in ALPHABET if letter != text[index]]))
        face = FACES["test"][number % len(FACES["test"])]
        colors = torch.from_numpy(rng.uniform(0.2, 1, (2, 3))).float()
        now, then = (word(x, face) for x in (text, text[:index] + new + text[index + 1 :]))
        given, wanted = (painted(ground(number), x, colors) for x in (now, then))
        yield WordEdit(given, wanted, now > 0.5, now, then, index, text[index], new)


def two_errors(case: WordEdit, made: Tensor) -> Tensor:
    """How far a picture (3, 56, 192) is off, of 255: (2,) at the new letter, and at all else.

    The first is where the old letter or the wanted one is, and a pixel around; the second is where
    any other letter is, now or then, and two pixels around.
    """
    own = case.now[case.index].maximum(case.then[case.index])
    all_ink = widened(case.now.amax(0).maximum(case.then.amax(0)) > 0.5)
    own = widened(own > 0.5, 1)
    wrong = 255 * (made - case.wanted).abs().mean(0)
    return torch.stack([wrong[own].mean(), wrong[all_ink & ~own].mean()])


def left_alone(case: WordEdit) -> tuple[WordEdit, Tensor]:
    """The edit of a letter into itself, of which the answer is the picture given, and `edit_word`'s
    picture (3, 56, 192) of it: what differs is the filled rim, as nothing moves."""
    x1, y1, x2, y2 = masks_to_boxes(case.masks, inclusive=False).long()[case.index].tolist()
    own = case.masks[case.index, y1:y2, x1:x2].float(), case.given[:, y1:y2, x1:x2]
    made = edit_word(case.given, case.masks, case.index, *own, fill_in, anchor="left").image
    return case._replace(wanted=case.given, then=case.now, new=case.old), made


def letters_found(
    finder: Callable[[np.ndarray], np.ndarray | float],
    contrast: float,
    *,
    tracking: int = 0,
    count: int = 20,
) -> Tensor:
    """The share (count,) of each word's letters that a threshold finds; see `share_found`.

    finder: from a grey picture to a threshold, or one for each pixel; letters are brighter by
    `contrast` than their photograph, of which the brightness is halved.
    """
    shares = []
    for number in range(count):
        face = FACES["test"][number % len(FACES["test"])]
        letters = word(TEXTS[number % len(TEXTS)], face, tracking=tracking)
        dark = 0.5 * ground(number).mean(0)
        grey = torch.lerp(dark, (dark.mean() + contrast).expand(SHEET), letters.amax(0))
        mask = grey > torch.as_tensor(finder(grey.numpy()))
        shares.append(share_found(mask, letters))
    return torch.tensor(shares)


def pieces(mask: Tensor, least: int = 12) -> Tensor:
    """Connected pieces (N, H, W) of a mask (H, W), of `least` pixels, left to right."""
    numbered, count = ndimage.label(mask.numpy())
    found = torch.from_numpy(numbered == np.arange(1, count + 1)[:, None, None])
    found = found[found.sum((1, 2)) >= least]
    return found[found.any(1).int().argmax(1).argsort()]


def share_found(mask: Tensor, letters: Tensor, least: float = 0.6) -> float:
    """The share of letters (N, H, W), coverage, that a piece of the mask has to itself.

    That is: their intersection over union is above `least`, so that neither two letters in a piece
    nor a letter in two pieces count.
    """
    found, true = pieces(mask), letters > 0.5
    if not len(found):
        return 0.0
    both = (found[:, None] & true).sum((2, 3))
    iou = both / (found[:, None] | true).sum((2, 3))
    return (iou.amax(0) > least).float().mean().item()
