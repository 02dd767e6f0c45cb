"""Letters of many fonts: the same for a seed and index, families apart, changed as told."""

import pytest
import torch

from cvcourse.data.letters import ALPHABET, CAPITAL, FACES, colored_pair, font


def test_a_font_is_a_function_of_seed_and_index():
    first, again = font("train", 3, size=32), font("train", 3, size=32)
    assert torch.equal(first.letters, again.letters)
    assert first[1:] == again[1:]
    assert font("train", 3, size=32, seed=1).slant != first.slant
    assert font("train", 3 + len(FACES["train"]), size=32).slant != first.slant
    assert first.letters.shape == (26, 1, 32, 32)
    assert first.letters.dtype == torch.float32
    assert 0 <= first.letters.min() <= first.letters.max() <= 1


def test_families_are_in_one_split():
    def family(face):
        name = face.split("-")[0]
        return "cm" if name.startswith("cm") else "STIX" if name.startswith("STIX") else name

    families = {split: {family(face) for face in faces} for split, faces in FACES.items()}
    assert not families["train"] & families["test"]
    assert not families["train"] & families["val"]
    assert not families["val"] & families["test"]
    assert families["train"] == {"DejaVuSans", "DejaVuSansMono", "cm"}


@pytest.mark.parametrize("split", FACES)
def test_every_face_has_its_letters_in_the_square(split):
    for index in range(len(FACES[split])):
        plain = font(split, index, size=32, varied=False)
        letters = plain.letters[:, 0]
        assert plain.face == FACES[split][index]
        ink = letters.flatten(1).mean(1)
        assert ink.min() > 0.03, ALPHABET[ink.argmin()]
        # the square's border is paper, but for a tail below or a wide letter
        border = torch.cat([letters[:, 0], letters[:, :, 0], letters[:, :, -1]], 1)
        assert border.mean() < 0.02
        flat = letters.flatten(1)
        distance = torch.cdist(flat, flat) + 100 * torch.eye(26)
        assert distance.min() > 1  # no two letters alike, as where a face lacks them


def test_letters_stand_on_one_line():
    for index in range(len(FACES["test"])):
        letters = font("test", index, size=64, varied=False).letters[:, 0]
        bottoms = [int(x.amax(1).gt(0.5).nonzero().max()) for x in letters]
        tops = [int(x.amax(1).gt(0.5).nonzero().min()) for x in letters]
        flat = [i for i, letter in enumerate(ALPHABET) if letter in "ABDEFHIKLMNPRTXZ"]
        for edges in (bottoms, tops):
            values = [edges[i] for i in flat]
            assert max(values) - min(values) <= 3
        height = bottoms[7] - tops[7] + 1
        assert abs(height - CAPITAL * 64) <= 2


def test_varied_letters_stay_within_the_square():
    for index in range(26):
        letters = font("train", index, size=32).letters[:, 0]
        border = torch.cat([letters[:, 0], letters[:, :, 0], letters[:, :, -1]], 1)
        assert border.mean() < 0.03


def test_variation_does_what_it_says():
    fonts = [font("train", i, size=64) for i in range(0, 12 * 24, 12)]  # one face
    assert len({made.face for made in fonts}) == 1
    ink = torch.stack([made.letters.mean() for made in fonts])
    weight = torch.tensor([float(made.weight) for made in fonts])
    assert torch.corrcoef(torch.stack([ink, weight]))[0, 1] > 0.8
    leaning = []
    for made in fonts:
        stem = made.letters[ALPHABET.index("I"), 0]
        rows = stem.sum(1) > 0
        place = torch.arange(64.0)
        middle = (stem[rows] * place).sum(1) / stem[rows].sum(1)
        up = -torch.arange(64.0)[rows]
        leaning.append(torch.cov(torch.stack([up, middle]))[0, 1] / up.var())
    slant = torch.tensor([made.slant for made in fonts])
    assert (torch.stack(leaning) - slant).abs().max() < 0.05


def test_a_pair_is_filled_alike():
    plain, gradients = 0, 0
    for index in range(30):
        source, mask, target = colored_pair("train", index, size=32)
        assert source.shape == target.shape == (3, 32, 32)
        assert mask.shape == (1, 32, 32)
        assert not target[:, mask[0] == 0].any()
        full = mask[0] > 0.99
        if not full.any():  # strokes thinner than a pixel
            continue
        colors = target[:, full] / mask[0][full]
        kinds = colors.std(1, correction=0).max().item()
        plain, gradients = plain + (kinds < 1e-5), gradients + (kinds > 1e-3)
        ink = source.amax(0) > 0.01
        inside = ink & full  # where both are inked the colour is the same
        both = source[:, inside] / source[:, inside].amax(0)
        assert torch.allclose(both, target[:, inside] / target[:, inside].amax(0), atol=1e-3)
    assert plain > 4
    assert gradients > 8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: font("all", 0), "split must be one of .* got 'all'"),
        (lambda: font("train", -1), "index must be from 0, got -1"),
        (lambda: font("train", 0, size=4), "size must be at least 8 pixels, got 4"),
        (lambda: colored_pair("all", 0), "split must be one of"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
