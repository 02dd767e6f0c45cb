"""Films: folders of pictures, and files that these tests write themselves."""

import numpy as np
import pytest
import torch

from cvcourse.data.real import Frames, read_video
from tests.data.tiny import HEIGHT, WIDTH, brightness, write_film, write_picture


@pytest.fixture
def folder(tmp_path):
    for number in (1, 2, 9, 10, 11):
        write_picture(tmp_path / f"frame_{number}.png", number)
    (tmp_path / "readme.txt").write_text("not a picture", encoding="utf-8")
    return tmp_path


def turn_clockwise(path):
    """Set the film's matrix in its track header: to be shown turned by 90 degrees clockwise."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 44  # after version, times, id, duration, layer, volume
    matrix = [0, 1 << 16, 0, -1 << 16, 0, 0, 48 << 16, 0, 1 << 30]
    content[start : start + 36] = np.array(matrix, ">i4").tobytes()
    path.write_bytes(content)


def test_pictures_in_the_order_of_their_numbers(folder):
    dataset = Frames(folder, frames=3)
    assert len(dataset) == 3
    clip, target = dataset[1]
    assert clip.shape == (3, 3, HEIGHT, WIDTH)
    assert target == {"image_id": "frame_2.png", "names": [f"frame_{n}.png" for n in (2, 9, 10)]}


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"frames": 2, "step": 2}, [["1", "9"], ["2", "10"], ["9", "11"]]),
        ({"frames": 2, "stride": 2}, [["1", "2"], ["9", "10"]]),
        ({"frames": 2, "step": 4}, [["1", "11"]]),
        ({"frames": 6}, []),
    ],
)
def test_steps_and_strides(folder, options, names):
    dataset = Frames(folder, **options)
    found = [[name[6:-4] for name in dataset[i][1]["names"]] for i in range(len(dataset))]
    assert found == names


def test_pictures_of_two_sizes(folder):
    from PIL import Image

    Image.new("RGB", (5, 7)).save(folder / "frame_2.png")
    with pytest.raises(ValueError, match=r"frame_2\.png is of size \(7, 5\), frame_1\.png of \(40"):
        Frames(folder, frames=2)[0]


def test_film_frame_by_frame(tmp_path):
    film, rate = read_video(write_film(tmp_path / "a.mp4"))
    assert film.shape == (8, 3, 48, 64)
    assert film.dtype == torch.float32
    assert rate == 25
    grey = film[:, :, 24:, 24:].mean((1, 2, 3)) * 255
    expected = torch.tensor([float(brightness(t)) for t in range(8)])
    assert torch.allclose(grey, expected, atol=3)  # the codec loses a little
    assert film[:, :, 4:12, 4:12].min() > 0.9


def test_part_of_a_film(tmp_path):
    path = write_film(tmp_path / "a.mp4")
    whole, _ = read_video(path)
    assert read_video(path, first=2, frames=3, step=2)[0].equal(whole[2::2])
    assert read_video(path, first=5, frames=100)[0].equal(whole[5:])
    with pytest.raises(ValueError, match="has no frame 8"):
        read_video(path, first=8)


def test_film_of_a_turned_telephone(tmp_path):
    path = write_film(tmp_path / "a.mp4")
    lying, _ = read_video(path)
    turn_clockwise(path)
    upright, _ = read_video(path)
    assert upright.equal(lying.rot90(-1, (2, 3)))
    assert upright[:, :, 4:12, -12:-4].min() > 0.9  # the white corner is now at the right


def test_files_that_are_no_film(tmp_path):
    (tmp_path / "a.mp4").write_text("film", encoding="utf-8")
    with pytest.raises(ValueError, match="cannot be decoded"):
        read_video(tmp_path / "a.mp4")
    with pytest.raises(FileNotFoundError, match=r"b\.mp4 is missing"):
        read_video(tmp_path / "b.mp4")


@pytest.mark.parametrize("wrong", [{"frames": 0}, {"step": 0}, {"stride": 1.5}])
def test_bad_numbers(folder, wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be a whole number from 1"):
        Frames(folder, **wrong)


def test_bad_numbers_of_a_film(tmp_path):
    with pytest.raises(ValueError, match="first must be 0 or more, got -1"):
        read_video(tmp_path / "a.mp4", first=-1)
    with pytest.raises(ValueError, match="frames must be a whole number from 1, got 0"):
        read_video(tmp_path / "a.mp4", frames=0)
