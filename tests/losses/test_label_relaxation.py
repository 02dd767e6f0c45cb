import pytest
import torch
import torch.nn.functional as F

from cvcourse.losses import label_relaxation_loss
from cvcourse.losses.label_relaxation import classes_within
from tests import oracle

CASES = oracle.cases("boundary_label_relaxation", "video/cases_relaxation.json")


@pytest.mark.parametrize("case", CASES)
def test_the_authors_numbers(case):
    want, params = case["expected"], case["params"]
    target = case["inputs"]["labels"][None]
    logits = case["inputs"]["logits"].double().requires_grad_()
    near = classes_within(target, logits.shape[1], params["window"], params["ignore_index"])
    assert torch.equal(near[0], want["target_set"].bool())
    loss = label_relaxation_loss(logits, target, **params)
    loss.backward()
    torch.testing.assert_close(loss, want["value"], atol=case["atol"], rtol=0)
    torch.testing.assert_close(logits.grad, want["grad_logits"], atol=case["atol"], rtol=0)
    places = near.any(1).sum()
    theirs = loss * places / (places + 1)
    torch.testing.assert_close(theirs.item(), want["authors_code"], atol=1e-5, rtol=0)


def test_without_a_window_it_is_cross_entropy():
    logits, target = torch.randn(2, 4, 5, 6).double(), torch.randint(4, (2, 5, 6))
    target[0, :2] = 255
    for reduction in ("none", "sum", "mean"):
        torch.testing.assert_close(
            label_relaxation_loss(logits, target, 0, reduction=reduction),
            F.cross_entropy(logits, target, ignore_index=255, reduction=reduction),
        )


def test_by_hand_at_a_border():
    """Probabilities .2, .3, .5; classes 0 and 1 meet, class 2 is elsewhere."""
    logits = torch.tensor([0.2, 0.3, 0.5]).log()[None, :, None, None].expand(1, 3, 1, 4)
    target = torch.tensor([[[0, 0, 1, 1]]])
    want = -torch.tensor([[[0.2, 0.5, 0.5, 0.3]]]).log()
    torch.testing.assert_close(label_relaxation_loss(logits, target, reduction="none"), want)
    want = -torch.tensor([[[0.2, 0.5, 0.3, 0.3]]]).log()  # class 1 is not relaxed
    got = label_relaxation_loss(logits, target, strict=[1], reduction="none")
    torch.testing.assert_close(got, want)


def test_nothing_known():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = label_relaxation_loss(logits, torch.full((1, 4, 4), 255))
    loss.backward()
    assert loss == 0
    assert not logits.grad.any()


def test_gradcheck():
    logits = torch.randn(1, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    target = torch.randint(3, (1, 4, 5))
    assert torch.autograd.gradcheck(lambda x: label_relaxation_loss(x, target), logits)


@pytest.mark.as_user
def test_bad_input():
    logits, target = torch.randn(1, 3, 4, 5), torch.zeros(1, 4, 5, dtype=torch.long)
    with pytest.raises(ValueError, match="window must be at least 0, got -1"):
        label_relaxation_loss(logits, target, -1)
    with pytest.raises(ValueError, match=r"strict must hold classes from 0 to 2, got \[3\]"):
        label_relaxation_loss(logits, target, strict=[3])
    with pytest.raises(ValueError, match=r"target must have values in \[0, 2\] or 255, got 3"):
        label_relaxation_loss(logits, target + 3)
    with pytest.raises(ValueError, match="reduction must be one of"):
        label_relaxation_loss(logits, target, reduction="average")
