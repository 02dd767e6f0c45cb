"""The script of docs/scaling.md reads pictures out of tar files (its processes: `preempted.py`)."""

import io
import json
import tarfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from scripts.train_detector import Shards


def shard(path: Path, names: list[str], kinds=("png", "json")) -> None:
    with tarfile.open(path, "w", encoding="utf-8") as archive:
        for value, name in enumerate(names):
            picture = io.BytesIO()
            Image.new("RGB", (8, 4), (10 * value, 0, 255)).save(picture, "png")
            truth = json.dumps({"boxes": [[0, 1, 3, 4]] * value, "labels": [1] * value})
            for kind, content in zip(kinds, (picture.getvalue(), truth.encode()), strict=False):
                member = tarfile.TarInfo(f"{name}.{kind}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def test_shards(tmp_path):
    shard(tmp_path / "a.tar", ["000.v1", "001"])
    shard(tmp_path / "b.tar", ["000", "001", "002"])
    data = Shards(tmp_path)
    assert len(data) == 5
    image, target = data[4]
    assert image.shape == (3, 4, 8)
    torch.testing.assert_close(image[:, 0, 0], torch.tensor([20 / 255, 0, 1]))
    assert target["boxes"].tolist() == [[0, 1, 3, 4]] * 2
    assert target["labels"].tolist() == [1, 1]
    assert data[0][1]["boxes"].shape == (0, 4)


def test_shards_that_lack_something(tmp_path):
    with pytest.raises(ValueError, match="no tar files"):
        Shards(tmp_path)
    shard(tmp_path / "a.tar", ["000"], kinds=("png",))
    with pytest.raises(ValueError, match=r"a\.tar: 000 must have a picture and a json"):
        Shards(tmp_path)
