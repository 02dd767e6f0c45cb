import numpy as np
import pytest
import torch

from cvcourse.classroom.subjects import sprites
from cvcourse.data.scenes.surfaces import PALETTE
from cvcourse.methods import shape_of_texture


@pytest.fixture(scope="module")
def free():
    return sprites.draw_codes(60, tied=False, seed=3)


def plain(background, shape, texture, latent=(0.0, 0, 0, 0)):
    hot = [torch.eye(n)[[k]] for n, k in ((8, background), (4, shape), (8, texture))]
    return torch.tensor([latent]), *hot


def test_tied_codes_have_one_background_and_outline_for_each_paint():
    codes = sprites.draw_codes(200, tied=True, seed=1)
    assert torch.equal(codes.background, codes.texture)
    assert torch.equal(codes.shape, shape_of_texture(codes.texture, 4))
    assert codes.latent.abs().max() <= 2


def test_of_each_outline_one_paint_is_plain_and_one_is_not_and_colours_differ():
    for shape in range(4):
        (first, dark), (second, other) = sprites.PAINTS[2 * shape : 2 * shape + 2]
        assert {dark, other} == {0, 1}
        assert first != second
    assert len(set(sprites.PAINTS)) == 8


def test_the_middle_is_painted_and_the_corner_is_ground():
    pictures, masks = sprites.paint(plain(0, 2, 0))  # a plain red cross
    assert pictures.shape == (1, 3, 16, 16)
    assert masks.shape == (1, 1, 16, 16)
    assert masks[0, 0, 8, 8] == 1
    assert masks[0, 0, 0, 0] == 0
    red = 2 * torch.tensor(PALETTE["red"]) - 1
    torch.testing.assert_close(pictures[0, :, 8, 8], red)
    ground = 2 * 0.75 * torch.tensor(sprites.GROUNDS[0]) - 1  # the first stripe is dark
    torch.testing.assert_close(pictures[0, :, 0, 0], ground)


def test_stripes_are_upright_or_level():
    level, upright = (sprites.paint(plain(k, 2, 0))[0][0] for k in (0, 1))
    assert torch.equal(upright[:, 0], upright[:, 15])
    assert torch.equal(level[:, :, 0], level[:, :, 15])
    assert not torch.equal(upright[:, :, 0], upright[:, :, 2])


@pytest.mark.parametrize(("number", "axis"), [(0, 1), (1, 0)])
def test_pose_moves_the_sprite_by_two_pixels(number, axis):
    latent = [0.0] * 4
    latent[number] = 2.0
    here, there = (sprites.paint(plain(0, 2, 0, x))[1][0, 0] for x in ([0.0] * 4, latent))
    torch.testing.assert_close(there, here.roll(2, 1 - number))
    assert axis == 1 - number


def test_size_and_turn():
    still = sprites.paint(plain(0, 3, 0))[1]
    large = sprites.paint(plain(0, 3, 0, (0.0, 0, 2, 0)))[1]
    assert large.sum() / still.sum() == pytest.approx((7 / 6) ** 2, rel=0.1)
    clockwise, back = (sprites.paint(plain(0, 3, 0, (0.0, 0, 0, t)))[1] for t in (1.5, -1.5))
    torch.testing.assert_close(clockwise, back.flip(2))  # an arrow is alike above and below


def test_exchange_takes_one_factor_only(free):
    donors = sprites.unlike(free, seed=5)
    for k in range(4):
        mixed = sprites.exchanged(free, donors, k)
        for j in range(4):
            assert torch.equal(mixed[j], (donors if j == k else free)[j])


def test_donors_differ_in_every_factor(free):
    donors = sprites.unlike(free, seed=5)
    for x, y in zip(free[1:], donors[1:], strict=True):
        assert (x.argmax(1) != y.argmax(1)).all()
        assert (y.sum(1) == 1).all()
    apart = (free.latent - donors.latent).abs().mean(1)
    assert apart.min() >= 2 * sprites.NEAR


def test_right_counts_each_factor(free):
    off = list(sprites.unlike(free, seed=5))
    pictures = sprites.paint(free)[0]
    hits = sprites.right(lambda x: [free[0], off[1], free[2], off[3]], pictures, free)
    assert hits.shape == (60, 4)
    assert hits.mean(0).tolist() == [1, 0, 1, 0]
    near = free.latent + 0.9 * sprites.NEAR
    assert sprites.right(lambda x: [near, *free[1:]], pictures, free)[:, 0].all()


def test_batches_are_alike_each_time_and_differ_by_seed():
    first, again, other = (
        list(sprites.Fresh(2, tied=True, seed=seed, size=3)) for seed in (0, 0, 1)
    )
    assert len(sprites.Fresh(2, tied=True, seed=0)) == 2
    assert torch.equal(first[1][1], again[1][1])
    assert not torch.equal(first[0][1], first[1][1])
    assert not torch.equal(first[0][1], other[0][1])
    torch.testing.assert_close(first[0][1], sprites.paint(first[0][0])[0])


def test_reader_learns():
    torch.manual_seed(0)
    reader = sprites.Reader(4)
    history = sprites.learn_to_read(reader, 30, seed=0)
    assert history[-1]["loss"] < history[0]["loss"]
    assert [x.shape[1] for x in reader.cpu()(torch.zeros(2, 3, 16, 16))] == [4, 8, 4, 8]


def test_flat_painter_gives_stages_in_range(free):
    torch.manual_seed(0)
    painter = sprites.FlatPainter((6, 4, 3)).eval()
    out = painter(free)
    assert out.picture.shape == out.background.shape == (60, 3, 16, 16)
    assert out.texture_mask.shape == (60, 1, 16, 16)
    assert out.picture.abs().max() <= 1
    assert 0 <= out.shape_mask.min() <= out.shape_mask.max() <= 1
    alone = painter([x[:1] for x in free])  # each picture by itself
    torch.testing.assert_close(alone.picture, out.picture[:1])


def test_painted_gives_what_the_painter_makes_and_leaves_gradients_to_others():
    torch.manual_seed(0)
    painter = sprites.FlatPainter((6, 4, 3)).eval()
    batches = sprites.Painted(painter, 2, seed=0)
    assert len(batches) == 2
    for codes, made, mask in batches:
        assert torch.is_grad_enabled()  # the generator's no_grad must not reach this loop
        assert not made.requires_grad
        torch.testing.assert_close(made, painter(codes).picture)
        torch.testing.assert_close(mask, sprites.paint(codes)[1])


def test_collage_gives_back_what_it_was_cut_from():
    codes = sprites.draw_codes(400, tied=True, seed=4)
    pictures, masks = sprites.paint(codes)
    out = sprites.Collage(codes, pictures, masks)([x[:50] for x in codes])
    torch.testing.assert_close(out.shape_mask, masks[:50])
    inside = (masks[:50] > 1 - 1 / 256).expand(-1, 3, -1, -1)
    torch.testing.assert_close(out.picture[inside], pictures[:50][inside], atol=0.01, rtol=0)
    outside = (masks[:50] == 0).expand(-1, 3, -1, -1)
    torch.testing.assert_close(out.picture[outside], pictures[:50][outside], atol=0.01, rtol=0)


def test_collage_exchanges_one_factor_alone():
    codes = sprites.draw_codes(2000, tied=True, seed=4)
    collage = sprites.Collage(codes, *sprites.paint(codes))
    free = sprites.draw_codes(40, tied=False, seed=5)
    donors = sprites.unlike(free, seed=6)
    own, other = collage(free), collage(sprites.exchanged(free, donors, 3))
    assert torch.equal(own.background, other.background)
    assert torch.equal(own.shape_mask, other.shape_mask)
    assert not torch.equal(own.picture, other.picture)
    truth = sprites.paint(free)[0]
    assert (own.picture - truth).abs().mean() < (other.picture - truth).abs().mean()


def test_guessed_masks_differ_from_the_median():
    ground, other = torch.zeros(5, 3, 2, 2), torch.full((4, 3, 2, 2), 0.5)
    ground[0, 1, 0, 0] = 0.2  # one colour of one pixel
    ground[1, 1, 0, 0] = 0.05  # too little
    backgrounds = torch.eye(2)[[0] * 5 + [1] * 4]
    found = sprites.guessed_masks(torch.cat([ground, other]), backgrounds)
    assert found.shape == (9, 1, 2, 2)
    assert found.nonzero().tolist() == [[0, 0, 0, 0]]


def test_overlap_is_1_where_a_code_cannot_reach_the_mask(free):
    codes = sprites.draw_codes(300, tied=True, seed=4)
    collage = sprites.Collage(codes, *sprites.paint(codes))
    donors = sprites.unlike(free, seed=5)
    assert sprites.overlap(collage, free, donors, 1) == 1
    assert sprites.overlap(collage, free, donors, 3) == 1
    assert sprites.overlap(collage, free, donors, 0) < 0.9


def test_levels_are_drawn_as_given():
    ours = np.array([[0.9, 0.7, 0.8], [0.1, 0.2, 0.3]])
    names = ("ours", "rival", "other")
    figure = sprites.show_levels(
        ["a", "b"], dict.fromkeys(sprites.FACTORS, (ours, [0.5, 0.6], 0.2)), names=names, title="T"
    )
    axes = figure.axes[0]
    assert [axes.get_title() for axes in figure.axes] == list(sprites.FACTORS)
    assert axes.lines[0].get_ydata().tolist() == pytest.approx([0.8, 0.2])
    (bars,) = axes.containers
    assert bars.lines[2][0].get_segments()[0][:, 1].tolist() == pytest.approx([0.7, 0.9])


def test_outcomes_of_exercises_in_words(free):
    codes = sprites.draw_codes(300, tied=True, seed=4)
    collage = sprites.Collage(codes, *sprites.paint(codes))
    told = sprites.overlaps({"paste": collage}, free, sprites.unlike(free, seed=5))
    assert told == "paste: donor's paint 1.000, donor's background 1.000"
    seen = []

    def judge(pictures, wanted):
        seen.append(pictures)
        return torch.tensor([[1.0, 1, 0, 1], [1, 0, 1, 1]])

    lines = sprites.masks_told_and_guessed(300, 4, judge, free).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["masks told", "masks guessed"]
    assert lines[0].endswith(
        "pose 1.000, background 0.500, shape 0.500, texture 1.000; all four 0.000"
    )
    torch.testing.assert_close(seen[0], collage(free).picture)
    assert not torch.equal(seen[0], seen[1])


def test_shares_of_an_exchange_are_counted_of_the_same_pictures(free):
    donors = sprites.unlike(free, seed=1)

    def judge(made, wanted):  # finds pose and ground of the first half, all of the others
        assert torch.equal(wanted.shape, donors.shape)
        assert torch.equal(wanted.texture, free.texture)
        hits = torch.ones(len(made), 4)
        hits[: len(made) // 2, 2:] = 0
        hits[0] = torch.tensor([1.0, 1, 0, 1])
        return hits

    n = len(free.latent)
    taken, kept, both = sprites.exchange_shares(judge, free, donors, torch.zeros(n), 2)
    assert taken == pytest.approx(0.5)
    assert kept == pytest.approx(0.5 + 1 / n)
    assert both == pytest.approx(0.5)


def test_what_a_told_painter_pays(free):
    torch.manual_seed(0)
    net = sprites.painter_in_stages("small").eval()
    pictures, masks = sprites.paint(free)
    out = net(free)
    told = sprites.told_loss(net, (free, pictures, masks))
    off = (out.background - pictures).abs()
    torch.testing.assert_close(told["behind"], (off * (1 - masks)).mean())
    both = torch.stack([out.shape_mask, out.texture_mask])
    torch.testing.assert_close(told["outline"], 2 * (both - masks).abs().mean())
    exact = sprites.told_loss(net, (free, out.picture, out.texture_mask))
    assert exact["picture"] == 0


def test_networks_of_sprites_fit_each_other(free):
    pictures, _ = sprites.paint(free)
    for scale in ("small", "full"):
        read, paint = sprites.encoder(0, scale).eval(), sprites.painter_in_stages(scale).eval()
        with torch.no_grad():
            assert paint(read(pictures[:4], softmax=True)).picture.shape == (4, 3, 16, 16)
    assert sum(p.numel() for p in paint.parameters()) > 5 * sum(
        p.numel() for p in sprites.painter_in_stages("small").parameters()
    )
