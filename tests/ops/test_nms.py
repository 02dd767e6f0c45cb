import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cvcourse.ops import batched_nms, box_iou, nms
from tests import oracle
from tests.ops.boxes import ODD_BOXES, box_lists, naive_iou, odd_boxes, random_boxes

THRESHOLDS = st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 0.75, 1.0])


@pytest.mark.parametrize("case", oracle.cases("nms"))
def test_oracle_torchvision(case):
    oracle.assert_matches(case, lambda **inputs: {"keep": nms(**inputs)})


@pytest.mark.parametrize("case", oracle.cases("batched_nms"))
def test_batched_oracle_torchvision(case):
    oracle.assert_matches(case, lambda **inputs: {"keep": batched_nms(**inputs)})


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.36, 0.5, 0.9, 1.0])
def test_goldens_torchvision(threshold):
    """Among them IoU exactly 0.5 (kept), and 0.36, whose float32 exceeds the double (dropped)."""
    goldens = oracle.goldens()
    kept = nms(goldens["box/A"], goldens["nms/scores"], threshold)
    assert torch.equal(kept, goldens[f"nms/A_{threshold}"])


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7])
def test_random_goldens_torchvision(threshold):
    goldens = oracle.goldens()
    boxes, scores, labels = (goldens[f"nms/{name}"] for name in ("R", "RS", "RI"))
    assert torch.equal(nms(boxes, scores, threshold), goldens[f"nms/R_{threshold}"])
    kept = batched_nms(boxes, scores, labels, threshold)
    assert torch.equal(kept, goldens[f"batched_nms/R_{threshold}"])


def test_small_goldens_torchvision():
    goldens = oracle.goldens()
    boxes, scores = goldens["box/A"], goldens["nms/scores"]
    assert torch.equal(nms(boxes[:0], scores[:0], 0.5), goldens["nms/empty"])
    assert torch.equal(nms(boxes[:1], scores[:1], 0.5), goldens["nms/one"])
    labels = goldens["batched_nms/A_labels"]
    empty = batched_nms(boxes[:0], scores[:0], labels[:0], 0.5)
    assert torch.equal(empty, goldens["batched_nms/empty"])
    kept = batched_nms(boxes[:11], scores[:11], labels[:11], 0.3)
    assert torch.equal(kept, goldens["batched_nms/A_0.3"])


def test_negative_coordinates_do_not_mix_groups():
    goldens = oracle.goldens()
    inputs = [goldens[f"batched_nms/negative_{name}"] for name in ("boxes", "scores", "labels")]
    kept = batched_nms(*inputs, 0.5)
    assert torch.equal(kept, goldens["batched_nms/negative_0.5_vanilla"])
    assert not torch.equal(kept, goldens["batched_nms/negative_0.5"])  # by torchvision's shift


def naive(boxes, scores, threshold, groups=None):
    groups = [0] * len(boxes) if groups is None else groups.tolist()
    boxes = boxes.tolist()
    kept = []
    for i in scores.sort(descending=True, stable=True).indices.tolist():
        rivals = (boxes[j] for j in kept if groups[i] == groups[j])
        if all(naive_iou(boxes[i], rival) <= threshold for rival in rivals):
            kept.append(i)
    return kept


@given(box_lists(), THRESHOLDS, st.randoms())
def test_naive_loop(boxes, threshold, random):
    scores = torch.tensor([random.randint(0, 3) / 4 for _ in boxes])  # many ties
    groups = torch.tensor([random.randint(-1, 1) for _ in boxes], dtype=torch.int64)
    assert nms(boxes, scores, threshold).tolist() == naive(boxes, scores, threshold)
    kept = batched_nms(boxes, scores, groups, threshold).tolist()
    assert kept == naive(boxes, scores, threshold, groups)


@pytest.mark.parametrize("groups", [1, 2, 40, 900])
@pytest.mark.parametrize("size", [20.0, 200.0], ids=["crowded", "spread"])
def test_naive_loop_over_many_blocks(groups, size):
    boxes, scores = random_boxes(900, size), torch.rand(900).round(decimals=2)
    idxs = torch.randint(groups, (900,))
    assert batched_nms(boxes, scores, idxs, 0.3).tolist() == naive(boxes, scores, 0.3, idxs)
    if groups == 1:
        assert nms(boxes, scores, 0.3).tolist() == naive(boxes, scores, 0.3)


def test_many_against_one_block():
    """So many boxes that the columns after a block come in several parts."""
    boxes = random_boxes(3000, 400.0).float()
    scores = torch.rand(3000)
    order = scores.sort(descending=True, stable=True).indices
    over = (box_iou(boxes[order], boxes[order]) > 0.2).numpy()
    kept = []
    for i in range(len(order)):
        if not over[kept, i].any():
            kept.append(i)
    assert nms(boxes, scores, 0.2).tolist() == order[kept].tolist()


def test_chain_settles_from_its_head():
    """Each box covers the next alone: of 600, every other one stays."""
    x = torch.arange(600.0)[:, None]
    boxes = torch.cat((x, x * 0, x + 2, x * 0 + 1), dim=1)
    assert nms(boxes, -x.squeeze(1), 0.3).tolist() == list(range(0, 600, 2))


@given(box_lists(), THRESHOLDS)
def test_kept_boxes_overlap_little_and_stay_when_asked_again(boxes, threshold):
    scores = torch.linspace(1, 0, len(boxes))
    kept = nms(boxes, scores, threshold)
    overlap = box_iou(boxes[kept], boxes[kept]).fill_diagonal_(0)
    assert (overlap <= threshold).all()
    assert nms(boxes[kept], scores[kept], threshold).tolist() == list(range(len(kept)))


@given(box_lists(1), THRESHOLDS, st.randoms())
def test_order_of_the_boxes_does_not_matter(boxes, threshold, random):
    scores = torch.linspace(1, 0, len(boxes))
    order = torch.tensor(random.sample(range(len(boxes)), len(boxes)))
    kept = order[nms(boxes[order], scores[order], threshold)]
    assert torch.equal(kept, nms(boxes, scores, threshold))


@given(box_lists(), THRESHOLDS)
def test_unchanged_by_shift(boxes, threshold):
    scores = torch.linspace(1, 0, len(boxes))
    moved = boxes + torch.tensor([3.0, -50, 3, -50])
    assert torch.equal(nms(moved, scores, threshold), nms(boxes, scores, threshold))


@given(box_lists(), THRESHOLDS, st.integers(0, 13))
def test_max_output_takes_the_first(boxes, threshold, most):
    scores, groups = torch.linspace(1, 0, len(boxes)), torch.arange(len(boxes)) % 3
    kept = nms(boxes, scores, threshold)
    assert torch.equal(nms(boxes, scores, threshold, max_output=most), kept[:most])
    kept = batched_nms(boxes, scores, groups, threshold)
    assert torch.equal(batched_nms(boxes, scores, groups, threshold, max_output=most), kept[:most])


def test_one_group_is_nms_and_one_group_a_box_keeps_all():
    boxes, scores = random_boxes(50), torch.rand(50)
    assert torch.equal(
        batched_nms(boxes, scores, torch.full((50,), 7), 0.2), nms(boxes, scores, 0.2)
    )
    assert len(batched_nms(boxes, scores, torch.arange(50), 0.2)) == 50


def test_boxes_without_area_or_malformed_are_kept():
    names = list(ODD_BOXES)
    kept = [names[i] for i in nms(odd_boxes(), -torch.arange(10.0), 0.0)]
    assert kept == [n for n in names if n not in ("same again", "inside")]
    assert names[5:9] == ["line", "point", "malformed", "doubly malformed"]
    assert nms(odd_boxes()[5:9].repeat(2, 1), torch.zeros(8), 0.0).tolist() == list(range(8))


@pytest.mark.parametrize(
    "odd",
    [
        (math.nan, 0, 1, 1),
        (0, 0, math.inf, 1),
        (-math.inf, -math.inf, math.inf, math.inf),
        (0, 0, 1e30, 1e30),
        (-3e38, 0, 3e38, 1),
    ],
    ids=str,
)
def test_not_finite_boxes_suppress_nothing_and_are_kept(odd):
    boxes = torch.tensor([odd, odd, (0, 0, 1, 1), (0, 0, 1, 1)])
    assert nms(boxes, torch.tensor([4.0, 3, 2, 1]), 0.0).tolist() == [0, 1, 2]
    assert nms(boxes, torch.tensor([1.0, 2, 3, 4]), 0.0).tolist() == [3, 1, 0]


def test_nan_scores_come_first():
    boxes, scores = odd_boxes()[[0, 1, 9]], torch.tensor([1.0, math.nan, math.inf])
    assert nms(boxes, scores, 0.5).tolist() == [1, 2]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int16], ids=str)
def test_small_types_are_computed_in_float32(dtype):
    boxes, scores = (random_boxes(60) * 40).to(dtype), torch.rand(60)
    assert torch.equal(nms(boxes, scores, 0.3), nms(boxes.float(), scores, 0.3))
    assert len(nms(boxes, scores.half(), 0.3)) == len(nms(boxes, scores.half().float(), 0.3))


def test_tied_scores_keep_the_order_of_the_boxes_across_blocks():
    """Boxes apart and boxes without area, 700 of each, all of one score."""
    x = torch.arange(700.0)[:, None]
    apart = torch.cat((2 * x, x * 0, 2 * x + 1, x * 0 + 1), dim=1)
    empty = torch.cat((x, x * 0 + 5, x, x * 0 + 9), dim=1)
    boxes = torch.stack((apart, empty), dim=1).flatten(0, 1)
    assert nms(boxes, torch.ones(1400), 0.0).tolist() == list(range(1400))
    groups = torch.arange(1400) % 3
    assert batched_nms(boxes, torch.ones(1400), groups, 0.0).tolist() == list(range(1400))


def test_of_equal_boxes_and_scores_the_first_stays():
    boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 0, 4], [0, 0, 4, 4], [0, 0, 0, 4], [1, 1, 5, 5]])
    assert nms(boxes, torch.tensor([1.0, 1, 1, 1, 2]), 0.3).tolist() == [4, 1, 3]
    assert nms(boxes, torch.ones(5), 0.3).tolist() == [0, 1, 3]
    assert batched_nms(boxes, torch.ones(5), torch.tensor([1, 1, 0, 0, 1]), 0.3).tolist() == [
        0,
        1,
        2,
        3,
    ]


def test_inputs_that_require_grad():
    boxes, scores = random_boxes(5).requires_grad_(), torch.rand(5, requires_grad=True)
    assert not nms(boxes, scores, 0.5).requires_grad


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": torch.zeros(3, 5)}, r"boxes must have shape \(..., 4\), got \(3, 5\)"),
        ({"boxes": torch.zeros(2, 3, 4)}, r"boxes must have shape \(n, 4\), got \(2, 3, 4\)"),
        ({"scores": torch.zeros(3, 1)}, r"scores must have shape \(n\), got \(3, 1\)"),
        ({"scores": torch.zeros(4)}, "boxes and scores must have the same length, got 3 and 4"),
        ({"iou_threshold": 50}, r"iou_threshold must lie in \[0, 1\], got 50"),
        ({"iou_threshold": math.nan}, "iou_threshold must lie"),
        ({"max_output": -1}, "max_output must be an integer of at least 0, got -1"),
        ({"idxs": torch.zeros(4).long()}, "boxes and idxs must have the same length"),
        ({"idxs": torch.zeros(3, 1).long()}, r"idxs must have shape \(n\)"),
        ({"idxs": torch.zeros(3)}, "idxs must be integers, got torch.float32"),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else "",
)
def test_bad_input(change, message):
    inputs = {"boxes": torch.zeros(3, 4), "scores": torch.zeros(3), "iou_threshold": 0.5}
    function = batched_nms if "idxs" in change else nms
    with pytest.raises(ValueError, match=message):
        function(**inputs | change)
