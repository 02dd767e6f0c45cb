"""Tiny data sets, written in the formats in which the real ones are published."""

import json

import numpy as np
import pytest
from PIL import Image

HEIGHT, WIDTH = 40, 60


def write_picture(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT // 4, WIDTH // 4, 3), np.uint8)
    Image.fromarray(pixels).resize((WIDTH, HEIGHT)).save(path, quality=95)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_indices(path, indices):
    """A PNG whose pixels are indices of a palette, as Pascal VOC has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(indices.astype(np.uint8), mode="P")
    picture.putpalette([k % 256 for k in range(768)])
    picture.save(path)


@pytest.fixture
def coco(tmp_path):
    for number in (7, 3, 5):
        write_picture(tmp_path / "val2017" / f"{number:012}.jpg", number)
    crowd = np.zeros((HEIGHT, WIDTH), bool)
    crowd[30:35, 40:50] = True
    runs, value = [0], False
    for pixel in crowd.T.ravel():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    square = [10.0, 5.0, 30.0, 5.0, 30.0, 25.0, 10.0, 25.0]
    triangle = [40.0, 5.0, 50.0, 5.0, 40.0, 15.0]
    annotation = {"image_id": 3, "iscrowd": 0, "area": 400.0}
    content = {
        "images": [
            {"id": n, "file_name": f"{n:012}.jpg", "height": HEIGHT, "width": WIDTH}
            for n in (7, 3, 5)
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}],
        "annotations": [
            {"id": 1, "category_id": 3, "bbox": [10, 5, 20, 20], "segmentation": [square],
             **annotation},
            {"id": 2, "category_id": 1, "bbox": [10, 5, 40, 20], "segmentation": [square, triangle],
             **annotation, "area": 450.0},
            {"id": 3, "category_id": 1, "bbox": [40, 30, 10, 5], "image_id": 3, "iscrowd": 1,
             "area": 50.0, "segmentation": {"size": [HEIGHT, WIDTH], "counts": runs}},
            {"id": 4, "category_id": 1, "bbox": [10, 5, 0, 20], "segmentation": [square],
             **annotation},
            {"id": 5, "category_id": 1, "bbox": [10, 5, 20, 20], "segmentation": [square],
             **annotation, "image_id": 7},
        ],
    }  # fmt: skip
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_val2017.json").write_text(
        json.dumps(content), encoding="utf-8"
    )
    return tmp_path


@pytest.fixture
def voc(tmp_path):
    for name in ("2007_000001", "2007_000002"):
        write_picture(tmp_path / "JPEGImages" / f"{name}.jpg")
        (tmp_path / "Annotations").mkdir(exist_ok=True)
        (tmp_path / "Annotations" / f"{name}.xml").write_text(
            f"""\
<annotation>
  <folder>VOC2012</folder><filename>{name}.jpg</filename>
  <size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>
  <segmented>1</segmented>
  <object>
    <name>cat</name><pose>Left</pose><truncated>0</truncated><difficult>0</difficult>
    <bndbox><xmin>11</xmin><ymin>6</ymin><xmax>30</xmax><ymax>25</ymax></bndbox>
    <part><name>head</name>
      <bndbox><xmin>12</xmin><ymin>7</ymin><xmax>15</xmax><ymax>9</ymax></bndbox></part>
  </object>
  <object>
    <name>tvmonitor</name><difficult>1</difficult>
    <bndbox><ymin>1</ymin><xmin>1</xmin><ymax>40</ymax><xmax>60</xmax></bndbox>
  </object>
</annotation>""",
            encoding="utf-8",
        )
        semantic, objects = np.zeros((2, HEIGHT, WIDTH), int)
        semantic[4:26, 9:31] = objects[4:26, 9:31] = 255
        semantic[5:25, 10:30], objects[5:25, 10:30] = 8, 1
        semantic[30:, 40:], objects[30:, 40:] = 20, 2
        write_indices(tmp_path / "SegmentationClass" / f"{name}.png", semantic)
        write_indices(tmp_path / "SegmentationObject" / f"{name}.png", objects)
    for task in ("Main", "Segmentation"):
        lists = tmp_path / "ImageSets" / task
        lists.mkdir(parents=True)
        (lists / "train.txt").write_text("2007_000001\n2007_000002\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def pets(tmp_path):
    trimap = np.full((HEIGHT, WIDTH), 2)
    trimap[9:31, 19:41] = 3
    trimap[10:30, 20:40] = 1
    for name in ("Abyssinian_100", "great_pyrenees_7"):
        write_picture(tmp_path / "images" / f"{name}.jpg")
        write_indices(tmp_path / "annotations" / "trimaps" / f"{name}.png", trimap)
    (tmp_path / "annotations" / "trainval.txt").write_text(
        "#Image CLASS-ID SPECIES BREED ID\nAbyssinian_100 1 1 1\ngreat_pyrenees_7 3 2 2\n",
        encoding="utf-8",
    )
    return tmp_path


@pytest.fixture
def cifar(tmp_path):
    generator = np.random.default_rng(0)
    names = [f"data_batch_{k}.bin" for k in range(1, 6)] + ["test_batch.bin"]
    for name in names:
        records = generator.integers(0, 256, (3, 3073), np.uint8)
        records[:, 0] = (0, 9, 4)
        (tmp_path / name).write_bytes(records.tobytes())
    kinds = [
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ]
    (tmp_path / "batches.meta.txt").write_text("\n".join(kinds) + "\n\n", encoding="utf-8")
    return tmp_path
