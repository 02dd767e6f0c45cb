import numpy as np
import pytest
import torch
from skimage.color import rgb2lab
from torch import nn

from cvcourse.classroom.subjects import missing
from cvcourse.classroom.subjects.thumbnails import Thumbnails
from cvcourse.data import digits


def test_lab_is_scikit_images_and_there_is_a_way_back():
    rgb = torch.rand(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    lab = missing.to_lab(rgb)
    wanted = rgb2lab(rgb[1].permute(1, 2, 0).double().numpy())
    np.testing.assert_allclose(lab[1].permute(1, 2, 0).numpy(), wanted, atol=1e-3)
    torch.testing.assert_close(missing.to_rgb(lab), rgb, atol=1e-4, rtol=0)
    torch.testing.assert_close(missing.to_lab(rgb[0]), lab[0])


def test_fillings_are_near_and_sharp():
    truth = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.5
    assert missing.fill_scores(truth / 2, truth, 2)["sharpness"] == pytest.approx(0.5)
    spoilt = truth + 0.2
    spoilt[..., 0] = 9  # the border is not asked
    scores = missing.fill_scores(spoilt, truth, 1)
    assert scores["dB"] == pytest.approx(20, abs=1e-3)
    assert missing.fill_scores(spoilt, truth, 0)["dB"] < 5


def test_thumbnails_in_lab_and_in_grey():
    generator = torch.Generator().manual_seed(0)
    parts = [torch.rand(n, 3, 8, 8, generator=generator) for n in (3, 2, 2, 2)]
    kinds = torch.arange(2)
    photos = Thumbnails(parts[0], *((x, kinds) for x in parts[1:]))
    lab = missing.lab_thumbnails(photos, 4)
    block = parts[2][1, :, 2:4, 6:8].mean((1, 2)).view(3, 1, 1)
    torch.testing.assert_close(lab.val[0][1, :, 1:2, 3:4], missing.to_lab(block))
    assert lab.unnamed.shape == (3, 3, 4, 4)
    assert lab.test[1] is kinds
    seen, tuned, held = missing.grey_thumbnails(photos, 4)
    assert (len(seen), len(tuned), len(held)) == (3, 2, 2)
    torch.testing.assert_close(tuned[1, :, 1, 3], (2 * block.mean() - 1).expand(3))


def test_many_pictures_by_surroundings_are_coloured_each_by_itself():
    generator = torch.Generator().manual_seed(0)
    many = torch.rand(20, 3, 8, 8, generator=generator)
    whole = missing.by_surroundings(many[:, :1], many[:2])
    last = missing.by_surroundings(many[17:18, :1], many[:2])
    torch.testing.assert_close(whole[17:18], last)


def test_what_no_screen_shows_is_clipped_in_silence(recwarn):
    lab = torch.tensor([50.0, 110, -110]).view(3, 1, 1)
    rgb = missing.to_rgb(lab)
    assert ((rgb >= 0) & (rgb <= 1)).all()
    assert not recwarn.list


def test_bins_are_cells_that_colours_reach():
    bins = missing.colour_bins(20)
    assert len(bins) == len(bins.unique(dim=0)) == 75
    torch.testing.assert_close(bins, (bins / 20).round() * 20)
    some = torch.rand(3, 1, 500, generator=torch.Generator().manual_seed(0))
    ab = missing.to_lab(some)[1:].flatten(1).T
    reached = (ab / 20).round() * 20
    assert (torch.cdist(reached, bins).min(1).values < 1e-3).all()


def test_ink_has_one_hue_and_the_ground_none():
    ink = torch.zeros(200, 1, 8, 8)
    ink[..., 2:5, 3] = 1
    lab = missing.hued(ink, torch.Generator().manual_seed(0))
    stroke, ground = lab[..., 3, 3], lab[..., 0, 0]
    torch.testing.assert_close(lab[..., 4, 3], stroke)
    assert (ground[:, 1:] == 0).all()
    assert (ground[:, 0] <= 40).all()
    assert (stroke[:, 0] >= 60).all()
    torch.testing.assert_close(stroke[:, 1:].norm(dim=1), torch.full((200,), 45.0))
    angles = torch.atan2(stroke[:, 2], stroke[:, 1])
    assert angles.histc(4, -torch.pi, torch.pi).min() > 30  # of 200: all around


def test_a_loader_gives_the_same_digits_twice_and_each_hued_anew():
    loader = missing.HuedDigits(3, batch=16, seed=4)
    assert len(loader) == 3
    first, again = list(loader), list(loader)
    for (a, labels), (b, same) in zip(first, again, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(labels, same)
    assert first[0][0].shape == (16, 3, 16, 16)
    assert set(torch.cat([y for _, y in first]).tolist()) <= set(digits.load("train")[1].tolist())
    assert not torch.equal(first[0][0], first[1][0])


def test_no_face_is_in_two_splits():
    train, val, test = missing.split_faces(32, seed=1)
    assert train.shape == (70 * 25 * 2, 3, 32, 32)
    assert (len(val), len(test)) == (10, 20)
    assert train.min() >= -1
    assert train.max() <= 1
    torch.testing.assert_close(train[1750:], train[:1750].flip(3))
    middle = train[12 * 70 : 13 * 70]  # of the 25 places the middle one
    every = torch.cat([middle, val, test]).flatten(1)
    assert len(every.unique(dim=0)) == 100
    assert torch.cdist(every, every).fill_diagonal_(1).min() > 0
    other = missing.split_faces(32, seed=2)[2]
    assert not torch.equal(test, other)


def test_brightness_gives_the_mean_colour_of_its_level():
    known = torch.zeros(1, 3, 2, 4)
    known[0, 0] = torch.tensor([[12.0, 13, 51, 99], [14, 11, 53, 100]])
    known[0, 1] = torch.tensor([[1.0, 3, 7, -2], [2, 6, 9, -4]])
    ab = missing.by_brightness(torch.tensor([[[[10.5, 54, 97, 30]]]]), known)
    torch.testing.assert_close(ab[0, 0, 0], torch.tensor([3.0, 8, -3, 0]))
    assert ab.shape == (1, 2, 1, 4)


def test_surroundings_find_their_own_colour():
    generator = torch.Generator().manual_seed(0)
    known = torch.rand(2, 3, 24, 24, generator=generator) * 100
    known[:, 1:] = torch.tensor([[20.0, -5], [-30, 40]])[:, :, None, None]
    ab = missing.by_surroundings(known[:, :1], known, neighbours=1)
    assert ab.shape == (2, 2, 24, 24)
    torch.testing.assert_close(ab[0, :, 12, 12], torch.tensor([20.0, -5]), atol=30, rtol=0)
    same = missing.by_surroundings(known[1:, :1], known[1:], neighbours=3)
    torch.testing.assert_close(same, known[1:, 1:])


def hole(side=12):
    hidden = torch.zeros(side, side, dtype=torch.bool)
    hidden[4:8, 4:8] = True
    return hidden


def test_a_plane_is_smooth_already():
    plane = (torch.arange(12.0)[:, None] + 2 * torch.arange(12.0)).expand(2, 3, 12, 12)
    filled = missing.smooth_filling(torch.where(hole(), torch.zeros(()), plane), hole())
    torch.testing.assert_close(filled, plane.contiguous(), atol=1e-3, rtol=1e-4)


def test_the_most_alike_gives_its_middle():
    known = torch.rand(6, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    asked = torch.where(hole(), torch.zeros(()), known[[4, 1]]) + 0.01
    filled = missing.nearest_filling(asked, known, hole())
    torch.testing.assert_close(filled[..., hole()], known[[4, 1]][..., hole()])
    torch.testing.assert_close(filled[..., ~hole()], asked[..., ~hole()])


def test_what_is_linear_is_found():
    generator = torch.Generator().manual_seed(0)
    grey = torch.rand(400, 1, 12, 12, generator=generator)
    grey[..., hole()] = grey[..., :1, :1].flatten(2) - 0.5 * grey[..., 11:, 11:].flatten(2)
    pictures = grey.expand(-1, 3, -1, -1)
    asked = torch.where(hole(), torch.zeros(()), pictures[300:])
    filled = missing.linear_filling(asked, pictures[:300], hole(), strength=1e-3)
    torch.testing.assert_close(filled, pictures[300:].contiguous(), atol=0.01, rtol=0)


def test_as_little_noise_as_it_takes():
    generator = torch.Generator().manual_seed(0)
    noisy = missing.with_noise(torch.zeros(4, 3, 20, 20), lambda x: float(x.std()), 0.2, generator)
    assert 0.19 < noisy.std() < 0.22
    torch.testing.assert_close(noisy[:, 0], noisy[:, 2])
    still = missing.with_noise(noisy, lambda x: 1.0, 0.5, generator)
    torch.testing.assert_close(still, noisy)


def test_a_judge_tells_what_differs_and_nothing_else():
    class Judge(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(12, 1)

        def forward(self, x):
            return self.layer(x.flatten(1))[:, 0]

    generator = torch.Generator().manual_seed(0)
    dark, bright, more = (torch.rand(200, 3, 2, 2, generator=generator) for _ in range(3))
    torch.manual_seed(0)
    low = dark - 2
    apart = missing.told_apart(Judge(), (bright + 2, low), (more + 2, low), steps=200, seed=0)
    assert apart > 0.9
    alike = missing.told_apart(Judge(), (bright, dark), (more, more), steps=50, seed=0)
    assert abs(alike - 0.5) < 1e-6


def test_a_filling_goes_back_and_is_measured_without_its_border():
    images = torch.zeros(2, 3, 8, 8)
    filling = torch.arange(16.0).view(4, 4).expand(2, 3, 4, 4)
    whole = missing.put_back(images, filling)
    torch.testing.assert_close(whole[..., 2:6, 2:6], filling.contiguous())
    assert whole.count_nonzero() == 2 * 3 * 15
    assert abs(missing.mean_step(filling, 1) - (1 + 4) / 2) < 1e-6
    wrong = filling + 0.2
    wrong[..., 0] += 5
    torch.testing.assert_close(missing.decibels(wrong, filling, 1), torch.full((2,), 20.0))


def test_the_figure_has_a_mark_for_each_training():
    rows = {"one": [[0.2, 0.3], [18.0, 19]], "two": [[0.9, 1.1], [16.0, 17]]}
    (panel,) = missing.show_nearer_or_sharper(rows).axes
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["one", "two"]
    np.testing.assert_allclose(panel.lines[1].get_xydata(), [[0.9, 16], [1.1, 17]])


def test_colours_are_scored_by_distance_and_where_they_should_be_vivid():
    lab = torch.zeros(1, 3, 1, 4)
    lab[0, 1, 0] = torch.tensor([0.0, 10, 30, 50])
    scores = missing.colour_scores(0.5 * lab[:, 1:], lab)
    assert scores == {"error": 11.25, "vivid error": 20.0, "vividness": 0.5}
    assert missing.colour_scores(-lab[:, 1:], lab)["vividness"] == 1


def test_a_table_stands_in_columns(capsys):
    missing.print_table(("a, b", "longer one"), {"x": [1, float("nan")], "row": [22.222]})
    assert capsys.readouterr().out.splitlines() == [
        "       a, b  longer one",
        "x      1.00           -",
        "row   22.22",
    ]
