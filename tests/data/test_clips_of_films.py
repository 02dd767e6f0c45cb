"""UCF101, CamVid, AFHQ and Vimeo-90K, on files in the layouts in which they are published."""

import numpy as np
import pytest
import torch
from PIL import Image

from cvcourse.data.real import Afhq, CamVid, Ucf101, VimeoTriplets, find, read_video
from tests.data.tiny import (
    HEIGHT,
    WIDTH,
    cut,
    write_afhq,
    write_camvid,
    write_picture,
    write_ucf101,
    write_vimeo,
)


def pixels(path):
    with Image.open(path) as picture:
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255


@pytest.fixture
def ucf101(tmp_path):
    write_ucf101(tmp_path)
    return tmp_path


@pytest.fixture
def camvid(tmp_path):
    write_camvid(tmp_path)
    return tmp_path


@pytest.fixture
def afhq(tmp_path):
    write_afhq(tmp_path)
    return tmp_path


@pytest.fixture
def vimeo(tmp_path):
    write_vimeo(tmp_path)
    return tmp_path


def test_ucf101(ucf101):
    train, test = Ucf101(ucf101, frames=8, step=2), Ucf101(ucf101, "test", fold=2)
    assert train.classes == ("ApplyEyeMakeup", "YoYo")
    assert (len(train), len(test)) == (4, 2)
    clip, target = train[3]
    assert clip.shape == (8, 3, 48, 64)
    film, _ = read_video(ucf101 / "UCF-101" / "YoYo" / "v_YoYo_g03_c01.avi")
    assert clip.equal(film[:16:2])
    assert target == {"action": torch.tensor(1), "image_id": "v_YoYo_g03_c01"}
    assert test[0][1]["image_id"] == "v_ApplyEyeMakeup_g02_c01"
    assert test[0][0].shape == (16, 3, 48, 64)


def test_ucf101_groups_stay_on_one_side(ucf101):
    def groups(split, fold):
        return {path.stem.split("_")[2] for path in Ucf101(ucf101, split, fold=fold).paths}

    for fold in (1, 2, 3):
        assert not groups("train", fold) & groups("test", fold)


def test_ucf101_damaged(ucf101):
    with pytest.raises(ValueError, match=r"v_YoYo_g02_c01\.avi has 19 frames in steps of 1, a cl"):
        Ucf101(ucf101, frames=20)[2]
    with pytest.raises(ValueError, match="split must be 'train' or 'test', got 'val'"):
        Ucf101(ucf101, "val")
    with pytest.raises(ValueError, match="fold must be 1, 2 or 3, got 0"):
        Ucf101(ucf101, fold=0)
    with pytest.raises(IndexError):
        Ucf101(ucf101, "test", fold=3)[2]
    path = ucf101 / "ucfTrainTestlist" / "classInd.txt"
    path.write_text("1 ApplyEyeMakeup\n", encoding="utf-8")
    with pytest.raises(ValueError, match="names no action 'YoYo'"):
        Ucf101(ucf101)
    path.write_text("0 ApplyEyeMakeup\n1 YoYo\n", encoding="utf-8")
    with pytest.raises(ValueError, match="must number its actions from 1"):
        Ucf101(ucf101)


def test_camvid(camvid):
    dataset = CamVid(camvid, "val")
    assert (len(dataset), len(dataset.classes)) == (4, 11)
    image, target = dataset[1]
    assert image.equal(pixels(camvid / "val" / "0001TP_006720.png"))
    assert target["image_id"] == "0001TP_006720"
    semantic = target["semantic"]
    assert (semantic.shape, semantic.dtype) == ((HEIGHT, WIDTH), torch.int64)
    assert semantic[0, 10] == 0
    assert dataset.classes[semantic[-1, 10]] == "road"
    assert (semantic[:, :5] == 255).all()


def test_camvid_with_neighbours(camvid):
    clip, target = CamVid(camvid, around=1, films=camvid / "films")[2]
    names = ["films/0001TP_006749", "train/0001TP_006750", "films/0001TP_006751"]
    assert clip.equal(torch.stack([pixels(camvid / f"{name}.png") for name in names]))
    assert target["image_id"] == "0001TP_006750"


def test_camvid_damaged(camvid):
    with pytest.raises(ValueError, match="around must be 0, or more with `films`, got 1"):
        CamVid(camvid, around=1)
    with pytest.raises(ValueError, match="split must be one of"):
        CamVid(camvid, "trainval")
    with pytest.raises(FileNotFoundError, match=r"0001TP_006688\.png is missing"):
        CamVid(camvid, around=2, films=camvid / "films")[0]
    Image.new("RGB", (5, 7)).save(camvid / "films" / "0001TP_006691.png")
    with pytest.raises(ValueError, match=r"0001TP_006691\.png is of size \(7, 5\), 0001TP_006690"):
        CamVid(camvid, around=1, films=camvid / "films")[0]
    write_picture(camvid / "train" / "first.png")
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)).save(camvid / "trainannot" / "first.png")
    with pytest.raises(ValueError, match=r"first\.png must end in the frame's number"):
        CamVid(camvid, around=1, films=camvid / "films")[4]
    Image.fromarray(np.full((HEIGHT, WIDTH), 12, np.uint8)).save(
        camvid / "testannot" / "0001TP_006690.png"
    )
    with pytest.raises(ValueError, match="a number from 0 to 11 for each pixel"):
        CamVid(camvid, "test")[0]


def test_afhq(afhq):
    train, val = Afhq(afhq), Afhq(afhq, "val")
    assert train.domains == val.domains == ("cat", "dog", "wild")
    assert (len(train), len(val)) == (24, 12)
    assert [val[i][1] for i in range(12)] == [0] * 4 + [1] * 4 + [2] * 4
    image, _ = train[9]
    assert image.equal(pixels(afhq / "train" / "dog" / "pixabay_dog_000001.jpg"))


def test_afhq_damaged(afhq):
    with pytest.raises(FileNotFoundError, match="test is missing"):
        Afhq(afhq, "test")
    (afhq / "test").mkdir()
    with pytest.raises(ValueError, match="must have one folder a domain"):
        Afhq(afhq, "test")
    cut(afhq / "val" / "cat" / "pixabay_cat_000000.jpg")
    with pytest.raises(ValueError, match="cut off or damaged"):
        Afhq(afhq, "val")[0]


def test_vimeo(vimeo):
    train, test = VimeoTriplets(vimeo), VimeoTriplets(vimeo, "test")
    assert (len(train), len(test)) == (3, 2)
    frames, target = test[1]
    assert target == {"image_id": "00001/0005"}
    paths = [vimeo / "sequences" / "00001" / "0005" / f"im{k}.png" for k in (1, 2, 3)]
    assert frames.equal(torch.stack([pixels(path) for path in paths]))


def test_vimeo_damaged(vimeo):
    with pytest.raises(ValueError, match="split must be 'train' or 'test', got 'valid'"):
        VimeoTriplets(vimeo, "valid")
    Image.new("RGB", (5, 7)).save(vimeo / "sequences" / "00001" / "0001" / "im3.png")
    with pytest.raises(ValueError, match="00001/0001: frames must be of one size"):
        VimeoTriplets(vimeo)[0]


def test_found_where_they_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("CVCOURSE_DATA", str(tmp_path))
    assert find("camvid") is None
    write_camvid(tmp_path / "camvid")
    assert find("camvid") == tmp_path / "camvid"
