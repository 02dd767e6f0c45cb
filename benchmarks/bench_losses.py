"""Losses, forward and backward, beside the libraries they are compared with.

torchvision, segmentation-models-pytorch and lightly need torchvision, and the Lovász losses come as
a script: their published formulas and algorithms are written out at the end.
"""

from collections.abc import Callable, Iterator

import kornia.losses
import torch
import torch.nn.functional as F
import torchmetrics.functional.image
from pytorch_metric_learning import losses as pml_losses
from pytorch_metric_learning import miners as pml_miners
from torch import Tensor

from benchmarks.harness import Case
from cvcourse.losses import (
    batch_all_triplet_loss,
    batch_hard_triplet_loss,
    dice_loss,
    distillation_loss,
    edge_aware_smoothness_loss,
    generalized_box_iou_loss,
    gradient_loss,
    gram_matrix,
    info_nce_loss,
    lovasz_hinge_loss,
    lovasz_softmax_loss,
    mine_distance_weighted,
    mine_semi_hard,
    nt_xent_loss,
    pairwise_contrastive_loss,
    sigmoid_focal_loss,
    softmax_focal_loss,
    supcon_loss,
    total_variation,
)

MARGIN = 0.2


def cases() -> Iterator[Case]:
    yield from focal_cases()
    yield from segmentation_cases()
    yield from metric_learning_cases()
    yield from image_cases()
    yield from other_cases()


def focal_cases() -> Iterator[Case]:
    torchvision, smp = "torchvision (its formula)", "smp (its formula)"

    def detection() -> tuple[Tensor, Tensor]:
        logits = (torch.randn(8, 100_000, 20) - 4).requires_grad_()
        return logits, (torch.rand(logits.shape) < 0.001).float()

    yield Case(
        name="sigmoid_focal_loss",
        sizes="8 x 100k anchors x 20 classes, sum",
        inputs=detection,
        ours=lambda x, t: sigmoid_focal_loss(x, t, reduction="sum"),
        peers={
            torchvision: lambda x, t: torchvision_focal(x, t).sum(),
            smp: lambda x, t: smp_focal(x, t).sum(),
            "kornia": lambda x, t: kornia.losses.binary_focal_loss_with_logits(
                x, t, 0.25, 2.0, "sum"
            ),
        },
        target={torchvision: 5, smp: 5},
    )
    yield Case(
        name="sigmoid_focal_loss",
        sizes="the same, sum / positives",
        inputs=detection,
        ours=lambda x, t: sigmoid_focal_loss(x, t, reduction="sum") / 16_000,
        peers={torchvision: lambda x, t: torchvision_focal(x, t).sum() / 16_000},
        target={torchvision: 5},
    )
    yield Case(
        name="softmax_focal_loss",
        sizes="4 x 21 x 256 x 256",
        inputs=lambda: segmentation(),
        ours=softmax_focal_loss,
        peers={
            "kornia": lambda x, t: kornia.losses.focal_loss(x, t, None, 2.0, "mean") * x.shape[1]
        },
    )


def segmentation(images: int = 4, side: int = 256) -> tuple[Tensor, Tensor]:
    logits = torch.randn(images, 21, side, side, requires_grad=True)
    return logits, torch.randint(21, (images, side, side))


def segmentation_cases() -> Iterator[Case]:
    original, smp = "the authors (their algorithm)", "smp (its algorithm)"
    yield Case(
        name="lovasz_softmax_loss",
        sizes="4 x 21 x 256 x 256",
        inputs=segmentation,
        ours=lovasz_softmax_loss,
        peers={original: authors_lovasz_softmax, "kornia": kornia.losses.lovasz_softmax_loss},
        target={original: 4},
        different=["kornia"],
    )
    yield Case(
        name="lovasz_hinge_loss",
        sizes="8 x 256 x 256",
        inputs=lambda: (
            torch.randn(8, 256, 256, requires_grad=True),
            torch.randint(2, (8, 256, 256)),
        ),
        ours=lovasz_hinge_loss,
        peers={
            original: authors_lovasz_hinge,
            "kornia": lambda x, t: kornia.losses.lovasz_hinge_loss(x[:, None], t),
        },
        target={original: 4},
    )
    yield Case(
        name="dice_loss",
        sizes="4 x 21 x 256 x 256",
        inputs=segmentation,
        ours=dice_loss,
        peers={smp: smp_dice},
        target={smp: 2},
    )
    yield Case(
        name="dice_loss",
        sizes="1 x 21 x 512 x 512",  # kornia's "macro" is the mean of each image's own
        inputs=lambda: segmentation(1, 512),
        ours=dice_loss,
        peers={"kornia": lambda x, t: kornia.losses.dice_loss(x, t, "macro")},
    )


def metric_learning_cases() -> Iterator[Case]:
    sizes, pml, lightly = "256 x 128, 64 classes x 4", "pml", "lightly (its algorithm)"

    def batch() -> tuple[Tensor, Tensor]:
        return torch.randn(256, 128, requires_grad=True), torch.arange(256) // 4

    def mined(loss: Callable, miner: Callable) -> Callable:
        return lambda x, labels: loss(x, labels, miner(x, labels))

    def views() -> tuple[Tensor, Tensor]:
        return torch.randn(256, 128, requires_grad=True), torch.randn(256, 128, requires_grad=True)

    triplets = pml_losses.TripletMarginLoss(margin=MARGIN)
    yield Case(
        name="pairwise_contrastive_loss",
        sizes=sizes,
        inputs=batch,
        ours=lambda x, labels: pairwise_contrastive_loss(x, labels, reduction="nonzero"),
        peers={pml: pml_losses.ContrastiveLoss()},
    )
    yield Case(
        name="batch_hard_triplet_loss",
        sizes=sizes,
        inputs=batch,
        ours=batch_hard_triplet_loss,
        peers={pml: mined(triplets, pml_miners.BatchHardMiner())},
        target={pml: 1.5},
    )
    yield Case(
        name="batch_all_triplet_loss",
        sizes=sizes,
        inputs=batch,
        ours=lambda x, labels: batch_all_triplet_loss(x, labels, reduction="nonzero"),
        peers={pml: triplets},
        target={pml: 4},
    )
    yield Case(
        name="mine_semi_hard",
        sizes=sizes,
        inputs=lambda: tuple(x.detach() for x in batch()),
        ours=lambda x, labels: mine_semi_hard(x, labels, MARGIN),
        peers={pml: pml_miners.TripletMarginMiner(MARGIN, "semihard")},
    )
    yield Case(
        name="mine_distance_weighted",
        sizes=sizes + "; random",
        inputs=lambda: tuple(x.detach() for x in batch()),
        ours=mine_distance_weighted,
        peers={pml: pml_miners.DistanceWeightedMiner()},
        different=[pml],
    )
    yield Case(
        name="supcon_loss",
        sizes=sizes,
        inputs=batch,
        ours=supcon_loss,
        peers={pml: pml_losses.SupConLoss(0.1)},
    )
    yield Case(
        name="info_nce_loss",
        sizes="256 x 128",
        inputs=views,
        ours=info_nce_loss,
        peers={pml: pml_losses.SelfSupervisedLoss(pml_losses.NTXentLoss(0.07), symmetric=False)},
    )
    yield Case(
        name="nt_xent_loss",
        sizes="2 views x 256 x 128",
        inputs=views,
        ours=nt_xent_loss,
        peers={lightly: lightly_nt_xent},
        target={lightly: 1.3},
    )


def image_cases() -> Iterator[Case]:
    def images() -> tuple[Tensor]:
        return (torch.rand(8, 3, 256, 256, requires_grad=True),)

    yield Case(
        name="total_variation",
        sizes="8 x 3 x 256 x 256",
        inputs=images,
        ours=lambda x: total_variation(x, reduction="none"),
        peers={
            "kornia": lambda x: kornia.losses.total_variation(x).sum(1),
            "torchmetrics": lambda x: torchmetrics.functional.image.total_variation(x, "none"),
        },
    )
    yield Case(
        name="gradient_loss",
        sizes="8 x 1 x 256 x 256",
        inputs=lambda: (
            torch.rand(8, 1, 256, 256, requires_grad=True),
            torch.rand(8, 1, 256, 256),
        ),
        ours=gradient_loss,
        peers={"difference of differences": difference_of_differences},
    )
    yield Case(
        name="edge_aware_smoothness_loss",
        sizes="8 x 256 x 256",
        inputs=lambda: (torch.rand(8, 1, 256, 256, requires_grad=True), *images()),
        ours=edge_aware_smoothness_loss,
        peers={"kornia": kornia.losses.inverse_depth_smoothness_loss},
    )
    yield Case(
        name="gram_matrix",
        sizes="4 x 256 x 64 x 64",
        inputs=lambda: (torch.rand(4, 256, 64, 64, requires_grad=True),),
        ours=gram_matrix,
        peers={"pytorch/examples (its formula)": examples_gram},
    )


def other_cases() -> Iterator[Case]:
    torchvision = "torchvision (its formula)"

    def boxes() -> Tensor:
        corners = 100 * torch.rand(10_000, 2, 2)
        return torch.cat([corners.amin(1), corners.amax(1)], 1).requires_grad_()

    yield Case(
        name="distillation_loss",
        sizes="256 x 1000",
        inputs=lambda: (torch.randn(256, 1000, requires_grad=True), torch.randn(256, 1000)),
        ours=distillation_loss,
        peers={"F.kl_div of probabilities": probability_distillation},
    )
    yield Case(
        name="generalized_box_iou_loss",
        sizes="10,000 pairs",
        inputs=lambda: (boxes(), boxes()),
        ours=lambda a, b: generalized_box_iou_loss(a, b, "sum"),
        peers={torchvision: lambda a, b: torchvision_giou_loss(a, b).sum()},
        rtol=1e-3,
    )


# ---- The published formulas and algorithms of peers that are not installed here


def torchvision_focal(x: Tensor, t: Tensor, alpha: float = 0.25, gamma: float = 2) -> Tensor:
    p = torch.sigmoid(x)
    ce = F.binary_cross_entropy_with_logits(x, t, reduction="none")
    p_t = p * t + (1 - p) * (1 - t)
    loss = ce * ((1 - p_t) ** gamma)
    return (alpha * t + (1 - alpha) * (1 - t)) * loss


def smp_focal(x: Tensor, t: Tensor, alpha: float = 0.25, gamma: float = 2) -> Tensor:
    ce = F.binary_cross_entropy_with_logits(x, t, reduction="none")
    loss = (1 - torch.exp(-ce)) ** gamma * ce
    return loss * (alpha * t + (1 - alpha) * (1 - t))


def lovasz_gradient(truth: Tensor) -> Tensor:
    intersection = truth.sum() - truth.cumsum(0)
    union = truth.sum() + (1 - truth).cumsum(0)
    jaccard = 1 - intersection / union
    jaccard[1:] = jaccard[1:] - jaccard[:-1]
    return jaccard


def authors_lovasz_softmax(x: Tensor, t: Tensor) -> Tensor:
    p = x.softmax(1).permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    t, losses = t.view(-1), []
    for c in range(x.shape[1]):
        truth = (t == c).float()
        if truth.sum() == 0:
            continue
        errors, order = torch.sort((truth - p[:, c]).abs(), 0, descending=True)
        losses.append(torch.dot(errors, lovasz_gradient(truth[order])))
    return sum(losses) / len(losses)


def authors_lovasz_hinge(x: Tensor, t: Tensor) -> Tensor:
    losses = []
    for logits, labels in zip(x, t, strict=True):
        logits, labels = logits.view(-1), labels.view(-1)
        errors, order = torch.sort(1 - logits * (2 * labels.float() - 1), dim=0, descending=True)
        losses.append(torch.dot(F.relu(errors), lovasz_gradient(labels[order].float())))
    return sum(losses) / len(losses)


def smp_dice(x: Tensor, t: Tensor, eps: float = 1e-7) -> Tensor:
    p = x.log_softmax(1).exp().view(*x.shape[:2], -1)
    truth = F.one_hot(t.view(len(t), -1), x.shape[1]).permute(0, 2, 1).type_as(p)
    intersection = (p * truth).sum((0, 2))
    false_positive = (p * (1 - truth)).sum((0, 2))
    false_negative = ((1 - p) * truth).sum((0, 2))
    both = intersection + (false_positive + false_negative) / 2
    loss = 1 - intersection / both.clamp_min(eps)
    return (loss * (truth.sum((0, 2)) > 0)).mean()


def lightly_nt_xent(z0: Tensor, z1: Tensor, temperature: float = 0.5) -> Tensor:
    z0, z1 = F.normalize(z0), F.normalize(z1)
    n = len(z0)
    others = ~torch.eye(n, dtype=torch.bool)
    logits00, logits11 = ((z @ z.T / temperature)[others].view(n, -1) for z in (z0, z1))
    logits01, logits10 = z0 @ z1.T / temperature, z1 @ z0.T / temperature
    logits = torch.cat([torch.cat([logits01, logits00], 1), torch.cat([logits10, logits11], 1)])
    return F.cross_entropy(logits, torch.arange(n).repeat(2))


def difference_of_differences(pred: Tensor, target: Tensor) -> Tensor:
    dx, dy = (pred.diff(dim=dim) - target.diff(dim=dim) for dim in (-1, -2))
    return dx.abs().mean() + dy.abs().mean()


def examples_gram(y: Tensor) -> Tensor:
    b, c, h, w = y.shape
    features = y.view(b, c, w * h)
    return features.bmm(features.transpose(1, 2)) / (c * h * w)


def probability_distillation(student: Tensor, teacher: Tensor, temperature: float = 4) -> Tensor:
    kl = F.kl_div(
        F.log_softmax(student / temperature, 1),
        F.softmax(teacher / temperature, 1),
        reduction="batchmean",
    )
    return temperature**2 * kl


def torchvision_giou_loss(a: Tensor, b: Tensor, eps: float = 1e-7) -> Tensor:
    x1, y1, x2, y2 = a.unbind(-1)
    x1g, y1g, x2g, y2g = b.unbind(-1)
    left, top = torch.max(x1, x1g), torch.max(y1, y1g)
    right, bottom = torch.min(x2, x2g), torch.min(y2, y2g)
    intersection = torch.zeros_like(x1)
    mask = (bottom > top) & (right > left)
    intersection[mask] = (right[mask] - left[mask]) * (bottom[mask] - top[mask])
    union = (x2 - x1) * (y2 - y1) + (x2g - x1g) * (y2g - y1g) - intersection
    iou = intersection / (union + eps)
    width = torch.max(x2, x2g) - torch.min(x1, x1g)
    height = torch.max(y2, y2g) - torch.min(y1, y1g)
    hull = width * height
    return 1 - (iou - (hull - union) / (hull + eps))
