"""Turns of players, their codes, averages of weights, lazy penalties: values by hand."""

import copy
import math

import pytest
import torch
from torch import nn

from cvcourse.losses import (
    hinge_gan_loss,
    least_squares_gan_loss,
    non_saturating_gan_loss,
    wasserstein_gan_loss,
)
from cvcourse.methods import (
    WeightAverage,
    alae_judge_losses,
    bigan_forger_losses,
    bigan_judge_losses,
    draw_codes,
    equalized_rates,
    forger_losses,
    half_life_decay,
    information_losses,
    judge_losses,
    latent_reciprocity_loss,
    lazy_adam,
    mix_styles,
)
from cvcourse.models import ALAEGenerator, ALAEMapping


def test_judge_by_hand():
    """D(x) = 2 Σx: the squared gradient is 4 for each of three numbers."""
    x, made = torch.tensor([[1.0, 0, 0]]).double(), torch.tensor([[0.0, -1, 0]]).double()
    made.requires_grad_()
    parts = judge_losses(lambda v: 2 * v.sum(1), x, made, gamma=5.0)
    assert parts["real"].item() == pytest.approx(math.log1p(math.exp(-2)))
    assert parts["made"].item() == pytest.approx(math.log1p(math.exp(-2)))
    assert parts["r1"].item() == pytest.approx(5 / 2 * 12)
    assert not parts["made"].requires_grad
    assert not x.requires_grad
    assert "r1" not in judge_losses(lambda v: v.sum(1), x, made)
    hinge = judge_losses(lambda v: 2 * v.sum(1), x, made, loss=hinge_gan_loss)
    assert (hinge["real"], hinge["made"]) == (0, 0)


@pytest.mark.parametrize(
    ("loss", "want"),
    [
        (non_saturating_gan_loss, math.log1p(math.exp(2))),
        (wasserstein_gan_loss, 2.0),
        (least_squares_gan_loss, 9.0),
    ],
)
def test_forger_by_hand(loss, want):
    made = torch.tensor([[0.0, -1, 0]]).double().requires_grad_()
    [(name, value)] = forger_losses(lambda v: 2 * v.sum(1), made, loss=loss).items()
    assert name == "fooled"
    assert value.item() == pytest.approx(want)
    assert torch.autograd.grad(value, made)[0].max() < 0  # more is better


def test_codes():
    latents, (category, numbers) = draw_codes(
        4000, noise=3, categories=5, continuous=2, generator=torch.Generator().manual_seed(0)
    )
    assert latents.shape == (4000, 10)
    assert torch.equal(latents[:, 3:8].argmax(1), category)
    assert torch.equal(latents[:, 3:8].sum(1), torch.ones(4000))
    assert torch.equal(latents[:, 8:], numbers)
    shares = category.bincount(minlength=5) / 4000
    assert (shares - 0.2).abs().max() < 4 * (0.2 * 0.8 / 4000) ** 0.5
    for uniform in (latents[:, :3], numbers):
        assert uniform.min() >= -1
        assert uniform.max() < 1
        assert uniform.var().item() == pytest.approx(1 / 3, rel=0.05)
    again, _ = draw_codes(4000, noise=3, categories=5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(latents, again)


def test_codes_are_where_their_generator_is():
    seeded = torch.Generator("cpu")
    want, _ = draw_codes(3, generator=seeded.manual_seed(0))
    with torch.device("meta"):
        got, (category, numbers) = draw_codes(3, generator=seeded.manual_seed(0))
        assert draw_codes(3)[0].is_meta
    assert torch.equal(got, want)
    assert category.device.type == numbers.device.type == "cpu"


def test_information_by_hand():
    codes = (torch.tensor([0, 1]), torch.tensor([[0.5], [-1.0]]))
    parts = information_losses(torch.zeros(2, 4), codes[1].clone(), codes, continuous_weight=2.0)
    assert parts["category"].item() == pytest.approx(0, abs=1e-6)
    assert parts["numbers"].item() == pytest.approx(-2 * (0.25 + 1) / 2 / 2)
    none = (codes[0], torch.zeros(2, 0))
    assert set(information_losses(torch.zeros(2, 4), torch.zeros(2, 0), none)) == {"category"}
    sure = 100 * torch.eye(4)[codes[0]]
    best = information_losses(sure, codes[1], codes, weight=0.5)["category"]
    assert best.item() == pytest.approx(-0.5 * math.log(4), rel=1e-6)


def test_bigan_by_hand():
    def judge(x, z):
        return x.flatten(1).sum(1) * z[:, 0]

    x, z = torch.ones(1, 1, 2, 1).requires_grad_(), torch.tensor([[0.5]]).requires_grad_()
    real, made = (x, z), (2 * x, -z)  # scores 1 and -2
    parts = bigan_judge_losses(judge, real, made)
    assert parts["real"].item() == pytest.approx(math.log1p(math.exp(-1)))
    assert parts["made"].item() == pytest.approx(math.log1p(math.exp(-2)))
    assert not parts["real"].requires_grad
    parts = bigan_forger_losses(judge, real, made)
    assert parts["encoder"].item() == pytest.approx(math.log1p(math.exp(1)))
    assert parts["generator"].item() == pytest.approx(math.log1p(math.exp(2)))
    gradient = torch.autograd.grad(sum(parts.values()), [x, z])
    assert all(g.abs().sum() > 0 for g in gradient)


def test_reciprocity():
    generator, encoder = nn.Linear(2, 3, bias=False), nn.Linear(3, 2, bias=False)
    w = torch.randn(4, 2, requires_grad=True)
    loss = latent_reciprocity_loss(encoder, generator, w)
    [gradient] = torch.autograd.grad(loss, w)
    mapping = encoder.weight @ generator.weight
    error = w @ mapping.T - w
    torch.testing.assert_close(gradient, 2 * error @ mapping / 8)  # w as a target is a constant
    z = torch.randn(4, 2)
    want = (w @ mapping.T - z).square().mean()
    torch.testing.assert_close(latent_reciprocity_loss(encoder, generator, w, z), want)


def test_reciprocity_of_nothing_and_of_halves():
    w = torch.zeros(0, 3, requires_grad=True)
    loss = latent_reciprocity_loss(nn.Identity(), lambda x: 2 * x, w)
    assert loss == 0
    assert torch.autograd.grad(loss, w)[0].shape == (0, 3)
    w = 300 * torch.randn(4, 3).half()  # squares beyond float16's 65,504
    want = nn.functional.mse_loss(2 * w.float(), w.float())
    found = latent_reciprocity_loss(nn.Identity(), lambda x: 2 * x, w)
    torch.testing.assert_close(found, want)


def test_alae_judge_sees_r1_through_the_encoder():
    encoder, critic = nn.Linear(3, 2, bias=False), nn.Linear(2, 1, bias=False)
    x = torch.randn(5, 3)
    parts = alae_judge_losses(encoder, lambda w: critic(w)[:, 0], x, x, gamma=4.0)
    want = 2 * (critic.weight @ encoder.weight).square().sum()
    torch.testing.assert_close(parts["r1"], want)


def test_equalized_rates():
    model = nn.ModuleDict({"f": ALAEMapping(8, layers=2), "g": ALAEGenerator(1, features=8)})
    groups = equalized_rates(model, 0.002)
    assert sum(len(g["params"]) for g in groups) == len(list(model.parameters()))
    rate = {id(p): g["lr"] for g in groups for p in g["params"]}
    first = model["f"].layers[0]
    assert rate[id(first.weight)] == pytest.approx(0.002 * 0.1 * (2 / 8) ** 0.5)
    assert rate[id(first.bias)] == pytest.approx(0.0002)
    assert rate[id(model["g"].const)] == 0.002
    # one step of Adam moves a weight by lr times its rate, as if it were kept at deviation 1
    loss = first(torch.ones(1, 8)).sum()
    before = first.weight.detach().clone()
    torch.optim.Adam(groups, betas=(0.0, 0.99)).zero_grad()
    loss.backward()
    torch.optim.Adam(groups, betas=(0.0, 0.99)).step()
    torch.testing.assert_close(
        (first.weight - before).abs(), torch.full((8, 8), rate[id(first.weight)])
    )


def test_mixed_styles():
    w, other = torch.zeros(2, 5, 3), torch.ones(2, 5, 3)
    generator = torch.Generator().manual_seed(0)
    firsts = []
    for _ in range(400):
        mixed = mix_styles(w, other, generator=generator)
        row = mixed[0, :, 0]
        assert (mixed == row[None, :, None]).all()
        assert (row.diff() >= 0).all()
        firsts.append(int((row == 0).sum()))
    counts = torch.tensor(firsts).bincount(minlength=6)
    assert counts[0] == 0  # the first layer stays
    assert abs(counts[5].item() / 400 - 0.1) < 0.05
    assert (counts[1:5] > 60).all()
    assert torch.equal(mix_styles(w, other, probability=0.0), w)


def test_lazy_adam():
    assert lazy_adam(1) == {"lr": 0.001, "betas": (0.0, 0.99**0.5)}
    lazy = lazy_adam(16)
    assert lazy["lr"] == pytest.approx(0.002 * 16 / 17)
    assert lazy["betas"][1] ** 17 == pytest.approx(0.99**16)
    with pytest.raises(ValueError, match="interval: expected 1 or more"):
        lazy_adam(0)


def test_average_of_weights():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = WeightAverage(model, 0.75)
    before = copy.deepcopy(model)
    nn.init.ones_(model[0].weight)
    model(torch.randn(8, 2))
    average.update(model)
    want = 0.75 * before[0].weight + 0.25
    torch.testing.assert_close(average.average[0].weight, want.detach())
    assert torch.equal(average.average[1].running_mean, model[1].running_mean)
    assert average.average[1].num_batches_tracked == 1
    assert not any(p.requires_grad for p in average.parameters())
    average.eval(), model.eval()
    assert average(torch.zeros(1, 2)).shape == (1, 2)
    fixed = WeightAverage(model, 0.0)
    nn.init.zeros_(model[0].weight)
    fixed.update(model)
    assert torch.equal(fixed.average[0].weight, model[0].weight)
    with pytest.raises(ValueError, match="network must have parameters"):
        average.update(nn.Linear(2, 2))


def test_half_life():
    assert half_life_decay(10_000, 32) ** (10_000 / 32) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="half_life"):
        half_life_decay(0, 32)


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match="gamma: expected 0 or more"):
        judge_losses(lambda v: v.sum(1), torch.zeros(1, 2), torch.zeros(1, 2), gamma=-1)
    with pytest.raises(ValueError, match="categories: expected 1 or more, got 0"):
        draw_codes(3, categories=0)
    with pytest.raises(ValueError, match="decay: expected 0 to 1, got 2"):
        WeightAverage(nn.Linear(1, 1), 2)
    with pytest.raises(ValueError, match="lr: expected a number above 0"):
        equalized_rates(nn.Linear(1, 1), 0)
    with pytest.raises(ValueError, match="probability: expected 0 to 1"):
        mix_styles(torch.zeros(1, 2, 1), torch.zeros(1, 2, 1), probability=2)
    with pytest.raises(ValueError, match="other: expected the shape of w"):
        mix_styles(torch.zeros(2, 5, 3), torch.zeros(2, 4, 3))
    with pytest.raises(ValueError, match="target: expected the shape of w"):
        latent_reciprocity_loss(nn.Identity(), nn.Identity(), torch.zeros(2, 3), torch.zeros(2, 1))
    with pytest.raises(ValueError, match=r"encoder\(generator\(w\)\) must have the shape of w"):
        latent_reciprocity_loss(lambda x: x[:, :1], nn.Identity(), torch.zeros(2, 3))
