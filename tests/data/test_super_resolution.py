"""Pairs of small and large photographs, on files in the layouts of DIV2K and Set5."""

import re

import pytest
import torch

from cvcourse.data.real import Div2k, Set5, find
from tests.data.tiny import write_div2k, write_ramp, write_set5


def ramp(height, width):
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([rows, columns, 0 * rows]) / 255


def test_div2k_gives_the_small_picture_and_the_large_one(tmp_path):
    write_div2k(tmp_path, "0802", low=(5, 2))
    write_div2k(tmp_path, "0801")
    pictures = Div2k(tmp_path, "valid")
    assert len(pictures) == 2
    low, target = pictures[1]
    assert target["image_id"] == "0802"
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, ramp(5, 2))
    torch.testing.assert_close(target["high"], ramp(15, 6))


@pytest.mark.parametrize("scale", [2, 4])
def test_other_scales_and_the_other_split(tmp_path, scale):
    write_div2k(tmp_path, "0001", "train", scale)
    low, target = Div2k(tmp_path, scale=scale)[0]
    assert target["high"].shape[1:] == tuple(scale * side for side in low.shape[1:])


def test_set5_by_the_numbers_of_its_pictures(tmp_path):
    write_set5(tmp_path, ("img_002", "img_001"))
    pictures = Set5(tmp_path)
    assert [pictures[i][1]["image_id"] for i in range(2)] == ["img_001", "img_002"]
    torch.testing.assert_close(pictures[0][1]["high"], ramp(12, 9))


def test_they_are_found_where_they_belong(tmp_path, monkeypatch):
    monkeypatch.setenv("CVCOURSE_DATA", str(tmp_path))
    assert find("div2k") is None
    assert find("set5") is None
    write_div2k(tmp_path / "div2k")
    write_set5(tmp_path / "set5")
    assert find("div2k") == tmp_path / "div2k"
    assert find("set5") == tmp_path / "set5"


@pytest.mark.as_user
def test_bad_input(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"DIV2K_train_HR is missing; `python data_scripts"):
        Div2k(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"image_SRF_3 is missing; `python data_scripts/set5\.py"
    ):
        Set5(tmp_path)
    write_div2k(tmp_path)
    with pytest.raises(ValueError, match="split must be 'train' or 'valid', got 'test'"):
        Div2k(tmp_path, "test")
    with pytest.raises(ValueError, match="scale must be 2, 3 or 4, got 8"):
        Div2k(tmp_path, scale=8)
    with pytest.raises(ValueError, match="scale must be 2, 3 or 4, got 1"):
        Set5(tmp_path, scale=1)
    with pytest.raises(IndexError):
        Div2k(tmp_path, "valid")[1]
    (tmp_path / "DIV2K_valid_HR" / "0803.png").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"0803x3\.png is missing; `python data_scripts"):
        Div2k(tmp_path, "valid")[1]
    write_ramp(tmp_path / "DIV2K_valid_HR" / "0801.png", 13, 9)
    wrong = "0801: of (4, 3) pixels, 3 times larger must be (12, 9), got (13, 9)"
    with pytest.raises(ValueError, match=re.escape(wrong)):
        Div2k(tmp_path, "valid")[0]
