"""Episodes: their form, their randomness, and what they refuse."""

import pytest
import torch

from cvcourse.methods import EpisodeSampler

LABELS = torch.arange(60) % 6


def test_form_of_an_episode():
    sampler = EpisodeSampler(LABELS, ways=4, shots=2, queries=3, episodes=7)
    episodes = list(sampler)
    assert len(episodes) == len(sampler) == 7
    for indices in episodes:
        found = LABELS[indices].view(5, 4)
        assert (found == found[0]).all()  # the class is the fastest
        assert len(found[0].unique()) == 4
        assert len(set(indices)) == 20  # nothing is asked that was shown


def test_all_classes_and_examples_are_drawn_alike():
    generator = torch.Generator().manual_seed(0)
    sampler = EpisodeSampler(LABELS, ways=2, shots=1, queries=1, episodes=3000, generator=generator)
    counts = torch.bincount(torch.tensor(list(sampler)).flatten(), minlength=60)
    expected = 3000 * 4 / 60  # of each example, binomial: within five deviations
    assert ((counts - expected).abs() < 5 * expected**0.5).all()


def test_the_same_seed_gives_the_same_episodes():
    def episodes():
        return list(EpisodeSampler(LABELS, queries=2, generator=torch.Generator().manual_seed(3)))

    assert episodes() == episodes()


def test_small_classes_are_left_out():
    labels = torch.tensor([0] * 5 + [1] * 2 + [7] * 5)
    for indices in EpisodeSampler(labels, ways=2, shots=2, queries=3, episodes=20):
        assert set(labels[indices].tolist()) == {0, 7}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ways": 1}, "ways must be at least 2, got 1"),
        ({"shots": 0}, "shots must be at least 1, got 0"),
        ({"queries": 0}, "queries must be at least 1, got 0"),
        ({"episodes": 0}, "episodes must be at least 1, got 0"),
        ({"ways": 7, "queries": 2}, "labels must have 7 classes with 3 examples or more, got 6"),
        ({"queries": 10}, "labels must have 5 classes with 11 examples or more, got 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        EpisodeSampler(LABELS, **options)


def test_bad_labels():
    with pytest.raises(ValueError, match="labels must be integers"):
        EpisodeSampler(LABELS.float())
