"""Sets of permutations, and puzzles that can be put together again."""

import pytest
import torch

from cvcourse.methods import jigsaw_permutations, make_puzzles
from tests import oracle


@pytest.mark.parametrize("case", oracle.cases("jigsaw_permutations", "less_supervision/cases.json"))
def test_well_known_generator(case):
    options, want = case["params"], case["expected"]
    method = {"max_avg": "max_mean", "max_min": "max_min"}[options["method"]]
    found = jigsaw_permutations(options["N"], options["tiles"], method, options["first"])
    assert found[:10].tolist() == want["permutations_first10"].long().tolist()
    differ = (found[:, None] != found).sum(2)
    pairs = differ[torch.triu(torch.ones_like(differ), 1).bool()]
    assert pairs.bincount(minlength=10).tolist() == want["pairs_at_distance"].long().tolist()
    assert pairs.min() == want["min_distance"]
    assert pairs.double().mean().item() == pytest.approx(want["mean_distance"])


def test_all_permutations_of_three():
    found = jigsaw_permutations(6, 3)
    assert sorted(map(tuple, found.tolist())) == [
        (0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0),
    ]  # fmt: skip


@pytest.mark.parametrize("method", ["max_mean", "max_min"])
def test_no_permutation_comes_twice(method):
    for tiles, count in ((4, 24), (5, 120), (6, 300)):
        assert len(jigsaw_permutations(count, tiles, method).unique(dim=0)) == count


def test_a_puzzle_put_together_is_the_picture():
    images = torch.rand(4, 3, 12, 18)
    orders = jigsaw_permutations(5)
    tiles, labels = make_puzzles(images[..., :12], orders, 4, normalize=False)
    assert tiles.shape == (4, 9, 3, 4, 4)
    for image, shuffled, label in zip(images, tiles, labels, strict=True):
        sorted_tiles = shuffled[orders[label].argsort()]
        rows = [torch.cat(list(sorted_tiles[3 * r : 3 * r + 3]), 2) for r in range(3)]
        assert torch.equal(torch.cat(rows, 1), image[:, :, :12])


def test_tiles_lie_in_their_cells_at_all_places():
    image = torch.stack(torch.meshgrid(torch.arange(18.0), torch.arange(24.0), indexing="ij"))
    places = set()
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        tiles, labels = make_puzzles(
            image[None], torch.arange(9)[None], 4, normalize=False, generator=generator
        )
        top, left = tiles[0, :, 0, 0, 0], tiles[0, :, 1, 0, 0]
        cells = torch.arange(9)
        inside_row, inside_column = top - cells // 3 * 6, left - cells % 3 * 8
        assert labels.tolist() == [0]
        assert (inside_row >= 0).all()
        assert (inside_row <= 2).all()
        assert (inside_column >= 0).all()
        assert (inside_column <= 4).all()
        places |= set(zip(inside_row.tolist(), inside_column.tolist(), strict=True))
    assert len(places) == 3 * 5


def test_normalised_tiles_tell_no_brightness():
    images = 5 + 3 * torch.rand(2, 3, 12, 12)
    tiles, _ = make_puzzles(images, jigsaw_permutations(3), 3)
    assert tiles.mean((2, 3, 4)).abs().max() < 1e-5
    assert (tiles.std((2, 3, 4), correction=0) - 1).abs().max() < 1e-4
    flat, _ = make_puzzles(torch.ones(1, 3, 12, 12), jigsaw_permutations(3), 3)
    assert flat.abs().max() == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jigsaw_permutations(7, 3), "count must be from 1 to 6, got 7"),
        (lambda: jigsaw_permutations(3, 10), "tiles must be from 2 to 9, got 10"),
        (lambda: jigsaw_permutations(3, 3, first=6), "first must be from 0 to 5, got 6"),
        (lambda: jigsaw_permutations(3, 3, "best"), "method must be 'max_mean' or 'max_min'"),
        (
            lambda: make_puzzles(torch.zeros(1, 3, 12, 12), jigsaw_permutations(3), 5),
            "tile must be from 1 to 4 pixels, got 5",
        ),
        (
            lambda: make_puzzles(torch.zeros(1, 3, 12, 12), jigsaw_permutations(3, 5), 2),
            "orders must be permutations of a square number",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
