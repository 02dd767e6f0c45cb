"""Glyphs and words: measured lengths and slants are those of bars that were drawn."""

import pytest
import torch

from cvcourse.classroom.subjects import lettering
from cvcourse.data.letters import ALPHABET


def bar(width, length=24, size=32):
    glyph = torch.zeros(1, size, size)
    glyph[0, 4 : 4 + length, 10 : 10 + width] = 1
    return glyph


@pytest.mark.parametrize("width", [2, 4, 6])
def test_a_long_bar_has_its_width(width):
    exact = width * 24 / (width + 24)  # the ends are edges, too
    found = lettering.stroke_widths(bar(width)).item()
    assert found == pytest.approx(exact, rel=0.03)


def test_a_blur_does_not_widen_strokes():
    glyph = bar(6)
    blurred = torch.nn.functional.avg_pool2d(glyph, 3, 1, 1)
    sharp, soft = lettering.stroke_widths(glyph), lettering.stroke_widths(blurred)
    assert soft.item() == pytest.approx(sharp.item(), rel=0.1)


def test_no_ink_has_no_width():
    assert lettering.stroke_widths(torch.zeros(2, 8, 8)).tolist() == [0, 0]


@pytest.mark.parametrize("lean", [-0.3, 0.0, 0.25])
def test_slants_are_found(lean):
    rows = torch.tensor([[[1.0, lean, 0.0], [0.0, 1.0, 0.0]]])
    upright = bar(4)[:, None]
    grid = torch.nn.functional.affine_grid(rows, [1, 1, 32, 32], align_corners=False)
    leaning = torch.nn.functional.grid_sample(upright, grid, align_corners=False)[:, 0]
    assert lettering.slants(leaning).item() == pytest.approx(lean, abs=0.026)


def test_slants_of_fonts_are_those_drawn():
    made = lettering.fonts("train", 13, size=32)  # the first and the last are one face
    stem = ALPHABET.index("I")
    found = lettering.slants(made.glyphs[[0, 12], stem, 0])
    assert (found - made.slants[[0, 12]]).abs().max() < 0.05
    assert made.faces[0] == made.faces[12]
    last = lettering.fonts("train", 1, first=12, size=32)
    assert torch.equal(last.glyphs[0], made.glyphs[12])
    assert made.glyphs.shape == (13, 26, 1, 32, 32)


def test_fills():
    g = torch.Generator().manual_seed(0)
    solid, gradient, halves = (lettering.fills(kind, 5, 16, g) for kind in lettering.FILLS)
    assert solid.std((2, 3)).max() < 1e-6
    for fill in (gradient, halves):
        assert fill.shape == (5, 3, 16, 16)
        assert 0.15 <= fill.min() <= fill.max() <= 1
        assert fill.std((2, 3)).amax(1).min() > 0.01
    bends = gradient.diff(dim=3).diff(dim=3).abs().max()
    assert bends < 1e-5  # a plane
    assert [len(x.flatten(1).unique(dim=1).T) for x in halves] == [2] * 5
    with pytest.raises(ValueError, match="kind must be one of solid, gradient, halves"):
        lettering.fills("stripes", 1, 8, g)


def test_swaps_are_of_one_font():
    glyphs = torch.arange(3 * 26.0).view(3, 26, 1, 1, 1)
    batches = list(lettering.Swaps(glyphs, 4, seed=1, size=50))
    assert len(batches) == 4
    for glyph, letter, wanted in batches:
        assert torch.equal(glyph // 26, wanted // 26)
        assert torch.equal(wanted.flatten() % 26, letter.float())
    again = next(iter(lettering.Swaps(glyphs, 4, seed=1, size=50)))
    assert torch.equal(again[0], batches[0][0])


def test_colours_outside_letters_are_0():
    made = lettering.fonts("val", 4, size=32).glyphs
    pairs = lettering.colored(made, "gradient", 20, seed=1)
    assert not (pairs.source * ~pairs.ink).any()
    assert not (pairs.target * ~pairs.mask).any()
    both = (pairs.ink & pairs.mask).expand(-1, 3, -1, -1)
    off = (pairs.source - pairs.target)[both]
    assert off.abs().max() < 6 * lettering.NOISE
    assert off.std().item() == pytest.approx(lettering.NOISE, rel=0.1)


def test_batches_of_colours_are_fresh():
    glyphs = lettering.fonts("val", 4, size=16).glyphs
    batches = list(lettering.ColoredBatches(glyphs, 3, seed=1, size=6))
    assert [len(x) for x in batches[0]] == [6, 6, 6]
    assert not torch.equal(batches[0][2], batches[1][2])
    again = next(iter(lettering.ColoredBatches(glyphs, 3, seed=1, size=6)))
    assert torch.equal(again[0], batches[0][0])
    other = next(iter(lettering.ColoredBatches(glyphs, 3, seed=2, size=6)))
    assert not torch.equal(other[0], batches[0][0])


def test_words_begin_alike_and_have_their_height():
    first, other = (lettering.word(text, "DejaVuSerif") for text in ("HAND", "HIND"))
    assert torch.equal(first[0], other[0])
    assert first.shape == (4, 56, 192)
    rows = (first[0] > 0.5).any(1).nonzero()
    assert abs(rows.max() - rows.min() + 1 - 24) <= 1
    starts = [int((x > 0.5).any(0).nonzero().min()) for x in first]
    assert starts == sorted(starts)
    wide = lettering.word("HAND", "DejaVuSerif", tracking=4)
    last = int((wide[3] > 0.5).any(0).nonzero().min())
    assert last - starts[3] in (12, 11, 13)


def test_letters_that_touch_are_not_found():
    letters = lettering.word("HILL", "DejaVuSans", tracking=3)
    mask = letters.amax(0) > 0.5
    assert len(lettering.pieces(mask)) == 4
    assert lettering.share_found(mask, letters) == 1
    assert lettering.share_found(mask & False, letters) == 0
    bridged = mask.clone()
    bridged[27, :] = True  # a line through all
    assert lettering.share_found(bridged, letters) == 0


def test_errors_of_glyphs():
    glyphs = lettering.fonts("val", 2, size=32).glyphs
    letters = torch.arange(26)
    same = lettering.glyph_errors(glyphs[0], glyphs[0], letters)
    assert same["SSIM"].min() > 0.9999
    assert same["stroke"].max() == same["slant"].max() == 0
    other = lettering.glyph_errors(glyphs[1], glyphs[0], letters)
    assert other["SSIM"].shape == other["stroke"].shape == (26,)
    assert other["slant"].shape == (len(lettering.UPRIGHT),)
    assert other["stroke"].mean() > 0.1


def test_word_edits_differ_where_they_say():
    edits = list(lettering.word_edits(6, seed=1))
    for edit in edits:
        assert edit.given.shape == edit.wanted.shape == (3, 56, 192)
        assert torch.equal(edit.masks, edit.now > 0.5)
        assert edit.old != edit.new
        assert torch.equal(edit.now[: edit.index], edit.then[: edit.index])
        assert not torch.equal(edit.now[edit.index], edit.then[edit.index])
        neither = (edit.now.amax(0) == 0) & (edit.then.amax(0) == 0)
        assert torch.equal(edit.given[:, neither], edit.wanted[:, neither])
    again = next(iter(lettering.word_edits(1, seed=1)))
    assert torch.equal(again.given, edits[0].given)


def test_filling_leaves_the_rest_and_continues_a_ramp():
    ramp = torch.linspace(0, 1, 30).expand(3, 20, 30).clone()
    mask = torch.zeros(20, 30, dtype=torch.bool)
    mask[8:11, 12:16] = True
    filled = lettering.fill_in(ramp.where(~mask, 0.0), mask)
    assert (filled - ramp).abs().max() < 0.02
    assert int(lettering.widened(mask).sum()) == 7 * 8


def test_more_contrast_finds_more():
    def halfway(grey):
        return 0.5 * (grey.min() + grey.max())

    weak, strong = (
        lettering.letters_found(halfway, contrast, tracking=3, count=4) for contrast in (0.02, 0.5)
    )
    assert weak.shape == (4,)
    assert strong.mean() > weak.mean() + 0.3


def test_commonest_colour_and_nearest_pixel_by_hand():
    source = torch.zeros(1, 3, 1, 5)
    source[0, :, 0, 0], source[0, 0, 0, 3:] = 51 / 255, 1.0  # one grey pixel, two red ones
    ink = torch.tensor([1, 0, 0, 1, 1]).bool().view(1, 1, 1, 5)
    assert lettering.by_commonest(source, ink)[0, :, 0].T.tolist() == [[1, 0, 0]] * 5
    near = lettering.by_nearest_pixel(source, ink)[0, :, 0]
    assert torch.equal(near[:, :2], source[0, :, 0, [0, 0]])
    assert torch.equal(near[:, 2:], source[0, :, 0, [3, 3, 4]])


def test_errors_of_colours_are_counted_within_the_target_only():
    mask = torch.tensor([1, 1, 0, 0]).bool().view(1, 1, 1, 4)
    target = torch.full((1, 3, 1, 4), 0.5) * mask
    pairs = lettering.Colored(target, mask, mask, target)
    found = lettering.colour_errors(lambda source, ink, mask: torch.full_like(source, 0.6), pairs)
    torch.testing.assert_close(found, torch.tensor([25.5]))


def test_a_letter_exchanged_for_itself_comes_back_and_only_its_rim_differs():
    case = next(lettering.word_edits(1, 0))
    alone, made = lettering.left_alone(case)
    ink = case.masks.any(0)
    wide = lettering.widened(ink)
    assert torch.equal(made[:, ink], case.given[:, ink])
    assert torch.equal(made[:, ~wide], case.given[:, ~wide])
    assert (made - case.given)[:, wide & ~ink].abs().max() > 0
    assert torch.equal(alone.wanted, case.given)
    assert alone.new == case.old
    assert lettering.two_errors(alone, case.given).tolist() == [0, 0]


def test_two_errors_are_told_apart_by_place():
    case = next(lettering.word_edits(1, 0))
    own = case.now[case.index].maximum(case.then[case.index]) > 0.5
    at_letter, elsewhere = lettering.two_errors(case, case.wanted + 0.1 * own)
    assert at_letter > 5
    assert elsewhere == 0
    assert (lettering.two_errors(case, case.wanted + 0.1) - 25.5).abs().max() < 1e-3


def test_quick_pasting_changes_one_letter_only():
    case = next(lettering.word_edits(1, 0))
    quick = lettering.paste_quickly(case.given, case.masks, case.index, "T")
    changed = (quick != case.given).any(0)
    x = changed.any(0).nonzero()
    mine = lettering.widened(case.masks[case.index]).any(0).nonzero()
    assert mine.min() <= x.min() <= x.max() <= mine.max()
