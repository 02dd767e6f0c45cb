"""Tiny data sets, written in the formats in which the real ones are published.

The tests read them; `scripts/rehearse.py` runs whole lessons on them.
"""

import gzip
import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

HEIGHT, WIDTH = 40, 60


def write_picture(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT // 4, WIDTH // 4, 3), np.uint8)
    Image.fromarray(pixels).resize((WIDTH, HEIGHT)).save(path, quality=95)


def write_ramp(path, height, width):
    """A picture whose red is its row and whose green is its column."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[:height, :width]
    Image.fromarray(np.stack([rows, columns, 0 * rows], 2).astype(np.uint8)).save(path)


def write_div2k(root, name="0801", split="valid", scale=3, low=(4, 3)):
    high = [scale * side for side in low]
    write_ramp(root / f"DIV2K_{split}_HR" / f"{name}.png", *high)
    write_ramp(root / f"DIV2K_{split}_LR_bicubic" / f"X{scale}" / f"{name}x{scale}.png", *low)


def write_set5(root, names=("img_001", "img_002"), scale=3, low=(4, 3)):
    for name in names:
        for kind, times in (("LR", 1), ("HR", scale)):
            file = root / f"image_SRF_{scale}" / f"{name}_SRF_{scale}_{kind}.png"
            write_ramp(file, *(times * side for side in low))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_indices(path, indices):
    """A PNG whose pixels are indices of a palette, as Pascal VOC has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(indices.astype(np.uint8), mode="P")
    picture.putpalette([k % 256 for k in range(768)])
    picture.save(path)


def square_and_others(picture: int) -> list[dict]:
    """Annotations of a picture of COCO: one polygon, two polygons, a crowd, a box of no width."""
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
    annotation = {"image_id": picture, "iscrowd": 0, "area": 400.0}
    return [
        {"category_id": 3, "bbox": [10, 5, 20, 20], "segmentation": [square], **annotation},
        {"category_id": 1, "bbox": [10, 5, 40, 20], "segmentation": [square, triangle],
         **annotation, "area": 450.0},
        {"category_id": 1, "bbox": [40, 30, 10, 5], "image_id": picture, "iscrowd": 1,
         "area": 50.0, "segmentation": {"size": [HEIGHT, WIDTH], "counts": runs}},
        {"category_id": 1, "bbox": [10, 5, 0, 20], "segmentation": [square], **annotation},
    ]  # fmt: skip


def write_coco(
    folder: Path, split: str, numbers: Sequence[int], annotations: Sequence[dict]
) -> None:
    """Pictures `numbers` of COCO's `split` (such as "val2017"), with these annotations."""
    for number in numbers:
        write_picture(folder / split / f"{number:012}.jpg", number)
    content = {
        "images": [
            {"id": n, "file_name": f"{n:012}.jpg", "height": HEIGHT, "width": WIDTH}
            for n in numbers
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}],
        "annotations": [{"id": i, **each} for i, each in enumerate(annotations, 1)],
    }
    path = folder / "annotations" / f"instances_{split}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def write_coco_captions(folder: Path, split: str, numbers: Sequence[int]) -> None:
    """What is said of the pictures `numbers` of COCO's `split`: two sentences of each."""
    said = ("A square beside a triangle.", "There is a square, and a triangle.")
    pairs = [(number, caption) for number in numbers for caption in said]
    content = {
        "images": [{"id": n, "file_name": f"{n:012}.jpg"} for n in numbers],
        "annotations": [
            {"id": i, "image_id": number, "caption": caption}
            for i, (number, caption) in enumerate(pairs, 1)
        ],
    }
    path = folder / "annotations" / f"captions_{split}.json"
    path.write_text(json.dumps(content), encoding="utf-8")


def write_coco_keypoints(folder: Path, split: str, numbers: Sequence[int]) -> None:
    """One person on each of the pictures `numbers`, with COCO's 17 joints; the second is hidden,
    the third not labelled."""
    joints = ["nose", *(f"{side} {joint}" for joint in (
        "eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle",
    ) for side in ("left", "right"))]  # fmt: skip
    places = [[10 + 2 * k, 5 + k, 2] for k in range(17)]
    places[1][2], places[2] = 1, [0, 0, 0]
    person = {
        "category_id": 1, "bbox": [8, 4, 40, 20], "area": 450.0, "iscrowd": 0, "num_keypoints": 16,
        "keypoints": [number for place in places for number in place],
        "segmentation": [[8.0, 4.0, 48.0, 4.0, 48.0, 24.0]],
    }  # fmt: skip
    content = {
        "images": [
            {"id": n, "file_name": f"{n:012}.jpg", "height": HEIGHT, "width": WIDTH}
            for n in numbers
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": joints, "skeleton": [[16, 14]]}],
        "annotations": [{"id": i, "image_id": n, **person} for i, n in enumerate(numbers, 1)],
    }
    path = folder / "annotations" / f"person_keypoints_{split}.json"
    path.write_text(json.dumps(content), encoding="utf-8")


VOC_ANNOTATION = f"""\
<annotation>
  <folder>VOC2012</folder><filename>{{name}}.jpg</filename>
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
</annotation>"""


def write_voc(folder: Path, split: str, names: Sequence[str]) -> None:
    """Pictures of a cat and a difficult monitor, in Pascal VOC's lists of `split`."""
    for name in names:
        write_picture(folder / "JPEGImages" / f"{name}.jpg")
        (folder / "Annotations").mkdir(exist_ok=True)
        (folder / "Annotations" / f"{name}.xml").write_text(
            VOC_ANNOTATION.format(name=name), encoding="utf-8"
        )
        semantic, objects = np.zeros((2, HEIGHT, WIDTH), int)
        semantic[4:26, 9:31] = objects[4:26, 9:31] = 255
        semantic[5:25, 10:30], objects[5:25, 10:30] = 8, 1
        semantic[30:, 40:], objects[30:, 40:] = 20, 2
        write_indices(folder / "SegmentationClass" / f"{name}.png", semantic)
        write_indices(folder / "SegmentationObject" / f"{name}.png", objects)
    for task in ("Main", "Segmentation"):
        lists = folder / "ImageSets" / task
        lists.mkdir(parents=True, exist_ok=True)
        (lists / f"{split}.txt").write_text("\n".join([*names, ""]), encoding="utf-8")


def write_pets(folder: Path, split: str, lines: Sequence[str]) -> None:
    """Pets of Oxford-IIIT Pet. lines: of its list, such as `Abyssinian_100 1 1 1`."""
    trimap = np.full((HEIGHT, WIDTH), 2)
    trimap[9:31, 19:41] = 3
    trimap[10:30, 20:40] = 1
    for name in (line.split()[0] for line in lines):
        write_picture(folder / "images" / f"{name}.jpg")
        write_indices(folder / "annotations" / "trimaps" / f"{name}.png", trimap)
    (folder / "annotations" / f"{split}.txt").write_text(
        "\n".join(["#Image CLASS-ID SPECIES BREED ID", *lines, ""]), encoding="utf-8"
    )


def write_cifar(folder: Path, count: int = 3) -> None:
    """`count` pictures in each of CIFAR-10's six files; the labels are 0, 9, 4, 3, 8, 7, ..."""
    generator = np.random.default_rng(0)
    names = [f"data_batch_{k}.bin" for k in range(1, 6)] + ["test_batch.bin"]
    for name in names:
        records = generator.integers(0, 256, (count, 3073), np.uint8)
        records[:, 0] = [(0, 9, 4, 3, 8, 7, 2, 1, 6, 5)[i % 10] for i in range(count)]
        (folder / name).write_bytes(records.tobytes())
    kinds = "airplane automobile bird cat deer dog frog horse ship truck"
    (folder / "batches.meta.txt").write_text("\n".join([*kinds.split(), "", ""]), encoding="utf-8")


def write_mnist(folder: Path, train: int = 30, test: int = 20) -> None:
    """MNIST's four files of random pixels; the digits are 0, 1, ... 9, 0, 1, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for name, count in (("train", train), ("t10k", test)):
        pixels = generator.integers(0, 256, (count, 28, 28), np.uint8).tobytes()
        labels = bytes(i % 10 for i in range(count))
        images = struct.pack(">4i", 2051, count, 28, 28) + pixels
        digits = struct.pack(">2i", 2049, count) + labels
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(digits))


def write_stl10(folder: Path, count: int = 10) -> None:
    """STL-10's files of random pixels; the labels are 1, 2, ... 10, 1, ... Unlabelled: half."""
    folder = folder / "stl10_binary"
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for split, many in (("train", count), ("test", count), ("unlabeled", count // 2)):
        pixels = generator.integers(0, 256, (many, 3, 96, 96), np.uint8)
        (folder / f"{split}_X.bin").write_bytes(pixels.tobytes())
        if split != "unlabeled":
            labels = bytes(1 + i % 10 for i in range(many))
            (folder / f"{split}_y.bin").write_bytes(labels)
    kinds = "airplane bird car cat deer dog horse monkey ship truck"
    (folder / "class_names.txt").write_text("\n".join([*kinds.split(), ""]), encoding="utf-8")


def write_omniglot(folder: Path, letters: int = 3, drawings: int = 20) -> None:
    """Omniglot's folders: of two alphabets each some letters, a bar that gets longer; 1 bit."""
    for split, alphabets in (
        ("background", ("Greek", "Latin")),
        ("evaluation", ("Angelic", "Ge_ez")),
    ):
        for alphabet in alphabets:
            for letter in range(1, letters + 1):
                home = folder / f"images_{split}" / alphabet / f"character{letter:02}"
                home.mkdir(parents=True, exist_ok=True)
                for number in range(1, drawings + 1):
                    paper = np.ones((105, 105), bool)
                    paper[10 * letter : 10 * letter + 5, 20 : 40 + number] = False
                    Image.fromarray(paper).save(home / f"0000_{number:02}.png")


def write_svhn(folder: Path, count: int = 20) -> None:
    """SVHN's two files of random pixels; the digits are 1, 2, ... 9, 0 (written as 10), 1, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        pixels = generator.integers(0, 256, (32, 32, 3, count), np.uint8)
        labels = np.array([[1 + i % 10] for i in range(count)], np.uint8)
        savemat(folder / f"{split}_32x32.mat", {"X": pixels, "y": labels}, do_compression=True)


def brightness(t):
    return 20 + 10 * t


def write_film(path, frames=8):
    """Frame t is grey, of brightness 20 + 10 t, with a white corner at the upper left."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.bit_rate = 2_000_000
        for t in range(frames):
            pixels = np.full((48, 64, 3), brightness(t), np.uint8)
            pixels[:16, :16] = 255
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def write_ucf101(folder: Path, frames: int = 20) -> None:
    """Two actions of UCF101, two films of each to train on and one to test, in three folds."""
    actions = ("ApplyEyeMakeup", "YoYo")
    for number, action in enumerate(actions):
        for group in (1, 2, 3):
            name = f"v_{action}_g{group:02}_c01.avi"
            write_film(folder / "UCF-101" / action / name, frames - number)
    lists = folder / "ucfTrainTestlist"
    lists.mkdir(parents=True, exist_ok=True)
    numbered = [f"{k} {action}" for k, action in enumerate(actions, 1)]
    (lists / "classInd.txt").write_text("\n".join([*numbered, ""]), encoding="utf-8")
    for fold in (1, 2, 3):
        lines = {"train": [], "test": []}
        for k, action in enumerate(actions, 1):
            for group in (1, 2, 3):
                path = f"{action}/v_{action}_g{group:02}_c01.avi"
                if group == fold:
                    lines["test"].append(path)
                else:
                    lines["train"].append(f"{path} {k}")
        for split, each in lines.items():
            text = "\n".join([*each, ""])
            (lists / f"{split}list{fold:02}.txt").write_text(text, encoding="utf-8")


def write_camvid(folder: Path, count: int = 4) -> None:
    """Frames of one film, 30 apart, in each of CamVid's splits; and of the film the ones between.

    Sky above, road below (the class of number 3), and a column that nobody labelled.
    """
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[HEIGHT // 2 :] = 3
    labels[:, :5] = 11
    for split in ("train", "val", "test"):
        (folder / f"{split}annot").mkdir(parents=True, exist_ok=True)
        for k in range(count):
            name = f"0001TP_{6690 + 30 * k:06}.png"
            write_picture(folder / split / name, k)
            Image.fromarray(labels).save(folder / f"{split}annot" / name)
    for k in range(count):
        for step in (-1, 1):
            write_picture(folder / "films" / f"0001TP_{6690 + 30 * k + step:06}.png", 100 + k)


def write_afhq(folder: Path, count: int = 8) -> None:
    """AFHQ's folders, of noise."""
    for split, many in (("train", count), ("val", count // 2)):
        for domain in ("cat", "dog", "wild"):
            for k in range(many):
                write_picture(folder / split / domain / f"pixabay_{domain}_{k:06}.jpg", k)


CELEBA_NAMES = ("Eyeglasses", "Male", "Smiling")  # of forty; the file has them in one line


def write_celeba(folder: Path, train: int = 16, val: int = 4, test: int = 4) -> None:
    """CelebA's pictures and two lists, of noise; of picture k, counted from 1, mark j is 1 where
    bit j of k is set."""
    numbers = range(1, train + val + test + 1)
    for k in numbers:
        write_picture(folder / "img_align_celeba" / f"{k:06}.jpg", k)
    marks = [
        f"{k:06}.jpg " + " ".join(f"{1 if k >> j & 1 else -1:2}" for j in range(3)) + " "
        for k in numbers
    ]
    lines = [str(len(numbers)), " ".join(CELEBA_NAMES) + " ", *marks, ""]
    (folder / "list_attr_celeba.txt").write_text("\n".join(lines), encoding="utf-8")
    splits = [0] * train + [1] * val + [2] * test
    lines = [f"{k:06}.jpg {split}" for k, split in zip(numbers, splits, strict=True)]
    text = "\n".join([*lines, ""])
    (folder / "list_eval_partition.txt").write_text(text, encoding="utf-8")


def write_vimeo(folder: Path) -> None:
    """Three triplets of Vimeo-90K to train on, two to test."""
    for split, first, many in (("train", 1, 3), ("test", 4, 2)):
        names = [f"00001/{first + k:04}" for k in range(many)]
        for number, name in enumerate(names, first):
            for frame in (1, 2, 3):
                write_picture(folder / "sequences" / name / f"im{frame}.png", 10 * number + frame)
        text = "\n".join([*names, ""])
        (folder / f"tri_{split}list.txt").write_text(text, encoding="utf-8")
