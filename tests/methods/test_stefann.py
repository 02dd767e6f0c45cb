"""A word edited: the same letter gives the same picture, gaps stay, what lies outside is cut."""

import pytest
import torch

from cvcourse.methods import edit_word, fit_height, glyph_square, most_frequent_color, shift_boxes


def word():
    """Three letters, blocks with a hole each, of different colours over a gradient."""
    torch.manual_seed(0)
    image = torch.linspace(0, 0.3, 40).expand(3, 20, 40).clone()
    letters = torch.zeros(3, 20, 40, dtype=torch.bool)
    for letter, (x1, x2) in zip(letters, ((5, 11), (14, 22), (25, 30)), strict=True):
        letter[4:16, x1:x2] = True
        letter[8:10, x1 + 2 : x1 + 4] = False
    for letter in letters:
        image[:, letter] = 0.5 + 0.5 * torch.rand(3, int(letter.sum()))
    return image, letters


def keep(image, mask):
    return image


def blank(image, mask):
    return torch.where(mask, 0.0, image)


def cut(letters, index, image):
    rows, columns = letters[index].any(1), letters[index].any(0)
    return letters[index][rows][:, columns].float(), image[:, rows][:, :, columns]


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("anchor", ["centre", "left"])
def test_the_same_letter_gives_the_same_picture(index, anchor):
    image, letters = word()
    ink, colors = cut(letters, index, image)
    edited = edit_word(image, letters, index, ink, colors, keep, anchor=anchor)
    assert torch.equal(edited.image, image)
    assert torch.equal(edited.ink, letters.any(0).float())
    assert edited.boxes.tolist() == [[5, 4, 11, 16], [14, 4, 22, 16], [25, 4, 30, 16]]


def test_old_letters_are_filled_with_a_rim():
    image, letters = word()
    ink, colors = cut(letters, 1, image)
    seen = {}

    def fill(picture, mask):
        seen["mask"] = mask
        return blank(picture, mask)

    edited = edit_word(image, letters, 1, ink, colors, fill, fade=1)
    inside = letters.any(0)
    assert torch.equal(edited.image[:, inside], image[:, inside])
    rim = seen["mask"] & ~inside
    assert rim[3, 4]  # a corner of the 3×3 around the first letter's
    assert not edited.image[:, rim].any()
    assert torch.equal(edited.image[:, ~seen["mask"]], image[:, ~seen["mask"]])


@pytest.mark.parametrize("width", [1, 5, 7, 8, 9, 14, 15])
@pytest.mark.parametrize("anchor", ["centre", "left"])
def test_gaps_stay(width, anchor):
    boxes = torch.tensor([[5, 4, 11, 16], [14, 4, 22, 16], [25, 4, 30, 16]])
    moved = shift_boxes(boxes, 1, width, anchor)
    gaps = (moved[1:, 0] - moved[:-1, 2]).tolist()
    odd = (width - 8) % 2 if anchor == "centre" else 0
    assert gaps == [3, 3 - odd]
    assert moved[1, 2] - moved[1, 0] == width
    assert (moved[0, 2] - moved[0, 0], moved[2, 2] - moved[2, 0]) == (6, 5)
    assert torch.equal(moved[:, 1::2], boxes[:, 1::2])
    if anchor == "left":
        assert torch.equal(moved[0], boxes[0])
    else:
        middle = (moved[1, 0] + moved[1, 2]).item()
        assert middle in (36, 37)


def test_a_wider_letter_pushes_the_others():
    image, letters = word()
    ink, colors = torch.ones(6, 6), torch.ones(3, 6, 6)  # to 12 pixels of height, 12 wide
    edited = edit_word(image, letters, 1, ink, colors, blank)
    assert edited.boxes.tolist() == [[3, 4, 9, 16], [12, 4, 24, 16], [27, 4, 32, 16]]
    assert (edited.image[:, 4:16, 12:24] == 1).all()
    first = edited.image[:, 4:16, 3:9][:, letters[0, 4:16, 5:11]]
    assert torch.equal(first, image[:, 4:16, 5:11][:, letters[0, 4:16, 5:11]])


def test_letters_that_leave_the_picture_are_cut():
    image, letters = word()
    ink, colors = torch.ones(2, 12), torch.ones(3, 2, 12)  # 72 pixels wide
    edited = edit_word(image, letters, 1, ink, colors, blank)
    assert edited.image.shape == image.shape
    assert (edited.image[:, 4:16] == 1).all()
    assert edited.boxes[0, 0] < 0


def test_soft_ink_mixes():
    image, letters = word()
    ink = torch.full((12, 8), 0.25)
    edited = edit_word(image, letters, 1, ink, torch.ones(3, 12, 8), blank)
    torch.testing.assert_close(edited.image[:, 4:16, 14:22], torch.full((3, 12, 8), 0.25))


def test_fit_height_cuts_and_keeps_proportions():
    ink = torch.zeros(10, 12)
    ink[2:7, 3:5] = 1
    values = torch.rand(3, 10, 12)
    assert torch.equal(fit_height(values, ink, 5), values[:, 2:7, 3:5])
    assert fit_height(values, ink, 10).shape == (3, 10, 4)
    assert fit_height(values, ink, 1).shape == (3, 1, 1)


def test_a_square_holds_the_whole_letter_in_its_middle():
    ink = torch.ones(20, 8)
    square = glyph_square(ink, 22)  # a tenth larger than 20: nothing is resized
    assert square.shape == (1, 1, 22, 22)
    expected = torch.zeros(22, 22)
    expected[1:21, 7:15] = 1
    torch.testing.assert_close(square[0, 0], expected)
    assert glyph_square(ink).shape == (1, 1, 64, 64)
    assert glyph_square(ink).mean().item() == pytest.approx(160 / 22**2, abs=0.01)


def test_the_commonest_colour():
    image = torch.zeros(3, 4, 4)
    image[:, :2] = torch.tensor([1.0, 0.2, 0.6])[:, None, None]
    image[:, 2:] = torch.rand(3, 2, 4)
    mask = torch.ones(4, 4, dtype=torch.bool)
    torch.testing.assert_close(most_frequent_color(image, mask), torch.tensor([1.0, 0.2, 0.6]))
    only = torch.zeros(4, 4, dtype=torch.bool)
    only[3, 3] = True
    found = most_frequent_color(image, only)
    torch.testing.assert_close(found, image[:, 3, 3], atol=1 / 255, rtol=0)


IMAGE, LETTERS = word()
INK, BOXES = torch.ones(3, 3), torch.tensor([[0, 0, 2, 2]])


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: glyph_square(INK[None]), r"ink must have shape \(H, W\), got \(1, 3, 3\)"),
        (lambda: glyph_square(INK, 0), "side and padding must be from 1 and from 0, got 0"),
        (lambda: fit_height(INK[None], INK, 0), "height must be at least 1, got 0"),
        (lambda: fit_height(INK[None], 0 * INK, 2), "ink must not be empty"),
        (lambda: fit_height(INK[None, :2], INK, 2), r"values must have shape \(channels, 3, 3\)"),
        (lambda: shift_boxes(BOXES.float(), 0, 2), r"boxes must be int64 \(N, 4\), got torch.fl"),
        (lambda: shift_boxes(BOXES, 1, 2), "index must be from 0 to 0, got 1"),
        (lambda: shift_boxes(BOXES, 0, 0), "width must be at least 1, got 0"),
        (lambda: shift_boxes(BOXES, 0, 2, "right"), "anchor must be one of 'centre', 'left'"),
        (
            lambda: edit_word(IMAGE, LETTERS.float(), 0, INK, INK.expand(3, 3, 3), keep),
            r"letters must be bool \(N, 20, 40\), got torch.float32",
        ),
        (
            lambda: edit_word(IMAGE, LETTERS, 3, INK, INK.expand(3, 3, 3), keep),
            "index must be from 0 to 2, got 3",
        ),
        (
            lambda: edit_word(IMAGE, LETTERS & False, 0, INK, INK.expand(3, 3, 3), keep),
            "letters must each have a pixel",
        ),
        (
            lambda: edit_word(IMAGE, LETTERS, 0, INK, INK.expand(2, 3, 3), keep),
            r"colors must have shape \(3, 3, 3\), got \(2, 3, 3\)",
        ),
        (
            lambda: most_frequent_color(IMAGE, LETTERS[0] & False),
            "mask must not be empty, got no pixel",
        ),
        (lambda: most_frequent_color(IMAGE, LETTERS[0].float()), "mask must be bool of the size"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
