"""Labels in any integer dtype that holds them, also those for which PyTorch has few functions."""

import pytest
import torch

from cvcourse import metrics

DTYPES = [torch.uint8, torch.int8, torch.int16, torch.int32]
DTYPES += [torch.uint16, torch.uint32, torch.uint64]


def calls(dtype):
    """Every metric of labels, as a function without arguments."""
    target, preds = (torch.arange(30) % 7).to(dtype), (3 * torch.arange(30) % 7).to(dtype)
    scores, embeddings = torch.randn(30, 7), torch.randn(30, 8)
    boxes = torch.rand(30, 2, 2).cumsum(1).flatten(1)
    found = {"boxes": boxes, "labels": preds, "scores": scores[:, 0]}
    wanted = {"boxes": boxes, "labels": target, "iscrowd": target == 5}
    matrix = metrics.confusion_matrix(preds.long(), target.long(), 7).to(dtype)
    return {
        "coco_average_precision": lambda: metrics.coco_average_precision([found], [wanted]),
        "confusion_matrix": lambda: metrics.confusion_matrix(preds, target, 7),
        "confusion_matrix, ignored": lambda: metrics.confusion_matrix(
            preds, target, 7, ignore_index=3
        ),
        "mean_average_precision_at_r": lambda: metrics.mean_average_precision_at_r(
            embeddings, target
        ),
        "mean_iou": lambda: metrics.mean_iou(preds, target, 7, ignore_index=255),
        "mean_iou, matrix": lambda: metrics.mean_iou(matrix, ignore_index=2),
        "recall_at_k": lambda: metrics.recall_at_k(embeddings, target, (1, 3)),
        "topk_accuracy": lambda: metrics.topk_accuracy(scores, target, (1, 3)),
        "topk_accuracy, ignored": lambda: metrics.topk_accuracy(scores, target, ignore_index=2),
    }


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", sorted(calls(torch.int64)))
def test_same_value(name, dtype):
    torch.manual_seed(0)
    want = calls(torch.int64)[name]()
    torch.manual_seed(0)
    torch.testing.assert_close(calls(dtype)[name](), want, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64], ids=str)
def test_too_high_a_label_is_named(dtype):
    labels = torch.tensor([1, 300]).to(dtype)
    with pytest.raises(ValueError, match=r"preds must lie in \[0, 2\], got 1 to 300"):
        metrics.confusion_matrix(labels, labels, 3)
    with pytest.raises(ValueError, match=r"target must lie in \[0, 2\], got 1 to 300"):
        metrics.topk_accuracy(torch.rand(2, 3), labels)
