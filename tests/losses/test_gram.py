import math

import pytest
import torch

from cvcourse.losses import gram_matrix, style_loss
from tests import oracle
from tests.losses.helpers import assert_close, assert_zero_with_gradient, gradcheck, refuses


@pytest.mark.parametrize("case", oracle.cases("gram_matrix"))
def test_oracle_pytorch_examples(case):
    oracle.assert_matches(case, gram_matrix)


@pytest.mark.parametrize("case", oracle.cases("style_loss"))
def test_oracle_style(case):
    oracle.assert_matches(case, style_loss)


@pytest.mark.parametrize(("normalize", "divisor"), [("chw", 60), ("hw", 20), (None, 1)])
def test_naive_loop(normalize, divisor):
    x = torch.randn(2, 3, 4, 5).double()
    want = torch.zeros(2, 3, 3).double()
    for b in range(2):
        for i in range(3):
            for j in range(3):
                want[b, i, j] = sum((x[b, i] * x[b, j]).flatten().tolist()) / divisor
    assert_close(gram_matrix(x, normalize), want)
    targets = torch.randn(2, 3, 3).double()
    squares = [(a - b) ** 2 for a, b in zip(want.flatten(), targets.flatten(), strict=True)]
    assert_close(style_loss([x], [targets], [0.5], normalize), 0.5 * sum(squares) / 18, 1e-9)


def test_gradcheck():
    gradcheck(gram_matrix, torch.randn(2, 3, 2, 2))
    targets = [torch.randn(1, 2, 3, 3), torch.randn(2, 2, 2)]
    gradcheck(lambda x: style_loss([x, x**2], targets, [1, 2]), torch.randn(2, 2, 3, 2))


def test_target_maps_and_their_gram_matrices_are_the_same():
    x, style = torch.randn(3, 4, 5, 6), torch.randn(1, 4, 9, 7)
    for normalize in ("chw", "hw", None):
        want = style_loss([x], [style], normalize=normalize)
        got = style_loss([x], [gram_matrix(style, normalize)], normalize=normalize)
        torch.testing.assert_close(got, want)


def test_targets_are_detached():
    for shape in ((1, 2, 3, 3), (1, 2, 2)):
        x, y = torch.randn(1, 2, 3, 3, requires_grad=True), torch.randn(shape, requires_grad=True)
        style_loss([x], [y]).backward()
        assert x.grad is not None
        assert y.grad is None


def test_identical():
    x = torch.randn(2, 3, 4, 4, requires_grad=True)
    assert_zero_with_gradient(style_loss([x], [x]), x)


def test_empty():
    x = torch.zeros(0, 3, 4, 4, requires_grad=True)
    assert_zero_with_gradient(style_loss([x], [x]), x)
    assert (gram_matrix(torch.zeros(1, 3, 0, 4)) == 0).all()
    assert gram_matrix(torch.zeros(1, 0, 2, 4)).shape == (1, 0, 0)


def test_half_precision_does_not_overflow():
    x = torch.full((1, 2, 64, 64), 100.0, dtype=torch.float16)
    assert (gram_matrix(x, "hw") == 1e4).all()


def test_nan_stays_nan():
    x = torch.zeros(1, 2, 2, 2)
    x[0, 0, 0, 0] = math.nan
    assert gram_matrix(x).isnan().tolist() == [[[True, True], [True, False]]]
    assert style_loss([x], [torch.zeros(1, 2, 2)]).isnan()


def test_property_where_things_are_does_not_matter():
    x = torch.randn(2, 3, 4, 5)
    shuffled = x.flatten(2)[..., torch.randperm(20)].view_as(x)
    torch.testing.assert_close(gram_matrix(x), gram_matrix(shuffled))
    assert (torch.linalg.eigvalsh(gram_matrix(x.double())) > -1e-12).all()


@pytest.mark.as_user
def test_bad_input():
    x = torch.zeros(2, 3, 4, 4)
    with refuses("x"):
        gram_matrix(x[0])
    with refuses("x"):
        gram_matrix(x.long())
    with refuses("normalize"):
        gram_matrix(x, "c")
    with refuses("features"):
        style_loss([], [])
    with refuses("target_features"):
        style_loss([x], [])
    for wrong in (torch.zeros(2, 4, 4), torch.zeros(3, 3, 3), torch.zeros(3, 3)):
        with refuses(r"target_features\[0\]"):
            style_loss([x], [wrong])
    with refuses("weights"):
        style_loss([x], [x], weights=[])
