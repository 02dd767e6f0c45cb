import pytest
import torch
import torch.nn.functional as F

from cvcourse.models.backbones.spatial_transformer import (
    DigitClassifier,
    SpatialTransformerNetwork,
    affine_grid,
    bilinear_sample,
)
from tests.models import golden


def _random_theta(batch, scale=1.0):
    theta = torch.eye(2, 3, dtype=torch.float64).repeat(batch, 1, 1)
    return theta + scale * (torch.rand_like(theta) - 0.5)


@pytest.mark.parametrize("size", [(4, 6), (1, 5), (7, 7)])
def test_grid_equals_pytorch(size):
    theta = _random_theta(3)
    expected = F.affine_grid(theta, (3, 1, *size), align_corners=False)
    torch.testing.assert_close(affine_grid(theta, *size), expected)


@pytest.mark.parametrize("scale", [0.1, 1.0, 4.0], ids=["inside", "border", "far outside"])
def test_sampling_and_its_gradients_equal_pytorch(scale):
    image = torch.rand(2, 3, 5, 7, dtype=torch.float64, requires_grad=True)
    theta = _random_theta(2, scale).requires_grad_()
    weight = torch.rand(2, 3, 6, 4, dtype=torch.float64)
    ours = bilinear_sample(image, affine_grid(theta, 6, 4))
    peer = F.grid_sample(
        image, F.affine_grid(theta, (2, 1, 6, 4), align_corners=False), align_corners=False
    )
    torch.testing.assert_close(ours, peer)
    for a, b in zip(
        torch.autograd.grad((ours * weight).sum(), (image, theta)),
        torch.autograd.grad((peer * weight).sum(), (image, theta)),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def test_half_way_between_two_pixels_by_hand():
    image = torch.tensor([[[[1.0, 3.0]]]])
    grid = torch.tensor([[[[0.0, 0.0], [-1.0, 0.0], [1.0, 0.0]]]])  # middle and both outer edges
    assert bilinear_sample(image, grid).flatten().tolist() == [2.0, 0.5, 1.5]


def test_gradcheck():
    image = torch.rand(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    theta = _random_theta(1, 0.5).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda i, t: bilinear_sample(i, affine_grid(t, 3, 3)), (image, theta)
    )


def test_identity_at_initialisation():
    model, images = SpatialTransformerNetwork(), torch.rand(2, 1, 28, 28)
    crops, theta = model.transform(images)
    assert torch.equal(theta, torch.eye(2, 3).repeat(2, 1, 1))
    torch.testing.assert_close(crops, images)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_the_identity_is_exact_under_autocast_and_in_half_precision(dtype):
    model, images = SpatialTransformerNetwork(image_size=320), torch.rand(2, 1, 320, 320)
    with torch.autocast("cpu", dtype=dtype):
        crops, theta = model.transform(images)
    assert theta.dtype == torch.float32
    torch.testing.assert_close(crops, images, rtol=0, atol=1e-4)
    crops, _ = model.to(dtype).transform(images.to(dtype))
    assert crops.dtype == dtype
    torch.testing.assert_close(crops, images.to(dtype), rtol=0, atol=8e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_theta_keeps_its_digits_under_autocast(dtype):
    """A shift of 1/1000 beside a 1 is lost in both halves."""
    model = SpatialTransformerNetwork().eval()
    shift = torch.tensor([0.0, 0.0, 0.001, 0.0, 0.0, -0.0007])
    model.localisation.regression[-1].bias.data += shift
    with torch.autocast("cpu", dtype=dtype):
        _, theta = model.transform(torch.rand(1, 1, 28, 28))
    torch.testing.assert_close(theta.flatten(), torch.eye(2, 3).flatten() + shift)


def test_pixels_beyond_the_whole_numbers_of_float32():
    """4,200 × 4,200 pixels are more than 2²⁴; each has another value in its byte."""
    side = 4200
    index = torch.arange(side * side)
    image = (index % 251).to(torch.float32).view(1, 1, side, side)
    corner = torch.eye(2, 3)[None] / 100 + torch.tensor([[0, 0, 0.99], [0, 0, 0.99]])
    crops = bilinear_sample(image, affine_grid(corner, 42, 42))
    torch.testing.assert_close(crops, image[..., -42:, -42:], rtol=0, atol=0.2)


def test_parameter_counts():
    with torch.device("meta"):
        model = SpatialTransformerNetwork()
    counts = [golden.parameter_count(m) for m in (model.localisation, model.classifier, model)]
    assert counts == [5_520, 21_840, 27_360]


def test_crop_of_another_size():
    model = SpatialTransformerNetwork(3, in_channels=2, image_size=40, crop_size=20)
    crops, _ = model.transform(torch.rand(2, 2, 40, 40))
    assert crops.shape == (2, 2, 20, 20)
    assert model(torch.rand(2, 2, 40, 40)).shape == (2, 3)


def test_one_step_of_training_lowers_the_loss_and_moves_theta():
    model, images, labels = (
        SpatialTransformerNetwork().eval(),
        torch.rand(8, 1, 28, 28),
        torch.arange(8),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(2):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]
    assert not torch.equal(model.localisation.regression[-1].bias, torch.eye(2, 3).flatten())


@pytest.mark.as_user
def test_exports_and_compiles():
    model, x = SpatialTransformerNetwork().eval(), torch.rand(2, 1, 28, 28)
    expected = model(x)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)


def test_the_classifier_works_alone():
    assert DigitClassifier(4, image_size=20)(torch.rand(2, 1, 20, 20)).shape == (2, 4)


@pytest.mark.as_user
def test_too_small_pictures_are_refused():
    with pytest.raises(ValueError, match=r"image_size, crop_size: .* got 28 and 12"):
        SpatialTransformerNetwork(crop_size=12)
