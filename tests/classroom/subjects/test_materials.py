import pytest
import torch

from cvcourse.classroom.subjects import materials
from cvcourse.models import SlimmableGenerator


@pytest.fixture(scope="module")
def drawn():
    return materials.materials("train", 120, side=24)


def test_pictures_are_made_of_their_labels(drawn):
    labels, images = drawn
    assert labels.shape == (120, 24, 24)
    assert images.shape == (120, 3, 24, 24)
    assert 0 <= images.min() <= images.max() <= 1
    colours = torch.stack([images.movedim(1, 3)[labels == k].mean(0) for k in range(4)])
    grass, brick, gravel, sky = colours
    assert grass.argmax() == 1  # green
    assert sky.argmax() == 2  # blue
    assert (brick - gravel).abs().max() < 0.03  # nothing but the grain tells them apart
    assert brick.std() < 1e-4  # grey
    assert (labels.flatten(1).amin(1) < labels.flatten(1).amax(1)).float().mean() > 0.5


def test_only_the_sky_has_no_grain(drawn):
    labels, images = drawn
    beside = (images[..., 1:] - images[..., :-1]).abs().mean(1)
    for k, name in enumerate(materials.MATERIALS):
        within = (labels[..., 1:] == k) & (labels[..., :-1] == k)
        rough = beside[within].mean()
        assert rough < 1e-3 if name == "sky" else rough > 0.03


def test_a_picture_is_a_function_of_split_seed_and_index(drawn):
    labels, images = drawn
    again = materials.materials("train", 5, side=24)
    assert torch.equal(again[0], labels[:5])
    assert torch.equal(again[1], images[:5])
    for split, seed in (("test", 0), ("train", 1)):
        assert not torch.equal(materials.materials(split, 5, side=24, seed=seed)[1], images[:5])


def test_a_rehearsal_sees_a_hundred(monkeypatch):
    monkeypatch.setenv("CVCOURSE_REHEARSE", "lines")
    assert [len(part) for part in materials.materials("val", 120, side=24)] == [100, 100]


def test_splits_share_no_place_of_a_photograph():
    parts = {split: materials._grain("gravel", split) for split in ("train", "val", "test")}
    assert [tuple(p.shape) for p in parts.values()] == [(144, 72), (72, 72), (72, 72)]
    for part in parts.values():
        assert part.mean().item() == pytest.approx(0.5, abs=1e-5)
        assert part.std().item() == pytest.approx(0.16, abs=1e-5)
    patches = parts["train"].unfold(0, 8, 1).unfold(1, 8, 1).flatten(0, 1).flatten(1)
    for split in ("val", "test"):
        known = parts[split][20:28, 20:28].flatten()
        assert (patches - known).square().mean(1).min() > 1e-3


def test_planes_hold_luck_where_a_material_is(drawn):
    labels = drawn[0][:3]
    x = materials.planes(labels, torch.Generator().manual_seed(0))
    where = torch.stack([labels == k for k in range(4)], 1)
    assert (x[~where] == -1).all()
    assert 0 <= x[where].min() < 0.01
    assert 0.99 < x[where].max() <= 1
    assert torch.equal(x, materials.planes(labels, torch.Generator().manual_seed(0)))


def test_a_judge_sees_labels_and_picture(drawn):
    labels, images = drawn[0][:2], drawn[1][:2]
    seen = []
    materials.judged(lambda x: seen.append(x), labels, images)
    assert seen[0].shape == (2, 7, 24, 24)
    assert torch.equal(seen[0][:, :4].argmax(1), labels)
    assert torch.equal(seen[0][:, 4:], images)
    assert materials.judged(materials.new_judge(8), labels, images).shape[:2] == (2, 1)


def test_the_players_learn_and_the_average_is_kept(drawn):
    torch.manual_seed(0)
    painter = SlimmableGenerator(4, 3, channels=(2,) * 8, blocks=3)
    judge, told = materials.new_judge(4), []

    def loss(nets, x, labels, images):
        told.append((x.shape, images.amin().item() < 0))
        return materials.pix2pix_loss(nets, x, labels, images)

    before = painter.head.weight.clone(), judge.layers[0].weight.clone()
    history = materials.learn_to_paint(painter, judge, *drawn, 3, loss=loss)
    assert told == [((materials.BATCH, 4, 24, 24), True)] * 3
    assert len(history) == 6  # both in each round
    moved = [(a - b).abs().max().item() for a, b in
             zip(before, (painter.head.weight, judge.layers[0].weight), strict=True)]  # fmt: skip
    assert 0 < moved[0] < 1e-3  # the average of three steps of 2e-3
    assert moved[1] > 1e-4


def test_a_reader_learns_to_read(drawn):
    torch.manual_seed(0)
    reader = materials.new_reader()
    materials.learn_to_read(reader, *drawn, steps=40)
    reader = reader.cpu().eval()
    read = materials.read_materials(reader, drawn[1])
    assert read.shape == drawn[0].shape
    sky = drawn[0] == 3
    assert (read[sky] == 3).float().mean() > 0.8


@pytest.mark.parametrize(("split", "side", "says"), [("all", 32, "split"), ("train", 65, "side")])
def test_bad_input(split, side, says):
    with pytest.raises(ValueError, match=says):
        materials.materials(split, 1, side=side)


def test_two_paths_make_four_beds():
    labels = materials.materials("train", 60, side=32)[0]
    for column in labels.movedim(2, 0).reshape(-1, 32), labels.reshape(-1, 32):
        assert ((column[:, 1:] != column[:, :-1]).sum(1) <= 1).all()  # each line crosses one path
    assert (labels[:, :8, :8] == labels[:, :1, :1]).all()
    assert (labels[:, 24:, 24:] == labels[:, -1:, -1:]).all()
    at = {int((m[0, 1:] != m[0, :-1]).nonzero()[0, 0]) + 1 for m in labels if m[0, 0] != m[0, -1]}
    assert 8 <= min(at) <= max(at) <= 24
    assert len(at) > 8
    assert len(labels.flatten(1).unique(dim=0)) > 55
    assert labels[:, 0, 0].bincount().min() > 5


class TestPasted:
    def test_each_material_comes_from_a_picture_that_has_it_there(self):
        labels = torch.stack([torch.full((2, 2), k) for k in (2, 0, 3, 1)])
        images = labels[:, None].expand(-1, 3, -1, -1) / 10 + torch.arange(3).view(3, 1, 1)
        mixed = torch.tensor([[[0, 1], [2, 3]]])
        made = materials.pasted(mixed, labels, images)
        torch.testing.assert_close(made, mixed[:, None] / 10 + torch.arange(3).view(3, 1, 1))

    def test_it_need_not_have_it_elsewhere(self):
        labels = torch.tensor([[[0, 1], [1, 1]], [[1, 1], [1, 0]], [[2, 0], [0, 3]]])
        images = torch.arange(3.0).view(3, 1, 1, 1).expand(-1, 3, 2, 2)
        asked = torch.tensor([[[0, 0], [0, 0]], [[2, 1], [1, 3]]])
        made = materials.pasted(asked, labels, images)
        assert (made[0] == 2).all()  # lacks two pixels, the others three
        assert made[1, 0].tolist() in ([[2, k], [k, 2]] for k in (0, 1))

    def test_the_lot_is_the_generators(self, drawn):
        labels, images = drawn
        one, same, other = (
            materials.pasted(labels[:9], labels, images, torch.Generator().manual_seed(k))
            for k in (0, 0, 1)
        )
        assert torch.equal(one, same)
        assert not torch.equal(one, other)

    def test_those_that_lack_least_may_be_drawn(self):
        mixed = torch.tensor([[[0, 1], [2, 3]]])
        images = torch.rand(1, 3, 2, 2)
        assert torch.equal(materials.pasted(mixed, mixed, images), images)
