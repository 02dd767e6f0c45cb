import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn

from cvcourse.classroom.subjects import senses
from cvcourse.classroom.training.evaluation import settled
from cvcourse.data import heads


@pytest.fixture(scope="module")
def scenes():
    return senses.world(12, "val")


def test_a_world_tells_the_same_of_each_scene(scenes):
    assert scenes["images"].shape == (12, 3, 24, 24)
    assert scenes["spectrograms"].shape == (12, 1, 32, 16)
    assert scenes["words"].shape == (12, len(senses.WORDS))
    assert torch.equal(scenes["numbers"], scenes["kinds"].sum(1))
    assert scenes["numbers"].min() >= 1
    assert scenes["numbers"].max() <= senses.MOST
    for text, words, kinds in zip(scenes["texts"], scenes["words"], scenes["kinds"], strict=True):
        assert text.count(";") == senses.SENTENCES - 1
        assert words.sum() == len(text.replace(";", "").split())
        there = {senses.CLASSES[1 + k] for k in kinds.nonzero()[:, 0].tolist()}
        told = {name for name in senses.CLASSES[1:] if name in text}
        assert told
        assert told <= there


def test_scenes_are_functions_of_their_numbers(scenes):
    again, other = senses.world(3, "val"), senses.world(3, "val", seed=1, objects=(1, 1))
    for name in ("images", "spectrograms", "words"):
        assert torch.equal(again[name], scenes[name][:3])
    assert not torch.equal(other["images"], again["images"])
    assert other["numbers"].tolist() == [1, 1, 1]


def test_faces_are_heads_moved():
    still, moved = (senses.faces(2, 3, "val", first=5, shift=shift) for shift in (0, 2))
    assert still.shape == moved.shape == (2, 3, 3, 24, 24)
    light = heads.draw_light(100_000 + 1000 * 6 + 1, split="val")
    lit = heads.shine(heads.draw_head(6, size=24, split="val"), light).image
    assert torch.equal(still[1, 1], lit.clamp(0, 1).sqrt())
    inner = moved[1, 1][:, 2:-2, 2:-2]
    places = [
        (y, x)
        for y in range(5)
        for x in range(5)
        if torch.equal(still[1, 1][:, y : y + 20, x : x + 20], inner)
    ]
    assert len(places) == 1
    assert not torch.equal(still, moved)


def test_learning_lowers_the_loss():
    torch.manual_seed(0)
    x = torch.randn(40, 3)
    net = nn.Linear(3, 1)
    history = senses.learn(
        net, (x, x.sum(1, keepdim=True)), lambda n, b: (n(b[0]) - b[1]).square().mean(),
        steps=60, seed=0, batch=20, lr=0.1,
    )  # fmt: skip
    assert len(history) == 60
    assert history[-1]["loss"] < history[0]["loss"] / 10
    assert not net.training


def test_settled_norms_have_the_statistics_of_their_pictures():
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.BatchNorm2d(3))
    images = 5 + 2 * torch.randn(8, 3, 6, 6)
    seen = settled(trunk, images)(images)
    torch.testing.assert_close(seen.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(seen.std((0, 2, 3)), torch.ones(3), atol=1e-2, rtol=0)


def test_recalls_are_listed_and_read_again():
    both = torch.rand(3, 2, 2, generator=torch.Generator().manual_seed(0))
    rows = [senses.listed("ours", recalls, (1, 5)) for recalls in both]
    table = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    np.testing.assert_allclose(senses.unlisted(table, "ours", (1, 5)), both)


def test_colours_are_shares():
    red = torch.zeros(1, 3, 4, 4)
    red[:, 0] = 1
    red[:, :, :2] = 0
    found = senses.colours(red)
    assert found.shape == (1, 64)
    assert found[0, 0] == found[0, 48] == 0.5


def test_edges_look_at_edges():
    stripes = torch.zeros(2, 3, 24, 24)
    stripes[0, :, :, ::4], stripes[1, :, ::4] = 1, 1
    found = senses.edges(torch.cat([stripes, stripes[:1] * 0.5]))
    assert not torch.allclose(found[0], found[1])
    torch.testing.assert_close(found[0], found[2], atol=1e-3, rtol=0)  # blocks are normalised
    assert senses.by_hand(stripes).shape[1] == found.shape[1] + 64


def test_edges_in_cells_of_another_size():
    images = torch.rand(2, 3, 24, 24)
    assert senses.edges(images, 12).shape == (2, 8 * 4)  # one block of two by two cells
    assert senses.by_hand(images, 12).shape == (2, 8 * 4 + 64)


def test_ridge_is_that_of_the_normal_equations():
    x, y = torch.randn(40, 3).double(), torch.randn(40, 2).double()
    found = senses.ridge((x, y), 0.5)(x).double()
    a, b = x - x.mean(0), y - y.mean(0)
    weights = torch.linalg.solve(a.T @ a + 0.5 * torch.eye(3).double(), a.T @ b)
    torch.testing.assert_close(found, a @ weights + y.mean(0), atol=1e-5, rtol=0)


def test_tuned_takes_the_best_of_validation():
    pictures = {"val": torch.eye(3), "test": torch.eye(3)[:, [1, 0, 2]]}
    others = {"val": torch.eye(3), "test": torch.eye(3)}

    def recalls(u, w):
        return (u == w).double().mean(1, keepdim=True)

    def fit(option):
        return (lambda x: x if option == "good" else 1 - x), lambda x: x

    best, found = senses.tuned(fit, ("bad", "good"), pictures, others, recalls)
    assert best == "good"
    torch.testing.assert_close(found, recalls(pictures["test"], others["test"]))


def test_a_guess_among_those_that_are_alike():
    found = senses.guess_among_like(torch.tensor([1, 1, 2, 1]), (1, 2, 5))
    np.testing.assert_allclose(found, [[[0.5, 0.75, 1]] * 2])  # thrice 1/3 and once 1: the mean


def test_the_nearest_person():
    faces = torch.eye(3)[:, None].repeat(1, 7, 1)
    faces[0, 6] = torch.tensor([0.0, 0.1, 0])  # looks like the second
    faces[2, :5] += torch.tensor([9.0, 0, 0])  # known by pictures that look like the first
    said, who = senses.nearest_person(faces, 5)
    assert who.tolist() == [[0], [1], [2]]
    assert said[0].tolist() == [0, 1]
    assert said[1].tolist() == [1, 1]
    assert said[2].tolist() == [2, 2]


def test_correlations_are_those_of_scikit_learn():
    cross_decomposition = pytest.importorskip("sklearn.cross_decomposition")
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(300, 2, generator=generator)
    a, b = (
        torch.cat([shared, torch.randn(300, 3, generator=generator)], 1)
        @ torch.randn(5, 5, generator=generator)
        + 0.5 * torch.randn(300, 5, generator=generator)
        for _ in range(2)
    )
    see, hear = senses.correlated((a, b), parts=5, directions=2)
    u, w = see(a).numpy(), hear(b).numpy()
    ours = [abs(np.corrcoef(u[:, k], w[:, k])[0, 1]) for k in range(2)]
    x, y = cross_decomposition.CCA(2, max_iter=5000, tol=1e-10).fit_transform(a.numpy(), b.numpy())
    theirs = [abs(np.corrcoef(x[:, k], y[:, k])[0, 1]) for k in range(2)]
    np.testing.assert_allclose(ours, theirs, atol=2e-3)
    np.testing.assert_allclose(u.std(0), ours, rtol=0.02)  # weighed by their correlation


def test_fisherfaces_tell_identities_apart():
    generator = torch.Generator().manual_seed(0)
    who = torch.randn(12, 1, 3, generator=generator)
    light = 5 * torch.randn(12, 9, 3, generator=generator)
    pictures = torch.cat([light, who.expand(-1, 9, -1)], 2)
    pictures = pictures + 0.1 * torch.randn(pictures.shape, generator=generator)
    found = senses.fisherfaces(pictures[:8], 6)(pictures[8:].flatten(0, 1)).view(4, 9, -1)
    within, between = found.std(1).mean(), found.mean(1).std(0).mean()
    assert between > 3 * within


def test_figures(scenes):
    figure = senses.show_senses(scenes, (0, 1, 2), title="Three")
    assert len(figure.axes) == 7  # and the bar of colours
    low = figure.axes[3]
    assert [text.get_text() for text in low.get_yticklabels()] == ["100", "400", "1600"]
    plt.close("all")


def test_area_and_loudness():
    images = torch.full((2, 3, 10, 10), 0.5)
    images[0, 1, :2] = 0.9
    scenes = {"images": images, "spectrograms": torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)}
    scenes["spectrograms"] = scenes["spectrograms"].expand(-1, -1, 32, 16)
    found = senses.area_and_loudness(scenes, (torch.tensor([0, 1]), torch.tensor([1, 1])))
    np.testing.assert_allclose(found, [[0.2, 3, 0.04, 9, 0.6], [0, 3, 0, 9, 0]], atol=1e-6)
