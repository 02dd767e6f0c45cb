"""What a hostile caller hands in: each gets a documented value or an error that names it."""

import inspect

import pytest
import torch

from cvcourse import losses
from tests.losses.examples import LOSSES, MINERS, tensors

pytestmark = pytest.mark.as_user

LOGITS = torch.zeros(2, 3)
WITH_LABELS = {
    name: make
    for name, make in (LOSSES | MINERS).items()
    if any(x.dtype == torch.int64 for x in tensors(make()))
}


@pytest.mark.parametrize("label", [-100, -1, 3, 255])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_labels_out_of_range(label, dtype):
    target = torch.full((2,), label, dtype=dtype)
    with pytest.raises(ValueError, match="target must have values in"):
        losses.softmax_focal_loss(LOGITS, target)
    if label != -100:
        with pytest.raises(ValueError, match="target must have values in"):
            losses.distillation_loss(LOGITS, LOGITS, target=target, alpha=0.5)


@pytest.mark.parametrize("target", [torch.tensor([0, 255]), torch.tensor([-1.0, 1.0])])
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_focal_targets_are_no_ignored_labels(target, reduction):
    with pytest.raises(ValueError, match="targets must have values in"):
        losses.sigmoid_focal_loss(torch.zeros(2), target, reduction=reduction)


def test_ignored_label_does_not_wrap_around_in_narrow_targets():
    """As 8 bits, -100 is 156."""
    logits, target = torch.randn(1, 200, 2), torch.tensor([[156, 1]], dtype=torch.uint8)
    for loss in (losses.softmax_focal_loss, losses.dice_loss):
        value = loss(logits, target, ignore_index=-100)
        torch.testing.assert_close(value, loss(logits, target.long(), ignore_index=-100))


def test_gram_matrix_under_autocast_does_not_overflow():
    features = torch.full((1, 2, 64, 64), 300.0)  # sums of squares: 4e8, float16 ends at 65504
    with torch.autocast("cpu", dtype=torch.float16):
        gram = losses.gram_matrix(features, "hw")
    torch.testing.assert_close(gram, torch.full((1, 2, 2), 300.0**2))


@pytest.mark.parametrize("loss", [losses.lovasz_softmax_loss, losses.dice_loss])
def test_a_narrow_label_is_not_the_ignored_one_modulo_256(loss):
    logits = torch.randn(1, 160, 4)
    target = torch.tensor([[156, 1, 2, 156]])
    narrow = loss(logits, target.to(torch.uint8), ignore_index=-100)
    assert narrow == loss(logits, target, ignore_index=-100)


@pytest.mark.parametrize(
    "dtype",
    [torch.uint8, torch.int8, torch.int32, torch.uint16, torch.uint32, torch.uint64],
    ids=str,
)
@pytest.mark.parametrize("name", sorted(WITH_LABELS))
def test_labels_of_any_integer_dtype(name, dtype):
    inputs = WITH_LABELS[name]()
    labels = tuple(
        x.to(dtype) if isinstance(x, torch.Tensor) and x.dtype == torch.int64 else x for x in inputs
    )
    torch.manual_seed(0)
    want = getattr(losses, name)(*inputs)
    torch.manual_seed(0)
    torch.testing.assert_close(getattr(losses, name)(*labels), want)


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64], ids=str)
def test_too_high_a_label_is_named_in_any_integer_dtype(dtype):
    target = torch.tensor([1, 300]).to(dtype)
    for loss in (losses.softmax_focal_loss, losses.dice_loss, losses.lovasz_softmax_loss):
        with pytest.raises(ValueError, match=r"target must have values in \[0, 2\], got 300"):
            loss(LOGITS, target)


@pytest.mark.parametrize("name", sorted(LOSSES | MINERS))
def test_arrays_of_numpy_are_named(name):
    inputs, loss = (LOSSES | MINERS)[name](), getattr(losses, name)
    for i, (argument, value) in enumerate(
        zip(inspect.signature(loss).parameters, inputs, strict=False)
    ):
        if not tensors(value):
            continue
        array = [x.numpy() for x in value] if isinstance(value, list) else value.numpy()
        with pytest.raises(ValueError, match=rf"^{argument}(\[0\])? must .*tensor.*, got "):
            loss(*inputs[:i], array, *inputs[i + 1 :])
