"""The reader of COCO's format, and of results in it, beside pycocotools."""

import contextlib
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from cvcourse.data.real import (
    Coco,
    CocoCaptions,
    CocoKeypoints,
    read_coco_results,
    write_coco_results,
)
from cvcourse.metrics import coco_average_precision
from tests.data.tiny import HEIGHT, WIDTH, cut


@pytest.fixture
def pycocotools():
    return pytest.importorskip("pycocotools", reason="pycocotools comes with extra 'bench'")


def test_coco(coco):
    dataset = Coco(coco)
    assert dataset.classes == ("background", "person", "N/A", "car")
    assert len(dataset) == 2  # the picture without objects is left out
    assert len(Coco(coco, keep_empty=True)) == 3
    image, target = dataset[0]
    assert image.shape == (3, HEIGHT, WIDTH)
    assert 0 <= image.min() < image.max() <= 1
    assert target["image_id"] == 3
    assert target["boxes"].tolist() == [[10, 5, 30, 25], [10, 5, 50, 25], [40, 30, 50, 35]]
    assert target["labels"].tolist() == [3, 1, 1]
    assert target["iscrowd"].tolist() == [0, 0, 1]
    assert target["area"].tolist() == [400, 450, 50]
    square = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    square[5:25, 10:30] = True
    assert torch.equal(target["masks"][0], square)
    assert target["masks"][1].sum() == pytest.approx(450, abs=6)
    assert target["masks"][2][30:35, 40:50].all()
    assert target["masks"][2].sum() == 50
    assert dataset[1][1]["image_id"] == 7


def test_coco_empty_picture(coco):
    _, target = Coco(coco, keep_empty=True)[1]
    assert target["boxes"].shape == (0, 4)
    assert target["masks"].shape == (0, HEIGHT, WIDTH)


def test_captions(coco):
    dataset = CocoCaptions(coco)
    assert dataset.image_ids == [3, 7]
    image, target = dataset[1]
    assert image.shape == (3, HEIGHT, WIDTH)
    assert target["image_id"] == 7
    assert target["captions"][0] == "A square beside a triangle."
    assert len(target["captions"]) == 2
    with pytest.raises(IndexError):
        dataset[2]


def test_keypoints(coco):
    dataset = CocoKeypoints(coco, masks=False)
    assert (dataset.image_ids, dataset.joints[0], len(dataset.joints)) == ([5, 7], "nose", 17)
    _, target = dataset[0]
    assert target["boxes"].tolist() == [[8, 4, 48, 24]]
    assert target["keypoints"].shape == (1, 17, 2)
    assert target["keypoints"][0, :3].tolist() == [[10, 5], [12, 6], [0, 0]]
    assert target["visibility"][0, :4].tolist() == [2, 1, 0, 2]
    moved = CocoKeypoints(
        coco, masks=False, transform=lambda image, target: (0, target["keypoints"])
    )
    assert torch.equal(moved[0][1], target["keypoints"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_captions_and_keypoints_beside_pycocotools(coco):
    COCO = pytest.importorskip("pycocotools.coco").COCO
    with contextlib.redirect_stdout(io.StringIO()):
        said = COCO(coco / "annotations/captions_val2017.json")
        people = COCO(coco / "annotations/person_keypoints_val2017.json")
    ours = CocoCaptions(coco)
    for i, number in enumerate(ours.image_ids):
        theirs = said.loadAnns(said.getAnnIds(number))
        assert ours[i][1]["captions"] == tuple(a["caption"] for a in theirs)
    ours = CocoKeypoints(coco, masks=False)
    for i, number in enumerate(ours.image_ids):
        theirs = np.array([a["keypoints"] for a in people.loadAnns(people.getAnnIds(number))])
        both = torch.cat([ours[i][1]["keypoints"], ours[i][1]["visibility"][..., None]], 2)
        np.testing.assert_array_equal(both.flatten(1), theirs)


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("captions", {"caption": " "}, "caption must be a sentence, got ' '"),
        ("captions", {"image_id": 99}, "its image_id 99 is not in the file"),
        ("person_keypoints", {"keypoints": [1, 2, 2]}, "visibility of the 17 of its category"),
        ("person_keypoints", {"keypoints": [3] * 51}, "visibility 0, 1 or 2"),
    ],
)
def test_bad_captions_and_keypoints(coco, kind, change, message):
    path = coco / "annotations" / f"{kind}_val2017.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["annotations"][0] |= change
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        (CocoCaptions if kind == "captions" else CocoKeypoints)(coco)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_coco_masks_beside_pycocotools():
    """The reference implementation, where it is installed (it is no dependency of the lessons)."""
    mask = pytest.importorskip("pycocotools.mask", reason="pycocotools comes with extra 'bench'")
    from cvcourse.data.real._coco_file import mask_of

    generator = np.random.default_rng(0)
    for _ in range(50):
        size = tuple(int(n) for n in generator.integers(20, 90, 2))
        pixels = np.asfortranarray(generator.random(size) < generator.random(), np.uint8)
        compressed = mask.encode(pixels)
        text = {"size": size, "counts": compressed["counts"].decode()}
        assert np.array_equal(mask_of(text, size), pixels)

        centre, angles = np.array([45, 40]), np.sort(generator.uniform(0, 2 * np.pi, 9))
        radii = generator.uniform(15, 35, 9)
        polygon = (centre + np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None]).ravel()
        theirs = mask.decode(mask.merge(mask.frPyObjects([polygon.tolist()], 80, 90)))
        ours = mask_of([polygon.tolist()], (80, 90))
        union = (ours | (theirs > 0)).sum()
        assert (ours & (theirs > 0)).sum() / union > 0.93  # they differ along the edge alone


@pytest.mark.parametrize(
    ("name", "damage", "error", "message"),
    [
        ("json", lambda p: p.unlink(), FileNotFoundError, "python data_scripts/coco.py"),
        ("json", lambda p: p.write_bytes(b'{"images": ['), ValueError, "not a file of COCO"),
        ("json", lambda p: p.write_bytes(b"{}"), ValueError, "not a file of COCO instances"),
        ("jpg", lambda p: p.unlink(), FileNotFoundError, "000000000003.jpg is missing"),
        ("jpg", lambda p: p.write_bytes(b"\xff\xd8\xff not"), ValueError, "fetch it again"),
        ("jpg", lambda p: cut(p), ValueError, "fetch it again"),
        ("jpg", lambda p: Image.new("RGB", (9, 8)).save(p), ValueError,
         r"003.jpg is \(8, 9\), .* but annotated as \(40, 60\)"),
    ],
)  # fmt: skip
def test_coco_missing_or_damaged(coco, name, damage, error, message):
    files = {"json": "annotations/instances_val2017.json", "jpg": "val2017/000000000003.jpg"}
    damage(coco / files[name])
    with pytest.raises(error, match=message):
        Coco(coco)[0]


# --- any set in this format

SQUARE = [10.0, 5.0, 30.0, 5.0, 30.0, 25.0, 10.0, 25.0]


def annotation(number=1, category=7, **changes):
    """A square of 20 pixels; what is changed to `...` is left out."""
    entry = {
        "id": number,
        "image_id": 4,
        "category_id": category,
        "bbox": [10, 5, 20, 20],
        "area": 400,
        "iscrowd": 0,
        "segmentation": [SQUARE],
    }
    return {key: value for key, value in (entry | changes).items() if value is not ...}


@pytest.fixture
def write_set(tmp_path):
    """Writes pictures and a file of annotations in places of their own; gives both."""

    def write(annotations, categories=(7, 2), images=None, **changes):
        folder, file = tmp_path / "pictures" / "deep", tmp_path / "labels" / "mine.json"
        folder.mkdir(parents=True, exist_ok=True)
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / "a.png")
        image = {"id": 4, "file_name": "deep/a.png", "height": HEIGHT, "width": WIDTH}
        content = {
            "images": [image] if images is None else [image | change for change in images],
            "categories": [{"id": number, "name": f"name {number}"} for number in categories],
            "annotations": annotations,
        }
        file.write_text(json.dumps(content | changes), encoding="utf-8")
        return folder.parent, file

    return write


def test_folder_and_file_of_any_set(write_set):
    dataset = Coco(*write_set([annotation()]))
    image, target = dataset[0]
    assert image.shape == (3, HEIGHT, WIDTH)
    assert target["labels"].tolist() == [7]
    assert target["masks"][0].sum() == 400
    assert dataset.classes[7] == "name 7"
    assert dataset.image_ids == [4]
    folder, file = write_set([annotation()])
    assert len(Coco(str(folder), str(file))) == 1
    with pytest.raises(FileNotFoundError, match=r"other\.json is missing$"):
        Coco(folder, file.with_name("other.json"))


@pytest.mark.parametrize(
    ("labels", "expected", "classes"),
    [
        ("consecutive", [2, 1], ("background", "name 2", "name 7")),
        ({7: 1, 2: 2}, [1, 2], ("background", "name 7", "name 2")),
        ({7: 1}, [1], ("background", "name 7")),
        ({2: 1, 7: 1}, [1, 1], ("background", "name 2 / name 7")),
    ],
)
def test_labels(write_set, labels, expected, classes):
    dataset = Coco(*write_set([annotation(1, 7), annotation(2, 2)]), labels=labels)
    assert dataset[0][1]["labels"].tolist() == expected
    assert dataset.classes == classes


def test_labels_and_category_ids_are_each_others_way_back(write_set):
    dataset = Coco(*write_set([annotation()], categories=(5, 9, 7, 0)), labels="consecutive")
    assert dataset.labels == {0: 1, 5: 2, 7: 3, 9: 4}
    assert dataset.category_ids == {1: 0, 2: 5, 3: 7, 4: 9}


def test_category_0_is_no_background(write_set):
    files = write_set([annotation(category=0)], categories=(0, 1))
    with pytest.raises(ValueError, match=r"mine.json: category 0 \(name 0\) is no label"):
        Coco(*files)
    dataset = Coco(*files, labels="consecutive")
    assert dataset[0][1]["labels"].tolist() == [1]
    assert dataset.classes == ("background", "name 0", "name 1")


def test_ids_may_be_text(write_set):
    files = write_set(
        [annotation(category="cat", image_id="x")], categories=("dog", "cat"), images=[{"id": "x"}]
    )
    _, target = Coco(*files, labels="consecutive")[0]
    assert target["labels"].tolist() == [1]
    assert target["image_id"] == "x"
    with pytest.raises(ValueError, match=r"category 'dog' .* is no label"):
        Coco(*files)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({7: 1, 5: 2}, r"labels has categories \[5\] that are not in"),
        ({7: 0, 2: 1}, r"labels must be 1 to K without gaps, got \[0, 1\]"),
        ({7: 1, 2: 3}, r"labels must be 1 to K without gaps, got \[1, 3\]"),
        ("contiguous", "labels must be None, 'consecutive' or a map, got 'contiguous'"),
    ],
)
def test_labels_that_do_not_fit(write_set, labels, message):
    with pytest.raises(ValueError, match=message):
        Coco(*write_set([annotation()]), labels=labels)


def test_crowds_boxes_alone_and_transform(write_set):
    runs = {"size": [HEIGHT, WIDTH], "counts": [0, HEIGHT * WIDTH]}
    crowd = annotation(2, iscrowd=1, segmentation=runs, bbox=[0, 0, WIDTH, HEIGHT])
    files = write_set([annotation(), crowd])
    assert Coco(*files)[0][1]["iscrowd"].tolist() == [0, 1]
    assert Coco(*files, crowds=False)[0][1]["iscrowd"].tolist() == [0]
    only_crowd = write_set([crowd])
    assert len(Coco(*only_crowd, crowds=False)) == 0
    assert len(Coco(*only_crowd, crowds=False, keep_empty=True)) == 1
    assert "masks" not in Coco(*files, masks=False)[0][1]

    def transform(image, target):
        return image[:, :7], target["image_id"]

    image, number = Coco(*files, transform=transform)[0]
    assert image.shape == (3, 7, WIDTH)
    assert number == 4


def test_what_may_be_left_out(write_set):
    bare = annotation(area=..., iscrowd=...)
    _, target = Coco(*write_set([bare | {"segmentation": [SQUARE[:6]]}]))[0]
    assert target["iscrowd"].tolist() == [0]
    assert target["area"].tolist() == [float(target["masks"].sum())]
    assert 150 < target["area"].item() < 250  # half of the square
    del bare["segmentation"], bare["id"]
    _, target = Coco(*write_set([bare]), masks=False)[0]
    assert target["area"].tolist() == [400]


def test_boxes_beyond_the_picture_are_clipped(write_set):
    boxes = [[-5, -5, 20, 20], [50, 30, 99, 99], [-9, 3, 5, 5], [WIDTH, 0, 5, 5], [3, 3, 1e-9, 5]]
    found = [annotation(number, bbox=box) for number, box in enumerate(boxes)]
    _, target = Coco(*write_set(found))[0]
    assert target["boxes"].tolist() == [[0, 0, 15, 15], [50, 30, WIDTH, HEIGHT]]


def test_polygons_of_two_corners_enclose_nothing(write_set):
    _, target = Coco(*write_set([annotation(segmentation=[SQUARE[:4], [], SQUARE])]))[0]
    assert target["masks"].sum() == 400


NAMED = r"mine.json, annotation 1 of deep/a.png"
RUNS = {"size": [HEIGHT, WIDTH], "counts": [5, HEIGHT * WIDTH - 5]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_id": "4"}, "mine.json, annotation 1: its image_id '4' is not in the file"),
        ({"image_id": ...}, "mine.json, annotation 1 has no image_id"),
        ({"category_id": "7"}, f"{NAMED}: its category_id '7' is not in the file"),
        ({"category_id": 5}, f"{NAMED}: its category_id 5 is not in the file"),
        ({"category_id": [7]}, f"{NAMED}: its category_id .* is not in the file"),
        ({"bbox": ...}, "mine.json, annotation 1 has no bbox"),
        ({"bbox": ..., "id": ...}, "mine.json, annotation at place 0 has no bbox"),
        ({"bbox": [1, 2, 3]}, f"{NAMED}: bbox must be x, y, width and height"),
        ({"bbox": [1, 2, -3, 4]}, f"{NAMED}: bbox must be x, y, width and height"),
        ({"bbox": [1, 2, float("nan"), 4]}, f"{NAMED}: bbox must be x, y, width and height"),
        ({"bbox": ["1", "2", "3", "4"]}, f"{NAMED}: bbox must be x, y, width and height"),
        ({"bbox": None}, f"{NAMED}: bbox must be x, y, width and height"),
        ({"area": "400"}, f"{NAMED}: area must be a number, got '400'"),
        ({"segmentation": None}, f"{NAMED} has no segmentation; masks=False"),
        ({"segmentation": ...}, f"{NAMED} has no segmentation; masks=False"),
        ({"segmentation": []}, f"{NAMED} has no segmentation; masks=False"),
        ({"segmentation": [SQUARE[:7]]}, f"{NAMED}: a polygon must be a list x, y, x, y"),
        ({"segmentation": SQUARE}, f"{NAMED}: a polygon must be a list x, y, x, y"),
        ({"segmentation": "[]"}, f"{NAMED}: a polygon must be a list x, y, x, y"),
        ({"segmentation": {"counts": [5]}}, f"{NAMED} has no size"),
        ({"segmentation": RUNS | {"size": [WIDTH, HEIGHT]}},
         rf"{NAMED}: its run lengths are of size \[60, 40\], the picture is of \[40, 60\]"),
    ],
)  # fmt: skip
def test_annotations_that_are_refused_at_once(write_set, changes, message):
    with pytest.raises(ValueError, match=message):
        Coco(*write_set([annotation(**changes)]))


@pytest.mark.parametrize(
    "segmentation",
    [
        [[*SQUARE[:7], float("nan")]],
        [[*SQUARE[:7], "b"]],
        RUNS | {"counts": [5, 7]},
        RUNS | {"counts": [5, -7, HEIGHT * WIDTH + 2]},
        RUNS | {"counts": "not run lengths"},
        RUNS | {"counts": None},
    ],
)
def test_segmentations_that_are_refused_when_read(write_set, segmentation):
    dataset = Coco(*write_set([annotation(segmentation=segmentation)]))
    with pytest.raises(ValueError, match=f"{NAMED}: its segmentation is none"):
        dataset[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": [{"id": 4}, {"id": 4}]}, r"images\[1\]: id 4 is there twice"),
        ({"categories": (7, 7)}, r"categories\[1\]: id 7 is there twice"),
        ({"images": [{"height": "40"}]}, "deep/a.png: height and width must be pixels"),
        ({"images": [{"width": 0}]}, "deep/a.png: height and width must be pixels"),
    ],
)
def test_pictures_and_categories_that_are_refused(write_set, changes, message):
    with pytest.raises(ValueError, match=message):
        Coco(*write_set([annotation()], **changes))


@pytest.mark.parametrize("key", ["images", "categories", "annotations"])
def test_files_that_are_none(write_set, key):
    for nothing in (None, {}, [1]):
        folder, file = write_set([annotation()])
        content = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps(content | {key: nothing}), encoding="utf-8")
        with pytest.raises(ValueError, match=f"mine.json is not a file .* no list of {key}"):
            Coco(folder, file)


def test_byte_order_mark(write_set):
    folder, file = write_set([annotation()])
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert len(Coco(folder, file)) == 1


# --- results


def found_in(targets, masks=False):
    """Detections near the targets, some wrong, as a detector gives them: float32."""
    generator = torch.Generator().manual_seed(1)
    detections = []
    for target in targets:
        count = len(target["labels"])
        boxes = target["boxes"] + 3 * torch.randn(count, 4, generator=generator)
        boxes[:, 2:] = torch.maximum(boxes[:, 2:], boxes[:, :2] + 0.5)
        found = {
            "boxes": boxes,
            "labels": target["labels"].roll(count // 3),
            "scores": torch.rand(count, generator=generator),
        }
        if masks:
            noise = torch.rand(target["masks"].shape, generator=generator)
            found["masks"] = (0.45 * target["masks"] + 0.54 * noise)[:, None]
        detections.append(found)
    return detections


def quietly(call, *arguments):
    with contextlib.redirect_stdout(io.StringIO()):
        return call(*arguments)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
@pytest.mark.parametrize("iou_type", ["bbox", "segm"])
def test_results_score_the_same_in_pycocotools(pycocotools, coco, tmp_path, iou_type):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    path = coco / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_bytes())
    del content["annotations"][3]  # the box without area, which our reader leaves out
    path.write_text(json.dumps(content), encoding="utf-8")
    dataset, theirs = Coco(coco, labels="consecutive", keep_empty=True), quietly(COCO, str(path))
    targets = [target for _, target in dataset]
    for target in targets:  # pycocotools' own masks: polygons differ along edges
        masks = [theirs.annToMask(a) for a in theirs.imgToAnns[target["image_id"]]]
        target["masks"] = torch.from_numpy(np.array(masks, bool).reshape(-1, HEIGHT, WIDTH))
    detections = found_in(targets, masks=True)
    file = tmp_path / "results.json"
    write_coco_results(
        file, detections, dataset.image_ids, iou_type=iou_type, category_ids=dataset.category_ids
    )
    evaluation = COCOeval(theirs, quietly(theirs.loadRes, str(file)), iou_type)
    for step in (evaluation.evaluate, evaluation.accumulate, evaluation.summarize):
        quietly(step)

    read = read_coco_results(file, dataset.image_ids, labels=dataset.labels)
    for ours, back in zip(detections, read, strict=True):
        assert torch.equal(back["labels"], ours["labels"])
        assert torch.equal(back["scores"].float(), ours["scores"])
        if iou_type == "bbox":
            assert torch.equal(back["boxes"].float(), ours["boxes"])
        elif len(ours["labels"]):
            assert torch.equal(back["masks"], ours["masks"][:, 0] > 0.5)
    score = coco_average_precision(read, targets, iou_type=iou_type)
    keys = ("map", "map_50", "map_75", "map_small", "map_medium", "map_large")
    keys += ("mar_1", "mar_10", "mar_100", "mar_small", "mar_medium", "mar_large")
    assert [float(score[key]) for key in keys] == pytest.approx(evaluation.stats, abs=1e-12)
    assert 0 < score["map"] < 1


def test_the_area_of_a_mask_is_not_that_of_its_box(pycocotools, coco, tmp_path):
    """pycocotools takes `w * h` of a "bbox" beside the mask, and calls another size small."""
    from pycocotools.coco import COCO

    mask = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    mask[0, 0, 0] = mask[0, 20, 30] = True
    found = {"masks": mask, "labels": torch.tensor([1]), "scores": torch.tensor([0.5])}
    write_coco_results(tmp_path / "results.json", [found], [3], iou_type="segm")
    theirs = quietly(COCO, str(coco / "annotations" / "instances_val2017.json"))
    (loaded,) = quietly(theirs.loadRes, str(tmp_path / "results.json")).anns.values()
    assert loaded["area"] == 2
    assert loaded["bbox"].tolist() == [0, 0, 31, 21]
    (back,) = read_coco_results(tmp_path / "results.json", [3])
    assert back["boxes"].tolist() == [[0, 0, 31, 21]]


def test_results_of_another_detector(tmp_path):
    """Written by hand, in the order of no picture, with a mask and a box in each entry."""
    runs = {"size": [2, 3], "counts": [2, 2, 2]}  # down the columns: the middle one
    common = {"category_id": 18, "segmentation": runs}
    file = tmp_path / "results.json"
    file.write_text(
        json.dumps(
            [
                {"image_id": 42, "bbox": [258.15, 41.29, 348.26, 243.78], "score": 0.236, **common},
                {"image_id": 73, "bbox": [11, 22.5, 1, 2], "score": 0.318, **common},
                {"image_id": 42, "bbox": [1, 2, 3, 4], "score": 1, **common},
            ]
        ),
        encoding="utf-8",
    )
    first, second, third = read_coco_results(file, [73, 5, 42], labels={18: 1})
    assert first["boxes"].tolist() == [[11, 22.5, 12, 24.5]]
    assert first["masks"].tolist() == [[[False, True, False]] * 2]
    assert second["boxes"].shape == (0, 4)
    assert len(second["masks"]) == 0
    assert third["boxes"].tolist() == [
        [258.15, 41.29, 258.15 + 348.26, 41.29 + 243.78],
        [1, 2, 4, 6],
    ]
    assert third["scores"].tolist() == [0.236, 1]
    assert third["labels"].tolist() == [1, 1]


def test_no_detections(tmp_path):
    nothing = {"boxes": torch.zeros(0), "labels": torch.zeros(0), "scores": torch.zeros(0)}
    write_coco_results(tmp_path / "a.json", [nothing, nothing], torch.tensor([3, 4]))
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == []
    read = read_coco_results(tmp_path / "a.json", torch.tensor([3, 4]))
    assert [tuple(found["boxes"].shape) for found in read] == [(0, 4), (0, 4)]


GOOD = {
    "boxes": torch.tensor([[1.0, 2, 3, 4]]),
    "labels": torch.tensor([1]),
    "scores": torch.tensor([0.5]),
}


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"scores": torch.tensor([torch.nan])}, {}, "picture 3 must have finite scores"),
        ({"boxes": torch.tensor([[0, 0, torch.inf, 1]])}, {}, "picture 3 must have finite boxes"),
        ({"boxes": torch.zeros(4)}, {}, r"picture 3 must have boxes \(N, 4\), got \(4,\)"),
        ({"labels": torch.tensor([1, 1])}, {}, "as many labels, scores and boxes, got 2, 1 and 1"),
        ({}, {"category_ids": {2: 5}}, "category_ids has no label 1, found in picture 3"),
        ({}, {"iou_type": "mask"}, r"iou_type must be one of \('bbox', 'segm'\), got 'mask'"),
        ({}, {"iou_type": "segm"}, r"picture 3 must have \['masks'\]"),
        ({"masks": torch.ones(1, 2, 4, 4)}, {"iou_type": "segm"}, r"masks \(N, H, W\) or"),
        ({"masks": torch.full((1, 4, 4), 255)}, {"iou_type": "segm"}, "masks of 0 to 1, got 255"),
    ],
)
def test_detections_that_are_no_results(tmp_path, changes, options, message):
    with pytest.raises(ValueError, match=message):
        write_coco_results(tmp_path / "a.json", [GOOD | changes], [3], **options)
    assert not (tmp_path / "a.json").exists()


def test_as_many_pictures_as_ids(tmp_path):
    with pytest.raises(ValueError, match="must be as many, got 1 and 2"):
        write_coco_results(tmp_path / "a.json", [GOOD], [3, 4])


ENTRY = {"image_id": 3, "category_id": 1, "score": 0.5}
BOX = {"bbox": [1, 2, 3, 4]}
ONE_PIXEL = {"size": [1, 1], "counts": [0, 1]}


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ("{", "a.json is not a file of COCO results"),
        ({"annotations": []}, "must hold a list"),
        ([ENTRY], r"a.json, result 0 must have .* and bbox or segmentation"),
        ([{"image_id": 3, "score": 1, **BOX}], r"result 0 must have \('image_id', 'category_id'"),
        ([ENTRY | BOX, ENTRY | BOX | {"image_id": "3"}], "result 1 is of picture '3', not in"),
        ([ENTRY | BOX | {"category_id": 9}], "result 0 is of category 9, not in labels"),
        ([ENTRY | {"bbox": [1, 2, 3]}], "result 0 must have a bbox of x, y, width and height"),
        ([ENTRY | {"segmentation": [[1, 2]]}], "result 0 must have run lengths as segmentation"),
        ([ENTRY | BOX, ENTRY | {"segmentation": RUNS}], "all results must have a box, or all"),
        ([ENTRY | {"segmentation": RUNS}, ENTRY | {"segmentation": ONE_PIXEL}],
         r"result 1 has a mask of \(1, 1\), others of its picture \(40, 60\)"),
    ],
)  # fmt: skip
def test_results_that_are_none(tmp_path, results, message):
    text = results if isinstance(results, str) else json.dumps(results)
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_coco_results(tmp_path / "a.json", [3], labels={1: 1})
