from functools import partial

import pytest
import torch

from cvcourse.losses import (
    edge_aware_smoothness_loss,
    gradient_loss,
    softmax_focal_loss,
    total_variation,
)
from cvcourse.metrics import ssim
from cvcourse.ops import _pieces
from cvcourse.ops._pieces import in_pieces


@pytest.fixture
def of(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    return partial(monkeypatch.setattr, _pieces, "ELEMENTS")


def shapes_seen(*batches):
    seen = []

    def f(*piece):
        seen.append([tuple(x.shape) for x in piece])
        return sum(x.flatten(1).sum(1) for x in piece)

    return in_pieces(f, *batches), seen


def test_as_many_pictures_as_the_largest_input_allows(of):
    x, y = torch.rand(5, 1, 3), torch.rand(5, 2, 3)
    for elements, sizes in {11: [1] * 5, 12: [2, 2, 1], 29: [4, 1], 30: [5], 1: [1] * 5}.items():
        of(elements)
        value, seen = shapes_seen(x, y)
        assert seen == [[(n, 1, 3), (n, 2, 3)] for n in sizes]
        torch.testing.assert_close(value, x.sum((1, 2)) + y.sum((1, 2)))


def test_more_pictures_for_more_threads(of, monkeypatch):
    of(6)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert shapes_seen(torch.rand(5, 6))[1] == [[(2, 6)], [(2, 6)], [(1, 6)]]


@pytest.mark.parametrize("shape", [(0, 3), (0, 0), (1, 9)], ids=str)
def test_nothing_and_one_picture_are_not_cut(of, shape):
    of(1)
    x = torch.rand(shape)
    value, seen = shapes_seen(x)
    assert seen == [[shape]]
    torch.testing.assert_close(value, x.sum(1))


def test_whole_where_values_cannot_be_looked_at(of):
    of(1)
    x = torch.rand(2, 4, 3)
    calls = []

    def f(x):
        calls.append(x.ndim)
        return 2 * x

    torch.testing.assert_close(torch.func.vmap(partial(in_pieces, f))(x), 2 * x)
    assert in_pieces(f, x.to("meta")).shape == x.shape
    assert calls == [2, 3]


IMAGES = torch.rand(2, 3, 2, 13, 12, dtype=torch.float64)
LABELS = torch.randint(2, (3, 13, 12))
MASK = torch.rand(3, 1, 13, 12) < 0.8
IN_PIECES = {
    "ssim": lambda x: ssim(x, IMAGES[1]),
    "ssim, same, map": lambda x: ssim(x, IMAGES[1], padding="same", reduction="map"),
    "ssim, none": lambda x: ssim(x, IMAGES[1], reduction="none"),
    "total_variation": total_variation,
    "total_variation, none": lambda x: total_variation(x, 2, reduction="none"),
    "gradient_loss": lambda x: gradient_loss(x, IMAGES[1], 2, scales=2),
    "gradient_loss, masked": lambda x: gradient_loss(x, IMAGES[1], mask=MASK),
    "edge_aware_smoothness_loss": lambda x: edge_aware_smoothness_loss(x[:, :1], x),
    "softmax_focal_loss": lambda x: softmax_focal_loss(x, LABELS, alpha=[0.3, 0.7]),
    "softmax_focal_loss, none": lambda x: softmax_focal_loss(
        x, LABELS, 1.5, ignore_index=1, reduction="none"
    ),
}


@pytest.mark.parametrize("name", IN_PIECES)
def test_picture_by_picture_it_is_the_same_to_the_second_derivative(of, name):
    results = []
    for elements in (2**18, 1):
        of(elements)
        x = IMAGES[0].clone().requires_grad_()
        value = IN_PIECES[name](x)
        (gradient,) = torch.autograd.grad(value.square().sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(gradient.square().sum(), x)
        results.append((value, gradient, second))
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-14)
    assert results[0][2].any()
