"""ALAE: the authors' values, losses and gradients, published sizes, growing."""

import numpy as np
import pytest
import torch

from cvcourse.methods import alae_forger_losses, alae_judge_losses, latent_reciprocity_loss
from cvcourse.models import (
    ALAECritic,
    ALAEEncoder,
    ALAEEncoderFC,
    ALAEGenerator,
    ALAEGeneratorFC,
    ALAEMapping,
)
from cvcourse.models.generative import alae
from tests import oracle
from tests.models import golden
from tests.models.golden import parameter_count


def published(model, meta, part, folder):
    """A file in the authors' layout, with their prefix in the formula alone, read in float64."""
    weights = {
        name: oracle.formula_value(f"{part}.{name}", shape, meta["gain"]).double()
        for name, shape in meta["state_dict"][part]
    }
    for name in weights.copy():  # they keep each blur as a buffer
        if name.endswith("conv_2.weight"):
            blur = name.replace("conv_2", "blur")
            weights[blur] = torch.ones(weights[name].shape[1], 1, 3, 3)
    torch.save(weights, folder / f"{part}.pt")
    names = alae.PUBLISHED_NAMES
    return golden.load_pretrained(model.double(), folder / f"{part}.pt", names=names)


@pytest.fixture(scope="module")
def fc(tmp_path_factory):
    meta, _ = oracle.generative_golden("alae_fc")
    folder, n = tmp_path_factory.mktemp("fc"), meta["config"]["latent"]
    nets = {
        "mapping_f": ALAEMapping(n, layers=meta["config"]["mapping_layers"]),
        "decoder": ALAEGeneratorFC(n),
        "encoder": ALAEEncoderFC(n),
        "mapping_d": ALAECritic(n, outputs=n, used=0),
    }
    for part, net in nets.items():
        assert parameter_count(net) == meta["parameters"][part]
        published(net, meta, part, folder)
    return nets.values()


def close(got, want, atol=1e-9):
    np.testing.assert_allclose(got.detach(), want, rtol=0, atol=atol)


def test_fc_version_equals_the_authors(fc):
    f, g, e, d = fc
    _, want = oracle.generative_golden("alae_fc")
    z = oracle.formula_tensor("alae_fc/z", (3, 10), -1.7, 1.7).double()
    x = oracle.formula_tensor("alae_fc/x", (3, 1, 28, 28), -1, 1).double()
    w = f(z)
    close(w, want["w"])
    made = g(w)
    close(made.flatten()[::6], want["picture"])
    close(e(made), want["code"])
    close(d(e(made)), want["d_fake"])
    close(d(e(x)), want["d_real"])
    close(sum(alae_judge_losses(e, d, x, made, gamma=10).values()), want["loss_d"])
    close(alae_forger_losses(e, d, made)["fooled"], want["loss_g"])
    latent = latent_reciprocity_loss(e, g, w)
    close(latent, want["loss_latent"])
    first = [net.layers[0].weight for net in (e, g, f)]
    norms = torch.stack([v.norm() for v in torch.autograd.grad(latent, first)])
    close(norms, want["latent_grad_norms_E_G_F"])


def test_all_three_learn_from_the_latent_loss(fc):
    """Norms over all parameters, as the dossier of the authors' code has them: E, G and F."""
    f, g, e, _ = fc
    z = oracle.formula_tensor("alae_fc/z", (3, 10), -1.7, 1.7).double()
    loss = latent_reciprocity_loss(e, g, f(z))
    found = []
    for net in (e, g, f):
        gradients = torch.autograd.grad(loss, list(net.parameters()), retain_graph=True)
        found.append(torch.cat([v.flatten() for v in gradients]).norm().item())
    assert found == pytest.approx([2.29, 1.65, 0.35], abs=0.005)


def test_style_version_equals_the_authors(tmp_path):
    meta, want = oracle.generative_golden("alae_style")
    config = meta["config"]
    sizes = {"features": config["latent"], "width": config["start"], "most": config["max"]}
    encoder = published(ALAEEncoder(config["layers"], **sizes), meta, "E", tmp_path)
    generator = published(ALAEGenerator(config["layers"], **sizes), meta, "G", tmp_path)
    for name, parameter in generator.named_parameters():
        if "noise" in name:
            torch.nn.init.zeros_(parameter)
    x = oracle.formula_tensor("alae_style/x", (2, 3, 16, 16), -1, 1).double()
    # the authors' code adds the blocks' styles up in float32, also in the golden
    close(encoder(x), want["code"][:, 0], atol=3e-7)
    styles = oracle.formula_tensor("alae_style/styles", (2, 6, 12), -1, 1).double()
    image = generator(styles)
    close(image.flatten()[:: -(-image.numel() // 400)], want["image"])
    statistics = [image.mean(), image.std(correction=0), image.abs().max()]
    close(torch.stack(statistics), want["image_stat"])


def test_published_sizes():
    celeba = {"features": 256, "width": 64, "most": 256}
    with torch.device("meta"):
        counts = {
            24_118_379: ALAEGenerator(),
            26_974_352: ALAEEncoder(),
            2_101_248: ALAEMapping(),
            1_050_624: ALAECritic(),
            5_944_402: ALAEGenerator(6, **celeba),
            6_625_600: ALAEEncoder(6, **celeba),
            526_336: ALAEMapping(256),
            263_168: ALAECritic(256),
            1_905_424: ALAEGeneratorFC(),
            1_904_690: ALAEEncoderFC(),
            15_300: ALAEMapping(50, layers=6),
            10_200: ALAECritic(50),
        }
    for count, model in counts.items():
        assert parameter_count(model) == count, type(model)


def test_convolution_and_halving_in_one():
    """From 128 pixels on: the same as convolving and averaging four, inside."""
    torch.manual_seed(0)
    x, kernel = torch.randn(1, 2, 12, 12).double(), torch.randn(3, 2, 3, 3).double()
    fused = torch.nn.functional.conv2d(x, alae._wider(kernel) / 4, stride=2, padding=1)
    plain = torch.nn.functional.avg_pool2d(torch.nn.functional.conv2d(x, kernel, padding=1), 2)
    torch.testing.assert_close(fused, plain)
    up = torch.nn.functional.conv_transpose2d(
        x, alae._wider(kernel.transpose(0, 1).flip(2, 3)), stride=2, padding=1
    )
    want = torch.nn.functional.conv2d(alae._twice(x), kernel, padding=1)
    torch.testing.assert_close(up, want)


@pytest.mark.parametrize("level", [1, 2])
def test_growing(level):
    """Blending 0 is the level below, enlarged or shrunk; 1 is the level alone."""
    torch.manual_seed(0)
    generator = ALAEGenerator(3, features=5, width=4, most=8)
    encoder = ALAEEncoder(3, features=5, width=4, most=8)
    w = torch.randn(2, 5)
    below = generator(w, level=level - 1, noise="none")
    faded = generator(w, level=level, blend=0.0, noise="none")
    torch.testing.assert_close(faded, alae._twice(below))
    half = generator(w, level=level, blend=0.5, noise="none")
    whole = generator(w, level=level, noise="none")
    torch.testing.assert_close(half, (faded + whole) / 2)
    images = torch.randn(2, 3, 4 * 2**level, 4 * 2**level)
    smaller = torch.nn.functional.avg_pool2d(images, 2)
    found = encoder(images, level=level, blend=0.0)
    torch.testing.assert_close(found, encoder(smaller, level=level - 1))


def test_the_encoder_takes_out_what_the_generator_puts_in():
    maps, style = torch.randn(2, 3, 6, 6).double(), torch.randn(2, 6).double()
    styled = alae._restyled(maps, style)
    plain, statistics = alae._taken_out(styled)
    mean, deviation = statistics.split(3, 1)
    torch.testing.assert_close(mean, style[:, 3:])
    torch.testing.assert_close(deviation, (style[:, :3] + 1).abs())
    torch.testing.assert_close(plain.mean((2, 3)), torch.zeros(2, 3).double())


def small():
    return ALAEGenerator(2, features=4)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ALAEMapping(6)(torch.zeros(2, 5)), r"z: expected \(batch, 6\), got \(2, 5\)"),
        (lambda: ALAECritic(6, used=12), "used: expected one of the 12 outputs, got 12"),
        (lambda: ALAEGenerator(0), "blocks: expected at least 1, got 0"),
        (
            lambda: ALAEGenerator(2, features=4)(torch.zeros(1, 4), level=2),
            "level: expected 0 to 1",
        ),
        (
            lambda: ALAEGenerator(2, features=4)(torch.zeros(1, 4), level=0, blend=0.5),
            "blend: expected 0 to 1, and 1 at level 0, got 0.5",
        ),
        (lambda: ALAEGenerator(2, features=4)(torch.zeros(1, 4), noise="x"), "noise: expected one"),
        (
            lambda: ALAEGenerator(2, features=4)(torch.zeros(1, 3, 4)),
            r"w: expected \(batch, 4\) or",
        ),
        (
            lambda: ALAEEncoder(2, features=4)(torch.zeros(1, 3, 16, 16)),
            r"images: expected each of \(3, 8, 8\), got \(1, 3, 16, 16\)",
        ),
        (
            lambda: ALAEEncoderFC(4)(torch.zeros(1, 1, 8, 8)),
            r"images: expected each of \(1, 28, 28",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_picture_without_contrast_has_gradients():
    """Black with fresh biases: deviations are 0, where a root has no slope."""
    torch.manual_seed(0)
    model = ALAEEncoder(3, features=6, width=4, most=6)
    images = torch.zeros(2, 3, 16, 16, requires_grad=True)
    model(images).square().sum().backward()
    assert images.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
