"""InfoGAN's networks: published sizes, outputs, what they refuse, and a step of both players."""

import pytest
import torch

from cvcourse.losses import categorical_information_bound, non_saturating_gan_loss
from cvcourse.models import InfoGANDiscriminator, InfoGANGenerator
from tests.models.golden import parameter_count


def test_sizes():
    with torch.device("meta"):
        generator, discriminator = InfoGANGenerator(), InfoGANDiscriminator()
    assert parameter_count(generator) == 6_652_481
    assert parameter_count(discriminator.trunk) == 6_558_144
    assert parameter_count(discriminator.trunk) + parameter_count(discriminator.score) == 6_559_169
    assert parameter_count(discriminator.of_code) == 133_262


def test_shapes_at_paper_scale():
    images = InfoGANGenerator()(torch.rand(2, 74))
    assert images.shape == (2, 1, 28, 28)
    assert images.min() >= 0
    assert images.max() <= 1
    output = InfoGANDiscriminator()(images)
    assert [x.shape for x in output] == [(2,), (2, 10), (2, 2), (2, 2)]


def test_begin_of_the_weights():
    """Deviations of openai/InfoGAN's `custom_ops.py`."""
    generator = InfoGANGenerator()
    assert generator.layers[0].weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert generator.layers[4].weight.mean().item() == pytest.approx(1, abs=0.002)
    assert generator.layers[4].weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert all(not b.any() for n, b in generator.named_parameters() if n.endswith("bias"))


def test_players_lower_their_losses():
    generator = InfoGANGenerator(6, side=8, widths=(16, 8, 8))
    discriminator = InfoGANDiscriminator(4, 0, side=8, widths=(8, 8, 16), head=8)
    codes, real = torch.arange(16) % 4, torch.rand(16, 1, 8, 8).round()
    latents = torch.cat([torch.rand(16, 2), torch.eye(4)[codes]], 1)

    def judge():
        made = discriminator(generator(latents).detach())
        scores = discriminator(real).scores
        wrong = non_saturating_gan_loss(scores, True) + non_saturating_gan_loss(made.scores, False)
        return wrong - categorical_information_bound(made.logits, codes)

    def forge():
        return non_saturating_gan_loss(discriminator(generator(latents)).scores, True)

    for loss, player in ((judge, discriminator), (forge, generator)):
        optimizer = torch.optim.Adam(player.parameters(), 1e-2, betas=(0.5, 0.999))
        before = loss().item()
        for _ in range(10):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
        assert loss().item() < before


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: InfoGANGenerator(side=30), "side: expected a multiple of 4, got 30"),
        (lambda: InfoGANGenerator(0), "latent: expected at least 1, got 0"),
        (lambda: InfoGANGenerator()(torch.rand(2, 62)), r"latents: expected \(batch, 74\), got"),
        (
            lambda: InfoGANDiscriminator()(torch.rand(2, 1, 32, 32)),
            r"images: expected each of \(1, 28, 28\), got \(2, 1, 32, 32\)",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
