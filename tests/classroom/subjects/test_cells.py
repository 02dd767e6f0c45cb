from functools import partial

import matplotlib.pyplot as plt
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage

from cvcourse.classroom.subjects.cells import (
    CUTS,
    FLOODS,
    TIMES,
    Levels,
    best_setting,
    cell_probability,
    cell_scores,
    cells_of,
    chosen_levels,
    compare_cells,
    count_cells,
    cut_at,
    f1,
    f1_of,
    flood_all,
    flooded,
    judge,
    other_recipes,
    otsu_mask,
    show_cells,
    standard,
    tuned_watershed,
    with_gaps,
)
from cvcourse.data.cells import cell_pictures
from cvcourse.models import UNet


def test_pieces_are_numbered_grown_and_specks_are_dropped():
    mask = torch.zeros(20, 30, dtype=torch.bool)
    mask[2:8, 2:8], mask[2:8, 10:16], mask[15, 3:8] = True, True, True
    pieces = cells_of(mask)
    assert pieces.dtype == torch.int64
    assert pieces.unique().tolist() == [0, 1, 2]
    assert (pieces[2:8, 2:8] == 1).all()
    assert (pieces[4, 1:9] == 1).all()  # a ring of one pixel
    assert (pieces[4, 9:17] == 2).all()
    assert (pieces[4, 17:] == 0).all()
    assert (pieces[14:] == 0).all()  # five pixels are a speck
    assert cells_of(mask, least=5).max() == 3


def test_diagonal_neighbours_are_two_pieces():
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[:4, :4], mask[4:, 4:] = True, True
    assert cells_of(mask, least=1).max() == 2


def test_nothing_is_nothing():
    assert cells_of(torch.zeros(5, 6, dtype=torch.bool)).max() == 0


def test_counts_by_naive_loops():
    _, cells = cell_pictures(4, "val", seed=3)
    for number, truth in enumerate(cells):
        blurred = ndimage.gaussian_filter((truth % 3 > 0).float().numpy(), 1 + number)
        pieces = cells_of(blurred > 0.45)
        matched = merged = 0
        most_of = {}
        for c in range(1, int(truth.max()) + 1):
            for p in range(1, int(pieces.max()) + 1):
                a, b = truth == c, pieces == p
                shared = int((a & b).sum())
                matched += shared / int((a | b).sum()) > 0.5
                if shared > int(a.sum()) / 2:
                    most_of[c] = p
        homes = list(most_of.values())
        merged = sum(homes.count(p) > 1 for p in homes)
        wanted = [matched, int(pieces.max()), int(truth.max()), merged]
        assert compare_cells(pieces, truth).tolist() == wanted


def test_f1_of_counts_and_of_their_sum():
    assert f1_of(torch.tensor([3, 4, 5, 2])) == pytest.approx(6 / 9)
    assert f1_of(torch.tensor([[3, 4, 5, 2], [1, 1, 1, 0]]).sum(0)) == pytest.approx(8 / 11)
    assert f1_of(torch.zeros(4)) == 0


def test_f1_of_pictures_is_of_their_cells_together():
    one, two = torch.zeros(6, 6).long(), torch.zeros(6, 6).long()
    one[1:3, 1:3], two[1:3, 1:3], two[4:, 4:] = 1, 1, 2
    assert f1([one, one], torch.stack([one, two])) == pytest.approx(2 * 2 / (2 + 3))


def two_disks(apart):
    rows, columns = torch.meshgrid(torch.arange(24), torch.arange(40), indexing="ij")
    left, right = 20 - apart / 2, 20 + apart / 2
    squares = [(rows - 12) ** 2 + (columns - x) ** 2 for x in (left, right)]
    return squares[0] < 49, squares[1] < 49


def test_watershed_cuts_disks_that_overlap_where_they_are_narrowest():
    one, other = two_disks(apart=11)
    pieces = flooded(one | other, apart=3, smoothing=1.0)
    assert pieces.unique().tolist() == [0, 1, 2]
    assert ((pieces > 0) == (one | other)).all()
    assert pieces[:, :20][(one | other)[:, :20]].unique().numel() == 1
    assert pieces[:, 21:][(one | other)[:, 21:]].unique().numel() == 1


def test_peaks_that_are_too_near_are_one():
    one, other = two_disks(apart=11)
    assert flooded(one | other, apart=15, smoothing=1.0).max() == 1


def test_otsu_finds_a_bright_disk_and_no_single_pixel():
    disk, _ = two_disks(apart=16)
    image = 0.1 + 0.8 * disk.float()
    image[2, 36] = 1
    mask = otsu_mask(image[None])
    assert mask.dtype == torch.bool
    assert not mask[2, 36]
    assert (mask != disk).float().mean() < 0.02


def test_a_part_of_otsus_threshold_takes_in_a_dim_cell():
    bright, dim = two_disks(apart=16)
    image = 0.1 + 0.8 * bright.float() + 0.3 * (dim & ~bright).float()
    whole, half = (otsu_mask(image[None], times=t) for t in (1.0, 0.5))
    assert not (whole & dim & ~bright).any()
    assert (half[dim]).float().mean() > 0.9


def test_best_setting_counts_best():
    one, other = two_disks(apart=11)
    cells = one.long() + 2 * (other & ~one).long()
    masks = [one | other]
    setting, score = best_setting(
        [15, 3, 14], lambda a: [flooded(m, apart=a, smoothing=1.0) for m in masks], cells[None]
    )
    assert (setting, score) == (3, 1.0)
    assert count_cells([cells], cells[None]).tolist() == [[2, 2, 2, 0]]


def test_a_watershed_is_tuned_first_by_its_flood_then_by_its_threshold():
    images, cells = cell_pictures(4, "val", seed=5)

    def f1(flood, times):
        masks = [otsu_mask(image, times=times) for image in images]
        return f1_of(count_cells(flood_all(flood, masks), cells).sum(0))

    flood, times, best = tuned_watershed(images, cells)
    assert f1(flood, 1.0) == max(f1(settings, 1.0) for settings in FLOODS)
    assert f1(flood, times) == best == max(f1(flood, t) for t in TIMES)


def test_levels_are_chosen_for_each_way_to_count_by_itself():
    one, other = two_disks(apart=11)
    cells = (one.long() + 2 * (other & ~one).long())[None]
    likely = torch.where((one ^ other)[None], 0.92, 0.01)
    likely[(one & other)[None]] = 0.55  # a bridge
    levels = chosen_levels(likely, cells)

    def f1(pieces):
        return f1_of(count_cells(pieces, cells).sum(0))

    assert f1(cut_at(levels.cut, likely)) == max(f1(cut_at(t, likely)) for t in CUTS) == 1
    assert levels.cut >= 0.6  # above the bridge
    half = [f1(flood_all(settings, likely > 0.5)) for settings in FLOODS]
    assert levels.flood == FLOODS[half.index(max(half))]
    floods = [f1(flood_all(levels.flood, likely > t)) for t in CUTS]
    assert levels.mask == CUTS[floods.index(max(floods))]


def test_scores_at_levels():
    one, other = two_disks(apart=11)
    cells = (one.long() + 2 * (other & ~one).long())[None]
    likely = torch.where((one | other)[None], 0.9, 0.1)
    levels = Levels(cut=0.6, mask=0.5, flood={"apart": 3, "smoothing": 1.0})
    scores, counts = cell_scores(likely, cells, levels)
    assert counts.tolist() == [[0, 1, 2, 2]] or counts.tolist() == [[1, 1, 2, 2]]
    assert scores == {"F1": f1_of(counts[0]), "F1 flooded": 1}


def test_gaps_are_where_two_cells_meet():
    row = torch.tensor([[[0, 1, 1, 1, 2, 2, 0]]])
    assert with_gaps(row).tolist() == [[[0, 1, 1, 0, 0, 2, 0]]]
    _, cells = cell_pictures(3, "val", seed=2)
    kept = with_gaps(cells)
    for picture, gapped in zip(cells.numpy(), kept.numpy(), strict=True):
        near = ndimage.generic_filter(
            picture, lambda window: len(set(window) - {0}) > 1, size=3, mode="constant"
        )
        assert (gapped == picture * (near == 0)).all()


def test_other_recipes_of_a_row():
    row = torch.tensor([[[0, 1, 1, 2, 2, 0]]])
    recipes = other_recipes(row, torch.tensor([[[1.0, 1, 3, 2, 1, 1]]]))
    target, weights = recipes["ridge of 40"]
    assert target.tolist() == [[[False, True, False, False, True, False]]]
    assert weights.tolist() == [[[1, 1, 9, 5, 1, 1]]]
    target, weights = recipes["three classes"]
    assert target.tolist() == [[[0, 1, 2, 2, 1, 0]]]
    assert (weights == 1).all()


def test_probability_is_that_of_the_mirrored_picture():
    torch.manual_seed(0)
    unet = UNet(widths=(2, 4, 8))
    images, _ = cell_pictures(21, "val", size=52)
    likely = cell_probability(unet, images)
    grey = images.double().numpy()
    mean, deviation = (f((2, 3), keepdims=True) for f in (grey.mean, partial(grey.std, ddof=1)))
    alike = torch.from_numpy((grey - mean) / deviation).float()
    with torch.no_grad():
        logits = unet.eval()(F.pad(alike, [20] * 4, mode="reflect"))
    torch.testing.assert_close(likely, (logits[:, 1] - logits[:, 0]).sigmoid())
    torch.testing.assert_close(standard(images), alike)


def test_a_network_is_judged_by_levels_of_other_pictures():
    torch.manual_seed(0)
    unet = UNet(widths=(2, 4, 8))
    sets = {name: cell_pictures(2, name, size=52, seed=1) for name in ("val", "test", "train")}
    choice, test, seen = sets.values()
    numbers, made = judge(unet, choice, test, seen, count="F1 flooded")
    likely = {name: cell_probability(unet, images) for name, (images, _) in sets.items()}
    levels = chosen_levels(likely["val"], choice[1])
    assert (made["levels"], numbers["cut"]) == (levels, levels.cut)
    assert torch.equal(made["likely"], likely["test"])
    assert torch.equal(made["counts"], count_cells(cut_at(levels.cut, likely["test"]), test[1]))
    assert numbers["F1"] == f1_of(made["counts"].sum(0))
    for key, name in (("flooded", "test"), ("validation", "val"), ("training", "train")):
        pieces = flood_all(levels.flood, likely[name] > levels.mask)
        assert numbers[f"F1 {key}"] == f1(pieces, sets[name][1])


def test_figures_say_what_was_found():
    images, truth = cell_pictures(2, "val")
    figure = show_cells(
        images, {"picture": None, "truth": truth}, [["", ""], ["a", "b"]], title="Cells"
    )
    assert [axes.get_title() for axes in figure.axes] == ["", "", "a", "b"]
    plt.close("all")
