"""Scores of two players: others' values and gradients, closed forms, what they refuse."""

import math

import pytest
import torch

from cvcourse.losses import (
    categorical_information_bound,
    gaussian_information_bound,
    hinge_gan_loss,
    least_squares_gan_loss,
    non_saturating_gan_loss,
    wasserstein_gan_loss,
)
from tests import oracle
from tests.losses.helpers import assert_close, assert_zero_with_gradient, gradcheck, refuses

FILE = "generative/losses.json"
LOSSES = {
    "hinge": hinge_gan_loss,
    "ls": least_squares_gan_loss,
    "original": non_saturating_gan_loss,
    "w": wasserstein_gan_loss,
}
both_sides = pytest.mark.parametrize("real", [True, False])
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


@pytest.mark.parametrize("case", oracle.cases("gan_loss", FILE))
def test_equals_synsins_with_its_gradients(case):
    loss, (real, fake) = LOSSES[case["params"]["mode"]], case["inputs"].values()
    real.requires_grad_(), fake.requires_grad_()
    judge = loss(real, True) + loss(fake, False)
    forge = (wasserstein_gan_loss if loss is hinge_gan_loss else loss)(fake, True)
    want = case["expected"]
    assert_close(judge, want["discriminator"], case["atol"])
    assert_close(forge, want["generator"], case["atol"])
    of_real, of_fake = torch.autograd.grad(judge, (real, fake))
    assert_close(of_real, want["grad_real"], case["atol"])
    assert_close(of_fake, want["grad_fake"], case["atol"])
    assert_close(torch.autograd.grad(forge, fake)[0], want["grad_fake_generator"], case["atol"])


def test_a_discriminator_that_cannot_tell():
    """Scores of 0: D is 1/2 everywhere; its loss is log 4, the value of the game at its end."""
    scores = torch.zeros(5).double()
    judge = non_saturating_gan_loss(scores, True) + non_saturating_gan_loss(scores, False)
    assert_close(judge, math.log(4))


def test_the_generator_still_feels_a_sure_discriminator():
    """Where D(G(z)) is near 0, -log D has the slope 1, log(1 - D) none."""
    score = torch.tensor([-30.0], requires_grad=True)
    [slope] = torch.autograd.grad(non_saturating_gan_loss(score, True), score)
    assert_close(slope, [-1.0], 1e-6)
    [saturated] = torch.autograd.grad(-non_saturating_gan_loss(score, False), score)
    assert saturated.abs().item() < 1e-12


@each_loss
@both_sides
def test_empty_and_gradients(loss, real):
    empty = torch.zeros(0, 1, 4, 4, requires_grad=True)
    assert_zero_with_gradient(loss(empty, real), empty)
    gradcheck(lambda x: loss(x, real), torch.randn(3, 2))


@pytest.mark.as_user
@each_loss
def test_scores_must_be_floating(loss):
    with refuses("scores"):
        loss(torch.zeros(3).long(), True)


@pytest.mark.parametrize("case", oracle.cases("categorical_mutual_information_bound", FILE))
def test_categorical_bound(case):
    def ours(logits, codes):
        return categorical_information_bound(logits, codes.argmax(1))

    oracle.assert_matches(case, ours)


@pytest.mark.parametrize("case", oracle.cases("gaussian_mutual_information_estimate", FILE))
def test_gaussian_bound(case):
    def ours(mean, codes, fix_std, log_variance=None):
        return gaussian_information_bound(mean, codes, None if fix_std else log_variance)

    oracle.assert_matches(case, ours)


def test_bounds_by_hand():
    codes = torch.tensor([0, 1, 2, 1])
    sure = 1000.0 * torch.eye(3, dtype=torch.float64)[codes]
    assert_close(categorical_information_bound(sure, codes), math.log(3))
    assert_close(categorical_information_bound(0 * sure, codes), 0)
    c = torch.tensor([[0.5, -1.0]], dtype=torch.float64)
    assert_close(gaussian_information_bound(0 * c, c), 0)
    assert_close(gaussian_information_bound(c, c), (0.25 + 1) / 2)


def test_bounds_of_nothing():
    logits = torch.zeros(0, 4, requires_grad=True)
    assert_zero_with_gradient(categorical_information_bound(logits, torch.zeros(0).long()), logits)
    mean = torch.zeros(0, 2, requires_grad=True)
    assert_zero_with_gradient(gaussian_information_bound(mean, torch.zeros(0, 2)), mean)


@pytest.mark.as_user
def test_bad_codes():
    with refuses("codes"):
        categorical_information_bound(torch.zeros(3, 4), torch.zeros(2).long())
    with refuses("codes"):
        categorical_information_bound(torch.zeros(3, 4), torch.zeros(3))
    with refuses("codes"):
        gaussian_information_bound(torch.zeros(3, 4), torch.zeros(3, 2))
    with refuses("log_variance"):
        gaussian_information_bound(torch.zeros(3, 4), torch.zeros(3, 4), torch.zeros(3, 2))
