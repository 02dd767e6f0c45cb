import json

import pytest
import torch
from torch import nn

from cvcourse.losses import mimic_loss
from cvcourse.ops import roi_align
from tests import oracle
from tests.losses.helpers import assert_close, assert_zero_with_gradient, gradcheck, refuses

ORACLE = json.loads((oracle.FOLDER / "transfer" / "mimic.json").read_text(encoding="utf-8"))
BOXES = [torch.tensor([[0.0, 0, 8, 8], [3, 2, 11, 9]]), torch.tensor([[4.0, 4, 12, 12]])]


def tensor(stored) -> torch.Tensor:
    return torch.tensor(stored["data"], dtype=torch.float64).view(stored["shape"])


@pytest.mark.parametrize("case", ORACLE["cases"])
def test_oracle(case):
    """Each region a picture of its own, with one sample a pixel: pooling changes nothing."""
    student, teacher = tensor(case["student_roi"]).requires_grad_(), tensor(case["teacher_roi"])
    n, _, height, width = student.shape
    whole = [torch.tensor([[0.0, 0, width, height]], dtype=torch.float64)] * n
    loss = mimic_loss(
        student, teacher, whole, output_size=(height, width), student_scale=1, sampling_ratio=1
    )
    loss.backward()
    assert_close(loss, case["value"])
    assert_close(student.grad, tensor(case["grad"]))


def test_by_hand_for_maps_of_different_strides():
    student, teacher = torch.randn(2, 3, 3, 4).double(), torch.randn(2, 3, 6, 8).double()
    boxes = [b.double() for b in BOXES]
    ours = roi_align(student, boxes, 2, 1 / 4, aligned=True)
    theirs = roi_align(teacher, boxes, 2, 1 / 2, aligned=True)
    each = [((u - v) ** 2).sum() / (2 * 12) for u, v in zip(ours, theirs, strict=True)]
    options = {"output_size": 2, "student_scale": 1 / 4, "teacher_scale": 1 / 2}
    assert_close(mimic_loss(student, teacher, boxes, **options), sum(each) / 3)
    assert_close(mimic_loss(student, teacher, boxes, reduction="sum", **options), sum(each))
    assert_close(mimic_loss(student, teacher, boxes, reduction="none", **options), each)


def test_what_lies_outside_the_proposals_does_not_count():
    teacher = torch.zeros(1, 1, 8, 8)
    student = teacher.clone()
    student[..., 6:, 6:] = 9
    inside = [torch.tensor([[0.0, 0, 4, 4]])]
    assert mimic_loss(student, teacher, inside, student_scale=1) == 0
    assert mimic_loss(student, teacher, [torch.tensor([[0.0, 0, 8, 8]])], student_scale=1) > 0


def test_a_1x1_transform_may_come_before_pooling():
    """Pooling is linear: transforming the map or the pooled regions is the same."""
    transform = nn.Conv2d(3, 5, 1).double()
    student, boxes = torch.randn(1, 3, 16, 16).double(), [torch.tensor([[2.0, 3, 9, 11]]).double()]
    before = roi_align(transform(student), boxes, 4, aligned=True)
    after = transform(roi_align(student, boxes, 4, aligned=True))
    torch.testing.assert_close(before, after)


def test_gradcheck():
    teacher = torch.randn(2, 2, 3, 4).double()
    boxes = [b.double() for b in BOXES]
    gradcheck(
        lambda s: mimic_loss(s, teacher, boxes, output_size=2, student_scale=1 / 4),
        torch.randn(2, 2, 3, 4),
    )


def test_teacher_and_proposals_are_detached():
    s, t = (torch.randn(1, 2, 4, 4, requires_grad=True) for _ in range(2))
    box = torch.tensor([[0.0, 0, 3, 3]], requires_grad=True)
    mimic_loss(s, t, [box], student_scale=1).backward()
    assert s.grad.any()
    assert t.grad is None
    assert box.grad is None


def test_without_proposals():
    s = torch.randn(1, 2, 4, 4, requires_grad=True)
    assert_zero_with_gradient(mimic_loss(s, s.detach(), [torch.zeros(0, 4)], student_scale=1), s)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    s, t = 300 * torch.randn(2, 2, 2, 12, 12).to(dtype)
    loss = mimic_loss(s, t, BOXES, student_scale=1)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, mimic_loss(s.float(), t.float(), BOXES, student_scale=1))


@pytest.mark.as_user
def test_refuses():
    x = torch.randn(2, 3, 4, 4)
    with refuses("student"):
        mimic_loss(x.long(), x, BOXES, student_scale=1)
    with refuses("student and teacher"):
        mimic_loss(x, x[:, :2], BOXES, student_scale=1)
    with refuses("student_scale"):
        mimic_loss(x, x, BOXES, student_scale=0)
    with refuses("teacher_scale"):
        mimic_loss(x, x, BOXES, student_scale=1, teacher_scale=-1)
    with refuses("reduction"):
        mimic_loss(x, x, BOXES, student_scale=1, reduction="batchmean")
