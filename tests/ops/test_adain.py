import pytest
import torch
import torch.nn.functional as F

from cvcourse.ops import adain


def test_by_hand():
    """Deviations 1 and 2 with N - 1, means 1 and 5."""
    content = torch.tensor([0.0, 1.0, 2.0]).double().view(1, 1, 1, 3)
    style = torch.tensor([3.0, 5.0, 7.0]).double().view(1, 1, 3, 1)
    got = adain(content, style, eps=0.0)
    torch.testing.assert_close(got, torch.tensor([3.0, 5.0, 7.0]).double().view(1, 1, 1, 3))


def test_statistics_are_the_styles():
    content, style = torch.randn(2, 3, 7, 5).double(), 3 * torch.randn(2, 3, 6, 9).double() + 1
    got = adain(content, style, eps=0.0)
    torch.testing.assert_close(got.mean((2, 3)), style.mean((2, 3)))
    torch.testing.assert_close(got.std((2, 3)), style.std((2, 3)))


def test_equals_instance_norm():
    """Which divides by N, so that the pixels of both must be as many."""
    content, style = torch.randn(2, 3, 8, 9).double(), torch.randn(2, 3, 9, 8).double()
    scale, shift = style.std((2, 3), correction=0), style.mean((2, 3))
    want = F.instance_norm(content, eps=0.0) * scale[..., None, None] + shift[..., None, None]
    torch.testing.assert_close(adain(content, style, eps=0.0), want)


def test_own_style_changes_nothing_and_one_pixel_gets_the_mean():
    content = torch.randn(2, 3, 4, 5).double()
    torch.testing.assert_close(adain(content, content), content)
    one, style = torch.randn(1, 2, 1, 1), torch.randn(1, 2, 3, 3)
    torch.testing.assert_close(adain(one, style), style.mean((2, 3), keepdim=True))


def test_gradient():
    pair = [torch.randn(1, 2, 3, 3).double().requires_grad_() for _ in range(2)]
    assert torch.autograd.gradcheck(adain, pair)


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match="style must have the batch and channels of content"):
        adain(torch.rand(1, 2, 3, 3), torch.rand(1, 3, 3, 3))
    with pytest.raises(ValueError, match="content must have shape"):
        adain(torch.rand(2, 3, 3), torch.rand(1, 2, 3, 3))
