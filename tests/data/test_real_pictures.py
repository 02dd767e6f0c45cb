"""Pictures of every kind that Pillow reads, beside its own conversions and scikit-image's."""

import numpy as np
import PIL
import pytest
import torch
from PIL import Image
from skimage.util import img_as_float32

from cvcourse.data.real import Coco, OxfordPet, VocDetection, VocSegmentation, places
from tests.data.tiny import HEIGHT, WIDTH, write_indices

EIGHT_BITS = ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "LA", "PA", "RGBX")
EIGHT_BITS += ("RGBa", "La")  # premultiplied
FILES = {"1": "png", "L": "png", "P": "png", "RGB": "png", "RGBA": "png", "LA": "png"}
FILES |= {"CMYK": "tif", "YCbCr": "tif", "LAB": "tif"}


def noise(*shape, high=256, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, high, shape).astype(dtype)


def picture_of(mode):
    """Noise in a mode: what Pillow makes of the same bytes."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    size = (5, 4) if mode != "1" else (8, 4)
    return Image.frombytes(mode, size, noise(4, 5 * bands).tobytes()[: 20 * bands])


@pytest.mark.parametrize("mode", EIGHT_BITS)
def test_eight_bits_in_memory(mode):
    picture = picture_of(mode)
    straight = picture.convert("LA") if mode == "La" else picture
    expected = np.asarray(straight.convert("RGB")) / np.float32(255)
    assert np.array_equal(places._rgb(picture), expected)


@pytest.mark.parametrize(("mode", "ending"), FILES.items())
def test_eight_bits_in_files(tmp_path, mode, ending):
    if mode == "YCbCr" and int(PIL.__version__.split(".")[0]) < 13:
        pytest.skip("Pillow before 13 cannot read the YCbCr TIFF that it writes itself")
    picture_of(mode).save(tmp_path / f"a.{ending}")
    with Image.open(tmp_path / f"a.{ending}") as picture:
        assert picture.mode == mode
        expected = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1) / 255
    read = places.read_image(tmp_path / f"a.{ending}", None)
    assert read.dtype == torch.float32
    assert torch.equal(read, expected)


@pytest.mark.parametrize(("mode", "ending"), [("I;16", "png"), ("I;16", "tif"), ("I;16B", "tif")])
def test_sixteen_bits(tmp_path, mode, ending):
    pixels = noise(4, 5, high=65536, dtype=np.uint16)
    pixels[0, :3] = 0, 12850, 65535
    order = ">u2" if mode == "I;16B" else "<u2"
    Image.frombytes(mode, (5, 4), pixels.astype(order).tobytes()).save(tmp_path / f"a.{ending}")
    with Image.open(tmp_path / f"a.{ending}") as picture:
        assert picture.mode == mode
    read = places.read_image(tmp_path / f"a.{ending}", None)
    assert read[1, 0, :3].tolist() == pytest.approx([0, 12850 / 65535, 1])
    assert np.array_equal(read.numpy(), np.broadcast_to(img_as_float32(pixels), (3, 4, 5)))


def test_integers_of_32_bits_and_floats(tmp_path):
    pixels = noise(4, 5, high=65536, dtype=np.int32)
    Image.fromarray(pixels).save(tmp_path / "i.tif")
    assert torch.allclose(
        places.read_image(tmp_path / "i.tif", None)[2], torch.from_numpy(pixels) / 65535
    )
    floats = np.random.default_rng(0).random((4, 5), np.float32)
    Image.fromarray(floats).save(tmp_path / "f.tif")
    assert np.array_equal(places.read_image(tmp_path / "f.tif", None)[0].numpy(), floats)


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (np.float32([[0, 255]]), "0 to 255"),
        (np.float32([[-0.5, 1]]), "-0.5 to 1"),
        (np.float32([[np.nan, 1]]), "nan to nan"),
        (np.int32([[0, 131070]]), "0 to 2"),
    ],
)
def test_numbers_of_unknown_range_are_refused(tmp_path, pixels, told):
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=rf"a\.tif must have integers .* are {told}"):
        places.read_image(tmp_path / "a.tif", None)


# --- EXIF orientation

UPRIGHT = {  # what a viewer does to the stored rows for each number of EXIF's table
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: np.rot90,
}


def save_turned(path, pixels, orientation):
    exif = Image.Exif()
    exif[0x112] = orientation
    Image.fromarray(pixels).save(path, exif=exif, quality=95)


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_orientation(tmp_path, orientation, kind):
    pixels = noise(4, 5, high=np.iinfo(kind).max, dtype=kind)
    save_turned(tmp_path / "a.png", pixels, orientation)
    upright = UPRIGHT[orientation](pixels)
    read = places.read_image(tmp_path / "a.png", None)[0].numpy()
    np.testing.assert_allclose(read, img_as_float32(upright), rtol=0, atol=1e-7)
    assert np.array_equal(places.read_pixels(tmp_path / "a.png", None), upright)


@pytest.mark.parametrize("name", ["coco", "voc", "voc segmentation", "pets"])
def test_every_reader_turns_its_pictures(name, request):
    """A stored picture that lies on its side, and annotations of the upright one."""
    folder = request.getfixturevalue(name.split()[0])
    path, read = {
        "coco": ("val2017/000000000003.jpg", Coco),
        "voc": ("JPEGImages/2007_000001.jpg", VocDetection),
        "voc segmentation": ("JPEGImages/2007_000001.jpg", VocSegmentation),
        "pets": ("images/Abyssinian_100.jpg", OxfordPet),
    }[name]
    lying = np.zeros((WIDTH, HEIGHT, 3), np.uint8)
    lying[:, :8] = 255  # the top of the upright picture, once it is turned by orientation 6
    save_turned(folder / path, lying, 8)
    image, target = read(folder)[0]
    assert image.shape == (3, HEIGHT, WIDTH)
    assert image[:, -7:].min() > 0.9
    assert image[:, :-9].max() < 0.1
    assert len(target["labels"]) > 0


# --- what else the annotations may hold


def test_an_oxford_pet_of_border_alone_has_no_object(pets):
    trimap = np.full((HEIGHT, WIDTH), 2)
    trimap[9:31, 19:41] = 3
    write_indices(pets / "annotations" / "trimaps" / "Abyssinian_100.png", trimap)
    _, target = OxfordPet(pets)[0]
    assert target["boxes"].shape == (0, 4)
    assert target["masks"].shape == (0, HEIGHT, WIDTH)
    for key in ("labels", "species", "area", "iscrowd"):
        assert target[key].shape == (0,)
    assert target["labels"].dtype == target["species"].dtype == torch.int64
    assert (target["semantic"] == 255).sum() == 22 * 22


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "Abyssinian_100 0 1 1",
            "breed must be from 1, species 1 or 2, got 'Abyssinian_100 0",
        ),
        ("Abyssinian_100 1 3 1", "breed must be from 1, species 1 or 2"),
        ("Abyssinian_100 one 1 1", "not a list of Oxford-IIIT Pet"),
        ("1 1 1", "not a list of Oxford-IIIT Pet"),
    ],
)
def test_entries_of_oxford_pet_that_are_none(pets, line, message):
    (pets / "annotations" / "trainval.txt").write_text(line, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        OxfordPet(pets)


def change_corners(voc, **corners):
    path = voc / "Annotations" / "2007_000001.xml"
    text = path.read_text(encoding="utf-8")
    usual = {"xmin": 11, "ymin": 6, "xmax": 30, "ymax": 25}
    for edge, value in corners.items():
        text = text.replace(f"<{edge}>{usual[edge]}<", f"<{edge}>{value}<", 1)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("corners", "box"),
    [
        ({"xmin": 0, "ymin": 0}, [0, 0, 30, 25]),
        ({"xmin": -7, "xmax": 99}, [0, 5, WIDTH, 25]),
        ({"xmin": 30, "ymin": 25}, [29, 24, 30, 25]),  # one pixel
        ({"xmin": 11.5, "ymax": 25.25}, [10.5, 5, 30, 25.25]),
    ],
)
def test_corners_of_voc_are_clipped(voc, corners, box):
    change_corners(voc, **corners)
    assert VocDetection(voc)[0][1]["boxes"][0].tolist() == box


def test_boxes_of_voc_outside_the_picture_are_left_out(voc):
    change_corners(voc, xmin=WIDTH + 1, xmax=WIDTH + 9)
    _, target = VocDetection(voc)[0]
    assert target["boxes"].tolist() == [[0, 0, 60, 40]]
    assert target["labels"].tolist() == [20]
    assert target["difficult"].tolist() == [True]
    assert target["area"].shape == target["iscrowd"].shape == (1,)


@pytest.mark.parametrize("corners", [{"xmin": "nan"}, {"ymax": "inf"}, {"xmin": 31}, {"ymax": 5}])
def test_corners_of_voc_that_are_none(voc, corners):
    change_corners(voc, **corners)
    with pytest.raises(ValueError, match=r"2007_000001\.xml is not .* \(no box has the corners"):
        VocDetection(voc)[0]


def test_a_picture_of_voc_of_another_size(voc):
    Image.new("RGB", (HEIGHT, WIDTH)).save(voc / "JPEGImages" / "2007_000001.jpg")
    message = r"its size is \(40, 60\), that of the picture \(60, 40\)"
    with pytest.raises(ValueError, match=message):
        VocDetection(voc)[0]


def test_objects_of_voc_without_a_class(voc):
    semantic, objects = np.zeros((2, HEIGHT, WIDTH), int)
    objects[5:10, 5:10], semantic[5:10, 5:10] = 1, 255  # nothing but void
    objects[20:30, 20:30] = 2  # background
    objects[30:40, 30:40], semantic[30:34, 30:40] = 3, 20  # void for the most part
    semantic[34:40, 30:40] = 255
    for folder, pixels in (("SegmentationClass", semantic), ("SegmentationObject", objects)):
        write_indices(voc / folder / "2007_000001.png", pixels)
    _, target = VocSegmentation(voc)[0]
    assert target["labels"].tolist() == [20]
    assert target["boxes"].tolist() == [[30, 30, 40, 40]]
    assert target["iscrowd"].shape == (1,)
    semantic[0, 0] = 21
    write_indices(voc / "SegmentationClass" / "2007_000001.png", semantic)
    with pytest.raises(ValueError, match=r"2007_000001\.png must have 0 to 20 or 255, got 21"):
        VocSegmentation(voc)[0]


# --- lists


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lists_of_any_editor(voc, pets, cifar, encoding, end):
    mark = "\ufeff" if encoding == "utf-16-be" else ""

    def write(path, *lines):
        path.write_bytes((mark + end.join([*lines, ""])).encode(encoding))

    names = ["größe 1", "#2", "2007_000001", "a b  c"]
    write(voc / "ImageSets" / "Main" / "val.txt", f"  {names[0]} ", "", *names[1:])
    assert VocDetection(voc, "val").names == names
    write(pets / "annotations" / "test.txt", "#Image CLASS-ID", "", *(f"{n} 3 2  7" for n in names))
    assert OxfordPet(pets, "test").entries == [(n, 3, 2) for n in names if n != "#2"]


def test_list_of_one_class_of_voc(voc):
    path = voc / "ImageSets" / "Main" / "cat_train.txt"
    path.write_text("2007_000001 -1\na b  1\n2007_000002  0\n", encoding="utf-8")
    assert VocDetection(voc, "cat_train").names == ["2007_000001", "a b", "2007_000002"]


def test_list_that_is_no_text(voc):
    (voc / "ImageSets" / "Main" / "val.txt").write_bytes("größe".encode("cp1252"))
    with pytest.raises(ValueError, match=r"val\.txt is no text in UTF-8"):
        VocDetection(voc, "val")
