import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from cvcourse.classroom.run import Run
from cvcourse.classroom.subjects import painted, probing, thumbnails
from cvcourse.data import real
from tests.data.tiny import write_stl10


def run_of(scale):
    return Run("28 Test", seed=0, device=torch.device("cpu"), scale=scale)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.setenv("CVCOURSE_DATA", str(tmp_path))
    write_stl10(tmp_path / "stl10", 100)
    return tmp_path / "stl10" / "stl10_binary"


def test_none_below_full_and_without_the_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CVCOURSE_DATA", str(tmp_path))
    assert thumbnails.find(run_of("full")) is None
    write_stl10(tmp_path / "stl10")
    assert thumbnails.find(run_of("small")) is None
    assert capsys.readouterr().out.count("they belong to scale full") == 2


def test_means_of_areas_a_margin_and_a_fifth_to_choose_by(photos, capsys):
    found = thumbnails.find(run_of("full"), margin=4, most=30)
    assert str(photos.parent) in capsys.readouterr().out
    assert found.unnamed.shape == (30, 3, 32, 32)
    first, _ = real.Stl10(photos, "unlabeled")[7]
    block = first[:, 9:12, 30:33].mean((1, 2))  # 96 / 32: blocks of 3 x 3
    torch.testing.assert_close(found.unnamed[7, :, 3, 10], block)
    assert [len(images) for images, _ in found[1:]] == [80, 20, 100]
    assert all(images.shape[1:] == (3, 24, 24) for images, _ in found[1:])
    train = real.Stl10(photos, "train")
    assert found.val[1].equal(train.labels[::5])
    assert found.train[1][:5].tolist() == train.labels[[1, 2, 3, 4, 6]].tolist()
    block = train[5][0][:, 12:15, 12:15].mean((1, 2))  # four blocks of margin
    torch.testing.assert_close(found.val[0][1, :, 0, 0], block)


def test_drawn_like_the_lessons_other_loaders():
    images, labels = torch.rand(9, 3, 30, 32), torch.arange(9)
    loader = thumbnails.Drawn(3, 5, images=images, labels=labels, seed=4)
    first, again = list(loader), list(loader)
    assert len(loader) == len(first) == 3
    for (x, y), (x2, y2) in zip(first, again, strict=True):
        assert x.equal(x2)
        assert y.equal(y2)
        assert x.equal(images[y][:, :, 3:27, 4:28])
    assert not first[0][1].equal(first[1][1])
    unnamed = next(iter(thumbnails.Drawn(1, images=images, side=30)))
    assert unnamed[0].shape == (64, 3, 30, 30)
    assert (unnamed[1] == -1).all()
    theirs = painted.Painted(3, 5, seed=4)  # called alike, and gives the like
    assert [part.shape for part in next(iter(theirs))] == [part.shape for part in first[0]]


def test_ways_begin_alike_and_are_read_block_by_block(capsys):
    generator = torch.Generator().manual_seed(0)

    def split(count):  # kind 1 is bright
        labels = torch.arange(count) % 2
        noise = torch.rand(count, 3, 24, 24, generator=generator)
        return 0.8 * noise + 0.1 * labels[:, None, None, None], labels

    photos = thumbnails.Thumbnails(torch.zeros(1), split(40), split(20), split(30))
    begun = {}

    def way(name, change):
        def learn(trunk, seed):
            begun[name] = [p.clone() for p in trunk.parameters()], seed
            change(trunk)

        return learn

    def make():
        blocks = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2, 1)
        return nn.Sequential(*(nn.Sequential(block, nn.ReLU()) for block in blocks))

    def blind(trunk):
        nn.init.zeros_(trunk[1][0].weight)

    ways = {"as they were": way("as they were", lambda _: None), "blind": way("blind", blind)}
    scores = thumbnails.print_read(make, ways, photos, 3, numbers=4)
    first, second = begun.values()
    assert all(map(torch.equal, first[0], second[0]))
    assert first[1] == second[1] == 3
    assert scores["blind"][0] == scores["as they were"][0]
    assert scores["blind"][1] == 0.5
    torch.manual_seed(3)
    trunk = make()
    parts = [probing.block_features(trunk, x, numbers=4)[0].double() for x, _ in photos[1:]]
    mean, scale = parts[0].mean(0), parts[0].std(0, correction=0)
    z = [((x - mean) / scale).numpy() for x in parts]
    y = [labels.numpy() for _, labels in photos[1:]]
    fitted = [LogisticRegression(C=c, max_iter=500).fit(z[0], y[0]) for c in probing.STRENGTHS]
    best = fitted[int(np.argmax([model.score(z[1], y[1]) for model in fitted]))]
    assert scores["blind"][0] == pytest.approx(best.score(z[2], y[2]))
    out = capsys.readouterr().out
    assert all(f"{share:.3f}" in out for of_way in scores.values() for share in of_way)
