"""Random inputs, the same value and gradient as the well-known libraries.

The extra `bench` installs them.
"""

import warnings

import pytest
import torch

from cvcourse.losses import (
    batch_all_triplet_loss,
    batch_hard_triplet_loss,
    circle_loss,
    dice_loss,
    edge_aware_smoothness_loss,
    gradient_loss,
    info_nce_loss,
    lovasz_hinge_loss,
    lovasz_softmax_loss,
    mine_batch_hard,
    mine_semi_hard,
    pairwise_contrastive_loss,
    sigmoid_focal_loss,
    softmax_focal_loss,
    supcon_loss,
    total_variation,
)
from cvcourse.losses.distance_weighted import distance_weights

SEEDS = range(4)
seeded = pytest.mark.parametrize("seed", SEEDS)
REASON = "the extra `bench` is not installed"


def kornia():
    return pytest.importorskip("kornia.losses", reason=REASON)


def metric_learning(module):
    with warnings.catch_warnings():  # it asks for an optional package
        warnings.simplefilter("ignore")
        return pytest.importorskip(f"pytorch_metric_learning.{module}", reason=REASON)


def same(ours, theirs, *inputs, atol=1e-9):
    """Values and gradients with respect to float64 inputs."""
    inputs = [x.double().requires_grad_() if x.is_floating_point() else x for x in inputs]
    leaves = [x for x in inputs if x.requires_grad]
    results = []
    for f in (ours, theirs):
        value = f(*inputs)
        results.append([value, *torch.autograd.grad(value.sum(), leaves)])
    torch.testing.assert_close(*results, rtol=0, atol=atol)


def batch(seed, normalize=False):
    torch.manual_seed(seed)
    x, labels = torch.randn(40, 16).double(), torch.randint(10, (40,))
    labels[0] = 99  # an item alone
    return (torch.nn.functional.normalize(x) if normalize else x), labels


def maps(seed, ignored=False):
    torch.manual_seed(seed)
    logits, target = 2 * torch.randn(3, 5, 12, 9), torch.randint(5, (3, 12, 9))
    if ignored:
        target[:, :3] = 255
    return logits, target


# ---- kornia


@seeded
@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_sigmoid_focal(seed, gamma, reduction):
    torch.manual_seed(seed)
    x, t = 4 * torch.randn(4, 3, 6), torch.randint(2, (4, 3, 6)).double()
    theirs = kornia().binary_focal_loss_with_logits
    same(
        lambda x: sigmoid_focal_loss(x, t, 0.3, gamma, reduction),
        lambda x: theirs(x, t, 0.3, gamma, reduction),
        x,
    )


@seeded
@pytest.mark.parametrize("ignore_index", [None, 255])
def test_softmax_focal(seed, ignore_index):
    x, t = maps(seed, ignore_index is not None)
    theirs = kornia().focal_loss
    same(
        lambda x: softmax_focal_loss(x, t, 2.0, None, ignore_index, "none"),
        lambda x: theirs(x, t, None, 2.0, "none", ignore_index=ignore_index).sum(1),
        x,
    )


@seeded
def test_lovasz_softmax(seed):
    """Kornia averages over all classes, image by image."""
    x, t = maps(seed)
    same(
        lambda x: lovasz_softmax_loss(x, t, "all", per_image=True),
        lambda x: kornia().lovasz_softmax_loss(x, t),
        x,
    )


@seeded
def test_lovasz_hinge(seed):
    x, t = maps(seed)
    x, t = x[:, :1], t % 2
    same(lambda x: lovasz_hinge_loss(x[:, 0], t), lambda x: kornia().lovasz_hinge_loss(x, t), x)


@seeded
@pytest.mark.parametrize("average", ["micro", "macro"])
@pytest.mark.parametrize("ignored", [False, True])
def test_dice(seed, average, ignored):
    """Kornia averages over images."""
    x, t = maps(seed, ignored)
    ignore_index = 255 if ignored else None

    def ours(x):
        pairs = zip(x.split(1), t.split(1), strict=True)
        losses = [dice_loss(a, b, average=average, ignore_index=ignore_index) for a, b in pairs]
        return torch.stack(losses).mean()

    theirs = kornia().dice_loss
    same(ours, lambda x: theirs(x, t, average, ignore_index=255), x)


@seeded
def test_total_variation_and_smoothness(seed):
    torch.manual_seed(seed)
    img, depth = torch.rand(3, 2, 7, 8), torch.rand(3, 1, 7, 8)
    theirs = kornia()
    same(
        lambda x: total_variation(x, reduction="none"),
        lambda x: theirs.total_variation(x, reduction="sum").sum(1),
        img,
    )
    same(
        lambda x: total_variation(x),
        lambda x: theirs.total_variation(x, reduction="mean").mean(),
        img,
    )
    same(edge_aware_smoothness_loss, theirs.inverse_depth_smoothness_loss, depth, img)


# ---- torchmetrics


@seeded
def test_total_variation_and_gradients_of_torchmetrics(seed):
    theirs = pytest.importorskip("torchmetrics.functional.image", reason=REASON)
    torch.manual_seed(seed)
    x, y = torch.rand(2, 3, 2, 7, 8)
    for reduction in ("none", "sum"):
        same(
            lambda x, r=reduction: total_variation(x, reduction=r),
            lambda x, r=reduction: theirs.total_variation(x, reduction=r),
            x,
        )

    def differences(x, y):
        dy, dx = theirs.image_gradients(x - y)
        return dx[..., :-1].abs().mean() + dy[..., :-1, :].abs().mean()

    same(gradient_loss, differences, x, y)


# ---- pytorch-metric-learning


@seeded
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("reduction", ["nonzero", "mean"])
def test_pairwise_contrastive_and_batch_all(seed, normalize, reduction):
    theirs, distances = metric_learning("losses"), metric_learning("distances")
    reducers = metric_learning("reducers")
    reducer = {"nonzero": reducers.AvgNonZeroReducer, "mean": reducers.MeanReducer}[reduction]
    options = {
        "reducer": reducer(),
        "distance": distances.LpDistance(normalize_embeddings=normalize),
    }
    x, labels = batch(seed)
    pairs = theirs.ContrastiveLoss(pos_margin=0.1, neg_margin=1.5, **options)
    same(
        lambda x: pairwise_contrastive_loss(x, labels, 0.1, 1.5, normalize, reduction),
        lambda x: pairs(x, labels),
        x,
    )
    triplets = theirs.TripletMarginLoss(margin=0.3, **options)
    same(
        lambda x: batch_all_triplet_loss(x, labels, 0.3, normalize, reduction),
        lambda x: triplets(x, labels),
        x,
    )


@seeded
@pytest.mark.parametrize("normalize", [True, False])
def test_mining(seed, normalize):
    miners, distances = metric_learning("miners"), metric_learning("distances")
    distance = distances.LpDistance(normalize_embeddings=normalize)
    x, labels = batch(seed)
    for ours, theirs in (
        (mine_batch_hard(x, labels, normalize), miners.BatchHardMiner(distance=distance)),
        (
            mine_semi_hard(x, labels, 0.2, normalize=normalize),
            miners.TripletMarginMiner(0.2, "semihard", distance=distance),
        ),
        (
            mine_semi_hard(x, labels, float("inf"), True, normalize),
            miners.BatchEasyHardMiner("hard", "semihard", distance=distance),
        ),
    ):
        want = theirs(x, labels)
        if len(want) == 4:  # pairs: (anchors, positives, anchors, negatives)
            want = (want[0], want[1], want[3])
        ours, want = (sorted(torch.stack(list(m), 1).tolist()) for m in (ours, want))
        assert ours == want


@seeded
def test_batch_hard(seed):
    losses, miners = metric_learning("losses"), metric_learning("miners")
    reducer = metric_learning("reducers").MeanReducer()
    x, labels = batch(seed)
    theirs, miner = losses.TripletMarginLoss(margin=0.3, reducer=reducer), miners.BatchHardMiner()
    same(
        lambda x: batch_hard_triplet_loss(x, labels, 0.3),
        lambda x: theirs(x, labels, miner(x, labels)),
        x,
    )


@seeded
def test_distance_weights(seed, monkeypatch):
    """What the miner hands to its sampler; rows that are 0 here are nan there."""
    miners, sampler = metric_learning("miners"), metric_learning("utils.loss_and_miner_utils")
    drawn_from = []
    monkeypatch.setattr(
        sampler, "get_random_triplet_indices", lambda *_, weights, **__: drawn_from.append(weights)
    )
    x, labels = batch(seed)
    miners.DistanceWeightedMiner().mine(x, labels, x, labels)
    want = drawn_from[0].nan_to_num(0)
    torch.testing.assert_close(distance_weights(x, labels), want, rtol=0, atol=1e-9)


@seeded
@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_info_nce_and_supcon(seed, temperature):
    losses = metric_learning("losses")
    x, labels = batch(seed)
    nce = losses.SelfSupervisedLoss(losses.NTXentLoss(temperature), symmetric=False)
    same(
        lambda q, k: info_nce_loss(q, k, None, temperature),
        lambda q, k: nce(q, k),
        x[:20],
        x[20:],
        atol=1e-7,
    )
    supcon = losses.SupConLoss(temperature)
    same(lambda x: supcon_loss(x, labels, temperature), lambda x: supcon(x, labels), x, atol=1e-7)


@pytest.mark.parametrize(("margin", "gamma"), [(0.4, 80.0), (0.25, 256.0), (0.0, 1.0)])
@seeded
def test_circle(seed, margin, gamma):
    theirs = metric_learning("losses").CircleLoss(m=margin, gamma=gamma)
    x, labels = batch(seed)
    same(lambda x, y: circle_loss(x, y, margin, gamma), theirs, x, labels, atol=1e-8)
