import math

import numpy as np
import pytest
import torch
from torch import nn

from cvcourse.classroom.run import Run
from cvcourse.classroom.subjects import styles
from cvcourse.data import pictures
from cvcourse.models import VGG


def test_few_evaluations_in_a_rehearsal(monkeypatch):
    run = Run("91 A lesson", seed=0, device=torch.device("cpu"), scale="full")
    assert styles.sizes(run) == (384, 500)
    monkeypatch.setenv("CVCOURSE_REHEARSE", "lines")
    assert styles.sizes(run) == (48, 20)


def test_pieces_come_from_pictures_that_lessons_do_not_use():
    assert not set(styles.SEEN) & set(styles.KEPT_APART)
    assert set(styles.SEEN) | set(styles.KEPT_APART) == set(pictures.names())
    crops = styles.Crops(2, 8, seed=3)
    first = [(images.clone(), labels) for images, labels in crops]
    assert len(first) == len(crops) == 2
    for (images, labels), (again, same) in zip(first, crops, strict=True):
        assert images.shape == (8, 3, 48, 48)
        assert images.min() >= 0
        assert images.max() <= 1
        assert images[:, 0].equal(images[:, 2])
        assert labels.max() < len(styles.SEEN)
        assert images.equal(again)
        assert labels.equal(same)
    assert not first[0][0].equal(first[1][0])


def test_held_out_pieces_lie_right_of_those_to_learn_from():
    crops = styles.Crops(1, 64, seed=0)
    held = styles.Crops(1, 64, seed=0, held_out=True)
    ramp = torch.linspace(0, 1, 256).expand(len(styles.SEEN), 1, 256, 256)
    edge = styles._TRAINED / 256
    for made, low, high in ((crops, 0, edge), (held, edge, 1)):
        made.photographs = ramp
        columns = _without_contrast(made)
        assert columns.min() > low - 0.01
        assert columns.max() < high + 0.01


def test_pieces_in_colour_are_the_same_pieces():
    ((grey, labels),) = styles.Crops(1, 64, seed=2)
    ((coloured, same),) = styles.Crops(1, 64, seed=2, colour=True)
    assert labels.equal(same)
    inside = ((coloured > 0) & (coloured < 1)).all(1)  # where contrast clipped nothing
    torch.testing.assert_close(coloured.mean(1)[inside], grey[:, 0][inside], atol=1e-5, rtol=0)
    apart = (coloured[:, 0] - coloured[:, 2]).abs().amax((1, 2)) > 0.05
    assert 10 < apart.sum() < 60  # some of the pictures are grey


def _without_contrast(crops):
    """The pieces' values before contrast and brightness are changed."""
    rand = torch.rand

    def middle(*size, **options):
        drawn = rand(*size, **options)
        return torch.full_like(drawn, 0.5) if len(size) == 5 else drawn

    torch.rand = middle
    try:
        ((images, _),) = list(crops)
    finally:
        torch.rand = rand
    return images


def test_a_classifier_begins_as_its_random_features():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    classifier, features = styles.new_classifier(1), styles.random_features(1)
    assert torch.get_rng_state().equal(before)
    for ours, theirs in zip(classifier.features.parameters(), features.parameters(), strict=True):
        assert ours.equal(theirs)
    images = torch.rand(2, 3, 32, 32)
    assert classifier(images).shape == (2, len(styles.SEEN))
    maps = features((images - 0.45) / 0.25).mean((2, 3))
    torch.testing.assert_close(classifier(images), classifier.head(maps))
    assert not styles.random_features(2)[0].weight.equal(features[0].weight)
    first = styles.random_features(0, ((400, 400),))[2].weight
    assert first.std().item() == pytest.approx(math.sqrt(2 / (9 * 400)), rel=0.01)
    assert any(isinstance(layer, nn.AvgPool2d) for layer in features)


@pytest.mark.parametrize("at_hand", [True, False])
def test_published_features_or_a_word_why_not(at_hand, monkeypatch, capsys):
    made = []

    def load(net, url):
        assert url.split("/")[-1].startswith("vgg19-")
        made.append(net)
        if not at_hand:
            raise ConnectionError("no network here")
        return net

    monkeypatch.setattr(styles, "load_pretrained", load)
    monkeypatch.setattr(styles, "vgg19", lambda pool: VGG(3, stages=((4,),), pool=pool, hidden=2))
    features = styles.published_features()
    if at_hand:
        assert features is made[0].features
        assert isinstance(features[-1], nn.AvgPool2d)
    else:
        assert features is None
        assert "no network here" in capsys.readouterr().out


def picture(seed, channels=1, side=24):
    return torch.rand(channels, side, side, generator=torch.Generator().manual_seed(seed))


class TestTexture:
    def test_by_a_loop(self):
        ours, theirs = picture(0, 2), picture(1, 2) ** 2
        generator = torch.Generator().manual_seed(0)
        directions = torch.randn(128, 2 * 9, generator=generator).numpy()
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        apart = []
        for scale in (1, 2, 4):
            crowds = []
            for image in (ours.numpy(), theirs.numpy()):
                side = 24 // scale
                small = image.reshape(2, side, scale, side, scale).mean((2, 4))
                pieces = [
                    np.concatenate([
                        (c := small[k, y : y + 3, x : x + 3]).ravel() - c.mean() for k in range(2)
                    ])
                    for y in range(side - 2)
                    for x in range(side - 2)
                ]  # fmt: skip
                crowds.append(np.sort(directions @ np.array(pieces).T, axis=1))
            apart.append(np.abs(crowds[0] - crowds[1]).mean())
        got = styles.texture_distance(ours, theirs, piece=3)
        assert got == pytest.approx(np.mean(apart), rel=1e-4)

    def test_neither_place_nor_brightness_counts(self):
        x = 0.5 * picture(2, side=64)
        assert styles.texture_distance(x, x) == 0
        assert styles.texture_distance(x, x + 0.3) < 1e-6
        far = styles.texture_distance(x, 0.5 * x)
        assert styles.texture_distance(x, x.roll((8, 24), (1, 2))) < 0.2 * far


class TestEdges:
    def test_the_same_at_any_contrast_and_colour(self):
        x = picture(3, 3)
        assert styles.edges_kept(x, x) == pytest.approx(1, abs=1e-5)
        assert styles.edges_kept(0.5 * x + 0.2, x) == pytest.approx(1, abs=1e-4)
        assert styles.edges_kept(1 - x, x) == pytest.approx(1, abs=1e-4)
        assert styles.edges_kept(x[[1, 2, 0]], x) == pytest.approx(1, abs=1e-5)

    def test_things_elsewhere_are_not_kept(self):
        x = torch.zeros(1, 48, 48)
        x[:, 8:20, 8:20] = 1
        assert styles.edges_kept(x.roll((20, 20), (1, 2)), x) < 0
        assert styles.edges_kept(x + 0.05 * picture(4, side=48), x) > 0.9


@pytest.mark.parametrize("other", [torch.rand(1, 24, 25), torch.rand(3, 24, 24), torch.rand(24)])
def test_bad_input(other):
    with pytest.raises(ValueError, match=r"^theirs must be one picture"):
        styles.texture_distance(picture(0), other)
    with pytest.raises(ValueError, match=r"^content must be one picture"):
        styles.edges_kept(picture(0), other)


def test_a_trade_is_a_line_of_means_and_a_dot_for_each_training():
    x, y = np.array([[0.0, 1.0], [2.0, 4.0]]), np.array([[1.0, 3.0], [5.0, 5.0]])
    panels = {"bricks": {"ours": (x, y), "rival": (x, 2 * y)}, "gravel": {"ours": (x, y)}}
    figure = styles.show_trades(panels, title="A trade", xlabel="kept", ylabel="apart")
    first, second = figure.axes
    means, dots = first.get_lines()[:2]
    assert [list(means.get_xdata()), list(means.get_ydata())] == [[0.5, 3], [2, 5]]
    assert sorted(dots.get_ydata()) == [1, 3, 5, 5]
    assert first.get_lines()[0].get_color() != first.get_lines()[2].get_color()
    assert (second.get_title(), second.get_xlabel()) == ("gravel", "kept")
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["ours", "rival"]
    assert "bricks, gravel" in figure.alt_text


def test_a_judge_of_style_is_its_formula():
    torch.manual_seed(0)
    layers = nn.ModuleList(nn.Conv2d(1, n, 3) for n in (4, 5, 6))
    style, pieces, made = (
        torch.rand(1, 1, 20, 20),
        torch.rand(8, 1, 16, 16),
        torch.rand(1, 1, 24, 24),
    )
    judge = styles.StyleJudge(lambda x: [layer(x) for layer in layers], style, pieces, weight=0.3)

    def gram(maps):
        flat = maps.flatten(2)
        return flat @ flat.mT / flat.shape[2]

    with torch.no_grad():
        total = 0
        for layer in layers[:2]:
            error, unit = (
                (gram(layer(x)) - gram(layer(style))).square().mean() for x in (made, pieces)
            )
            total += 50 * error / unit
        content = (layers[2](pieces) - layers[2](style).mean((2, 3), keepdim=True)).square().mean()
        assert judge(made, judge.kept(made)).item() == pytest.approx(total.item(), rel=1e-4)
        other = torch.rand_like(made)
        off = 30 * (layers[2](made) - layers[2](other)).square().mean() / content
        wanted = (total + off).item()
        assert judge(made, judge.kept(other)).item() == pytest.approx(wanted, rel=1e-4)
        assert judge(style, judge.kept(style)) < 1e-4
