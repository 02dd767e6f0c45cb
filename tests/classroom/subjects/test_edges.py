import pytest
import torch
from scipy import ndimage

from cvcourse.classroom.subjects.edges import (
    errors_by_place,
    misleading_colours,
    near_outlines,
    show_refinements,
    thin_parts,
)


def test_near_outlines_sees_as_far_as_it_reaches():
    labels = torch.zeros(1, 9, 20, dtype=torch.int64)
    labels[..., 10:] = 2
    near = near_outlines(labels, reach=3)
    assert near[0].all(0).nonzero()[:, 0].tolist() == list(range(7, 13))
    assert near.any(1).sum() == 6
    assert not near_outlines(labels[..., :10]).any()


def test_thin_parts_are_what_opening_removes():
    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(3, 30, 30, generator=generator) < 0.93
    masks[:, :4] = masks[:, -4:] = masks[:, :, :4] = masks[:, :, -4:] = False
    for mask, thin in zip(masks, thin_parts(masks, reach=1), strict=True):
        opened = ndimage.binary_opening(mask.numpy(), structure=[[1] * 3] * 3)
        assert torch.equal(thin, mask & ~torch.from_numpy(opened))


def test_a_leg_is_thin_and_a_body_is_not():
    mask = torch.zeros(1, 40, 40, dtype=torch.bool)
    mask[:, 5:20, 5:30] = True
    mask[:, 20:38, 8:11] = True
    thin = thin_parts(mask)
    assert thin[0, 20:38, 8:11].all()
    assert thin.sum() == 18 * 3


def test_errors_by_place_counts_what_is_found_painted_mended_and_spoiled():
    labels = torch.zeros(1, 40, 40, dtype=torch.int64)
    labels[:, 10:30, 10:30] = 1
    labels[:, 0, 0] = 255
    before, maps = labels.clone(), labels.clone()
    before[:, 18:20, 18:20] = 0  # four wrong pixels in the middle, two of them mended
    maps[:, 18, 18:20] = 0
    maps[:, 36:38, 36:40] = 2  # eight new ones far from any outline
    maps[:, 10:30, 31] = 1  # and a column of paint beside the outline
    shares = errors_by_place(maps, labels, before)
    rim = int((near_outlines(labels) & (labels == 0)).sum())
    expected = {"thin": shares["thin"], "bulk": 398 / 400, "false paint": 20 / rim}
    assert shares == pytest.approx(expected | {"deep mended": 0.5, "deep new": 2.0}, nan_ok=True)


def test_refinements_are_shown_in_a_row_each(capsys):
    truth = torch.zeros(20, 20, dtype=torch.int64)
    truth[5:15, 5:15] = 1
    half = truth.clone()
    half[:10] = 0
    case = (torch.rand(3, 20, 20), truth, (truth, half))
    figure = show_refinements([case] * 2, ("all", "half"), ("wall", "coin"), title="two rows")
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles[:2] == ["the truth", "all: 1.00"]
    assert len(titles) == 6
    told = capsys.readouterr().out.splitlines()
    assert "found coin 100%; of the background painted 0.0%" in told[0]
    assert "found coin 50%; of the background painted 0.0%" in told[3]


def test_colours_mislead_where_they_should():
    for name, (mask, picture) in misleading_colours().items():
        alike = (picture[mask] - picture[~mask].mean()).abs() < 0.05
        assert alike.any() == (name in ("striped disk", "pale bar"))
