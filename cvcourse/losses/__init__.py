"""Losses: functions of tensors that return what to minimise. One concept a file."""

from cvcourse.losses.batch_all import batch_all_triplet_loss
from cvcourse.losses.batch_hard import batch_hard_triplet_loss, mine_batch_hard
from cvcourse.losses.batch_nuclear_norm import (
    batch_nuclear_norm_loss,
    fast_batch_nuclear_norm_loss,
)
from cvcourse.losses.box_iou import (
    complete_box_iou_loss,
    distance_box_iou_loss,
    generalized_box_iou_loss,
)
from cvcourse.losses.circle import circle_loss
from cvcourse.losses.consistency import consistency_loss
from cvcourse.losses.contrastive import contrastive_loss
from cvcourse.losses.dice import dice_loss, soft_dice_score
from cvcourse.losses.distance_weighted import mine_distance_weighted
from cvcourse.losses.distillation import distillation_loss
from cvcourse.losses.downscale import downscale_loss
from cvcourse.losses.feature_extractor import FeatureExtractor
from cvcourse.losses.gan import (
    hinge_gan_loss,
    least_squares_gan_loss,
    non_saturating_gan_loss,
    wasserstein_gan_loss,
)
from cvcourse.losses.geodesic_cross import geodesic_cross_loss
from cvcourse.losses.gradient import gradient_loss
from cvcourse.losses.gradient_penalties import (
    PathLengthPenalty,
    path_length_penalty,
    path_lengths,
    r1_penalty,
)
from cvcourse.losses.gram import gram_matrix, style_loss
from cvcourse.losses.hard_negatives import mine_hard_negatives
from cvcourse.losses.hint import HintRegressor, hint_loss
from cvcourse.losses.info_nce import info_nce_loss
from cvcourse.losses.information_bound import (
    categorical_information_bound,
    gaussian_information_bound,
)
from cvcourse.losses.label_relaxation import label_relaxation_loss
from cvcourse.losses.lovasz_hinge import lovasz_hinge_loss
from cvcourse.losses.lovasz_softmax import lovasz_softmax_loss
from cvcourse.losses.margin import margin_loss
from cvcourse.losses.matting import (
    alpha_gradient_loss,
    composition_loss,
    normalized_l1_loss,
)
from cvcourse.losses.mimic import mimic_loss
from cvcourse.losses.multiscale_epe import multiscale_epe_loss
from cvcourse.losses.nt_xent import nt_xent_loss
from cvcourse.losses.pairwise_contrastive import pairwise_contrastive_loss
from cvcourse.losses.perceptual import perceptual_loss
from cvcourse.losses.prototypical import prototypical_loss
from cvcourse.losses.rebalanced_cross_entropy import rebalanced_cross_entropy_loss
from cvcourse.losses.semantic_pyramid import diversity_loss, semantic_reconstruction_loss
from cvcourse.losses.semi_hard import mine_semi_hard
from cvcourse.losses.sigmoid_focal import sigmoid_focal_loss
from cvcourse.losses.smoothness import edge_aware_smoothness_loss, total_variation
from cvcourse.losses.softmax_focal import softmax_focal_loss
from cvcourse.losses.supcon import supcon_loss
from cvcourse.losses.triplet_margin import triplet_margin_loss

__all__ = [
    "FeatureExtractor",
    "HintRegressor",
    "PathLengthPenalty",
    "alpha_gradient_loss",
    "batch_all_triplet_loss",
    "batch_hard_triplet_loss",
    "batch_nuclear_norm_loss",
    "categorical_information_bound",
    "circle_loss",
    "complete_box_iou_loss",
    "composition_loss",
    "consistency_loss",
    "contrastive_loss",
    "dice_loss",
    "distance_box_iou_loss",
    "distillation_loss",
    "diversity_loss",
    "downscale_loss",
    "edge_aware_smoothness_loss",
    "fast_batch_nuclear_norm_loss",
    "gaussian_information_bound",
    "generalized_box_iou_loss",
    "geodesic_cross_loss",
    "gradient_loss",
    "gram_matrix",
    "hinge_gan_loss",
    "hint_loss",
    "info_nce_loss",
    "label_relaxation_loss",
    "least_squares_gan_loss",
    "lovasz_hinge_loss",
    "lovasz_softmax_loss",
    "margin_loss",
    "mimic_loss",
    "mine_batch_hard",
    "mine_distance_weighted",
    "mine_hard_negatives",
    "mine_semi_hard",
    "multiscale_epe_loss",
    "non_saturating_gan_loss",
    "normalized_l1_loss",
    "nt_xent_loss",
    "pairwise_contrastive_loss",
    "path_length_penalty",
    "path_lengths",
    "perceptual_loss",
    "prototypical_loss",
    "r1_penalty",
    "rebalanced_cross_entropy_loss",
    "semantic_reconstruction_loss",
    "sigmoid_focal_loss",
    "soft_dice_score",
    "softmax_focal_loss",
    "style_loss",
    "supcon_loss",
    "total_variation",
    "triplet_margin_loss",
    "wasserstein_gan_loss",
]
