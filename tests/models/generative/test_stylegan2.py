"""StyleGAN2: the authors' values and losses, sizes and names, noise, mixing, truncation."""

import zlib

import numpy as np
import pytest
import torch

from cvcourse.losses import (
    non_saturating_gan_loss,
    path_length_penalty,
    path_lengths,
    r1_penalty,
)
from cvcourse.models import StyleGAN2Discriminator, StyleGAN2Generator, load_pretrained
from cvcourse.models.generative import stylegan2
from tests import oracle
from tests.models.golden import parameter_count

META, WANT = oracle.generative_golden("stylegan2_nets")
SMALL = {"width": META["config"]["channel_base"], "most": META["config"]["channel_max"]}
ROOT3 = 3**0.5


def uniform(tag, shape, low=-1.0, high=1.0):
    """As `oracle.formula_tensor`, but drawn in float64, as this golden was."""
    generator = torch.Generator().manual_seed(zlib.crc32(tag.encode()))
    return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)


def raw(name, shape, prefix):
    """The golden's filling, of the layers' raw weights: see its README."""
    u = uniform(f"{prefix}.{name}", shape)
    leaf, mapping = name.rsplit(".", 1)[-1], 100 if name.startswith("mapping.fc") else 1
    if leaf == "noise_strength":
        return u / 2
    if leaf == "w_avg":
        return 0.2 * u
    if leaf == "bias":
        return (0.1 * ROOT3 * u + name.endswith("affine.bias")) * mapping
    return ROOT3 * u * mapping


def published(prefix, folder, model, **extra):
    """A file in the authors' layout, with the filters that they keep, read in float64."""
    weights = {name: raw(name, shape, prefix) for name, shape in META[prefix]}
    taps = torch.tensor([1.0, 3, 3, 1])
    for name in extra.get("filters", ()):
        weights[name] = torch.outer(taps, taps) / 64
    torch.save(weights, folder / f"{prefix}.pt")
    names = stylegan2.PUBLISHED_NAMES
    return load_pretrained(model.double(), folder / f"{prefix}.pt", names=names)


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    folder, config = tmp_path_factory.mktemp("published"), META["config"]
    filters = [f"synthesis.b{s}.resample_filter" for s in (4, 8, 16)]
    filters += ["synthesis.b8.conv0.resample_filter", "synthesis.b4.conv1.resample_filter"]
    generator = published(
        "G",
        folder,
        StyleGAN2Generator(
            config["resolution"],
            z_features=config["z_dim"],
            w_features=config["w_dim"],
            mapping_layers=config["mapping_layers"],
            **SMALL,
        ),
        filters=filters,
    )
    discriminator = published(
        "D",
        folder,
        StyleGAN2Discriminator(config["resolution"], group=config["mbstd_group_size"], **SMALL),
        filters=["b16.resample_filter", "b16.conv1.resample_filter", "b4.conv.resample_filter"],
    )
    return generator, discriminator


@pytest.fixture(scope="module")
def z():
    return uniform("stylegan2_nets/z", (4, 12), -1.7, 1.7)


def close(got, want):
    np.testing.assert_allclose(got.detach(), want, rtol=0, atol=1e-9)


def sample(x, n):
    return x.detach().flatten()[:: -(-x.numel() // n)]


def test_generator_equals_the_authors(nets, z):
    generator, _ = nets
    assert generator.synthesis.num_ws == META["num_ws"]
    assert parameter_count(generator) == META["parameters"]["G"]
    close(z, WANT["z"])
    w = generator.mapping(z)
    close(w, WANT["w"])
    close(generator.mapping(z, truncation=0.5), WANT["w_truncated"])
    image = generator(z, noise="const")
    close(sample(image, 600), WANT["image"])
    close(
        torch.stack([image.mean(), image.std(correction=0), image.abs().max()]), WANT["image_stat"]
    )
    close(sample(generator(z, noise="none"), 600), WANT["image_no_noise"])


def test_losses_equal_the_authors(nets, z):
    """Scores, R1, path lengths and both players' losses."""
    generator, discriminator = nets
    assert parameter_count(discriminator) == META["parameters"]["D"]
    image = generator(z, noise="const")
    close(discriminator(image), WANT["logit"][:, 0])
    real = uniform("stylegan2_nets/real", image.shape)
    real.requires_grad_()
    scores = discriminator(real)
    close(scores, WANT["real_logit"][:, 0])
    r1 = r1_penalty(scores, real, reduction="none")
    close(r1, WANT["r1"])
    forge = non_saturating_gan_loss(discriminator(image), True)
    close(forge, WANT["G_loss"])
    judge = non_saturating_gan_loss(discriminator(image.detach()), False)
    judge = (
        judge + non_saturating_gan_loss(scores, True) + META["config"]["r1_gamma"] / 2 * r1.mean()
    )
    close(judge, WANT["D_loss"])
    ws = generator.mapping(z)[:, None].repeat(1, META["num_ws"], 1)
    noise = uniform("stylegan2_nets/plnoise", image.shape, -ROOT3, ROOT3)
    lengths = path_lengths(generator.synthesis(ws, noise="const"), ws, noise)
    close(lengths, WANT["path_lengths"])
    loss, mean = path_length_penalty(lengths, torch.zeros(()).double(), reduction="none")
    close(mean, WANT["pl_mean_after"])
    close(loss, WANT["pl_penalty"])


def test_published_sizes():
    with torch.device("meta"):
        generator, discriminator = StyleGAN2Generator(), StyleGAN2Discriminator()
    assert parameter_count(generator) == 30_370_060
    assert parameter_count(generator.mapping) == 2_101_248
    assert generator.synthesis.num_ws == 18
    assert parameter_count(discriminator) == 29_012_513


def test_styles_that_mix(nets, z):
    """The last w alone changes colours alone: the map before the last toRGB stays."""
    generator, _ = nets
    ws = generator.mapping(z)[:, None].repeat(1, 6, 1)
    mixed = ws.clone()
    mixed[:, -1] = ws[:, -1].flip(0)
    seen = []
    hook = generator.synthesis.blocks["16"].conv1.register_forward_hook(
        lambda *a: seen.append(a[2])
    )
    images = [generator.synthesis(v, noise="none") for v in (ws, mixed)]
    hook.remove()
    assert torch.equal(*seen)
    assert not torch.allclose(*images)


def test_noise_moves_the_picture_only_with_strength(nets, z):
    generator, _ = nets
    assert not torch.equal(generator(z), generator(z))
    assert torch.equal(generator(z, noise="const"), generator(z, noise="const"))
    new = StyleGAN2Generator(8, z_features=4, w_features=4, width=32, most=8)
    latents = torch.randn(2, 4)
    assert torch.equal(new(latents), new(latents))  # strengths begin at 0


def test_mean_of_w_and_truncation():
    mapping = stylegan2.StyleMapping(4, 6, layers=2)
    w = mapping(torch.randn(8, 4))
    mapping.update_average(w, decay=0.9)
    torch.testing.assert_close(mapping.w_avg, 0.1 * w.mean(0).detach())
    z = torch.randn(2, 4)
    torch.testing.assert_close(mapping(z, truncation=0.0), mapping.w_avg.expand(2, -1))
    torch.testing.assert_close(mapping(3 * z), mapping(z), rtol=1e-4, atol=1e-5)


def test_styles_begin_at_one():
    """Whatever w is at first, A's bias is 1: a bias of 0 would have demodulation divide by 0."""
    generator = StyleGAN2Generator(16, z_features=8, w_features=8, width=64, most=8)
    for block in generator.synthesis.blocks.values():
        for layer in (block.conv1, block.torgb):
            style = layer.affine(torch.zeros(2, 8))
            assert torch.equal(style, torch.ones_like(style))


@pytest.mark.parametrize(("batch", "same"), [(1, 1), (2, 2), (4, 4), (6, 3), (7, 1)])
def test_deviation_of_a_batch(batch, same):
    """Groups are the largest that divide the batch; equal pictures deviate by the root of 1e-8."""
    x = torch.randn(batch, 3, 4, 4).double()
    found = stylegan2._deviation_of_batch(x, 4)
    assert found.shape == (batch, 1, 4, 4)
    groups = batch // same
    for g in range(groups):
        deviation = (x[g::groups].var(0, correction=0) + 1e-8).sqrt().mean()
        want = deviation.float().expand(same, 1, 4, 4)
        torch.testing.assert_close(found[g::groups].float(), want)
    alike = stylegan2._deviation_of_batch(x[:1].repeat(4, 1, 1, 1), 4)
    assert alike.mean().item() == pytest.approx(1e-4)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StyleGAN2Generator(24), "resolution: expected a power of two from 8 on, got 24"),
        (lambda: StyleGAN2Discriminator(4), "resolution: expected a power of two from 8 on"),
        (lambda: StyleGAN2Generator(64, width=32), "width: expected at least 1, got 0"),
        (lambda: StyleGAN2Generator(8)(torch.randn(2, 5)), r"z: expected \(batch, 512\), got \(2,"),
        (
            lambda: StyleGAN2Generator(8).synthesis(torch.randn(2, 3, 512)),
            r"w: expected \(batch, 512\) or \(batch, 4, 512\), got \(2, 3, 512\)",
        ),
        (
            lambda: StyleGAN2Generator(8)(torch.randn(1, 512), noise="fixed"),
            "noise: expected one of",
        ),
        (
            lambda: StyleGAN2Discriminator(8)(torch.randn(2, 3, 16, 16)),
            r"images: expected each of \(3, 8, 8\), got \(2, 3, 16, 16\)",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
