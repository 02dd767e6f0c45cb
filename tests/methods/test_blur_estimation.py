"""RBM layers, the classifier that begins with them, and the regressions that it asks."""

import pytest
import torch
from torch import nn

from cvcourse.methods import (
    Memory,
    contrastive_divergence,
    estimate_blur,
    grnn,
    pretrain_layers,
)
from cvcourse.models import BlurClassifier


@pytest.mark.parametrize("visible", ["binary", "gaussian"])
def test_one_step_as_a_loop_over_units(visible):
    like = {"dtype": torch.float64}
    weight, b, a = torch.randn(3, 4, **like), torch.randn(3, **like), torch.randn(4, **like)
    data = torch.rand(5, 4, **like)
    generator = torch.Generator().manual_seed(0)
    moves = contrastive_divergence(weight, b, a, data, visible=visible, generator=generator)
    uniform = torch.rand(5, 3, generator=torch.Generator().manual_seed(0), **like)
    want = [torch.zeros_like(m) for m in moves]
    for v, u in zip(data, uniform, strict=True):
        h = [torch.sigmoid(sum(weight[j] * v) + b[j]) for j in range(3)]
        on = [float(u[j] < h[j]) for j in range(3)]
        again = [sum(weight[j, i] * on[j] for j in range(3)) + a[i] for i in range(4)]
        again = [torch.sigmoid(x) if visible == "binary" else x for x in again]
        h2 = [
            torch.sigmoid(sum(weight[j, i] * again[i] for i in range(4)) + b[j]) for j in range(3)
        ]
        for j in range(3):
            want[1][j] += (h[j] - h2[j]) / 5
            for i in range(4):
                want[0][j, i] += (h[j] * v[i] - h2[j] * again[i]) / 5
        for i in range(4):
            want[2][i] += (v[i] - again[i]) / 5
    torch.testing.assert_close(list(moves), want)


def test_mean_step_of_the_visible_bias_on_the_models_own_data_is_nothing():
    """At the data's own distribution one step of the chain changes no expectation."""
    weight = torch.tensor([[1.5, -1.0]]).double()
    b, a = torch.tensor([0.3]).double(), torch.tensor([-0.2, 0.4]).double()
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * 2)
    free = states @ a + torch.nn.functional.softplus(states @ weight.T + b)[:, 0]
    share = torch.softmax(free, 0)  # exact, of an RBM of two visible and one hidden unit
    generator = torch.Generator().manual_seed(0)
    data = states[torch.multinomial(share, 200_000, replacement=True, generator=generator)]
    move = contrastive_divergence(weight, b, a, data, generator=generator)[2]
    assert move.abs().max() < 5e-3


def test_pretrained_layers_tell_apart_what_was_never_labelled():
    generator = torch.Generator().manual_seed(0)
    kinds = torch.arange(400) % 2
    data = torch.randn(400, 12, generator=generator) * 0.5
    data[:, :6] += (2 * kinds[:, None] - 1).float()
    data = (data - data.mean(0)) / data.std(0)
    torch.manual_seed(1)
    model = BlurClassifier(2, in_features=12, hidden=(8, 4))

    def separation():
        h = model.describe(data).detach()
        means = torch.stack([h[kinds == k].mean(0) for k in (0, 1)])
        return (means[0] - means[1]).norm() / h.std(0).norm().clamp(min=1e-6)

    before = separation()
    pretrain_layers(model.layers, data, epochs=20, learning_rate=0.1, generator=generator)
    assert separation() > before
    assert separation() > 1


def test_each_kind_asks_its_own_memory():
    g = torch.Generator().manual_seed(0)
    memories = [
        Memory(torch.rand(9, 2, generator=g), torch.rand(9, n, generator=g), 0.3) for n in (1, 3)
    ]
    features, logits = torch.rand(5, 2, generator=g), torch.randn(5, 2, generator=g)
    kinds, parameters = estimate_blur(logits, features, memories)
    assert torch.equal(kinds, logits.argmax(1))
    for kind, own, query in zip(kinds, parameters, features, strict=True):
        samples, targets, sigma = memories[kind]
        want = grnn(samples, targets, query[None], sigma=sigma)[0]
        torch.testing.assert_close(own[: len(want)], want)
        assert own[len(want) :].isnan().all()


@pytest.mark.as_user
def test_bad_input():
    x, w = torch.rand(4, 3), torch.rand(2, 3)
    with pytest.raises(ValueError, match="visible must be one of"):
        contrastive_divergence(w, torch.zeros(2), torch.zeros(3), x, visible="relu")
    with pytest.raises(ValueError, match=r"data must be \(batch, 3\)"):
        contrastive_divergence(w, torch.zeros(2), torch.zeros(3), x[:, :2])
    with pytest.raises(ValueError, match=r"layers\[1\] must take 2 features"):
        pretrain_layers([nn.Linear(3, 2), nn.Linear(3, 2)], x, epochs=1)
    memory = Memory(x, x, 1.0)
    with pytest.raises(ValueError, match=r"logits must be \(batch, 1\)"):
        estimate_blur(torch.rand(4, 2), x, [memory])
    with pytest.raises(ValueError, match="features must be 4, got 2"):
        estimate_blur(torch.rand(4, 1), x[:2], [memory])
    with pytest.raises(ValueError, match="hidden: expected at least 1, got 0"):
        BlurClassifier(hidden=())
