"""BiGAN's three networks: sizes, shapes, pairs, what they refuse."""

import pytest
import torch

from cvcourse.models import BiGANDiscriminator, BiGANEncoder, BiGANGenerator
from tests.models.golden import parameter_count

HIDDEN = 1024 * 1024 + 1024 + 2048  # the second layer and its norm


def test_sizes():
    """Two hidden layers of 1,024 between 50 latents and 784 pixels."""
    with torch.device("meta"):
        counts = [parameter_count(n()) for n in (BiGANGenerator, BiGANEncoder, BiGANDiscriminator)]
    assert counts == [
        51 * 1024 + HIDDEN + 1025 * 784,
        785 * 1024 + HIDDEN + 1025 * 50,
        835 * 1024 + HIDDEN + 1025,
    ]


def test_there_and_back():
    z = 2 * torch.rand(4, 50) - 1
    images = BiGANGenerator()(z)
    assert images.shape == (4, 1, 28, 28)
    assert images.min() >= 0
    assert images.max() <= 1
    assert BiGANEncoder()(images).shape == z.shape
    assert BiGANDiscriminator()(images, z).shape == (4,)


def test_pairs_count_not_pictures_alone():
    torch.manual_seed(0)
    judge = BiGANDiscriminator(3, shape=(1, 4, 4), hidden=16).eval()
    images, z = torch.rand(5, 1, 4, 4), torch.randn(5, 3)
    assert not torch.allclose(judge(images, z), judge(images, z.flip(0)))


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BiGANGenerator(0), "latent: expected at least 1, got 0"),
        (lambda: BiGANEncoder(shape=(28, 28)), r"shape: expected \(channels, height, width\), got"),
        (lambda: BiGANGenerator()(torch.zeros(2, 3)), r"z: expected \(batch, 50\), got \(2, 3\)"),
        (lambda: BiGANEncoder()(torch.zeros(2, 784)), r"images: expected each of \(1, 28, 28\)"),
        (
            lambda: BiGANDiscriminator()(torch.zeros(2, 1, 28, 28), torch.zeros(3, 50)),
            "z: expected one for each of 2 images, got 3",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
