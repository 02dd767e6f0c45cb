"""Readers of real data sets, on the tiny ones of `conftest`."""

import gzip
import shutil

import numpy as np
import pytest
import torch
from scipy.io import loadmat, savemat

from cvcourse.data import real
from cvcourse.data.real import (
    Cifar10,
    Coco,
    Mnist,
    Omniglot,
    OxfordPet,
    Stl10,
    Svhn,
    VocDetection,
    VocSegmentation,
    read_coco_results,
    read_flow,
    write_coco_results,
    write_flow,
)
from tests.data.tiny import HEIGHT, WIDTH, cut, write_indices

# --- Pascal VOC


def test_voc_detection(voc):
    dataset = VocDetection(voc, "train")
    assert len(dataset) == 2
    image, target = dataset[0]
    assert image.shape == (3, HEIGHT, WIDTH)
    assert target["boxes"].tolist() == [[10, 5, 30, 25], [0, 0, 60, 40]]
    assert [dataset.classes[k] for k in target["labels"]] == ["cat", "tvmonitor"]
    assert target["difficult"].tolist() == [False, True]
    assert target["area"].tolist() == [400, 2400]
    assert target["image_id"] == "2007_000001"


def test_voc_segmentation(voc):
    image, target = VocSegmentation(voc, "train")[1]
    assert image.shape == (3, HEIGHT, WIDTH)
    assert target["semantic"].dtype == torch.int64
    assert set(target["semantic"].unique().tolist()) == {0, 8, 20, 255}
    assert target["labels"].tolist() == [8, 20]
    assert target["boxes"].tolist() == [[10, 5, 30, 25], [40, 30, 60, 40]]
    assert target["area"].tolist() == [400, 200]
    assert not target["masks"][:, target["semantic"] == 255].any()


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda p: (p / "ImageSets/Main/train.txt").unlink(), FileNotFoundError,
         "python data_scripts/pascal_voc.py"),
        (lambda p: (p / "Annotations/2007_000001.xml").unlink(), FileNotFoundError, "is missing"),
        (lambda p: cut(p / "Annotations/2007_000001.xml"), ValueError, "not an annotation"),
        (lambda p: (p / "Annotations/2007_000001.xml").write_bytes(
            b"<annotation><object><name>cat</name></object></annotation>"), ValueError,
         "not an annotation"),
        (lambda p: cut(p / "JPEGImages/2007_000001.jpg"), ValueError, "fetch it again"),
    ],
)  # fmt: skip
def test_voc_missing_or_damaged(voc, damage, error, message):
    damage(voc)
    with pytest.raises(error, match=message):
        VocDetection(voc, "train")[0]


def test_voc_segmentation_of_another_size(voc):
    write_indices(voc / "SegmentationClass" / "2007_000001.png", np.zeros((9, 9)))
    with pytest.raises(ValueError, match="one number for each pixel"):
        VocSegmentation(voc)[0]


# --- Oxford-IIIT Pet


def test_oxford_pet(pets):
    dataset = OxfordPet(pets)
    assert dataset.classes == ("background", "Abyssinian", "N/A", "great_pyrenees")
    image, target = dataset[1]
    assert image.shape == (3, HEIGHT, WIDTH)
    assert target["labels"].tolist() == [3]
    assert target["species"].tolist() == [2]
    assert target["boxes"].tolist() == [[20, 10, 40, 30]]
    assert target["area"].tolist() == [400]
    assert torch.equal(target["semantic"] == 1, target["masks"][0])
    assert (target["semantic"] == 255).sum() == 22 * 22 - 400


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda p: (p / "annotations/trainval.txt").unlink(), FileNotFoundError,
         "python data_scripts/oxford_pet.py"),
        (lambda p: (p / "annotations/trainval.txt").write_bytes(b"Abyssinian_100 1\n"), ValueError,
         "not a list of Oxford-IIIT Pet"),
        (lambda p: (p / "images/Abyssinian_100.jpg").unlink(), FileNotFoundError, "is missing"),
        (lambda p: cut(p / "annotations/trimaps/Abyssinian_100.png"), ValueError, "fetch it again"),
        (lambda p: write_indices(p / "annotations/trimaps/Abyssinian_100.png",
                                 np.zeros((HEIGHT, WIDTH))), ValueError, "must have 1, 2 or 3"),
    ],
)  # fmt: skip
def test_oxford_pet_missing_or_damaged(pets, damage, error, message):
    damage(pets)
    with pytest.raises(error, match=message):
        OxfordPet(pets)[0]


# --- CIFAR-10, MNIST, SVHN, STL-10, Omniglot and .flo


def test_cifar10(cifar):
    train, test = Cifar10(cifar), Cifar10(cifar, "test")
    assert (len(train), len(test)) == (15, 3)
    assert train.classes[9] == "truck"
    image, label = train[1]
    assert image.shape == (3, 32, 32)
    assert label == 9
    raw = np.fromfile(cifar / "data_batch_1.bin", np.uint8)[3073 + 1 : 2 * 3073]
    assert torch.equal((image * 255).round().byte().flatten(), torch.from_numpy(raw))


def test_cifar10_missing_or_damaged(cifar):
    cut(cifar / "test_batch.bin")
    with pytest.raises(ValueError, match="cut off"):
        Cifar10(cifar, "test")
    (cifar / "data_batch_3.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"data_scripts/cifar10\.py"):
        Cifar10(cifar)
    with pytest.raises(ValueError, match="split must be one of"):
        Cifar10(cifar, "val")


def test_mnist(mnist):
    train, test = Mnist(mnist), Mnist(mnist, "test")
    assert (len(train), len(test)) == (30, 20)
    image, label = train[13]
    assert image.shape == (1, 28, 28)
    assert label == 3
    raw = gzip.decompress((mnist / "train-images-idx3-ubyte.gz").read_bytes())
    assert raw[:16].hex() == "00000803" + "0000001e" + "0000001c" + "0000001c"
    pixels = torch.tensor(list(raw[16 + 13 * 784 : 16 + 14 * 784])).view(28, 28)  # rows first
    assert torch.equal((image[0] * 255).round().long(), pixels)
    with pytest.raises(IndexError):
        train[30]


def test_mnist_missing_or_damaged(mnist):
    images, labels = (mnist / f"t10k-{name}-ubyte.gz" for name in ("images-idx3", "labels-idx1"))
    whole = gzip.decompress(images.read_bytes())
    for content, message in (
        (gzip.compress(whole)[:-9], "cut off or damaged"),
        (whole, "cut off or damaged"),  # not packed
        (gzip.compress(whole[:-1]), "cut off, 15679 of 15680 bytes"),
        (gzip.compress(b"\0\0\x0d" + whole[3:]), "IDX file of 3 axes"),  # numbers of another type
        (gzip.compress(whole[:10]), "IDX file of 3 axes"),
        (labels.read_bytes(), "IDX file of 3 axes"),
    ):
        images.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            Mnist(mnist, "test")
    images.write_bytes(gzip.compress(whole))
    digits = gzip.decompress(labels.read_bytes())
    fewer = digits[:7] + bytes([19]) + digits[8:-1]
    for content in (fewer, digits[:-1] + bytes([10])):
        labels.write_bytes(gzip.compress(content))
        with pytest.raises(ValueError, match="must hold a digit for each of 20 images"):
            Mnist(mnist, "test")
    labels.unlink()
    with pytest.raises(FileNotFoundError, match=r"data_scripts/mnist\.py"):
        Mnist(mnist, "test")
    with pytest.raises(ValueError, match="split must be one of"):
        Mnist(mnist, "val")


def test_svhn(svhn):
    train, test = Svhn(svhn), Svhn(svhn, "test")
    assert (len(train), len(test)) == (20, 20)
    raw = loadmat(svhn / "train_32x32.mat")["X"]
    image, label = train[9]
    assert label == 0  # written as 10
    assert [train[i][1] for i in (0, 8, 10)] == [1, 9, 1]
    assert torch.equal((image * 255).round().byte(), torch.from_numpy(raw[..., 9]).permute(2, 0, 1))
    with pytest.raises(IndexError):
        train[20]


def test_svhn_missing_or_damaged(svhn):
    cut(svhn / "test_32x32.mat")
    with pytest.raises(ValueError, match="cut off or damaged"):
        Svhn(svhn, "test")
    pixels, labels = np.zeros((32, 32, 3, 2), np.uint8), np.array([[1], [10]], np.uint8)
    for content in (
        {"X": pixels, "y": labels[:1]},
        {"X": pixels, "y": labels - 1},  # there is no label 0
        {"X": pixels.astype(float), "y": labels},
        {"X": pixels[..., 0], "y": labels},
    ):
        savemat(svhn / "test_32x32.mat", content)
        with pytest.raises(ValueError, match="must hold X"):
            Svhn(svhn, "test")
    savemat(svhn / "test_32x32.mat", {"X": pixels})
    with pytest.raises(ValueError, match="cut off or damaged"):
        Svhn(svhn, "test")
    (svhn / "test_32x32.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"data_scripts/svhn\.py"):
        Svhn(svhn, "test")
    with pytest.raises(ValueError, match="split must be one of"):
        Svhn(svhn, "extra")


def test_stl10(stl10):
    folder = stl10 / "stl10_binary"
    train, test, free = (Stl10(folder, split) for split in ("train", "test", "unlabeled"))
    assert (len(train), len(test), len(free)) == (10, 10, 5)
    assert train.classes[9] == "truck"
    assert [train[i][1] for i in (0, 9)] == [0, 9]
    assert free[4][1] == -1
    image, _ = test[3]
    size = 3 * 96 * 96
    raw = (folder / "test_X.bin").read_bytes()[3 * size : 4 * size]
    for channel, row, column in ((0, 0, 1), (1, 5, 0), (2, 95, 94)):  # columns are stored whole
        value = raw[channel * 96 * 96 + column * 96 + row]
        assert image[channel, row, column].item() == pytest.approx(value / 255)
    assert image.is_contiguous()
    with pytest.raises(IndexError):
        free[5]


def test_stl10_missing_or_damaged(stl10):
    folder = stl10 / "stl10_binary"
    cut(folder / "test_X.bin")  # five of ten pictures
    with pytest.raises(ValueError, match="from 1 to 10 for each of 5 pictures"):
        Stl10(folder, "test")
    (folder / "train_y.bin").write_bytes(bytes(range(10)))
    with pytest.raises(ValueError, match="from 1 to 10 for each of 10 pictures"):
        Stl10(folder)
    (folder / "train_X.bin").write_bytes(bytes(3 * 96 * 96 - 1))
    with pytest.raises(ValueError, match="cut off"):
        Stl10(folder)
    (folder / "unlabeled_X.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"data_scripts/stl10\.py"):
        Stl10(folder, "unlabeled")
    with pytest.raises(ValueError, match="split must be one of"):
        Stl10(folder, "val")


def test_omniglot(omniglot):
    known, unseen = Omniglot(omniglot), Omniglot(omniglot, "evaluation")
    assert (len(known), len(known.names), known.alphabets) == (120, 6, ("Greek", "Latin"))
    assert unseen.alphabets == ("Angelic", "Ge_ez")
    assert known.names[3] == "Latin/character01"
    assert [known[i][1] for i in (0, 19, 20, 119)] == [0, 0, 1, 5]
    image, letter = known[45]  # the sixth drawing of the third letter
    assert image.shape == (1, 105, 105)
    assert letter == 2
    assert image.unique().tolist() == [0, 1]
    assert image[0, 30:35, 20:46].min() == 1
    assert image.sum() == 5 * 26
    with pytest.raises(IndexError):
        known[120]


def test_omniglot_missing_or_damaged(omniglot):
    drawing = omniglot / "images_evaluation" / "Angelic" / "character01" / "0000_01.png"
    cut(drawing)
    with pytest.raises(ValueError, match=r"0000_01\.png is"):
        Omniglot(omniglot, "evaluation")[0]
    shutil.rmtree(omniglot / "images_evaluation")
    with pytest.raises(FileNotFoundError, match=r"data_scripts/omniglot\.py"):
        Omniglot(omniglot, "evaluation")
    (omniglot / "images_evaluation").mkdir()
    with pytest.raises(FileNotFoundError, match="has no drawing"):
        Omniglot(omniglot, "evaluation")
    with pytest.raises(ValueError, match="split must be one of"):
        Omniglot(omniglot, "train")


def test_flow_file_is_as_published(tmp_path):
    """Bytes laid out by hand: tag, width 2, height 1, then (u, v) of each pixel."""
    path = tmp_path / "a.flo"
    numbers = np.array([1.5, -2.0, 1e10, 1e10], "<f4").tobytes()
    path.write_bytes(b"PIEH" + bytes([2, 0, 0, 0, 1, 0, 0, 0]) + numbers)
    flow = read_flow(path)
    assert flow.shape == (2, 1, 2)
    assert flow[:, 0, 0].tolist() == [1.5, -2.0]
    assert flow[:, 0, 1].isnan().all()
    write_flow(tmp_path / "b.flo", flow)
    assert (tmp_path / "b.flo").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("wrong", [1e10, -2e9, np.inf, np.nan])
def test_one_unknown_component_makes_both_unknown(tmp_path, wrong):
    """As in Middlebury's `unknown_flow`: |u| > 1e9 or |v| > 1e9, or one of them is nan."""
    numbers = np.array([[1, 2], [wrong, 3], [4, wrong], [1e9, -1e9]], "<f4").tobytes()
    (tmp_path / "a.flo").write_bytes(b"PIEH" + bytes([4, 0, 0, 0, 1, 0, 0, 0]) + numbers)
    flow = read_flow(tmp_path / "a.flo")
    assert flow.isnan().tolist() == [[[False, True, True, False]]] * 2
    assert flow[:, 0, 3].tolist() == [1e9, -1e9]


def test_flow_files_that_are_none(tmp_path):
    write_flow(tmp_path / "a.flo", torch.zeros(2, 3, 4))
    cut(tmp_path / "a.flo")
    with pytest.raises(ValueError, match="is damaged: 54 bytes of 108"):
        read_flow(tmp_path / "a.flo")
    (tmp_path / "b.flo").write_text("flow", encoding="utf-8")
    with pytest.raises(ValueError, match=r"is neither a \.flo file nor a PNG"):
        read_flow(tmp_path / "b.flo")
    with pytest.raises(ValueError, match=r"flow must be \(2, H, W\)"):
        write_flow(tmp_path / "c.flo", torch.zeros(3, 4))


# --- where they are


def test_find(tmp_path, monkeypatch):
    monkeypatch.setenv("CVCOURSE_DATA", str(tmp_path))
    assert real.home() == tmp_path
    assert real.find("oxford_pet") is None
    (tmp_path / "oxford_pet" / "annotations").mkdir(parents=True)
    (tmp_path / "oxford_pet" / "annotations" / "trainval.txt").write_text(
        "Abyssinian_1 1 1 1\n", encoding="utf-8"
    )
    assert real.find("oxford_pet") == tmp_path / "oxford_pet"
    assert real.find("coco") is None
    with pytest.raises(ValueError, match="name must be one of"):
        real.find("imagenet")


def test_home_folder_is_expanded(tmp_path, monkeypatch, coco, voc, pets, cifar):
    """Whatever a user gives as a path may begin with ~."""
    for variable in ("HOME", "USERPROFILE"):  # of Linux and macOS, and of Windows
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setenv("CVCOURSE_DATA", "~/sets")
    assert real.home() == tmp_path / "sets"
    (tmp_path / "sets" / "coco" / "annotations").mkdir(parents=True)
    (tmp_path / "sets" / "coco" / "annotations" / "instances_val2017.json").touch()
    assert real.find("coco") == tmp_path / "sets" / "coco"
    assert len(Coco("~", "~/annotations/instances_val2017.json")) == len(Coco("~")) == 2
    assert VocDetection("~")[0][0].shape == VocSegmentation("~")[0][0].shape
    assert OxfordPet("~")[0][0].shape == (3, HEIGHT, WIDTH)
    assert len(Cifar10("~")) == 15
    write_flow("~/a.flo", torch.zeros(2, 3, 4))
    assert read_flow("~/a.flo").shape == (2, 3, 4)
    write_coco_results("~/a.json", [], [])
    assert read_coco_results("~/a.json", []) == []
    assert (tmp_path / "a.flo").is_file()


@pytest.mark.parametrize("index", [-1, 2])
def test_index_out_of_range(voc, index):
    with pytest.raises(IndexError, match="index must be from 0 to 1"):
        VocDetection(voc)[index]
