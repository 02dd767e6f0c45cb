"""SimCLR, MoCo and PIRL: the authors' numbers, and state that survives."""

import copy
import io
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvcourse.losses import info_nce_loss, nt_xent_loss
from cvcourse.methods import PIRL, MoCo, SimCLR, shuffled_tiles
from tests import oracle

CASES = "less_supervision/cases.json"


class Carrier(nn.Module):
    """Rows given are what comes out; its weight is there to be followed."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())

    def forward(self, x):
        return x


class Add(nn.Module):
    """Rows given are what comes out: gradients flow, and the key encoder has nothing to follow."""

    def forward(self, x):
        return x


@pytest.mark.parametrize("case", oracle.cases("moco_steps", CASES))
def test_the_authors_steps(case):
    def run(queue, wq, wk, q, k, dw, temperature, momentum):
        moco = MoCo(
            Carrier(wq), len(queue), queue=queue.shape[1], momentum=momentum,
            temperature=temperature,
        ).double()  # fmt: skip
        moco.queue.copy_(queue)
        moco.encoder_k.weight.data.copy_(wk)
        found = {}
        for step in range(len(q)):
            images = q[step].clone().requires_grad_()
            logits = moco(images, k[step])
            loss = F.cross_entropy(logits, torch.zeros(len(logits)).long())
            found[f"loss{step}"] = loss
            if step == 0:
                found["logits"] = logits
                found["gradient_q0"] = torch.autograd.grad(loss, images)[0]
            moco.encoder_q.weight.data += 0.1 * dw[step]
        found |= {"queue": moco.queue, "pointer": int(moco.queue_ptr)}
        return found | {"key_weight": moco.encoder_k.weight}

    oracle.assert_matches(case, run)


def keys_of(moco):
    return [round(float(x)) for x in moco.queue[0] * 100]


def test_the_queue_is_first_in_first_out_and_wraps_around():
    moco = MoCo(Add(), 2, queue=7)
    angles = [0.01 * i for i in range(1, 22)]
    keys = torch.tensor([[math.sin(a), math.cos(a)] for a in angles])
    for batch in keys.split(3):  # 3 does not divide 7: three turns of the queue
        moco(batch, batch)
    want = sorted(keys[-7:, 0].mul(100).round().int().tolist())
    assert sorted(keys_of(moco)) == want
    assert int(moco.queue_ptr) == 21 % 7
    moco(keys[:3], keys[:3])
    assert keys_of(moco)[:3] == [1, 2, 3]
    before = moco.queue.clone()
    moco.eval()(keys[:5], keys[:5])
    assert torch.equal(moco.queue, before)


def test_logits_are_info_nce_and_keys_have_no_gradient():
    moco = MoCo(nn.Linear(4, 3), 3, queue=6, temperature=0.2)
    x, y = torch.randn(2, 5, 4)
    queue = moco.queue.T.clone()
    q, k = moco.encoder_q(x), moco.encoder_k(y)
    loss = F.cross_entropy(moco(x, y), torch.zeros(5).long())
    torch.testing.assert_close(loss, info_nce_loss(q, k, queue, 0.2))
    loss.backward()
    assert moco.encoder_q.weight.grad is not None
    assert moco.encoder_k.weight.grad is None
    alike = MoCo(Add(), 3, queue=9)
    alike.queue.copy_(F.normalize(torch.ones(3, 9), dim=0))
    ones = torch.ones(2, 3)
    even = F.cross_entropy(alike(ones, ones), torch.zeros(2).long())
    assert even.item() == pytest.approx(math.log(10))


def test_shuffled_groups_have_statistics_of_their_own():
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    moco = MoCo(encoder, 3, queue=8, shuffle=2, momentum=1.0)
    x = torch.randn(6, 4)
    with torch.no_grad():
        logits = moco(x, x)
        q = torch.cat([encoder(part) for part in x.split(3)])
    parts = F.normalize(q, dim=1)
    assert logits.shape == (6, 9)
    own = (logits[:, 0] * moco.temperature).clone()
    assert (own < 1 - 1e-4).any()  # keys were normalised in other company than their queries
    alone = MoCo(encoder, 3, queue=8, momentum=1.0)
    with torch.no_grad():
        own = alone(x, x)[:, 0] * alone.temperature
    torch.testing.assert_close(own, torch.ones(6))  # the leak that shuffling closes
    assert torch.isfinite(parts).all()


def test_keys_are_in_the_order_of_their_queries_after_shuffling():
    moco = MoCo(Add(), 4, queue=8, shuffle=3)
    x = torch.randn(7, 4)
    positive = moco(x, x)[:, 0] * moco.temperature
    torch.testing.assert_close(positive, torch.ones(7))


def network():
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))


def steps(method, optimiser, batches, call):
    for batch in batches:
        loss = call(method, *batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss


def run_moco(moco, x, y):
    return F.cross_entropy(moco(x, y), torch.zeros(len(x)).long())


def run_pirl(pirl, x, y):
    net, method = pirl
    return method(net(x), net(y), torch.arange(len(x)) % len(method.memory))


@pytest.mark.parametrize("which", ["moco", "pirl"])
def test_a_checkpoint_goes_on_to_the_bit(which):
    torch.manual_seed(1)
    if which == "moco":
        method, call = MoCo(network(), 3, queue=7, momentum=0.9, shuffle=2), run_moco
    else:
        method, call = nn.ModuleList([network(), PIRL(9, 3, negatives=4)]), run_pirl
    batches = [(torch.randn(5, 4), torch.randn(5, 4)) for _ in range(6)]
    fresh = copy.deepcopy(method)
    optimiser = torch.optim.SGD(method.parameters(), 0.1, momentum=0.9)
    steps(method, optimiser, batches[:3], call)
    file = io.BytesIO()
    state = {"method": method.state_dict(), "optimiser": optimiser.state_dict()}
    torch.save(state | {"random": torch.get_rng_state()}, file)
    straight = steps(method, optimiser, batches[3:], call)
    file.seek(0)
    loaded = torch.load(file)
    fresh.load_state_dict(loaded["method"])
    again = torch.optim.SGD(fresh.parameters(), 0.1, momentum=0.9)
    again.load_state_dict(loaded["optimiser"])
    torch.set_rng_state(loaded["random"])
    resumed = steps(fresh, again, batches[3:], call)
    assert torch.equal(straight, resumed)
    for name, value in method.state_dict().items():
        assert torch.equal(value, fresh.state_dict()[name]), name


@pytest.mark.parametrize("case", oracle.cases("pirl_nce", CASES))
def test_the_authors_memory_and_loss(case):
    kinds = {"nce": "nce", "cross_entropy": "info_nce"}

    def run(memory, idx, y, patches, images, temperature, Z, momentum, loss_weights, loss_type):
        method = PIRL(
            *memory.shape, negatives=idx.shape[1] - 1, weight=loss_weights[0],
            momentum=momentum, temperature=temperature,
            loss=kinds[loss_type],
        ).double()  # fmt: skip
        method.memory.copy_(memory)
        method.z.fill_(Z)
        value = method(images, patches, y, idx[:, 1:])
        assert method.z.item() == pytest.approx(case["expected"]["Z_after"], rel=1e-12)
        return {"value": value, "memory_after": method.memory}

    keys = ["value", "grad_patches", "grad_images", "memory_after"]
    oracle.assert_matches(case, run, keys)


def test_negatives_are_all_others_alike():
    method = PIRL(6, 2, negatives=4000)
    drawn = method.draw(torch.tensor([0, 3, 5]))
    for own, row in zip((0, 3, 5), drawn, strict=True):
        counts = row.bincount(minlength=6)
        assert counts[own] == 0
        assert (counts[torch.arange(6) != own] - 800).abs().max() < 5 * 25.3  # five deviations


def test_memory_follows_images_alone_and_stays_in_evaluation():
    method = PIRL(5, 3, negatives=2)
    images, turned = torch.randn(2, 2, 3)
    before = method.memory.clone()
    method.eval()(images, turned, torch.tensor([1, 4]))
    assert torch.equal(method.memory, before)
    assert method.z == -1
    method.train()(images, turned, torch.tensor([1, 4]))
    want = F.normalize(0.5 * before[[1, 4]] + 0.5 * F.normalize(images), dim=1)
    torch.testing.assert_close(method.memory[[1, 4]], want)
    assert torch.equal(method.memory[[0, 2, 3]], before[[0, 2, 3]])
    first = method.z.clone()
    method(images, turned, torch.tensor([0, 2]))
    assert torch.equal(method.z, first)


def test_tiles_in_all_orders():
    image = torch.arange(9.0).view(1, 1, 3, 3).repeat_interleave(2, 2).repeat_interleave(2, 3)
    tiles = shuffled_tiles(image.expand(400, 1, 6, 6), 2)
    orders = tiles[:, :, 0, 0, 0].long()
    assert tiles.shape == (400, 9, 1, 2, 2)
    assert torch.equal(orders.sort(1).values, torch.arange(9).expand(400, 9))
    assert len({tuple(o) for o in orders.tolist()}) > 200
    counts = torch.stack([(orders[:, 0] == c).sum() for c in range(9)])
    assert ((counts - 400 / 9).abs() < 5 * (400 / 9) ** 0.5).all()


def test_simclr_is_nt_xent_of_two_views():
    encoder, head = nn.Linear(4, 6), nn.Linear(6, 3)
    views = []

    def augment(x):
        views.append(x + torch.randn_like(x))
        return views[-1]

    x = torch.randn(5, 4)[:, :, None, None]
    method = SimCLR(nn.Sequential(nn.Flatten(), encoder), head, augment, temperature=0.2)
    loss = method(x)
    assert len(views) == 2
    assert not torch.equal(*views)
    z0, z1 = (head(encoder(view[:, :, 0, 0])) for view in views)
    torch.testing.assert_close(loss, nt_xent_loss(z0, z1, 0.2))
    assert method(x[:1]).item() == 0


def test_under_autocast():
    x, y = torch.randn(2, 5, 4)
    moco, pirl = MoCo(nn.Linear(4, 3), 3, queue=6), PIRL(9, 3, negatives=4)
    for dtype in (torch.float16, torch.bfloat16):
        with torch.autocast("cpu", dtype=dtype):
            logits = moco(x, y)
            loss = pirl(moco.encoder_q(x), moco.encoder_q(y), torch.arange(5))
        assert logits.dtype == loss.dtype == moco.queue.dtype == pirl.memory.dtype == torch.float32
        torch.testing.assert_close(moco.queue.norm(dim=0), torch.ones(6))
        assert loss.isfinite()


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MoCo(Add(), 3, queue=0), "queue must be at least 1, got 0"),
        (lambda: MoCo(Add(), 3, momentum=2), r"momentum must lie in \[0, 1\], got 2"),
        (lambda: MoCo(Add(), 3, temperature=0), "temperature must be a number above 0"),
        (
            lambda: MoCo(Add(), 3, queue=2)(*torch.ones(2, 3, 3)),
            "query_images and key_images must be as many, from 1 to 2, got 3 and 3",
        ),
        (lambda: MoCo(Add(), 3, queue=4)(*torch.ones(2, 2, 5)), r"encoder must give \(2, 3\)"),
        (lambda: PIRL(1), "images must be at least 2, got 1"),
        (lambda: PIRL(5, weight=2), r"weight must be a number in \[0, 1\]"),
        (lambda: PIRL(5, loss="mse"), "loss must be 'nce' or 'info_nce', got 'mse'"),
        (
            lambda: PIRL(5, 3)(torch.zeros(2, 3), torch.zeros(2, 4), torch.arange(2)),
            r"transformed must have shape \(2, 3\), got \(2, 4\)",
        ),
        (
            lambda: PIRL(5, 3)(*torch.ones(2, 2, 3), torch.tensor([1, 1])),
            "indices must be different",
        ),
        (
            lambda: SimCLR(Add(), Add(), Add())(torch.zeros(2, 3, 4, 4)),
            r"encoder must give \(batch, features\)",
        ),
        (lambda: SimCLR(Add(), Add(), Add(), temperature=-1), "temperature must be"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
