import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from cvcourse.metrics import angular_error


def turned(degrees, shape=(2, 4, 5), seed=0):
    """Directions of any length, and the same turned by `degrees` about axes at right angles."""
    rng = np.random.default_rng(seed)
    vectors, others = rng.normal(size=(2, *shape, 3))
    axes = np.cross(vectors, others)
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    turn = Rotation.from_rotvec((axes * np.radians(degrees)).reshape(-1, 3))
    result = turn.apply(vectors.reshape(-1, 3)).reshape(vectors.shape)
    result *= rng.uniform(0.5, 3, (*shape, 1))
    return tuple(torch.from_numpy(x).moveaxis(-1, 1) for x in (vectors, result))


@pytest.mark.parametrize("degrees", [0.001, 11.25, 90, 135, 179.99])
def test_finds_the_angle_of_scipys_rotation(degrees):
    pred, target = turned(degrees)
    error = angular_error(pred, target, reduction="none")
    assert error.shape == (2, 4, 5)
    torch.testing.assert_close(error, torch.full_like(error, degrees), rtol=0, atol=1e-6)
    assert angular_error(pred, target).item() == pytest.approx(degrees)


def test_small_angles_keep_their_digits_in_float32():
    pred, target = (x.float() for x in turned(0.01))
    assert angular_error(pred, target).item() == pytest.approx(0.01, rel=1e-2)


def test_by_hand():
    pred = torch.tensor([[0.0, 0, 1], [0, 1, 1], [0, 0, -2]]).T.reshape(1, 3, 1, 3)
    target = torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1).expand_as(pred)
    error = angular_error(pred, target, reduction="none").flatten()
    torch.testing.assert_close(error, torch.tensor([0.0, 45.0, 180.0]))
    assert angular_error(pred, target).item() == pytest.approx(75)


def test_what_is_not_valid_does_not_matter():
    pred, target = turned(30)
    valid = torch.rand(2, 4, 5) < 0.6
    for garbage in (torch.nan, torch.inf, 0.0):
        spoiled = [x.masked_fill(~valid[:, None], garbage).requires_grad_() for x in (pred, target)]
        error = angular_error(*spoiled, valid)
        assert error.item() == pytest.approx(30)
        assert torch.autograd.grad(error, spoiled[0])[0].isfinite().all()
        each = angular_error(*spoiled, valid, reduction="none")
        assert torch.equal(each.isnan(), ~valid)
    assert angular_error(pred, target, torch.zeros_like(valid)).isnan()


def test_no_length_is_no_direction():
    pred, target = turned(30)
    pred[0, :, 0, 0] = 0
    each = angular_error(pred, target, reduction="none")
    assert each.isnan().sum() == 1
    assert each[0, 0, 0].isnan()
    assert angular_error(pred[:0], target[:0]).isnan()


def test_gradcheck():
    pred, target = turned(40)
    assert torch.autograd.gradcheck(lambda x: angular_error(x, target), pred.requires_grad_())


def test_equal_directions_have_a_finite_gradient():
    pred = torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1).requires_grad_()
    error = angular_error(pred, pred.detach())
    assert error == 0
    assert torch.autograd.grad(error, pred)[0].eq(0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(dtype):
    pred, target = (300 * x.to(dtype) for x in turned(60))
    value = angular_error(pred, target)
    assert value.dtype == torch.float32
    assert math.isclose(value.item(), 60, abs_tol=0.5)


@pytest.mark.as_user
def test_refuses():
    pred, target = turned(60)
    with pytest.raises(ValueError, match=r"pred must be \(batch, 3, height, width\)"):
        angular_error(pred[:, :2], target[:, :2])
    with pytest.raises(ValueError, match="valid must be bool of shape"):
        angular_error(pred, target, torch.ones(2, 4, 5))
    with pytest.raises(ValueError, match="pred must be floating point"):
        angular_error(pred.long(), target)
    with pytest.raises(ValueError, match="reduction must be one of"):
        angular_error(pred, target, reduction="sum")
