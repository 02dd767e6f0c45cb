"""Channel gating: gates that learn, filters that stay to the bit, memories, and what is refused."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvcourse.methods import (
    EpisodicMemory,
    FrozenFilters,
    GenerativeMemory,
    classify,
    sparsity_loss,
    used_filters,
)
from cvcourse.models import ChannelGate, GatedNetwork, TaskClassifier

WIDTHS = (6, 8)


def pictures(seed=0, count=24):
    """Two classes: bright above, or bright below; the seed says in which channel."""
    generator = torch.Generator().manual_seed(seed)
    x = 0.3 * torch.randn(count, 3, 8, 8, generator=generator)
    labels = torch.arange(count) % 2
    x[labels == 0, seed % 3, :4] += 1.5
    x[labels == 1, seed % 3, 4:] += 1.5
    return x, labels


def learn(network, frozen, task, x, labels, steps=12):
    """Adam with momentum and weight decay: both move weights without a gradient."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, 0.02, weight_decay=0.1)
    network.train()
    for _ in range(steps):
        features, gates = network.features(x, task)
        loss = F.cross_entropy(network.heads[task](features), labels) + 0.5 * sparsity_loss(gates)
        optimiser.zero_grad()
        loss.backward()
        frozen.mask_gradients()
        optimiser.step()
        frozen.restore()
    return loss.item()


def test_gates_are_drawn_in_training_and_decided_in_evaluation():
    torch.manual_seed(0)
    gate = ChannelGate(4, 500, hidden=5)
    with torch.no_grad():
        gate.layers[-1].weight.zero_()
        gate.layers[-1].bias.fill_(0.7)
    x = torch.rand(40, 4, 3, 5)
    drawn = gate(x)
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    share = torch.sigmoid(torch.tensor(0.7)).item()  # of 20,000: within five deviations
    assert drawn.mean().item() == pytest.approx(share, abs=0.017)
    assert (gate.eval()(x) == 1).all()
    gate.train()
    bias = gate.layers[-1].bias
    (gradient,) = torch.autograd.grad(gate(x).sum(), bias)
    assert (gradient > 0).all()  # straight through
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert set(gate(x).unique().tolist()) == {0.0, 1.0}


def test_price_of_open_gates_by_hand():
    gates = [torch.tensor([[1.0, 0], [1, 1]]), torch.tensor([[0.0, 0, 0, 1], [0, 0, 0, 0]])]
    assert sparsity_loss(gates).item() == pytest.approx((0.75 + 0.125) / 2)


def test_old_outputs_stay_to_the_bit_through_three_more_tasks():
    torch.manual_seed(0)
    network = GatedNetwork(widths=WIDTHS, hidden=4)
    frozen = FrozenFilters(network)
    x, labels = pictures()
    network.add_task(2)
    learn(network, frozen, 0, x, labels, steps=40)
    used = used_filters(network, x.split(7), 0)
    assert all(of_block.any() for of_block in used)
    frozen.close_task(network, 0, used, generator=torch.Generator().manual_seed(1))
    network.eval()
    test = pictures(0, 40)[0] + 0.5 * torch.randn(40, 3, 8, 8)  # gates may want other filters
    with torch.no_grad():
        before, kept = network(test, 0), [b.conv.weight[u].clone() for b, u in
                                          zip(network.blocks, used, strict=True)]  # fmt: skip
    free = frozen.free()
    assert free == pytest.approx([1 - u.float().mean().item() for u in used])
    for task in (1, 2, 3):
        network.add_task(2)
        learn(network, frozen, task, *pictures(task))
        half = [torch.rand(len(u)) < 0.3 for u in used]
        frozen.close_task(network, task, half)
    network.eval()
    with torch.no_grad():
        assert torch.equal(network(test, 0), before)
    for block, of_block, weight in zip(network.blocks, used, kept, strict=True):
        assert torch.equal(block.conv.weight[of_block], weight)
    assert all(now <= then for now, then in zip(frozen.free(), free, strict=True))


def test_a_new_task_lives_where_the_network_does():
    x, networks = torch.rand(2, 3, 8, 8), []
    for default in ("cpu", "meta"):
        torch.manual_seed(0)
        network = GatedNetwork(widths=WIDTHS, hidden=4).eval()
        with torch.device(default):
            network.add_task(2)
        networks.append(network.eval())
    with torch.no_grad():
        assert torch.equal(networks[0](x, 0), networks[1](x, 0))


def test_without_freezing_the_outputs_change():
    torch.manual_seed(0)
    network = GatedNetwork(widths=WIDTHS, hidden=4)
    frozen = FrozenFilters(network)
    x, labels = pictures()
    network.add_task(2)
    learn(network, frozen, 0, x, labels)
    before = network.eval()(x, 0)
    network.add_task(2)
    learn(network, frozen, 1, *pictures(1))
    assert not torch.allclose(network.eval()(x, 0), before, atol=1e-3)


def test_masking_alone_is_not_enough():
    """Weight decay moves what has a gradient of zeros: hence `restore`."""
    torch.manual_seed(0)
    network = GatedNetwork(widths=WIDTHS, hidden=4)
    network.add_task(2)
    frozen = FrozenFilters(network)
    everything = [torch.ones(w, dtype=torch.bool) for w in WIDTHS]
    frozen.close_task(network, 0, everything)
    network.add_task(2)
    weight = network.blocks[0].conv.weight
    before = weight.detach().clone()
    optimiser = torch.optim.SGD([weight], 0.1, weight_decay=0.1)
    network(pictures()[0], 1).square().sum().backward()
    frozen.mask_gradients()
    optimiser.step()
    assert not torch.equal(weight, before)
    frozen.restore()
    assert torch.equal(weight, before)
    assert frozen.free() == [0, 0]


def test_state_goes_on_from_a_checkpoint():
    network = GatedNetwork(widths=WIDTHS, hidden=4)
    network.add_task(2)
    frozen = FrozenFilters(network)
    frozen.close_task(network, 0, [torch.arange(w) < 2 for w in WIDTHS])
    again = copy.deepcopy(network)
    other = FrozenFilters(again)
    other.load_state_dict(frozen.state_dict())
    with torch.no_grad():
        for block in again.blocks:
            block.conv.weight += 1
    other.restore()
    for block, same in zip(network.blocks, again.blocks, strict=True):
        assert torch.equal(block.conv.weight[:2], same.conv.weight[:2])
        assert not torch.equal(block.conv.weight[2:], same.conv.weight[2:])


def test_filters_in_use_by_counting():
    network = GatedNetwork(widths=WIDTHS, hidden=4)
    network.add_task(2)
    with torch.no_grad():
        for block in network.blocks:
            last = block.gates[0].layers[-1]
            last.weight.zero_()
            last.bias.copy_(torch.where(torch.arange(len(last.bias)) < 3, 1.0, -1.0))
    network.train()
    used = used_filters(network, pictures()[0].split(5), 0)
    assert network.training
    assert [u.sum().item() for u in used] == [3, 3]
    assert [u.sum().item() for u in used_filters(network, [pictures()[0]], 0, threshold=0.99)] == [
        3, 3,
    ]  # fmt: skip


def test_a_few_pictures_of_each_class():
    memory = EpisodicMemory(3, generator=torch.Generator().manual_seed(0))
    for task in range(2):
        x, labels = pictures(task)
        memory.add(x + 100 * task, labels, task)
    assert len(memory) == 12
    x, tasks = memory.sample(200)
    assert torch.equal(x.mean((1, 2, 3)) > 50, tasks == 1)
    assert len(x.flatten(1).unique(dim=0)) == 12
    assert 60 < tasks.sum() < 140


def test_critic_tells_apart_and_generator_follows():
    torch.manual_seed(0)
    generator = nn.Linear(2, 2)
    critic = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(), nn.Linear(16, 1))
    memory = GenerativeMemory(generator, critic, 2)
    real = torch.tensor([4.0, -3.0]) + 0.3 * torch.randn(64, 2)
    optimiser = torch.optim.Adam(critic.parameters(), 0.01)
    losses = []
    for _ in range(40):
        losses.append(memory.critic_loss(real))
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < losses[0]
    assert critic(real).mean() > critic(memory.sample(64)).mean() + 1
    away = (memory.sample(500).mean(0) - real.mean(0)).norm()
    follow = torch.optim.SGD(generator.parameters(), 0.2)
    for _ in range(10):
        follow.zero_grad()
        memory.generator_loss(64).backward()
        follow.step()
    assert (memory.sample(500).mean(0) - real.mean(0)).norm() < 0.8 * away
    assert not memory.sample(3).requires_grad


def test_penalty_of_a_linear_critic_in_closed_form():
    critic = nn.Linear(3, 1, bias=False).double()
    memory = GenerativeMemory(nn.Linear(2, 3).double(), critic, 2, penalty=7.0)
    x = torch.randn(5, 3).double()
    torch.manual_seed(3)
    loss = memory.critic_loss(x)
    torch.manual_seed(3)
    made = memory.sample(5)
    want = (critic(made) - critic(x)).mean() + 7 * (critic.weight.norm() - 1) ** 2
    torch.testing.assert_close(loss, want)


def test_task_and_class_of_pictures():
    torch.manual_seed(0)
    network = GatedNetwork(widths=WIDTHS, hidden=4)
    for classes in (2, 3, 2):
        network.add_task(classes)
    network.eval()
    x, _ = pictures()
    features = network.all_features(x)
    assert features.shape == (24, 3, WIDTHS[-1])
    classifier = TaskClassifier(3, WIDTHS[-1])
    tasks, classes = classify(network, classifier, x)
    for i in range(len(x)):
        assert tasks[i] == classifier(features[i : i + 1]).argmax()
        assert classes[i] == network(x[i : i + 1], int(tasks[i])).argmax()


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sparsity_loss([]), "gates must hold those of at least one block"),
        (lambda: ChannelGate(0, 3), "in_channels: expected at least 1, got 0"),
        (lambda: ChannelGate(2, 3, temperature=0), "temperature must be above 0, got 0"),
        (
            lambda: GatedNetwork(widths=WIDTHS)(torch.zeros(1, 3, 8, 8), 0),
            "task must be from 0 to -1, got 0",
        ),
        (lambda: EpisodicMemory(0), "per_class must be at least 1, got 0"),
        (lambda: EpisodicMemory().sample(3), "memory must hold pictures"),
        (
            lambda: EpisodicMemory().add(torch.zeros(3, 1), torch.zeros(2).long(), 0),
            r"labels must be \(3,\), got \(2,\)",
        ),
        (lambda: GenerativeMemory(nn.Identity(), nn.Identity(), 0), "latent must be at least 1"),
        (
            lambda: used_filters(GatedNetwork(widths=WIDTHS), [], 0),
            "batches must hold pictures, got none",
        ),
        (
            lambda: used_filters(GatedNetwork(widths=WIDTHS), [], 0, threshold=1.0),
            r"threshold must lie in \[0, 1\), got 1.0",
        ),
        (
            lambda: FrozenFilters(GatedNetwork(widths=WIDTHS)).close_task(
                GatedNetwork(widths=WIDTHS), 0, []
            ),
            "used must hold 2 blocks, got 0",
        ),
        (lambda: TaskClassifier(0, 3), "tasks: expected at least 1, got 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
