"""Pictures: what the wheels contain, opened without a network, a home folder or a cache."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cvcourse.data import pictures

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", pictures.names())
def test_every_picture_loads(name):
    picture = pictures.load(name)
    assert picture.dtype == torch.float32
    assert picture.shape[0] == 3
    assert min(picture.shape[1:]) >= 100
    assert picture.min() >= 0
    assert picture.max() <= 1
    assert picture.std() > 0.03  # it shows something
    assert pictures.credit(name)


@pytest.mark.parametrize("size", [(64, 100), (300, 40), 32, 700])
def test_size_keeps_proportions(size):
    height, width = (size, size) if isinstance(size, int) else size
    disk = pictures.load("colorwheel", size)
    assert disk.shape == (3, height, width)
    whole = pictures.load("colorwheel")
    centre = whole[:, whole.shape[1] // 2, whole.shape[2] // 2]
    assert torch.allclose(disk[:, height // 2, width // 2], centre, atol=0.15)


@pytest.mark.parametrize(("name", "size"), [("flower", 240), ("coffee", 228)])
def test_sizes_whose_scale_is_rounded_up_keep_the_whole_side(name, size):
    picture = pictures.load(name, size)  # the part would be larger than the picture by 1e-13
    assert picture.shape == (3, size, size)
    margin = pictures.load(name).shape[2] // 5
    centre = pictures.load(name)[..., margin:-margin]
    assert abs(picture.mean() - centre.mean()) < 0.05


def test_kinds():
    assert set(pictures.names("textures")) == {"brick", "grass", "gravel"}
    by_kind = [name for kind in pictures.KINDS for name in pictures.names(kind)]
    assert sorted(by_kind) == sorted(pictures.names())


def test_stereo_disparity_takes_the_right_view_to_the_left():
    left, right, disparity, calibration = pictures.stereo()
    known = disparity.isfinite()
    assert known.float().mean() > 0.9
    rows, columns = torch.meshgrid(torch.arange(500), torch.arange(741), indexing="ij")
    source = (columns - disparity.nan_to_num()).round().long()
    known &= source >= 0
    warped = right[:, rows, source.clamp(min=0)]
    error = (warped - left).abs().mean(0)[known].mean()
    unwarped = (right - left).abs().mean(0)[known].mean()
    assert error < 0.07
    assert unwarped > 2 * error
    depth = calibration["focal_px"] * calibration["baseline_mm"]
    depth = depth / (disparity + calibration["principal_dx_px"])
    assert 1000 < depth[known].min() < depth[known].max() < 6000  # a garage, in millimetres


def test_faces():
    crops, labels = pictures.faces()
    assert crops.shape == (200, 1, 25, 25)
    assert labels.sum() == 100
    crops = crops.flatten(1) - crops.flatten(1).mean(1, keepdim=True)
    looks = crops[:50].mean(0) - crops[100:150].mean(0)  # a face, seen by half of them
    right = ((crops @ looks > 0) == labels.bool())[torch.arange(200) % 100 >= 50]
    assert right.float().mean() > 0.75


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pictures.load("lena"), "name must be one of astronaut"),
        (lambda: pictures.credit("lena"), "name must be one of astronaut"),
        (lambda: pictures.names("memes"), "kind must be one of"),
        (lambda: pictures.load("coins", 0), "size must be positive"),
        (lambda: pictures.load("coins", (4, -1)), "size must be positive"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_no_network_no_home_no_cache(tmp_path):
    code = """
import socket
def refuse(*args, **kwargs):
    raise OSError("the network was asked")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from cvcourse.data import digits, pictures
for name in pictures.names():
    pictures.load(name)
pictures.stereo(), pictures.faces(), digits.load("train")
import sys
assert not {"skimage", "sklearn", "pooch"} & set(sys.modules), "nothing heavy is imported"
"""
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT)}
    environment.pop("XDG_CACHE_HOME", None)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, cwd=tmp_path)
    assert list(home.iterdir()) == []
