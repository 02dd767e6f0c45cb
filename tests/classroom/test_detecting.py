import pytest
import torch
from torch import nn

from cvcourse.classroom import detecting
from cvcourse.metrics import coco_average_precision


@pytest.fixture(scope="module")
def kept():
    return detecting.Kept(detecting.shape_scenes(6, "val"), keys=("boxes", "labels", "masks"))


def test_scenes_are_kept_as_they_are(kept):
    image, target = detecting.shape_scenes(6, "val")[4]
    assert image.shape == (3, 96, 96)
    assert torch.equal(kept[4][0], image)
    assert kept[4][1].keys() == {"boxes", "labels", "masks"}
    assert all(torch.equal(kept[4][1][key], target[key]) for key in kept[4][1])


def test_options_of_scenes():
    scenes = detecting.shape_scenes(2, objects=2, placement="apart", classes=("background", "ring"))
    assert scenes.classes == ("background", "ring")
    assert len(scenes[0][1]["boxes"]) == 2


def test_boxes_of_a_mirror_image_are_around_its_masks(kept):
    image, target = detecting.mirrored(*kept[0])
    assert torch.equal(image, kept[0][0].flip(-1))
    for box, mask in zip(target["boxes"], target["masks"], strict=True):
        rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
        edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert box.tolist() == [float(edge) for edge in edges]
    again = detecting.mirrored(image, target)
    assert torch.equal(again[0], kept[0][0])
    assert torch.equal(again[1]["boxes"], kept[0][1]["boxes"])


def test_half_of_the_pictures_are_mirrored():
    torch.manual_seed(0)
    dataset = detecting.Kept(detecting.shape_scenes(1), mirror=True)
    same = sum(torch.equal(dataset[0][0], dataset.images[0]) for _ in range(100))
    assert 30 < same < 70


def test_batches_are_shuffled_alike_for_a_seed(kept):
    def order(seed):
        return [target["boxes"] for _, t in detecting.batches(kept, 2, seed=seed) for target in t]

    assert all(torch.equal(a, b) for a, b in zip(order(1), order(1), strict=True))
    assert len(list(detecting.batches(kept, 4, seed=0))) == 1


class Oracle(nn.Module):
    """Gives the true boxes back, each in order of being asked."""

    def __init__(self, targets):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.answers = iter(targets)

    def forward(self, images):
        assert not self.training
        return [next(self.answers) for _ in images]


def test_detect_asks_in_batches_and_keeps_the_mode(kept):
    answers = [{"boxes": torch.rand(i, 4), "labels": torch.ones(i)} for i in range(6)]
    model = Oracle(answers).train()
    found = detecting.detect(model, kept.images, batch_size=4)
    assert model.training
    assert [len(f["boxes"]) for f in found] == list(range(6))


def test_interval_of_average_precision(kept):
    found = [{**t, "scores": torch.ones(len(t["boxes"]))} for t in kept.targets]
    assert detecting.average_precision_interval(found, kept.targets, n=20) == (1, 1, 1)
    half = [f if i % 2 else {k: v[:0] for k, v in f.items()} for i, f in enumerate(found)]
    value, low, high = detecting.average_precision_interval(half, kept.targets, n=50)
    assert low < value < high
    assert value == coco_average_precision(half, kept.targets)["map_50"]


def test_backbone_starts_from_a_classifier_of_crops(kept):
    pretrained = detecting.small_backbone()
    random = detecting.small_backbone(pretrained=False)
    assert not torch.equal(pretrained.body.conv1.weight, random.body.conv1.weight)
    levels = pretrained(torch.stack(kept.images[:2]))
    assert [tuple(level.shape) for level in levels.values()] == [
        (2, 32, 96 // stride, 96 // stride) for stride in detecting.STRIDES
    ]
