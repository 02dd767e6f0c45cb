"""StarGAN v2's losses beside the authors', and who learns when."""

import copy

import numpy as np
import pytest
import torch

from cvcourse.methods import (
    StarGANv2,
    StarGANv2Batch,
    StarGANv2Weights,
    starganv2_discriminator_loss,
    starganv2_generator_loss,
    starganv2_step,
)
from cvcourse.models import (
    StarGANv2Discriminator,
    StarGANv2Generator,
    StarGANv2Mapping,
    StarGANv2StyleEncoder,
)
from tests.models.generative.test_starganv2 import inputs, networks

D_PARTS = ("total", "real", "made", "r1")
G_PARTS = ("total", "adversarial", "style", "diversity", "cycle")


@pytest.fixture(scope="module")
def authors(tmp_path_factory):
    made, meta, want = networks(tmp_path_factory.mktemp("starganv2"))
    given = inputs()
    batch = StarGANv2Batch(
        given["x"],
        torch.tensor(meta["labels"]["y_org"]),
        torch.tensor(meta["labels"]["y_trg"]),
        torch.stack([given["z"], given["z2"]]),
        torch.stack([given["ref"], given["ref2"]]),
    )
    return StarGANv2(made["G"], made["F"], made["E"], made["D"]), batch, want


def test_discriminator_loss_equals_the_authors(authors):
    nets, batch, want = authors
    losses = starganv2_discriminator_loss(nets, batch, by="latents")
    assert tuple(losses) == D_PARTS
    found = [losses[part].item() for part in D_PARTS]
    np.testing.assert_allclose(found, want["d_loss_latent"], atol=1e-9, rtol=0)
    assert not batch.images.requires_grad


@pytest.mark.parametrize(
    ("by", "key"), [("latents", "g_loss_latent"), ("references", "g_loss_reference")]
)
def test_generator_loss_equals_the_authors(authors, by, key):
    nets, batch, want = authors
    losses = starganv2_generator_loss(nets, batch, by=by, weights=StarGANv2Weights(diversity=2))
    assert tuple(losses) == G_PARTS
    found = [losses[part].item() for part in G_PARTS]
    np.testing.assert_allclose(found, want[key], atol=1e-9, rtol=0)
    if by == "references":
        return
    parameters = [
        nets.generator.from_rgb.weight,
        nets.mapping.shared[0].weight,
        nets.encoder.shared[0].weight,
    ]
    norms = [g.norm().item() for g in torch.autograd.grad(losses["total"], parameters)]
    expected = want["grad_norms_G_from_rgb__F_first__E_first"]
    np.testing.assert_allclose(norms, expected, atol=1e-9, rtol=0)


def small(seed=0):
    torch.manual_seed(seed)
    sizes = {"image_size": 16, "width": 4, "max_width": 8}
    return StarGANv2(
        StarGANv2Generator(**sizes, style=3),
        StarGANv2Mapping(latent=4, style=3, hidden=8),
        StarGANv2StyleEncoder(**sizes, style=3),
        StarGANv2Discriminator(**sizes),
    )


def small_batch():
    torch.manual_seed(1)
    return StarGANv2Batch(
        torch.rand(2, 3, 16, 16) * 2 - 1,
        torch.tensor([0, 1]),
        torch.tensor([1, 0]),
        torch.randn(2, 2, 4),
        torch.rand(2, 2, 3, 16, 16) * 2 - 1,
    )


class Counting(torch.optim.SGD):
    steps = 0

    def step(self):
        self.steps += 1
        super().step()


def optimizers(nets, rate=1e-3):
    names = ("generator", "mapping", "encoder", "discriminator")
    return {name: Counting(getattr(nets, name).parameters(), lr=rate) for name in names}


def test_encoder_and_mapping_learn_from_latents_alone():
    nets = small()
    learning, averages = optimizers(nets), copy.deepcopy(nets)
    record = starganv2_step(nets, small_batch(), learning, averages=averages)
    assert {name: o.steps for name, o in learning.items()} == {
        "generator": 2,
        "mapping": 1,
        "encoder": 1,
        "discriminator": 2,
    }
    assert len(record) == 2 * (len(D_PARTS) + len(G_PARTS))
    assert record["references/generator/diversity"] > 0


def test_averages_follow_all_but_the_discriminator():
    nets = small()
    before, averages = copy.deepcopy(nets), copy.deepcopy(nets)
    starganv2_step(nets, small_batch(), optimizers(nets), averages=averages, decay=0.75)
    for name in ("generator", "mapping", "encoder"):
        ours = torch.nn.utils.parameters_to_vector(getattr(averages, name).parameters())
        then = torch.nn.utils.parameters_to_vector(getattr(before, name).parameters())
        now = torch.nn.utils.parameters_to_vector(getattr(nets, name).parameters())
        assert not torch.equal(then, now)
        torch.testing.assert_close(ours, 0.75 * then + 0.25 * now)
    kept = torch.nn.utils.parameters_to_vector(averages.discriminator.parameters())
    then = torch.nn.utils.parameters_to_vector(before.discriminator.parameters())
    assert torch.equal(kept, then)


def test_only_the_first_picture_moves_away():
    """The second style has no part in the gradient."""
    nets, batch = small(), small_batch()
    latents = batch.latents.clone().requires_grad_()
    losses = starganv2_generator_loss(nets, batch._replace(latents=latents), by="latents")
    (gradient,) = torch.autograd.grad(losses["diversity"], latents)
    assert gradient[0].abs().sum() > 0
    assert not gradient[1].any()


def test_same_latents_have_no_diversity():
    nets, batch = small(), small_batch()
    twice = batch._replace(latents=batch.latents[:1].expand(2, -1, -1))
    assert starganv2_generator_loss(nets, twice, by="latents")["diversity"] == 0


def test_heatmaps_are_asked_for_pictures_and_made_ones():
    nets, batch, asked = small(), small_batch(), []
    sizes = {"image_size": 16, "width": 4, "max_width": 8, "style": 3}

    def heatmaps(images):
        asked.append(images)
        return (torch.ones(len(images), 1, 8, 8),) * 2

    faces = nets._replace(generator=StarGANv2Generator(**sizes, high_pass=1), heatmaps=heatmaps)
    starganv2_generator_loss(faces, batch, by="latents")
    assert len(asked) == 2
    assert asked[0] is batch.images
    assert not torch.equal(asked[1], batch.images)


def test_weight_of_diversity_decays_to_nothing():
    weights = StarGANv2Weights(diversity=2)
    assert [weights.at(step, 10).diversity for step in (0, 5, 10, 11)] == [2, 1, 0, 0]
    assert weights.at(7, 10).cycle == 1


@pytest.mark.as_user
def test_bad_input():
    nets, batch = small(), small_batch()
    with pytest.raises(ValueError, match="by must be 'latents' or 'references', got 'images'"):
        starganv2_generator_loss(nets, batch, by="images")
    with pytest.raises(ValueError, match=r"batch.references: expected two .*, got None"):
        starganv2_generator_loss(nets, batch._replace(references=None), by="references")
    with pytest.raises(ValueError, match=r"batch.latents: expected two .*, got 1"):
        starganv2_discriminator_loss(nets, batch._replace(latents=batch.latents[:1]), by="latents")
    with pytest.raises(ValueError, match=r"optimizers: expected one of each .*, encoder missing"):
        starganv2_step(nets, batch, {k: v for k, v in optimizers(nets).items() if k != "encoder"})
    with pytest.raises(ValueError, match="step and steps must be from 0 and from 1, got -1 and 10"):
        StarGANv2Weights().at(-1, 10)
    with pytest.raises(ValueError, match="step and steps must be from 0 and from 1, got 0 and 0"):
        StarGANv2Weights().at(0, 0)
