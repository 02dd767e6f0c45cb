import torch
from torch import nn

from cvcourse.classroom.subjects.labelling import (
    VOID,
    Forest,
    area_score,
    filled_boxes,
    label_maps,
    label_scores,
    matrices,
    outlines,
    print_scores,
)
from cvcourse.metrics import boundary_iou


def test_label_maps_are_the_likeliest_classes_in_evaluation_mode():
    model = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(3, 4, 1)).train()
    images = torch.rand(5, 3, 6, 7)
    maps = label_maps(model, images, batch=2)
    assert maps.shape == (5, 6, 7)
    assert torch.equal(maps, model[1](images).argmax(1))
    assert model.training
    second = label_maps(model, images, logits_of=lambda m, x: -m(x))
    assert torch.equal(second, model[1](images).argmin(1))


def test_matrices_count_each_picture_by_itself_without_void():
    labels = torch.tensor([[[0, 1], [1, VOID]], [[2, 2], [0, 0]]])
    maps = torch.tensor([[[0, 1], [0, 1]], [[2, 0], [0, 2]]])
    assert matrices(maps, labels, 3).tolist() == [
        [[1, 0, 0], [1, 1, 0], [0, 0, 0]],
        [[1, 0, 1], [0, 0, 0], [1, 0, 1]],
    ]


def test_outlines_are_means_over_the_classes_that_occur():
    labels = torch.zeros(3, 20, 20, dtype=torch.int64)
    labels[0, 2:9, 2:9], labels[0, 11:18, 11:18], labels[1, 3:12, 4:15] = 1, 2, 2
    maps = labels.roll(1, 2)
    value = outlines(maps, labels, 3, dilation_ratio=0.04)
    one, two = (
        boundary_iou(maps[0] == c, labels[0] == c, dilation_ratio=0.04).item() for c in (1, 2)
    )
    torch.testing.assert_close(value[0].item(), (one + two) / 2)
    assert value[1] == boundary_iou(maps[1] == 2, labels[1] == 2, dilation_ratio=0.04)
    assert value[2].isnan()


def test_void_pixels_are_no_outline_of_anything():
    labels = torch.zeros(1, 20, 20, dtype=torch.int64)
    labels[0, 5:12, 5:12], labels[0, :3] = 1, VOID
    maps = labels.clone()
    maps[0, :3] = 1
    assert outlines(maps, labels, 2) == 1


def test_scores_of_maps_by_counting():
    labels = torch.zeros(2, 20, 20, dtype=torch.int64)
    labels[0, 2:9, 2:9], labels[1, 11:18, 11:18], labels[1, :2] = 1, 2, VOID
    maps = labels.roll(1, 2)
    maps[maps == VOID] = 0
    judged = labels != VOID
    each = [
        ((maps == c) & (labels == c) & judged).sum()
        / (((maps == c) | (labels == c)) & judged).sum()
        for c in range(3)
    ]
    scores = label_scores(maps, labels, ("nothing", "disk", "cross"))
    assert list(scores) == ["mIoU", "edges", "disk", "cross"]
    torch.testing.assert_close(scores["mIoU"], torch.stack(each).mean().item())
    torch.testing.assert_close(scores["mIoU"], area_score(maps, labels, 3))
    torch.testing.assert_close([scores["disk"], scores["cross"]], [v.item() for v in each[1:]])
    torch.testing.assert_close(scores["edges"], outlines(maps, labels, 3).mean().item())


def test_printed_scores_stand_in_columns(capsys):
    print_scores({"a": {"mIoU": 0.5, "edges": 0.25}, "longer": {"mIoU": 1.0, "edges": 0.125}})
    head, first, last = capsys.readouterr().out.splitlines()
    assert head.split() == ["mIoU", "edges"]
    assert first.split() == ["a", "0.500", "0.250"]
    assert last.split() == ["longer", "1.000", "0.125"]
    assert len(head) == len(first) == len(last)


def test_a_forest_knows_colours_and_textures_and_is_the_same_for_a_seed():
    draw = torch.Generator().manual_seed(0)
    images = 0.4 + 0.02 * torch.randn(6, 3, 40, 60, generator=draw)
    labels = torch.zeros(6, 40, 60, dtype=torch.int64)
    labels[:, 5:25, 5:25], labels[:, 15:35, 35:55], labels[:, :, 57:] = 1, 2, VOID
    images[:, 0][labels == 1] += 0.2  # red, a little brighter
    checks = 0.2 * (-1.0) ** (torch.arange(40)[:, None] + torch.arange(60))  # of the same mean
    images += torch.where(labels == 2, checks, 0.0)[:, None]
    dim = images * torch.tensor([1, 1, 1, 1, 0.7, 0.7])[:, None, None, None]  # unseen: less light
    forest = Forest(images[:4], labels[:4], trees=10)
    inside = labels[4:] != VOID
    maps = forest(dim[4:])
    assert maps.shape == (2, 40, 60)
    assert (maps == labels[4:])[inside].float().mean() > 0.9
    assert set(maps.unique().tolist()) <= {0, 1, 2}  # void is never learned
    assert Forest(images[:4], labels[:4], trees=10)(dim[4:]).equal(maps)
    assert not Forest(images[:4], labels[:4], trees=10, seed=1)(dim[4:]).equal(maps)


def test_filled_boxes_have_small_ones_on_top():
    boxes = torch.tensor([[2.0, 2, 4, 3], [1, 1, 5, 4]])
    filled = filled_boxes({"boxes": boxes, "labels": torch.tensor([2, 1])}, 6)
    expected = torch.zeros(6, 6, dtype=torch.int64)
    expected[1:4, 1:5], expected[2, 2:4] = 1, 2
    assert torch.equal(filled, expected)
    assert not filled_boxes({"boxes": boxes[:0], "labels": boxes.new_zeros(0)}, 3).any()
