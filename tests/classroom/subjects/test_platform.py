import pytest
import torch

from cvcourse.classroom.subjects.platform import official_score
from cvcourse.data.real import write_coco_results
from cvcourse.metrics import coco_average_precision


def test_official_score_is_that_of_the_package(tmp_path):
    pytest.importorskip("pycocotools")
    g = torch.Generator().manual_seed(0)
    targets, found = [], []
    for _ in range(8):
        boxes = 60 * torch.rand(4, 4, generator=g)
        boxes[:, 2:] = boxes[:, :2] + 10 + 20 * torch.rand(4, 2, generator=g)
        labels = torch.randint(1, 3, (4,), generator=g)
        targets.append({"boxes": boxes, "labels": labels})
        guess = boxes.repeat(2, 1) + 3 * torch.randn(8, 4, generator=g)
        scores = torch.rand(8, generator=g)
        found.append({"boxes": guess, "scores": scores, "labels": labels.repeat(2)})
    write_coco_results(tmp_path / "results.json", found, range(8))
    official = official_score(tmp_path / "results.json", targets)
    ours = coco_average_precision(found, targets)
    assert 0.05 < official["AP"] < 0.95
    for key, name in (("AP", "map"), ("AP50", "map_50"), ("AP75", "map_75")):
        assert abs(official[key] - ours[name]) < 1e-6


def test_nobody_finds_anything(tmp_path):
    (tmp_path / "results.json").write_text("[]", encoding="utf-8")
    target = {"boxes": torch.tensor([[0.0, 0, 9, 9]]), "labels": torch.tensor([1])}
    score = official_score(tmp_path / "results.json", [target])
    assert score == {"AP": 0.0, "AP50": 0.0, "AP75": 0.0}
