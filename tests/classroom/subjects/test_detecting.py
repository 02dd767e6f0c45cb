import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from cvcourse.classroom import fit, records
from cvcourse.classroom.run import Run
from cvcourse.classroom.subjects import detecting
from cvcourse.data import real
from cvcourse.metrics import bootstrap_interval, coco_average_precision
from cvcourse.models.backbones.resnet import ResNet
from cvcourse.models.detection._anchors import pyramid_anchors
from cvcourse.models.detection.faster_rcnn import FasterRCNN
from cvcourse.models.detection.retinanet import RetinaNet
from cvcourse.ops.match_anchors import BETWEEN
from tests.data.conftest import voc  # noqa: F401 (a fixture)
from tests.metrics.detections import random_images

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def kept():
    return detecting.Kept(detecting.shape_scenes(6, "val"), keys=("boxes", "labels", "masks"))


def test_scenes_are_kept_as_they_are(kept):
    image, target = detecting.shape_scenes(6, "val")[4]
    assert image.shape == (3, 96, 96)
    assert torch.equal(kept[4][0], image)
    assert kept[4][1].keys() == {"boxes", "labels", "masks"}
    assert all(torch.equal(kept[4][1][key], target[key]) for key in kept[4][1])


def test_scenes_are_read_once_and_when_first_asked_for():
    read = []

    class Scenes(torch.utils.data.Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            read.append(index)
            return torch.zeros(3, 4, 4), {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0)}

    kept = detecting.Kept(Scenes())
    assert len(kept) == 3
    assert read == []
    assert len(kept.images) == len(kept.targets) == 3
    assert kept[2][1] is kept.targets[2]
    assert read == [0, 1, 2]


class Counting(torch.utils.data.Dataset):
    """Writes down, for all processes to see, what is read of it."""

    def __init__(self, log, length=12):
        self.log, self.length = log, length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"{index}\n")
        return torch.full((3, 4, 4), index), {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0)}


def test_workers_read_each_picture_once(tmp_path):
    log = tmp_path / "read.txt"
    kept = detecting.Kept(Counting(log))
    loader = torch.utils.data.DataLoader(kept, 2, num_workers=2, collate_fn=detecting.collate)
    assert [int(image[0, 0, 0]) for images, _ in loader for image in images] == list(range(12))
    assert sorted(map(int, log.read_text(encoding="utf-8").split())) == list(range(12))


def test_batches_of_workers_read_each_picture_once_for_all_epochs(tmp_path):
    log = tmp_path / "read.txt"
    loader = detecting.batches(detecting.Kept(Counting(log)), 2, seed=0, workers=2)
    assert [len(list(loader)) for _ in range(2)] == [6, 6]
    assert sorted(map(int, log.read_text(encoding="utf-8").split())) == list(range(12))


def test_kept_pictures_may_be_counted_from_the_end(tmp_path):
    kept = detecting.Kept(Counting(tmp_path / "read.txt"))
    assert int(kept[-1][0][0, 0, 0]) == 11
    with pytest.raises(IndexError):
        kept[12]


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


def test_small_backbone_finds_its_weights_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    torch.manual_seed(0)
    expected = detecting.small_backbone().body.state_dict()
    monkeypatch.chdir(tmp_path)
    found = detecting.small_backbone().body.state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    (file,) = (ROOT / "lessons" / "weights").glob("backbone-*.safetensors")
    for name, value in load_file(file).items():  # written by its own training script
        assert torch.equal(found[name], value), name


def test_small_backbone_says_where_weights_are_that_were_not_installed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(records, "__file__", str(tmp_path / "site-packages" / "records.py"))
    with pytest.raises(FileNotFoundError, match="weights are in the course's repository"):
        detecting.small_backbone()


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


def test_propose_asks_the_first_stage(kept):
    model = Oracle([])
    model.propose = lambda images: [{"boxes": image[0, :2, :4]} for image in images]
    found = detecting.propose(model.train(), kept.images, batch_size=4)
    assert model.training
    assert all(
        torch.equal(f["boxes"], i[0, :2, :4]) for f, i in zip(found, kept.images, strict=True)
    )


@pytest.mark.parametrize("min_size", [None, 60])
def test_second_look_at_its_own_proposals_is_detection(kept, min_size):
    torch.manual_seed(0)
    model = FasterRCNN(
        5,
        backbone=detecting.small_backbone(pretrained=False),
        min_size=min_size,
        anchor_sizes=((16,), (32,), (48,)),
        aspect_ratios=(1.0,),
        rpn_post_nms_top_n_test=5,
        roi_levels=("0", "1", "2"),
        box_score_thresh=0.0,
    )
    boxes = [found["boxes"] for found in detecting.propose(model, kept.images)]
    found = detecting.second_look(model, kept.images, boxes, batch_size=4)
    assert model.training
    for ours, theirs in zip(found, detecting.detect(model, kept.images), strict=True):
        assert len(ours["boxes"])
        torch.testing.assert_close(ours["boxes"], theirs["boxes"], atol=1e-3, rtol=0)
        torch.testing.assert_close(ours["scores"], theirs["scores"])
        assert torch.equal(ours["labels"], theirs["labels"])


def test_gain_of_average_precision_is_paired(kept):
    every = [{**t, "scores": torch.ones(len(t["boxes"]))} for t in kept.targets]
    half = [f if i % 2 else {k: v[:0] for k, v in f.items()} for i, f in enumerate(every)]
    gain, low, high = detecting.average_precision_gain(every, half, kept.targets, n=50)
    assert gain == 1 - coco_average_precision(half, kept.targets)["map"]
    assert 0 <= low < gain < high <= 1
    assert detecting.average_precision_gain(half, half, kept.targets, n=5) == (0, 0, 0)
    shifted = [{**f, "boxes": f["boxes"] + 2} for f in every]
    at_half = detecting.average_precision_gain(
        every, shifted, kept.targets, iou_thresholds=(0.5,), n=5
    )
    at_most = detecting.average_precision_gain(
        every, shifted, kept.targets, iou_thresholds=(0.95,), n=5
    )
    assert at_half[0] < at_most[0] == 1
    of_masks = detecting.average_precision_gain(
        every, shifted, kept.targets, iou_thresholds=(0.95,), iou_type="segm", n=5
    )
    assert of_masks == (0, 0, 0)


def test_interval_of_average_precision(kept):
    found = [{**t, "scores": torch.ones(len(t["boxes"]))} for t in kept.targets]
    assert detecting.average_precision_interval(found, kept.targets, n=20) == (1, 1, 1)
    assert detecting.average_precision_interval(
        [{**f, "masks": f["masks"].flip(-1)} for f in found], kept.targets, n=20, iou_type="segm"
    ) < (0.5, 0.5, 0.5)
    half = [f if i % 2 else {k: v[:0] for k, v in f.items()} for i, f in enumerate(found)]
    value, low, high = detecting.average_precision_interval(half, kept.targets, n=50)
    assert low < value < high
    assert value == coco_average_precision(half, kept.targets)["map_50"]


@pytest.mark.parametrize("thresholds", [(0.5,), (0.6, 0.75, 0.9)])
def test_intervals_are_those_of_pictures_scored_from_scratch(thresholds):
    found, targets = random_images(1, images=20, ties=False)
    others = [{**f, "scores": f["scores"].flip(0)} for f in found]

    def ap(detections, chosen):
        chosen = sorted(chosen)
        some = [detections[i] for i in chosen], [targets[i] for i in chosen]
        return float(coco_average_precision(*some, iou_thresholds=thresholds)["map"])

    def from_scratch(statistic):
        generator = torch.Generator().manual_seed(3)
        return bootstrap_interval(range(20), statistic=statistic, n=30, generator=generator)

    options = {"iou_thresholds": thresholds, "n": 30, "seed": 3}
    interval = detecting.average_precision_interval(found, targets, **options)
    assert interval == pytest.approx(from_scratch(lambda chosen: ap(found, chosen)), abs=1e-12)
    gain = detecting.average_precision_gain(found, others, targets, **options)
    expected = from_scratch(lambda chosen: ap(found, chosen) - ap(others, chosen))
    assert gain == pytest.approx(expected, abs=1e-12)


def test_pictures_that_belong_together_are_drawn_together():
    found, targets = random_images(2, images=6, ties=False)

    def ap(pairs):
        chosen = sorted(i for pair in pairs for i in (2 * pair, 2 * pair + 1))
        some = [found[i] for i in chosen], [targets[i] for i in chosen]
        return float(coco_average_precision(*some, iou_thresholds=[0.5])["map"])

    generator = torch.Generator().manual_seed(1)
    expected = bootstrap_interval(range(3), statistic=ap, n=40, generator=generator)
    interval = detecting.average_precision_interval(found, targets, together=2, n=40, seed=1)
    assert interval == pytest.approx(expected, abs=1e-12)
    times = detecting._times(6, 2, 40, 1)
    assert times.shape == (40, 6)
    assert (times[:, ::2] == times[:, 1::2]).all()
    assert (times.sum(1) == 6).all()
    with pytest.raises(ValueError, match="together must divide the 6 pictures, but is 4"):
        detecting.average_precision_interval(found, targets, together=4)


def test_no_picture_at_all():
    with pytest.raises(ValueError, match="one picture at least"):
        detecting.average_precision_interval([], [])


def test_backbone_starts_from_a_classifier_of_crops(kept):
    pretrained = detecting.small_backbone()
    random = detecting.small_backbone(pretrained=False)
    assert not torch.equal(pretrained.body.conv1.weight, random.body.conv1.weight)
    levels = pretrained(torch.stack(kept.images[:2]))
    assert [tuple(level.shape) for level in levels.values()] == [
        (2, 32, 96 // stride, 96 // stride) for stride in detecting.STRIDES
    ]


def run_at(scale):
    return Run("03 test", seed=0, device=torch.device("cpu"), scale=scale)


def test_scenes_at_scale_small_whatever_is_there(capsys, monkeypatch):
    monkeypatch.setattr(real, "find", lambda name: pytest.fail("not to be asked"))
    data = detecting.detection_data(run_at("small"), train=3, test=2)
    assert (len(data.train), len(data.test), data.photographs) == (3, 2, False)
    assert data.train.mirror
    assert not data.test.mirror
    assert torch.equal(data.train.images[1], detecting.shape_scenes(3)[1][0])
    assert torch.equal(data.test.images[1], detecting.shape_scenes(2, "test")[1][0])
    assert capsys.readouterr().out.startswith("data: simulated scenes, 3 pictures to train")
    assert data.recipe(steps=7)["steps"] == 7


def test_scenes_of_another_kind():
    data = detecting.detection_data(run_at("small"), train=1, test=2, objects=3, scale=(0.3, 0.8))
    wanted = detecting.shape_scenes(2, "test", objects=3, scale=(0.3, 0.8))
    assert torch.equal(data.test.images[1], wanted[1][0])


def test_ten_times_the_scenes_where_no_data_set_is_there(monkeypatch):
    monkeypatch.setattr(real, "find", lambda name: None)
    data = detecting.detection_data(run_at("full"), train=2, test=2)
    assert (len(data.train), len(data.test), data.photographs) == (20, 2, False)
    assert data.recipe(steps=7)["steps"] == 70


@pytest.fixture
def photographs(voc, monkeypatch, tmp_path):  # noqa: F811 (the fixture)
    (voc / "ImageSets" / "Main" / "val.txt").write_text("2007_000002\n", encoding="utf-8")
    folder = tmp_path / "home" / "VOCdevkit"
    folder.mkdir(parents=True)
    (folder / "VOC2012").symlink_to(voc)
    monkeypatch.setattr(real, "find", lambda name: folder.parent if name == "pascal_voc" else None)
    return detecting.detection_data(run_at("full"), train=2, test=2)


def test_masks_where_asked_for(photographs, voc):  # noqa: F811 (the fixture)
    (voc / "ImageSets" / "Segmentation" / "val.txt").write_text("2007_000002\n", encoding="utf-8")
    for scale in ("small", "full"):
        data = detecting.detection_data(run_at(scale), train=2, test=1, masks=True)
        for image, target in (data.train[0], data.test[0]):
            assert target["masks"].dtype == torch.bool
            assert target["masks"].shape == (len(target["boxes"]), *image.shape[1:])
            assert target["masks"].flatten(1).any(1).all()


def test_photographs_at_scale_full(photographs, capsys):
    assert photographs.photographs
    assert photographs.classes == real.VOC_CLASSES
    assert (len(photographs.train), len(photographs.test)) == (2, 1)
    (target,) = photographs.test.targets
    assert target["labels"].tolist() == [8, 20]
    assert target["iscrowd"].tolist() == [0, 1], "the difficult one neither counts nor harms"
    torch.manual_seed(0)
    seen = [photographs.train[0] for _ in range(20)]
    assert {tuple(target["labels"].tolist()) for _, target in seen} == {(8,)}
    width = seen[0][0].shape[-1]
    assert {tuple(t["boxes"][0].tolist()) for _, t in seen} == {
        (10, 5, 30, 25),
        (width - 30, 5, width - 10, 25),
    }


def test_a_detector_takes_what_data_and_recipe_give(photographs):
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, images, targets):
            return {"count": self.weight * sum(len(t["boxes"]) for t in targets)}

    loader = detecting.batches(photographs.train, 1, seed=0, workers=1)
    history = fit(
        Counts(), loader, detecting.loss_of, **photographs.recipe(steps=1), progress=False
    )
    assert len(history) == 12 * 2


def test_schedule_of_detectors():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = detecting.warmup_steps(optimizer, 1200)
    rates = []
    for _ in range(1200):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    expected = [1 / 60, 30 / 60, 1, 1, 0.1, 0.1, 0.01, 0.01]
    found = [rates[i] for i in (0, 29, 59, 799, 800, 1099, 1100, 1199)]
    assert all(math.isclose(a, b) for a, b in zip(found, expected, strict=True))


def test_backbone_of_the_papers(tmp_path, monkeypatch):
    torch.manual_seed(1)
    weights = ResNet().state_dict()
    torch.save(weights, tmp_path / "resnet50.pth")
    monkeypatch.setitem(detecting.TORCHVISION_WEIGHTS, "resnet50", str(tmp_path / "resnet50.pth"))
    backbone = detecting.imagenet_backbone(levels=(2, 3, 4), extra_levels=None)
    assert torch.equal(backbone.body.layer1[0].conv1.weight, weights["layer1.0.conv1.weight"])
    assert not backbone.body.conv1.weight.requires_grad
    assert len(backbone(torch.zeros(1, 3, 64, 64))) == 3


def test_backbone_of_the_papers_where_its_weights_are_out_of_reach(monkeypatch, capsys):
    def fails(*arguments, **named):
        raise ConnectionError("no network")

    monkeypatch.setattr(detecting, "load_pretrained", fails)
    backbone = detecting.imagenet_backbone()
    assert all(p.requires_grad for p in backbone.parameters())
    assert "random weights (no network)" in capsys.readouterr().out


def test_mistakes_are_counted_by_class_and_from_a_score_on():
    target = {
        "boxes": torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]]),
        "labels": torch.tensor([1, 1, 2]),
    }
    found = {
        "boxes": torch.tensor([[1.0, 0, 11, 10], [20, 0, 30, 10], [0, 0, 10, 10], [40, 0, 50, 10]]),
        "scores": torch.tensor([0.9, 0.8, 0.7, 0.4]),
        "labels": torch.tensor([1, 3, 1, 2]),
    }
    # the first is right, the second has another name, the third comes twice, the fourth is unsure
    assert detecting.mistakes(found, target) == (2, 2)
    assert detecting.mistakes(found, target, least=0.4) == (1, 2)
    nothing = {key: value[:0] for key, value in found.items()}
    assert detecting.mistakes(nothing, target) == (3, 0)
    assert detecting.mistakes(found, {key: value[:0] for key, value in target.items()}) == (0, 3)


def test_best_and_worst_pictures():
    def boxes(count):
        return {"boxes": torch.tensor([[i * 20.0, 0, i * 20 + 10, 10] for i in range(count)])}

    targets = [boxes(n) | {"labels": torch.ones(n, dtype=torch.int64)} for n in (1, 3, 2, 3)]
    missed = (0, 0, 1, 3)
    found = [
        {key: value[lost:] for key, value in (t | {"scores": torch.ones(len(t["labels"]))}).items()}
        for t, lost in zip(targets, missed, strict=True)
    ]
    chosen, titles = detecting.best_and_worst(found, targets, 2)
    assert chosen == [1, 0, 2, 3]
    assert titles[0] == "3 objects: 0 missed, 0 false"
    assert titles[-1] == "3 objects: 3 missed, 0 false"


def test_what_a_one_stage_detector_hands_to_its_loss(kept):
    torch.manual_seed(0)
    model = RetinaNet(5, backbone=detecting.small_backbone(), min_size=None, head_layers=1,
                      anchor_sizes=((16, 20, 25), (32, 40, 50), (64, 80, 101)))  # fmt: skip
    loss = model.classification_loss
    answers = detecting.anchor_answers(model, kept.images[:2], kept.targets[:2])
    assert model.training
    assert model.classification_loss is loss
    model.eval()
    for (logits, truth), image, target in zip(answers, kept.images, kept.targets, strict=False):
        batch, _ = model.prepare([image], training=False)
        levels = list(model.backbone(batch.tensors).values())
        anchors, _ = pyramid_anchors(levels, batch, model.anchor_sizes, model.aspect_ratios)
        owner = model.assign(anchors, target["boxes"])
        with torch.no_grad():
            expected = model.head(levels)["cls_logits"][0, owner != BETWEEN]
        torch.testing.assert_close(logits, expected)
        assert truth.sum() == (owner >= 0).sum()
        assert truth.argmax(1)[truth.any(1)].unique().tolist() == target["labels"].unique().tolist()
