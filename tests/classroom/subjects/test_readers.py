import numpy as np
import torch

from cvcourse.classroom.subjects import readers
from cvcourse.data.cluttered_digits import cluttered_digits


def test_the_trained_one_reads_and_the_untrained_does_not():
    scenes, labels, _ = cluttered_digits(382, "test", torch.Generator().manual_seed(5))
    with torch.no_grad():
        right = [
            (network(scenes).argmax(1) == labels).float().mean()
            for network in (readers.trained_reader(), readers.untrained_reader(5))
        ]
    assert right[0] > 0.85 > 0.3 > right[1]


def test_an_untrained_reader_is_its_seed_s_and_leaves_the_generator_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, same, other = (readers.untrained_reader(seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one[0].weight, same[0].weight)
    assert not torch.equal(one[0].weight, other[0].weight)


def test_discs_are_where_the_digits_are():
    centres = torch.tensor([[-7.5, 12.0], [0.0, 0.0]])
    found = readers.discs(centres, radius=6.0)
    for disc, (x, y) in zip(found, centres.tolist(), strict=True):
        for row in range(40):
            for column in range(40):
                away = (column + 0.5 - 20 - x) ** 2 + (row + 0.5 - 20 - y) ** 2
                assert disc[row, column] == (away < 36)


def test_alike():
    one = torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(0))
    everywhere = torch.ones(2, 4, 5, dtype=torch.bool)
    assert readers.alike(one, one.exp(), everywhere).tolist() == [1, 1]
    assert readers.alike(one, -one, everywhere).tolist() == [-1, -1]
    half = one > 0.5  # there the same, elsewhere its opposite
    both = torch.where(half, one, -one)
    assert readers.alike(one, both, half).tolist() == [1, 1]
    assert readers.alike(one, both, ~half).tolist() == [-1, -1]
    tied = torch.tensor([[[0.0, 0.0, 1.0, 2.0]]])  # ranks 1.5, 1.5, 3, 4
    other = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
    by_hand = np.corrcoef([1.5, 1.5, 3, 4], [1, 2, 3, 4])[0, 1]
    assert readers.alike(tied, other, torch.ones(1, 1, 4, dtype=torch.bool)).item() == by_hand


def test_figures():
    figure = readers.show_map(torch.zeros(1, 4, 4), torch.ones(4, 4), "A map")
    assert figure.axes[1].images[0].norm.vmin == -1
    groups = {"a": {"right": (0.5, 0.4, 0.7)}, "b": {"right": (0.9, 0.8, 0.95)}}
    figure = readers.show_groups(groups, title="T", xlabel="x", ylabel="y")
    (bars,) = (c for c in figure.axes[0].containers[:1])
    low, high = bars.lines[2][0].get_segments()[0][:, 1]
    assert (low, high) == (0.4, 0.7)
