import math
import tracemalloc

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cvcourse.metrics import (
    _coco_matching,
    average_precision,
    coco_average_precision,
    match_detections,
    precision_recall_curve,
)
from cvcourse.ops import box_convert
from tests import oracle
from tests.metrics.detections import random_images

STATS = [
    *("map", "map_50", "map_75", "map_small", "map_medium", "map_large"),
    *("mar_1", "mar_10", "mar_100", "mar_small", "mar_medium", "mar_large"),
]


def stats(result):
    return torch.stack([result[key] for key in STATS])


@pytest.mark.parametrize("case", oracle.cases("coco_eval"))
def test_oracle(case):
    def evaluate(preds, target, n_classes):
        result = coco_average_precision(preds, target, class_metrics=True)
        assert result["classes"].tolist() == list(range(n_classes))
        return {"stats": stats(result), "per_class": result["map_per_class"]}

    oracle.assert_matches(case, evaluate)
    expected = case["expected"]["stats"]
    assert torch.equal(evaluate(**case["inputs"], **case["params"])["stats"], expected)


def overlap(a, b, crowd):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0, width) * max(0, height)
    area_a, area_b = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    return shared and shared / (area_a if crowd else area_a + area_b - shared)


def naive_flags(boxes, scores, targets, crowd, threshold, low, high, limit):
    """(score, hit or miss) of the counted detections of one image and class, and the targets."""

    def outside(box):
        return not low <= (box[2] - box[0]) * (box[3] - box[1]) <= high

    ignored = [c or outside(t) for t, c in zip(targets, crowd, strict=True)]
    taken, flags = set(), []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i])[:limit]:
        choices = [
            (not ignored[j], overlap(boxes[i], t, crowd[j]), j)
            for j, t in enumerate(targets)
            if j not in taken and overlap(boxes[i], t, crowd[j]) >= threshold
        ]
        if choices:
            counted, _, j = max(choices)  # a target that counts, then the best IoU, then the last
            if not crowd[j]:
                taken.add(j)
            if counted:
                flags.append((scores[i], True))
        elif not outside(boxes[i]):
            flags.append((scores[i], False))
    return flags, ignored.count(False)


def naive_ap_and_ar(preds, target, label, threshold, low, high, limit=100):
    flags, positives = [], 0
    for p, t in zip(preds, target, strict=True):
        found, wanted = p["labels"] == label, t["labels"] == label
        of_image, count = naive_flags(
            p["boxes"][found].tolist(),
            p["scores"][found].tolist(),
            t["boxes"][wanted].tolist(),
            t["iscrowd"][wanted].tolist(),
            threshold,
            low,
            high,
            limit,
        )
        flags += of_image
        positives += count
    if not positives:
        return math.nan, math.nan
    scores = torch.tensor([score for score, _ in flags], dtype=torch.float64)
    hits = torch.tensor([hit for _, hit in flags], dtype=torch.bool)
    precision, recall, _ = precision_recall_curve(scores, hits, positives)
    return average_precision(precision, recall).item(), hits.sum().item() / positives


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_naive_loop(seed, ties):
    preds, target = random_images(seed, images=3, classes=2, objects=4, ties=ties)
    ranges = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}
    result = coco_average_precision(preds, target, iou_thresholds=[0.5, 0.75])
    classes = result["classes"].tolist()
    for name, (low, high) in {"": (0, 1e10), **ranges}.items():
        values = torch.tensor(
            [
                naive_ap_and_ar(preds, target, label, t, low, high)
                for label in classes
                for t in (0.5, 0.75)
            ]
        )
        ap, ar = values.double().nanmean(0).nan_to_num(-1) if classes else (-1, -1)
        suffix = f"_{name}" if name else ""
        assert result[f"map{suffix}"] == pytest.approx(float(ap), abs=1e-6)
        assert result[f"mar{suffix or '_100'}"] == pytest.approx(float(ar), abs=1e-6)
    for limit in (1, 10):
        recalls = [
            naive_ap_and_ar(preds, target, label, t, 0, 1e10, limit)[1]
            for label in classes
            for t in (0.5, 0.75)
        ]
        want = torch.tensor(recalls).nanmean().nan_to_num(-1)
        assert result[f"mar_{limit}"] == pytest.approx(float(want), abs=1e-6)


def test_one_class_and_threshold_is_the_teaching_chain():
    preds, target = random_images(3, classes=1, crowd=0, ties=False)
    scores, matched = [], []
    for p, t in zip(preds, target, strict=True):
        claimed = match_detections(p["boxes"], p["scores"], t["boxes"], iou_threshold=0.6)
        scores.append(p["scores"])
        matched.append(claimed >= 0)
    targets = sum(len(t["boxes"]) for t in target)
    curve = precision_recall_curve(torch.cat(scores), torch.cat(matched), targets)
    result = coco_average_precision(preds, target, iou_thresholds=[0.6])
    assert result["map"] == pytest.approx(average_precision(*curve[:2]).item())


def one(boxes, labels=None, **rest):
    boxes = torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4)
    labels = torch.zeros(len(boxes), dtype=torch.int64) if labels is None else torch.tensor(labels)
    return {"boxes": boxes, "labels": labels, **{k: torch.tensor(v) for k, v in rest.items()}}


BOX, FAR = [0, 0, 50, 50], [200, 200, 250, 250]


class TestEdgeCases:
    def test_no_images(self):
        result = coco_average_precision([], [], class_metrics=True)
        assert (stats(result) == -1).all()
        assert result["map_per_class"].shape == result["classes"].shape == (0,)

    def test_no_targets_at_all(self):
        result = coco_average_precision([one([BOX], scores=[0.9])], [one([])])
        assert (stats(result) == -1).all()

    def test_no_detections(self):
        result = coco_average_precision([one([], scores=[])], [one([BOX])])
        assert (result["map"], result["mar_100"], result["map_small"]) == (0, 0, -1)

    @pytest.mark.parametrize("iou_type", ["bbox", "segm"])
    def test_empty_tensors_of_any_shape(self, iou_type):
        region = "boxes" if iou_type == "bbox" else "masks"
        empty = {key: torch.tensor([]) for key in (region, "labels", "scores")}
        full = one([BOX], scores=[0.9])
        full["masks"] = torch.ones(1, 4, 4, dtype=torch.bool)
        result = coco_average_precision([empty, full], [full, empty], iou_type=iou_type)
        assert result["map"] == 0
        assert result["classes"].tolist() == [0]

    def test_class_without_targets_is_left_out_of_the_mean(self):
        preds = [one([BOX, FAR], [1, 7], scores=[0.9, 0.9])]
        result = coco_average_precision(preds, [one([BOX], [1])], class_metrics=True)
        assert result["map"] == pytest.approx(1)
        assert result["classes"].tolist() == [1, 7]
        assert result["map_per_class"].tolist() == pytest.approx([1, -1])
        assert result["mar_100_per_class"].tolist() == [1, -1]

    def test_only_crowds_is_undefined(self):
        result = coco_average_precision([one([BOX], scores=[0.9])], [one([BOX], iscrowd=[1])])
        assert result["map"] == -1

    def test_detections_inside_a_crowd_are_ignored(self):
        target = [one([FAR, [0, 0, 100, 100]], iscrowd=[0, 1])]
        preds = [one([BOX, BOX, FAR], scores=[0.9, 0.8, 0.7])]
        assert coco_average_precision(preds, target)["map"] == pytest.approx(1)

    def test_annotated_area_decides_the_size(self):
        preds = [one([BOX], scores=[0.9])]
        plain = coco_average_precision(preds, [one([BOX])])
        assert (plain["map_small"], plain["map_medium"]) == (-1, pytest.approx(1))
        annotated = coco_average_precision(preds, [one([BOX], area=[10.0])])
        assert (annotated["map_small"], annotated["map_medium"]) == (pytest.approx(1), -1)

    def test_class_limit_is_per_image_and_class(self):
        preds = [one([FAR, BOX, BOX], [0, 0, 1], scores=[0.9, 0.8, 0.7])] * 2
        target = [one([BOX, BOX], [0, 1])] * 2
        result = coco_average_precision(preds, target, max_detections=(1, 2), class_metrics=True)
        assert result["mar_1"] == 0.5
        assert result["mar_2"] == 1
        assert result["mar_2_per_class"].tolist() == [1, 1]

    def test_order_of_max_detections_does_not_matter(self):
        data = random_images(1)
        a = coco_average_precision(*data, max_detections=(1, 10, 100))
        b = coco_average_precision(*data, max_detections=(100, 1, 10))
        assert torch.equal(stats(a), stats(b))

    def test_own_areas_and_thresholds(self):
        preds, target = [one([BOX], scores=[0.9])], [one([[0, 0, 50, 60]])]
        result = coco_average_precision(
            preds, target, iou_thresholds=[0.8, 0.9], areas={"tiny": (0, 10), "rest": (10, 1e9)}
        )
        assert result["map"] == pytest.approx(0.5)
        assert (result["map_50"], result["map_75"], result["map_tiny"]) == (-1, -1, -1)
        assert result["mar_rest"] == 0.5

    def test_malformed_boxes_match_nothing(self):
        target = [one([BOX, [50, 50, 0, 0], [10, 10, 10, 10]])]
        preds = [one([[50, 50, 0, 0], [10, 10, 10, 10], BOX], scores=[0.9, 0.8, 0.7])]
        assert coco_average_precision(preds, target)["mar_100"] == pytest.approx(1 / 3)

    def test_large_and_negative_labels(self):
        labels = [2**62, -3, 2**62 + 1]
        image = one([BOX, FAR, BOX], labels, scores=[0.5, 0.6, 0.7])
        result = coco_average_precision([image], [image], class_metrics=True)
        assert result["classes"].tolist() == sorted(labels)
        assert result["map_per_class"].tolist() == pytest.approx([1, 1, 1])

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
    def test_dtypes(self, dtype):
        image = {
            k: v.to(dtype) if k != "labels" else v for k, v in one([BOX], scores=[0.5]).items()
        }
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = coco_average_precision([image], [image])
        assert result["map"] == pytest.approx(1)
        assert result["map"].dtype == torch.float64

    def test_masks_equal_boxes_where_the_masks_are_boxes(self):
        preds, target = random_images(5, images=3, ties=True, side=120, crowd=0.3)
        for image in (*preds, *target):
            x1, y1, x2, y2 = (side[:, None, None] for side in image["boxes"].T)
            y, x = torch.meshgrid(torch.arange(900), torch.arange(900), indexing="ij")
            y, x = y - 200, x - 200
            image["masks"] = (x1 <= x) & (x < x2) & (y1 <= y) & (y < y2)
        by_mask = coco_average_precision(preds, target, iou_type="segm")
        assert torch.equal(stats(by_mask), stats(coco_average_precision(preds, target)))

    @pytest.mark.parametrize(
        "dtype", [torch.bool, torch.uint8, torch.int64, torch.float16], ids=str
    )
    def test_masks_as_detectors_and_readers_give_them(self, dtype):
        preds, target = random_images(2, masks=True, images=3, side=90)
        want = coco_average_precision(preds, target, iou_type="segm")
        for images in (preds, target):
            for image in images:
                image["masks"] = image["masks"].to(dtype)[:, None]
        assert torch.equal(
            stats(coco_average_precision(preds, target, iou_type="segm")), stats(want)
        )

    def test_soft_masks_are_cut_at_a_half(self):
        preds, target = random_images(2, masks=True, images=3, side=90)
        want = coco_average_precision(preds, target, iou_type="segm")
        for image in preds:
            unsure = torch.rand(image["masks"].shape) / 2  # up to a half, which is outside
            image["masks"] = torch.where(image["masks"], 1 - unsure * 0.99, unsure)[:, None]
        assert torch.equal(
            stats(coco_average_precision(preds, target, iou_type="segm")), stats(want)
        )

    @pytest.mark.parametrize("fmt", ["xywh", "cxcywh"])
    def test_other_box_formats(self, fmt):
        preds, target = random_images(4, images=4)
        want = coco_average_precision(preds, target)
        for image in (*preds, *target):
            image["boxes"] = box_convert(image["boxes"], "xyxy", fmt)
        got = coco_average_precision(preds, target, box_format=fmt)
        torch.testing.assert_close(stats(got), stats(want), rtol=0, atol=1e-12)

    def test_both_types_in_one_call(self):
        preds, target = random_images(6, images=3, side=90)
        for images in zip(
            preds,
            target,
            random_images(6, images=3, side=90, masks=True)[0],
            random_images(6, images=3, side=90, masks=True)[1],
            strict=True,
        ):
            for image, twin in zip(images[:2], images[2:], strict=True):
                image["masks"] = twin["masks"]
        both = coco_average_precision(preds, target, iou_type=("bbox", "segm"), class_metrics=True)
        classes = both.pop("classes")
        for iou_type in ("bbox", "segm"):
            alone = coco_average_precision(preds, target, iou_type=iou_type, class_metrics=True)
            assert torch.equal(alone.pop("classes"), classes)
            of_type = {k: v for k, v in both.items() if k.startswith(iou_type)}
            assert of_type.keys() == {f"{iou_type}_{key}" for key in alone}
            assert all(torch.equal(both[f"{iou_type}_{key}"], alone[key]) for key in alone)
        assert coco_average_precision(preds, target, iou_type=["segm"])["map"] == both["segm_map"]


class TestBlocks:
    """Pairs are compared some at a time: that bounds the memory and changes nothing else."""

    @pytest.mark.parametrize("size", [1, 30])
    @pytest.mark.parametrize("masks", [False, True])
    def test_where_they_end_does_not_matter(self, size, masks, monkeypatch):
        data = random_images(7, classes=2, objects=20, masks=masks, side=90)
        options = {"iou_type": "segm" if masks else "bbox", "iou_thresholds": [0, 0.3, 0.7]}
        want = coco_average_precision(*data, class_metrics=True, **options)
        monkeypatch.setattr(_coco_matching, "BLOCK", size)
        got = coco_average_precision(*data, class_metrics=True, **options)
        assert all(torch.equal(got[key], want[key]) for key in want)
        assert 0 < want["map"] < 1

    def test_peak_is_less_than_a_list_of_the_pairs(self, monkeypatch):
        monkeypatch.setattr(_coco_matching, "BLOCK", 2**14)
        image = one(box_convert(100 * torch.rand(100, 4), "xywh", "xyxy").tolist())
        image["scores"] = torch.rand(100)
        tracemalloc.start()
        coco_average_precision([image] * 40, [image] * 40)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 * 3 * 40 * 100 * 100  # detection, target and IoU of each


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_moving_and_relabelling_change_nothing_and_perfect_is_one(seed):
    preds, target = random_images(seed, images=3)
    want = coco_average_precision(preds, target)
    moved = [
        [{**x, "boxes": x["boxes"] + 64, "labels": 9 - x["labels"]} for x in images]
        for images in (preds, target)
    ]
    torch.testing.assert_close(stats(coco_average_precision(*moved)), stats(want))
    assert ((stats(want) <= 1 + 1e-12) & ((stats(want) >= 0) | (stats(want) == -1))).all()
    perfect = [{**t, "scores": torch.rand(len(t["labels"]))} for t in target]
    result = coco_average_precision(perfect, target, iou_thresholds=[0.99])
    assert result["map"] in (-1, pytest.approx(1))


@pytest.mark.as_user
class TestBadInput:
    good = one([BOX], scores=[0.9])

    def evaluate(self, pred=None, target=None, **options):
        pred, target = {**self.good, **(pred or {})}, {**self.good, **(target or {})}
        return coco_average_precision([self.good, pred], [self.good, target], **options)

    def test_number_of_images(self):
        with pytest.raises(ValueError, match="preds and target must be as many, got 1 and 2"):
            coco_average_precision([self.good], [self.good] * 2)

    @pytest.mark.parametrize("key", ["boxes", "labels", "scores"])
    def test_missing_key(self, key):
        broken = {k: v for k, v in self.good.items() if k != key}
        with pytest.raises(ValueError, match=rf"preds\[1\] must have \['{key}'\]"):
            coco_average_precision([self.good, broken], [self.good] * 2)

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("boxes", torch.zeros(2, 4)),
            ("boxes", torch.zeros(4)),
            ("boxes", torch.zeros(1, 5)),
            ("boxes", torch.zeros(0, 4)),
            ("scores", torch.zeros(2)),
            ("scores", torch.tensor(0.5)),
            ("scores", torch.zeros(1, 1)),
        ],
        ids=str,
    )
    def test_shapes_of_preds(self, key, value):
        with pytest.raises(ValueError, match=rf"preds\[1\]\['{key}'\] must be"):
            self.evaluate(pred={key: value})

    @pytest.mark.parametrize("key", ["iscrowd", "area"])
    def test_shapes_of_target(self, key):
        with pytest.raises(ValueError, match=rf"target\[1\]\['{key}'\] must be \(1,\)"):
            self.evaluate(target={key: torch.zeros(3)})

    @pytest.mark.parametrize("labels", [torch.tensor([1.0]), torch.tensor(1), torch.zeros(1, 1)])
    def test_labels(self, labels):
        with pytest.raises(ValueError, match=r"target\[1\]\['labels'\] must be \(N,\) integers"):
            self.evaluate(target={"labels": labels})

    @pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
    def test_boxes_are_finite(self, bad):
        boxes = torch.tensor([[0, 0, bad, 1]])
        with pytest.raises(ValueError, match="preds must have finite boxes"):
            self.evaluate(pred={"boxes": boxes})
        with pytest.raises(ValueError, match="target must have finite boxes"):
            self.evaluate(target={"boxes": boxes})

    def test_scores_are_not_nan(self):
        with pytest.raises(ValueError, match="preds must have scores other than nan"):
            self.evaluate(pred={"scores": torch.tensor([torch.nan])})

    @pytest.mark.parametrize(
        ("masks", "message"),
        [
            (torch.ones(4, 4).bool(), r"must be \(1, height, width\), got \(4, 4\)"),
            (torch.ones(2, 4, 4).bool(), r"must be \(1, height, width\), got \(2, 4, 4\)"),
            (torch.ones(1, 2, 4, 4).bool(), r"must be \(1, height, width\), got \(1, 2, 4, 4\)"),
            (
                torch.full((1, 4, 4), 255, dtype=torch.uint8),
                r"must be bool, .* torch\.uint8 from 255 to 255",
            ),
            (torch.full((1, 4, 4), 255.0), r"must be bool, .* torch\.float32 from 255.0 to 255"),
            (torch.full((1, 4, 4), torch.nan), r"must be bool, .* torch\.float32 from nan to nan"),
            (torch.full((1, 4, 4), -1), r"must be bool, .* torch\.int64 from -1 to -1"),
        ],
        ids=["one mask", "too many", "two channels", "bytes", "float bytes", "nan", "negative"],
    )
    def test_masks(self, masks, message):
        good = {**self.good, "masks": torch.ones(1, 4, 4, dtype=torch.bool)}
        for name, pair in (("preds", [masks, good["masks"]]), ("target", [good["masks"], masks])):
            preds, target = ([{**good, "masks": m}] for m in pair)
            with pytest.raises(ValueError, match=rf"^{name}\[0\]\['masks'\] {message}"):
                coco_average_precision(preds, target, iou_type="segm")

    def test_masks_of_two_sizes(self):
        good, other = (
            {**self.good, "masks": torch.ones(1, 4, size, dtype=torch.bool)} for size in (4, 5)
        )
        with pytest.raises(ValueError, match="preds and target must have masks of one size"):
            coco_average_precision([other], [good], iou_type="segm")

    def test_options(self):
        for wrong in ("keypoints", ("bbox", "keypoints")):
            with pytest.raises(ValueError, match="iou_type must be one of 'bbox', 'segm'"):
                self.evaluate(iou_type=wrong)
        with pytest.raises(ValueError, match=r"iou_type must name one type or more, got \(\)"):
            self.evaluate(iou_type=())
        with pytest.raises(ValueError, match="box_format must be one of 'xyxy', 'xywh'"):
            self.evaluate(box_format="xxyy")
        for thresholds in ([], [0.5, 1.5], [float("nan")]):
            with pytest.raises(ValueError, match=r"iou_thresholds must lie in \[0, 1\]"):
                self.evaluate(iou_thresholds=thresholds)
        for limits in ((), (0, 10), (1.5,)):
            with pytest.raises(ValueError, match="max_detections must hold"):
                self.evaluate(max_detections=limits)
        with pytest.raises(ValueError, match="areas"):
            self.evaluate(areas={"small": (32, 0)})
