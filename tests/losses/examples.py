"""Inputs for every loss, for the tests that ask the same of all of them."""

import torch
from torch import nn

from cvcourse import losses


def labels_of(n: int, of_class: int = 3) -> torch.Tensor:
    return torch.arange(n) // of_class


def boxes(n: int) -> torch.Tensor:
    corners = 10 * torch.rand(n, 2, 2)
    return torch.cat([corners.amin(1), corners.amax(1) + 1], 1)


def maps(classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(2, classes, 6, 5), torch.randint(classes, (2, 6, 5))


def pyramids() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    return tuple([torch.randn(2, 3, 4, 4), torch.randn(2, 5, 2, 2)] for _ in range(2))


LOSSES = {
    "alpha_gradient_loss": lambda: (
        torch.rand(2, 1, 6, 5),
        torch.rand(2, 1, 6, 5),
        (torch.rand(2, 1, 6, 5) < 0.6).float(),
    ),
    "batch_all_triplet_loss": lambda: (torch.randn(12, 8), labels_of(12)),
    "batch_hard_triplet_loss": lambda: (torch.randn(12, 8), labels_of(12)),
    "categorical_information_bound": lambda: (torch.randn(6, 4), torch.arange(6) % 4),
    "batch_nuclear_norm_loss": lambda: (2 * torch.randn(7, 4),),
    "circle_loss": lambda: (torch.randn(12, 8), labels_of(12)),
    "complete_box_iou_loss": lambda: (boxes(5), boxes(5), "mean"),
    "composition_loss": lambda: (
        torch.rand(2, 3, 6, 5),
        2 * torch.rand(2, 1, 6, 5) - 1,
        torch.rand(2, 3, 6, 5),
        torch.rand(2, 3, 6, 5),
        (torch.rand(2, 1, 6, 5) < 0.6).float(),
    ),
    "consistency_loss": lambda: (torch.randn(2, 4, 6), torch.randn(2, 4, 6).softmax(1)),
    "contrastive_loss": lambda: (torch.randn(6, 4), torch.randn(6, 4), torch.randint(2, (6,))),
    "dice_loss": maps,
    "diversity_loss": lambda: (torch.rand(4, 3, 5, 4), torch.randn(4, 6)),
    "distance_box_iou_loss": lambda: (boxes(5), boxes(5), "mean"),
    "distillation_loss": lambda: (
        torch.randn(6, 4),
        torch.randn(6, 4),
        4.0,
        torch.arange(6) % 4,
        0.5,
    ),
    "downscale_loss": lambda: tuple(torch.rand(2, 3, 2, 6, 5)),
    "edge_aware_smoothness_loss": lambda: (torch.rand(2, 1, 6, 5), torch.rand(2, 3, 6, 5)),
    "gaussian_information_bound": lambda: tuple(torch.randn(3, 6, 2)),
    "fast_batch_nuclear_norm_loss": lambda: (2 * torch.randn(7, 4),),
    "generalized_box_iou_loss": lambda: (boxes(5), boxes(5), "mean"),
    "geodesic_cross_loss": lambda: (torch.randn(2, 4, 6),),
    "gradient_loss": lambda: (*torch.rand(2, 2, 3, 6, 5), 1, torch.rand(2, 1, 6, 5) < 0.8, 2),
    "gram_matrix": lambda: (torch.randn(2, 3, 4, 5),),
    "hinge_gan_loss": lambda: (torch.randn(2, 1, 4, 4), True),
    "hint_loss": lambda: (torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)),
    "info_nce_loss": lambda: (torch.randn(6, 8), torch.randn(6, 8)),
    "label_relaxation_loss": maps,
    "least_squares_gan_loss": lambda: (torch.randn(2, 1, 4, 4), True),
    "lovasz_hinge_loss": lambda: (torch.randn(2, 6, 5), torch.randint(2, (2, 6, 5))),
    "lovasz_softmax_loss": maps,
    "margin_loss": lambda: (
        torch.randn(12, 8),
        labels_of(12),
        torch.arange(9),
        torch.arange(9) // 3 * 3,
        torch.arange(9) + 3,
        torch.tensor(1.2),
    ),
    "mimic_loss": lambda: (
        torch.randn(1, 3, 8, 8),
        torch.randn(1, 3, 8, 8),
        [boxes(3)],
        2,
        1.0,
        1.0,
        2,
    ),
    "multiscale_epe_loss": lambda: (
        [torch.randn(2, 2, 4, 6), torch.randn(2, 2, 2, 3)],
        torch.randn(2, 2, 8, 12),
    ),
    "non_saturating_gan_loss": lambda: (torch.randn(2, 1, 4, 4), True),
    "normalized_l1_loss": lambda: (
        torch.rand(2, 3, 6, 5),
        torch.rand(2, 3, 6, 5),
        (torch.rand(2, 1, 6, 5) < 0.6).float(),
    ),
    "nt_xent_loss": lambda: (torch.randn(6, 8), torch.randn(6, 8)),
    "pairwise_contrastive_loss": lambda: (torch.randn(12, 8), labels_of(12)),
    "perceptual_loss": pyramids,
    "prototypical_loss": lambda: (torch.randn(6, 8), torch.randn(3, 8), labels_of(6, 2)),
    "rebalanced_cross_entropy_loss": lambda: (
        torch.randn(2, 4, 6, 5),
        torch.rand(2, 4, 6, 5).softmax(1),
        torch.rand(4) + 0.5,
    ),
    "semantic_reconstruction_loss": lambda: (
        [torch.randn(2, 3, 5, 4), torch.randn(2, 7)],
        [torch.randn(2, 3, 5, 4), torch.randn(2, 7)],
        [(torch.rand(2, 1, 5, 4) < 0.7).float(), torch.ones(2, 7)],
    ),
    "sigmoid_focal_loss": lambda: (torch.randn(6, 4), torch.randint(2, (6, 4)), 0.25, 2.0, "mean"),
    "soft_dice_score": lambda: (torch.rand(6, 4), torch.randint(2, (6, 4))),
    "softmax_focal_loss": maps,
    "style_loss": pyramids,
    "supcon_loss": lambda: (torch.randn(12, 8), labels_of(12)),
    "total_variation": lambda: (torch.rand(2, 3, 6, 5),),
    "triplet_margin_loss": lambda: tuple(torch.randn(3, 6, 4)),
    "wasserstein_gan_loss": lambda: (torch.randn(2, 1, 4, 4), True),
}
# of networks rather than of tensors: tests/losses/test_gradient_penalties.py
OF_GRAPHS = {"PathLengthPenalty", "path_length_penalty", "path_lengths", "r1_penalty"}
MINERS = {
    "mine_batch_hard": lambda: (torch.randn(12, 8), labels_of(12)),
    "mine_distance_weighted": lambda: (torch.randn(12, 8), labels_of(12)),
    "mine_hard_negatives": lambda: (torch.rand(3, 20), torch.rand(3, 20) < 0.2),
    "mine_semi_hard": lambda: (torch.randn(12, 8), labels_of(12)),
}
MODULES = {
    "HintRegressor": lambda: losses.HintRegressor(3, 5, in_size=8, out_size=6),
    "FeatureExtractor": lambda: losses.FeatureExtractor(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 3)), ["1", "2"]
    ),
}


def convert(value, to):
    """`to` applied to every floating point tensor, also those in lists."""
    if isinstance(value, (tuple, list)):
        return type(value)(convert(v, to) for v in value)
    return to(value) if isinstance(value, torch.Tensor) and value.is_floating_point() else value


def tensors(value) -> list[torch.Tensor]:
    """All tensors, also those in lists."""
    if isinstance(value, (tuple, list)):
        return [x for v in value for x in tensors(v)]
    return [value] if isinstance(value, torch.Tensor) else []


def leaves(value) -> list[torch.Tensor]:
    """All tensors that require a gradient."""
    return [x for x in tensors(value) if x.requires_grad]
