"""The numbers that a loss takes when none is given are those of the papers and libraries named."""

import inspect

import pytest

from cvcourse import losses

DEFAULTS = {
    # Schroff 2015
    "batch_all_triplet_loss": {"margin": 0.2},
    "batch_hard_triplet_loss": {"margin": 0.2},
    "triplet_margin_loss": {"margin": 0.2, "p": 2.0},
    "mine_semi_hard": {"margin": 0.2},
    # Wu 2017; pytorch-metric-learning's DistanceWeightedMiner
    "margin_loss": {"margin": 0.2, "nu": 0.0},
    "mine_distance_weighted": {"cutoff": 0.5, "nonzero_loss_cutoff": 1.4},
    # pytorch-metric-learning: CircleLoss, ContrastiveLoss, SupConLoss
    "circle_loss": {"margin": 0.4, "gamma": 80.0},
    "pairwise_contrastive_loss": {"pos_margin": 0.0, "neg_margin": 1.0},
    "supcon_loss": {"temperature": 0.1},
    # Hadsell 2006, He 2020, Chen 2020, Snell 2017
    "contrastive_loss": {"margin": 1.0},
    "info_nce_loss": {"temperature": 0.07},
    "nt_xent_loss": {"temperature": 0.5},
    "prototypical_loss": {"temperature": 1.0},
    # torchvision.ops
    "complete_box_iou_loss": {"eps": 1e-7},
    "distance_box_iou_loss": {"eps": 1e-7},
    "generalized_box_iou_loss": {"eps": 1e-7},
    "sigmoid_focal_loss": {"alpha": 0.25, "gamma": 2.0},
    # Lin 2017; Liu 2016 (SSD); segmentation-models-pytorch's DiceLoss
    "softmax_focal_loss": {"gamma": 2.0},
    "mine_hard_negatives": {"ratio": 3.0, "min_negatives": 0},
    "dice_loss": {"smooth": 0.0, "eps": 1e-7},
    # Dosovitskiy 2015 (FlowNet), Menon 2020 (PULSE), torchvision's ImageNet pictures
    "multiscale_epe_loss": {"weights": (0.005, 0.01, 0.02, 0.08, 0.32)},
    "downscale_loss": {"p": 2, "eps": 2e-3},
    "FeatureExtractor": {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_numbers_of_papers_and_libraries(name):
    parameters = inspect.signature(getattr(losses, name)).parameters
    assert {key: parameters[key].default for key in DEFAULTS[name]} == DEFAULTS[name]
