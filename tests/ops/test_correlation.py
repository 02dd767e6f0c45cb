import pytest
import torch

from cvcourse.ops import correlation
from tests import oracle


def weighted(case):
    """The oracle's gradients are those of sum(w · out)."""
    inputs, params = dict(case["inputs"]), case["params"]
    a, b = (inputs[name].clone().requires_grad_() for name in "ab")
    out = correlation(a, b, params["max_displacement"], params["stride2"])
    (inputs["w"] * out).sum().backward()
    return {"out": out, "grad_a": a.grad, "grad_b": b.grad}


@pytest.mark.parametrize("case", oracle.cases("correlation", "video/cases_flow.json"))
def test_published_convention(case):
    got = weighted(case)
    for name, want in case["expected"].items():
        torch.testing.assert_close(got[name], want, atol=case["atol"], rtol=0)


def test_finds_where_a_picture_went():
    first = oracle.formula_image("corr", 12, 16, 8, block=1)[None]
    second = first.roll((-2, 4), dims=(2, 3))  # up by 2, right by 4
    best = correlation(first - 0.5, second - 0.5, 4, 2)[..., 4:-4, 4:-4].argmax(1)
    assert (best == 1 * 5 + 4).all()  # dy = -2 is the second of five, dx = 4 the last


def test_flownets_number_of_maps():
    x = torch.rand(1, 2, 3, 4)
    assert correlation(x, x).shape == (1, 441, 3, 4)
    torch.testing.assert_close(correlation(x, x)[:, 220], x.square().mean(1))
    # displacements are the multiples of the stride up to the largest
    assert torch.equal(correlation(x, x, 5, 2), correlation(x, x, 4, 2))
    assert torch.equal(correlation(x, x, 0, 1)[:, 0], correlation(x, x, 3, 1)[:, 24])


def test_gradcheck():
    a, b = torch.rand(2, 2, 2, 3, 4, dtype=torch.float64, requires_grad=True).unbind()
    assert torch.autograd.gradcheck(lambda a, b: correlation(a, b, 2, 1), (a, b))


@pytest.mark.parametrize("shape", [(0, 3, 4, 5), (2, 3, 0, 5), (2, 0, 4, 5)])
def test_empty(shape):
    out = correlation(torch.rand(shape), torch.rand(shape), 1, 1)
    assert out.shape == (shape[0], 9, *shape[2:])
    assert not out.any()


@pytest.mark.as_user
def test_bad_input():
    x = torch.rand(1, 2, 3, 4)
    with pytest.raises(ValueError, match="second must have the shape of first"):
        correlation(x, x[:, :1])
    with pytest.raises(ValueError, match=r"first must have shape \(batch, channels"):
        correlation(x[0], x[0])
    with pytest.raises(ValueError, match=r"first must be floating point, got torch\.int64"):
        correlation(x.long(), x)
    with pytest.raises(ValueError, match="stride at least 1, got 4 and 0"):
        correlation(x, x, 4, 0)
