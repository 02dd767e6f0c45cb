import matplotlib.pyplot as plt
import pytest
import torch
from scipy import ndimage

from cvcourse.classroom.subjects.cells import (
    CUTS,
    FLOODS,
    TIMES,
    Levels,
    best_setting,
    cell_scores,
    cells_of,
    chosen_levels,
    compare_cells,
    count_cells,
    cut_at,
    f1_of,
    flood_all,
    flooded,
    marked_nuclei,
    otsu_mask,
    show_cells,
    show_nuclei,
    tuned_watershed,
)
from cvcourse.data.cells import cell_pictures
from cvcourse.metrics import boundary_iou


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


def test_marks_lie_in_the_picture_on_blue_stain():
    nuclei = marked_nuclei()
    assert nuclei.stain.shape == (1, 1, 120, 144)
    assert nuclei.photograph.shape == (3, 120, 144)
    assert len(set(nuclei.marks)) == 21
    at = torch.stack([nuclei.stain[0, 0, y, x] for x, y in nuclei.marks])
    assert at.median() > nuclei.stain.quantile(0.75)


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


def bridged():
    """(probabilities, cells, wanted): two disks, a bridge of 0.55 between them, a halo of 0.35."""
    one, other = two_disks(apart=11)
    cells = one.long() + 2 * (other & ~one).long()
    wanted = (one ^ other)[None]
    likely = torch.where(wanted, 0.92, 0.01)
    likely[(one & other)[None]] = 0.55
    edge = torch.nn.functional.max_pool2d((one | other).float()[None], 3, 1, 1) > 0
    likely[edge & (likely < 0.3)] = 0.35
    return likely, cells[None], wanted


def test_levels_are_chosen_for_each_purpose_by_itself():
    likely, cells, wanted = bridged()
    levels = chosen_levels(likely, cells, wanted)

    def f1(pieces):
        return f1_of(count_cells(pieces, cells).sum(0))

    assert f1(cut_at(levels.cut, likely)) == max(f1(cut_at(t, likely)) for t in CUTS) == 1
    assert levels.cut >= 0.6  # above the bridge
    assert 0.55 <= levels.level < 0.92
    assert f1(flood_all(levels.flood, likely > levels.mask)) == 1
    assert levels.mask in CUTS


def test_at_half_only_the_cut_and_the_flood_are_chosen():
    likely, cells, wanted = bridged()
    levels, free = (chosen_levels(likely, cells, wanted, at_half=half) for half in (True, False))
    assert (levels.level, levels.mask) == (0.5, 0.5)
    assert levels.cut == free.cut
    assert f1_of(count_cells(flood_all(levels.flood, likely > 0.5), cells).sum(0)) == 1


def test_scores_at_levels():
    likely, cells, wanted = bridged()
    levels = Levels(cut=0.6, level=0.3, mask=0.5, flood={"apart": 3, "smoothing": 1.0})
    scores, own = cell_scores(likely, cells, wanted, levels)
    (flood,) = count_cells([flooded(likely[0] > 0.5, **levels.flood)], cells)
    assert own.tolist() == count_cells([cells_of(likely[0] > 0.6)], cells).tolist()
    mask = likely > 0.3
    assert scores == {
        "cut": 0.6,
        "F1": f1_of(own[0]),
        "F1 flooded": f1_of(flood),
        "merged": own[0, 3],
        "merged flooded": flood[3],
        "IoU": pytest.approx(((mask & wanted).sum() / (mask | wanted).sum()).item()),
        "edges": pytest.approx(boundary_iou(mask, wanted, dilation_ratio=0.01).item()),
    }


def test_tally_of_marks():
    nuclei = marked_nuclei()
    pieces = torch.zeros(120, 144, dtype=torch.int64)
    (x, y), (u, v), (s, t) = nuclei.marks[:3]
    assert nuclei.tally(pieces) == (0, 0, 21, 0)
    pieces[y, x], pieces[v, u], pieces[t, s] = 4, 4, 9
    pieces[0, 0] = 2
    assert nuclei.tally(pieces) == (1, 2, 18, 1)


def test_figures_say_what_was_found():
    nuclei = marked_nuclei()
    pieces = torch.zeros(120, 144, dtype=torch.int64)
    x, y = nuclei.marks[0]
    pieces[y - 2 : y + 3, x - 2 : x + 3] = 1
    figure = show_nuclei(nuclei, {"mine": pieces}, title="Nuclei")
    assert "mine: 1 found, 0 merged, 20 lost, 0 unmarked" in figure.alt_text
    assert figure.axes[1].get_title() == "mine: 1 found, 0 merged, 20 lost, 0 unmarked"
    assert all(len(axes.get_lines()[0].get_xdata()) == 21 for axes in figure.axes[:2])  # the marks
    images, truth = cell_pictures(2, "val")
    figure = show_cells(
        images, {"picture": None, "truth": truth}, [["", ""], ["a", "b"]], title="Cells"
    )
    assert [axes.get_title() for axes in figure.axes] == ["", "", "a", "b"]
    plt.close("all")
