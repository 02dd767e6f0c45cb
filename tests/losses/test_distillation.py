import json
import math

import pytest
import torch
import torch.nn.functional as F

from cvcourse.losses import distillation_loss
from tests import oracle
from tests.losses.helpers import assert_close, assert_zero_with_gradient, gradcheck, refuses


@pytest.mark.parametrize("case", oracle.cases("distillation_loss"))
def test_oracle_torch(case):
    def adapter(student, teacher, **options):
        return distillation_loss(student, teacher, **options)

    oracle.assert_matches(case, adapter)


REPDISTILLER = json.loads((oracle.FOLDER / "transfer" / "distillation.json").read_text("utf-8"))


@pytest.mark.parametrize("case", REPDISTILLER["cases"], ids=lambda c: f"T {c['temperature']}")
def test_oracle_repdistiller(case):
    def tensor(stored):
        return torch.tensor(stored["data"], dtype=torch.float64).view(stored["shape"])

    student, teacher = tensor(case["student"]).requires_grad_(), tensor(case["teacher"])
    target, temperature = torch.tensor(case["target"]), case["temperature"]
    loss = distillation_loss(student, teacher, temperature)
    loss.backward()
    assert_close(loss, case["value"], atol=1e-10)
    assert_close(student.grad, tensor(case["grad_student"]), atol=1e-10)
    mixed = distillation_loss(student, teacher, temperature, target, 0.9)
    assert_close(mixed, case["mixed_alpha_0_9"], atol=1e-10)
    if temperature == 1000:
        limit = tensor(case["high_temperature_limit_of_grad"])
        torch.testing.assert_close(student.grad, limit, rtol=5e-3, atol=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("space", [(), (3,)])
@pytest.mark.parametrize("reduction", ["none", "batchmean", "sum"])
def test_naive_loop(alpha, space, reduction):
    s, t = torch.randn(2, 2, 4, *space).double()
    target, temperature = torch.randint(4, (2, *space)), 2.5
    want = []
    positions = zip(
        s.movedim(1, -1).reshape(-1, 4).tolist(),
        t.movedim(1, -1).reshape(-1, 4).tolist(),
        target.flatten().tolist(),
        strict=True,
    )
    for a, b, label in positions:

        def softmax(logits, temperature=1.0):
            powers = [math.exp(v / temperature) for v in logits]
            return [v / sum(powers) for v in powers]

        p, q = softmax(b, temperature), softmax(a, temperature)
        kl = sum(x * math.log(x / y) for x, y in zip(p, q, strict=True))
        want.append(alpha * temperature**2 * kl - (1 - alpha) * math.log(softmax(a)[label]))
    want = torch.tensor(want, dtype=torch.float64).view(2, *space)
    want = {"none": want, "batchmean": want.mean(), "sum": want.sum()}[reduction]
    assert_close(distillation_loss(s, t, temperature, target, alpha, reduction), want)


def test_gradcheck():
    t, target = torch.randn(2, 3, 2), torch.tensor([[0, 1], [2, 0]])
    gradcheck(lambda s: distillation_loss(s, t.to(s.dtype), 2.0, target, 0.3), torch.randn(2, 3, 2))


def test_teacher_is_detached():
    s, t = (torch.randn(2, 3, requires_grad=True) for _ in range(2))
    distillation_loss(s, t).backward()
    assert s.grad is not None
    assert t.grad is None


def test_identical():
    s = torch.randn(2, 3, requires_grad=True)
    loss = distillation_loss(s, s)
    assert_close(loss, 0.0, atol=1e-6)
    assert_close(torch.autograd.grad(loss, s)[0], torch.zeros(2, 3), atol=1e-6)


@pytest.mark.parametrize("reduction", ["none", "batchmean", "sum"])
def test_empty_and_one_class(reduction):
    for shape in ((0, 3), (2, 3, 0), (2, 1)):
        s = torch.randn(shape, requires_grad=True)
        target = torch.zeros(shape[:1] + shape[2:], dtype=torch.int64)
        loss = distillation_loss(s, torch.randn(shape), 4.0, target, 0.5, reduction)
        assert_zero_with_gradient(loss, s)


def test_ignored_label_keeps_the_teacher():
    s, t = torch.randn(2, 2, 3)
    got = distillation_loss(s, t, 4.0, torch.tensor([-100, 1]), 0.6, "none")
    kl = distillation_loss(s, t, 4.0, reduction="none")
    want = 0.6 * kl + 0.4 * F.cross_entropy(s, torch.tensor([-100, 1]), reduction="none")
    torch.testing.assert_close(got, want)
    assert_close(got[0], 0.6 * kl[0], atol=1e-6)


def test_nan_stays_nan():
    s = torch.zeros(2, 3)
    s[0, 0] = math.nan
    t = torch.zeros(2, 3)
    assert distillation_loss(s, t, reduction="none").isnan().tolist() == [True, False]
    t[1, 1] = -math.inf
    assert distillation_loss(t * 0, t, reduction="none").isnan().tolist() == [False, True]


@pytest.mark.parametrize("label", [-1, 3])
def test_label_out_of_range(label):
    with pytest.raises(ValueError, match="target must have values in"):
        distillation_loss(torch.zeros(1, 3), torch.zeros(1, 3), target=torch.tensor([label]))


def test_property_size_of_gradients_does_not_depend_on_the_temperature():
    """For high temperatures the loss tends to the squared difference of centred logits / 2C."""
    s, t = torch.randn(2, 5, 7).double()
    difference = (s - s.mean(1, keepdim=True)) - (t - t.mean(1, keepdim=True))
    want = difference.square().sum(1).mean() / (2 * 7)
    assert_close(distillation_loss(s, t, temperature=1e4), want, atol=1e-3)


@pytest.mark.as_user
def test_bad_input():
    s, labels = torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64)
    with refuses("student_logits"):
        distillation_loss(s.long(), s)
    with refuses("teacher_logits"):
        distillation_loss(s, s.long())
    with refuses("teacher_logits"):
        distillation_loss(s, s[:1])
    with refuses("student_logits"):
        distillation_loss(s[0], s[0])
    for temperature in (0, -1, math.nan):
        with refuses("temperature"):
            distillation_loss(s, s, temperature)
    for alpha in (-0.1, 1.1, math.nan):
        with refuses("alpha"):
            distillation_loss(s, s, target=labels, alpha=alpha)
    with refuses("target"):
        distillation_loss(s, s, alpha=0.5)
    with refuses("target"):
        distillation_loss(s, s, target=labels[:1])
    with refuses("target"):
        distillation_loss(s, s, target=labels.float())
    with refuses("reduction"):
        distillation_loss(s, s, reduction="mean")
