import json

import pytest
import torch
import torch.nn.functional as F

from cvcourse.losses import (
    alpha_gradient_loss,
    composition_loss,
    least_squares_gan_loss,
    normalized_l1_loss,
)
from tests.oracle import FOLDER

CASES = json.loads(
    (FOLDER / "restoration" / "background_matting_losses.json").read_text(encoding="utf-8")
)["cases"]
OURS = {
    "alpha_loss": lambda i, _: normalized_l1_loss(i["alpha_pred"], i["alpha"], i["mask"]),
    "alpha_gradient_loss": lambda i, _: alpha_gradient_loss(i["alpha_pred"], i["alpha"], i["mask"]),
    "compose_loss": lambda i, _: composition_loss(
        i["image"], i["alpha_pred"], i["fg"], i["bg"], i["mask"]
    ),
    "gan_loss": lambda i, case: least_squares_gan_loss(i["pred"], case["label_is_real"]),
}


def tensor(x):
    return torch.tensor(x["data"], dtype=torch.float64).reshape(x["shape"])


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["function"])
def test_equals_the_authors_with_its_gradients(case):
    inputs = {name: tensor(x) for name, x in case["inputs"].items()}
    wanted = {name: tensor(x) for name, x in case["grad"].items()}
    for name in wanted:
        inputs[name].requires_grad_()
    loss = OURS[case["function"]](inputs, case)
    assert loss.item() == pytest.approx(case["value"], abs=case["atol"])
    gradients = torch.autograd.grad(loss, [inputs[name] for name in wanted])
    for got, want in zip(gradients, wanted.values(), strict=True):
        torch.testing.assert_close(got, want, rtol=0, atol=case["atol"])


def test_no_pixel_no_picture_and_channels():
    x, y = torch.rand(2, 2, 3, 4, 5, dtype=torch.float64)
    mask = torch.ones(2, 1, 4, 5).double()
    mask[0] = 0
    want = (x[1] - y[1]).abs().sum() / 20 / 2
    torch.testing.assert_close(normalized_l1_loss(x, y, mask), want, rtol=1e-6, atol=0)
    assert normalized_l1_loss(x[:0], y[:0], mask[:0]) == 0
    assert normalized_l1_loss(x, y, 0 * mask) == 0
    assert least_squares_gan_loss(torch.zeros(0, 1, 4, 4), True) == 0


def test_sobel_equals_convolutions():
    x, y = torch.rand(2, 2, 1, 6, 7, dtype=torch.float64)
    kernel = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]).double()
    mask = (torch.rand(2, 1, 6, 7) < 0.5).double()
    want = sum(
        normalized_l1_loss(
            F.conv2d(x, k[None, None], padding=1), F.conv2d(y, k[None, None], padding=1), mask
        )
        for k in (kernel, kernel.T)
    )
    torch.testing.assert_close(alpha_gradient_loss(x, y, mask), want)


def test_gradcheck():
    like = {"dtype": torch.float64, "requires_grad": True}
    image, f, b = torch.rand(3, 1, 3, 4, 3, **like).unbind()
    alpha, other = torch.rand(2, 1, 1, 4, 3, **like).unbind()
    mask = torch.ones(1, 1, 4, 3).double()
    assert torch.autograd.gradcheck(
        lambda *args: composition_loss(*args, mask), (image, alpha, f, b)
    )
    assert torch.autograd.gradcheck(lambda x, y: alpha_gradient_loss(x, y, mask), (alpha, other))


@pytest.mark.as_user
def test_bad_input():
    x, mask = torch.rand(1, 3, 4, 5), torch.ones(1, 1, 4, 5)
    with pytest.raises(ValueError, match="target must have the shape of pred"):
        normalized_l1_loss(x, x[:, :1], mask)
    with pytest.raises(ValueError, match=r"mask must have shape \(1, 1, 4, 5\)"):
        normalized_l1_loss(x, x, x)
    with pytest.raises(ValueError, match="pred must have shape"):
        alpha_gradient_loss(x[0], x[0], mask)
    with pytest.raises(ValueError, match="scores must be a floating point tensor"):
        least_squares_gan_loss(torch.ones(2).long(), True)
    with pytest.raises(ValueError, match="alpha must have shape"):
        composition_loss(x, x, x, x, mask)
