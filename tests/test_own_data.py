"""The three programs of "Your own data in twenty lines", run on a few pictures as they stand."""

import importlib.util
import json

import numpy as np
import torch
from PIL import Image
from torch import nn

from cvcourse.models import RetinaNet
from tests.lessons.notebooks import ROOT
from tests.models.small import small_detector


def program(name: str):
    path = ROOT / "docs" / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"example_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_is_about_twenty_lines():
    for path in (ROOT / "docs" / "examples").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        train = text[text.index("def train") :].splitlines()
        assert len([line for line in train if line.strip()]) <= 26, path.name


def test_detection(tmp_path):
    noise = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(4):
        picture = noise.integers(0, 40, (48, 64, 3), np.uint8)
        x, y = 4 + 6 * number, 10 + 2 * number
        picture[y : y + 14, x : x + 22] = 230
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "height": 48, "width": 64})
        box = {"id": number + 1, "image_id": number, "category_id": 7, "bbox": [x, y, 22, 14]}
        annotations.append(box)
    file = tmp_path / "mine.json"
    names = [{"id": 7, "name": "bright"}]
    content = {"images": images, "annotations": annotations, "categories": names}
    file.write_text(json.dumps(content), encoding="utf-8")
    model = small_detector(RetinaNet, num_classes=2)
    trained, score = program("detection").train(
        tmp_path, file, model=model, steps=30, batch=4, lr=5e-3
    )
    assert trained is model
    assert score > 0.9


def test_segmentation(tmp_path):
    noise = np.random.default_rng(0)
    for folder in ("pictures", "labels"):
        (tmp_path / folder).mkdir()
    for number in range(4):
        picture = noise.integers(0, 40, (32, 48, 3), np.uint8)
        labels = np.zeros((32, 48), np.uint8)
        labels[8:24, 4 + 5 * number : 24 + 5 * number] = 1
        picture[labels == 1] += 180
        labels[:, :2] = 255  # not known
        Image.fromarray(picture).save(tmp_path / "pictures" / f"{number}.png")
        Image.fromarray(labels).save(tmp_path / "labels" / f"{number}.png")
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1))
    _, score = program("segmentation").train(tmp_path, 2, model=model, epochs=60, lr=2e-2)
    assert score > 0.9


def test_metric_learning():
    noise = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    images = torch.randn(60, 12, generator=noise)
    images[:, :3] += 4 * torch.eye(3)[labels]
    images[:, 3:] *= 3  # what the label does not decide is louder
    model = nn.Linear(12, 4)
    train = program("metric_learning").train
    before = train(model, images, labels, steps=0)
    assert train(model, images, labels, steps=150, lr=1e-2) > 0.9 > 0.8 > before
