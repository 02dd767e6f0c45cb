import torch
from torch import nn

from cvcourse.classroom.subjects.labelling import VOID, Rules, label_maps, matrices, outlines
from cvcourse.data.scenes import Scenes, stack
from cvcourse.metrics import boundary_iou, mean_iou


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


def test_rules_know_compact_from_jagged_and_are_chosen_by_the_score():
    scenes = Scenes(
        24, size=96, split="train", classes=("background", "coin", "horse"), objects=1,
        scale=(0.6, 0.9), rotation=30, background="plain", shadow=0,
    )  # fmt: skip
    images, target = stack([scenes[i] for i in range(24)])

    def score(maps, labels):
        return mean_iou(maps, labels, 3).item()

    rules = Rules.chosen_on(images, target["semantic"], score)
    every = {
        (d, c): score(Rules(d, c)(images), target["semantic"])
        for d in Rules.DIFFERENT
        for c in Rules.COMPACT
    }
    assert max(every, key=every.get) == (rules.different, rules.compact)
    assert every[rules.different, rules.compact] > 0.6


def test_a_disk_is_a_coin_a_thin_cross_is_none_and_a_speck_is_nothing():
    image = 0.4 + 0.02 * torch.randn(3, 80, 120, generator=torch.Generator().manual_seed(0))
    rows, columns = torch.meshgrid(torch.arange(80), torch.arange(120), indexing="ij")
    disk = (rows - 40) ** 2 + (columns - 30) ** 2 < 400
    cross = ((rows - 40).abs() < 25) & ((columns - 85).abs() < 25)
    cross &= ((rows - 40).abs() < 4) | ((columns - 85).abs() < 4)
    image[:, disk | cross] = 0.9
    image[:, 4:7, 60:63] = 0.9
    (maps,) = Rules(0.8, 0.8)(image[None])
    assert (maps[disk] == 1).float().mean() > 0.95
    assert (maps[cross] == 2).float().mean() > 0.95
    assert (maps[:12] == 0).all()
