"""Pairs of frames with flow, on files in the layouts of FlyingChairs, Sintel and KITTI."""

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from cvcourse.data.real import FlyingChairs, KittiFlow, Sintel, read_flow, write_flow
from cvcourse.ops import warp
from tests.data.tiny import HEIGHT, WIDTH, cut, write_picture

SCENE = "alley_1"


def write_16_bits(path, values):
    """A PNG of three channels of 16 bits (H, W, 3), byte by byte as its standard says."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    return path


def write_kitti(path, flow):
    """As the development kit's `write_flow`: 64 u + 2^15, and a third channel of 0 or 1."""
    known = ~flow.isnan().any(0)
    stored = (flow.nan_to_num(nan=-512) * 64 + 2**15).numpy()
    return write_16_bits(path, np.stack([*stored, known.numpy()], 2).astype(np.uint16))


def some_flow():
    flow = torch.linspace(-20, 20, 2 * HEIGHT * WIDTH).reshape(2, HEIGHT, WIDTH)
    return (flow * 64).round() / 64


@pytest.fixture
def chairs(tmp_path):
    data = tmp_path / "data"
    for number in ("00001", "00002", "00003"):
        write_picture(data / f"{number}_img1.ppm", 1)
        write_picture(data / f"{number}_img2.ppm", 2)
        write_flow(data / f"{number}_flow.flo", some_flow())
    (tmp_path / "FlyingChairs_train_val.txt").write_text("1\n2\n1\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def sintel(tmp_path):
    root = tmp_path / "training"
    for number in range(1, 4):
        for rendering in ("clean", "final"):
            write_picture(root / rendering / SCENE / f"frame_{number:04}.png", number)
    for number in (1, 2):
        (root / "flow" / SCENE).mkdir(parents=True, exist_ok=True)
        write_flow(root / "flow" / SCENE / f"frame_{number:04}.flo", some_flow())
        hidden = np.zeros((HEIGHT, WIDTH), np.uint8)
        hidden[:number, :5] = 255
        (root / "occlusions" / SCENE).mkdir(parents=True, exist_ok=True)
        Image.fromarray(hidden).save(root / "occlusions" / SCENE / f"frame_{number:04}.png")
    return tmp_path


@pytest.fixture
def kitti(tmp_path):
    root = tmp_path / "training"
    flow = some_flow()
    flow[:, :10] = torch.nan
    for name in ("000000", "000001"):
        write_picture(root / "image_2" / f"{name}_10.png", 1)
        write_picture(root / "image_2" / f"{name}_11.png", 2)
        write_kitti(root / "flow_occ" / f"{name}_10.png", flow)
    write_kitti(root / "flow_noc" / "000001_10.png", flow)
    return tmp_path


def test_kitti_flow_by_hand(tmp_path):
    """u = (R - 32768) / 64, v = (G - 32768) / 64, known where B is not 0."""
    values = np.array([[[32768 + 96, 32768 - 640, 1], [32768, 65535, 1], [0, 0, 0]]])
    flow = read_flow(write_16_bits(tmp_path / "a.png", values))
    assert flow.shape == (2, 1, 3)
    assert flow.dtype == torch.float32
    assert flow[:, 0, :2].T.tolist() == [[1.5, -10.0], [0.0, 511.984375]]
    assert flow[:, 0, 2].isnan().all()


def test_kitti_flow_that_is_none(tmp_path):
    write_picture(tmp_path / "a.png")
    with pytest.raises(ValueError, match="must have three channels of 16 bits, got rgb24"):
        read_flow(tmp_path / "a.png")
    cut(write_kitti(tmp_path / "b.png", some_flow()))
    with pytest.raises(ValueError, match="cannot be decoded"):
        read_flow(tmp_path / "b.png")


def test_flying_chairs_by_the_authors_split(chairs):
    train, val = FlyingChairs(chairs), FlyingChairs(chairs, "val")
    assert [pair.name for pair in train.pairs] == ["00001", "00003"]
    assert [pair.name for pair in val.pairs] == ["00002"]
    frames, target = train[1]
    assert frames.shape == (2, 3, HEIGHT, WIDTH)
    assert not frames[0].equal(frames[1])
    assert target["flow"].equal(some_flow()[None])
    assert target["image_id"] == "00003"


def test_sintel_with_what_is_hidden(sintel):
    dataset = Sintel(sintel, "final")
    assert len(dataset) == 2
    frames, target = dataset[1]
    second = np.asarray(Image.open(sintel / "training" / "final" / SCENE / "frame_0003.png"))
    assert np.array_equal((frames[1] * 255).round().permute(1, 2, 0).numpy(), second)
    assert target["image_id"] == f"{SCENE}/frame_0002"
    assert target["occluded"].shape == (1, HEIGHT, WIDTH)
    assert target["occluded"].sum() == 10


def test_kitti_with_and_without_what_is_hidden(kitti):
    assert len(KittiFlow(kitti)) == 2
    (pair,) = KittiFlow(kitti, occluded=False).pairs
    assert pair.name == "000001"
    _, target = KittiFlow(kitti)[0]
    assert target["flow"][0, :, :10].isnan().all()
    assert target["flow"][0, :, 10:].equal(some_flow()[:, 10:])


def test_flow_of_a_reader_is_that_of_warp(chairs):
    """Shift by (2, 1): the second frame, looked up where the flow points, is the first."""
    picture = Image.open(chairs / "data" / "00001_img1.ppm")
    picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, -2, 0, 1, -1)).save(
        chairs / "data" / "00001_img2.ppm"
    )
    write_flow(chairs / "data" / "00001_flow.flo", torch.tensor([2.0, 1.0]).view(2, 1, 1)
               .expand(2, HEIGHT, WIDTH))  # fmt: skip
    frames, target = FlyingChairs(chairs)[0]
    back = warp(frames[1:], target["flow"])[0]
    inner = back[:, : HEIGHT - 1, : WIDTH - 2]
    assert torch.allclose(inner, frames[0, :, : HEIGHT - 1, : WIDTH - 2], atol=1e-5)


def test_errors_name_what_is_wrong(chairs, sintel):
    with pytest.raises(ValueError, match="split must be 'train' or 'val'"):
        FlyingChairs(chairs, "test")
    with pytest.raises(ValueError, match="rendering must be 'clean' or 'final'"):
        Sintel(sintel, "albedo")
    with pytest.raises(FileNotFoundError, match="flow_occ is missing"):
        KittiFlow(sintel)
    with pytest.raises(IndexError, match="index must be from 0 to 1"):
        FlyingChairs(chairs)[2]
    (chairs / "data" / "00001_img2.ppm").unlink()
    with pytest.raises(FileNotFoundError, match=r"00001_img2\.ppm is missing"):
        FlyingChairs(chairs)[0]
    write_flow(chairs / "data" / "00003_flow.flo", torch.zeros(2, 5, 5))
    with pytest.raises(ValueError, match="00003: frames and flow must be of one size"):
        FlyingChairs(chairs)[1]
    (chairs / "FlyingChairs_train_val.txt").write_text("1\n3\n", encoding="utf-8")
    with pytest.raises(ValueError, match="must have a 1 or a 2 on each line"):
        FlyingChairs(chairs)
