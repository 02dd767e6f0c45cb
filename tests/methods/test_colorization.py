"""Colorization: the authors' targets, weights, loss and network; what annealing does."""

import numpy as np
import pytest
import torch

from cvcourse.losses import rebalanced_cross_entropy_loss
from cvcourse.methods import annealed_mean, encode_colors, rebalancing_weights
from cvcourse.models import ColorizationNet
from cvcourse.models.restoration import colorization
from tests import oracle
from tests.models import golden

CASE = "colorization_targets_and_loss"


@pytest.mark.parametrize("case", oracle.cases(CASE, "less_supervision/cases.json"))
def test_targets_weights_and_loss_are_the_authors(case):
    def all_of_it(centres, ab, prior, logits, neighbours, sigma, mix, temperature):
        target = encode_colors(ab, centres, neighbours, sigma)
        factor = rebalancing_weights(prior, mix)
        columns = logits[:, :, None, None]  # every pixel a batch of its own
        mean = annealed_mean(columns, centres, temperature)
        return {
            "encoding": target,
            "factor": factor,
            "boost": factor[target.argmax(1)],
            "value": rebalanced_cross_entropy_loss(logits, target, factor),
            "annealed_mean": mean[:, :, 0, 0],
        }

    oracle.assert_matches(case, all_of_it)


def test_network_equals_the_authors(tmp_path):
    meta, want = oracle.less_supervision_golden("colorization_eccv16")
    shapes = meta["state_dict"].items()
    names = colorization.PUBLISHED_NAMES
    net = golden.load_published(ColorizationNet(), shapes, meta["gain"], names, tmp_path)
    assert sum(p.numel() for p in net.parameters()) == 32_235_385
    outputs = golden.capture(net, [f"stages.{i}" for i in range(8)])
    with torch.no_grad():
        logits = net(100 * oracle.formula_image("colour/L", 32, 32, 1)[None].double())
    for i in range(8):
        x = outputs[f"stages.{i}"]
        statistics = [x.mean(), x.std(), x.min(), x.max()]
        np.testing.assert_allclose(
            statistics, want[f"model{i + 1}/meanstd"], atol=1e-8, rtol=1e-8, err_msg=str(i)
        )
    np.testing.assert_allclose(logits[:, ::16], want["logits_sample"], atol=1e-8, rtol=0)
    decoding = oracle.formula_value("model_out.weight", (2, 313, 1, 1), meta["gain"]).double()
    centres = 110 * decoding[:, :, 0, 0].T
    ab = annealed_mean(logits, centres, temperature=1.0)
    np.testing.assert_allclose(ab, want["ab_low"], atol=1e-8, rtol=0)


def test_annealing_goes_from_the_mean_to_the_mode():
    centres = torch.tensor([[0.0, 0.0], [10.0, 20.0], [-30.0, 5.0]]).double()
    shares = torch.tensor([0.2, 0.5, 0.3]).double()
    logits = shares.log().view(1, 3, 1, 1)
    mean, mode = shares @ centres, centres[1]
    assert torch.allclose(annealed_mean(logits, centres, 1.0).flatten(), mean)
    assert torch.equal(annealed_mean(logits, centres, 0.0).flatten(), mode)
    assert torch.allclose(annealed_mean(logits, centres, 0.01).flatten(), mode, atol=1e-4)
    away = [(annealed_mean(logits, centres, t).flatten() - mode).norm() for t in (1.0, 0.5, 0.2)]
    assert away == sorted(away, reverse=True)


def test_encoding_decodes_to_the_colour():
    centres = torch.cartesian_prod(torch.arange(-50, 51, 10), torch.arange(-50, 51, 10)).double()
    ab = 60 * torch.rand(50, 2).double() - 30
    decoded = encode_colors(ab, centres) @ centres
    assert (decoded - ab).abs().max() < 1.5
    exact = encode_colors(centres[:3], centres, neighbours=1)
    assert torch.equal(exact, torch.eye(len(centres)).double()[:3])


def test_weights_without_mixing_in_and_with_nothing_else():
    prior = torch.tensor([0.5, 0.25, 0.25, 0.0]).double()
    even = rebalancing_weights(prior, 1.0)
    assert torch.allclose(even[:3], torch.ones(3).double())
    half = rebalancing_weights(prior, 0.5)
    by_hand = [1 / (0.25 + 1 / 6), 1 / (0.125 + 1 / 6)]
    total = 0.5 * by_hand[0] + 0.5 * by_hand[1]
    assert half[:2].tolist() == pytest.approx([by_hand[0] / total, by_hand[1] / total])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: encode_colors(torch.zeros(1, 2), torch.zeros(5, 2)), "neighbours must be from 1"),
        (lambda: encode_colors(torch.zeros(1, 2), torch.zeros(5, 2), 2, 0), "sigma must be above"),
        (lambda: rebalancing_weights(torch.ones(3), 0), "mix must be above 0"),
        (lambda: rebalancing_weights(-torch.ones(3)), "prior must be shares"),
        (lambda: rebalancing_weights(torch.zeros(3)), "prior must be shares"),
        (lambda: annealed_mean(torch.zeros(1, 2, 1, 1), torch.zeros(2, 2), 2), "temperature must"),
        (lambda: ColorizationNet(4, width=2)(torch.zeros(1, 1, 20, 16)), "multiples of 8, got 20"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
