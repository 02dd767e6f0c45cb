"""What a hostile caller hands in: each gets a documented value or an error that names it."""

import inspect
import math

import pytest
import torch

from cvcourse import ops
from tests.ops.calls import calls

pytestmark = pytest.mark.as_user

BOXES = torch.tensor([[0.0, 0.0, 9.0, 9.0], [1.0, 1.0, 9.0, 9.0]])
SCORES = torch.tensor([0.9, 0.8])
MAP = torch.rand(1, 2, 8, 8)
INDICES = torch.zeros(1, 1, 2, 2, dtype=torch.int64)


@pytest.mark.parametrize("threshold", [-math.inf, -1e30, 0.0])
def test_soft_nms_ends_without_a_score_threshold(threshold):
    kept, scores = ops.soft_nms(BOXES, SCORES, score_threshold=threshold)
    assert kept.tolist() == [0, 1]
    assert scores[0] == SCORES[0]


def test_soft_nms_ends_with_scores_of_minus_infinity():
    kept, _ = ops.soft_nms(BOXES, SCORES * -math.inf, score_threshold=-math.inf)
    assert len(kept) >= 1


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("output_size", lambda: ops.roi_align(MAP, [BOXES], math.inf)),
        ("output_size", lambda: ops.roi_align(MAP, [BOXES], math.nan)),
        ("size", lambda: ops.clip_boxes(BOXES, (math.inf, 8))),
        ("size", lambda: ops.clip_boxes(BOXES, (8, math.nan))),
        ("strides", lambda: ops.anchor_grid([(2, 2)], [math.inf], [(8,)], (1.0,))),
        ("boxes", lambda: ops.roi_align(MAP, [BOXES[None]], 2)),
        ("boxes", lambda: ops.roi_align(MAP, [BOXES[0]], 2)),
        ("boxes", lambda: ops.roi_pool(MAP, [BOXES[None]], 2)),
        ("boxes", lambda: ops.remove_small_boxes(BOXES[None], 1)),
        ("boxes", lambda: ops.paste_masks(torch.rand(2, 4, 4), BOXES[:, None], (8, 8))),
        ("masks", lambda: ops.paste_masks(torch.rand(2, 4, 6), BOXES, (8, 8))),
        ("masks", lambda: ops.paste_masks(torch.rand(2, 0, 0), BOXES, (8, 8))),
        ("max_output", lambda: ops.nms(BOXES, SCORES, 0.5, max_output=1.5)),
        ("max_output", lambda: ops.nms(BOXES, SCORES, 0.5, max_output=math.nan)),
        ("padding", lambda: ops.max_unpool(torch.rand(1, 1, 2, 2), INDICES, 1, 1, 5)),
    ],
)
def test_error_names_the_argument(name, call):
    with pytest.raises(ValueError, match=f"^{name} must"):
        call()


@pytest.mark.parametrize("name", sorted(calls()))
def test_arrays_of_numpy_are_named(name):
    function, (arguments, options) = getattr(ops, name), calls()[name]
    for i, (argument, value) in enumerate(
        zip(inspect.signature(function).parameters, arguments, strict=False)
    ):
        if isinstance(value, torch.Tensor):
            array = value.numpy()
        elif isinstance(value, list) and isinstance(value[0], torch.Tensor):
            array = [x.numpy() for x in value]
        else:
            continue
        with pytest.raises(ValueError, match=rf"^{argument} must .*tensor"):
            function(*arguments[:i], array, *arguments[i + 1 :], **options)
