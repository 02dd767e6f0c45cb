"""Pairs of two senses, topics of texts, and the network that asks whether two belong together."""

import sys
from itertools import pairwise

import pytest
import torch

from cvcourse.methods import correspondence_pairs, text_topics
from cvcourse.models import L3Net
from tests.models.golden import parameter_count


@pytest.mark.parametrize("count", [2, 3, 17])
def test_each_thing_in_one_true_and_one_false_pair(count):
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        first, second, labels = correspondence_pairs(count, generator=generator)
        assert len(first) == len(second) == len(labels) == 2 * count
        assert torch.equal(first == second, labels == 1)
        for label in (0, 1):
            for kind in (first, second):
                assert sorted(kind[labels == label].tolist()) == list(range(count))


def test_topics_of_texts_about_two_things():
    generator = torch.Generator().manual_seed(0)
    about = torch.arange(60) % 2
    rates = torch.tensor([[5.0] * 4 + [0.0] * 4, [0.0] * 4 + [5.0] * 4])
    shares = text_topics(torch.poisson(rates[about], generator=generator), 2, seed=1)
    torch.testing.assert_close(shares.sum(1), torch.ones(60))
    found = shares.argmax(1)
    assert torch.equal(found, about) or torch.equal(found, 1 - about)


def test_without_scikit_learn(monkeypatch):
    for name in ["sklearn", *(n for n in sys.modules if n.startswith("sklearn."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match="text_topics needs scikit-learn"):
        text_topics(torch.ones(3, 2), 2)


def test_size_by_hand():
    """Convolutions with bias and batch norm: 9 a b + b + 2 b each; two linear layers."""
    with torch.device("meta"):
        count = parameter_count(L3Net())

    def trunk(first):
        ends = [first, 64, 64, 128, 128, 256, 256, 512, 512]
        return sum(9 * a * b + 3 * b for a, b in pairwise(ends))

    assert count == trunk(3) + trunk(1) + 1024 * 128 + 128 + 128 * 2 + 2


def test_maps_of_any_size_and_one_pair():
    net = L3Net(widths=(4, 4, 6, 8), hidden=5).eval()
    image, sound = torch.rand(1, 3, 19, 33), torch.rand(1, 1, 31, 9)
    assert net(image, sound).shape == (1, 2)
    joined = torch.cat([net.vision(image), net.audio(sound)], 1)
    torch.testing.assert_close(net(image, sound), net.fusion(joined))
    assert joined.shape == (1, 16)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: correspondence_pairs(1), "count must be at least 2, got 1"),
        (lambda: text_topics(torch.ones(3)), "counts must be"),
        (lambda: text_topics(-torch.ones(3, 2)), "counts must be"),
        (lambda: text_topics(torch.ones(3, 2), 0), "topics must be at least 1, got 0"),
        (lambda: L3Net(hidden=0), "hidden: expected at least 1, got 0"),
        (
            lambda: L3Net(widths=(4, 4, 4, 4)).vision(torch.zeros(1, 3, 7, 9)),
            "images must be at least 8 pixels",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
