"""How a network learns, where a paper adds something around network and loss. One paper a file.

Methods take networks and numbers as arguments and build no networks. SciPy and scikit-learn are
asked for only by the functions that need them.
"""

from cvcourse.methods.adversarial import (
    draw_codes,
    forger_losses,
    information_losses,
    judge_losses,
)
from cvcourse.methods.alae import (
    alae_forger_losses,
    alae_judge_losses,
    equalized_rates,
    latent_reciprocity_loss,
)
from cvcourse.methods.background_matting import (
    adapted_matting_losses,
    image_where_opaque,
    shifted_composite,
    supervised_matting_losses,
)
from cvcourse.methods.bigan import bigan_forger_losses, bigan_judge_losses
from cvcourse.methods.blur_estimation import BlurEstimate, Memory, estimate_blur
from cvcourse.methods.channel_gating import (
    EpisodicMemory,
    FrozenFilters,
    GenerativeMemory,
    classify,
    sparsity_loss,
    used_filters,
)
from cvcourse.methods.clusterfit import clusterfit_labels
from cvcourse.methods.clustering import (
    UniformClusterSampler,
    k_means,
    repair_empty_clusters,
    whiten,
)
from cvcourse.methods.colorization import annealed_mean, encode_colors, rebalancing_weights
from cvcourse.methods.context_encoder import cut_centre, filling_loss
from cvcourse.methods.context_prediction import context_pairs, drop_colors, project_colors
from cvcourse.methods.cross_modal import correspondence_pairs, text_topics
from cvcourse.methods.deepcluster import (
    deepcluster_labels,
    normalized_mutual_information,
    reset_classifier,
)
from cvcourse.methods.design_space import (
    Complexity,
    Design,
    Line,
    complexity,
    draw_anynet,
    draw_line,
    error_band,
    error_distribution,
    good_range,
    sample_designs,
)
from cvcourse.methods.domain_randomization import AutomaticDomainRandomization, Boundary
from cvcourse.methods.dynamic_views import (
    FusionLosses,
    blend_backgrounds,
    fusion_losses,
    scale_invariant_gradient,
    scene_flow_loss,
)
from cvcourse.methods.episodes import EpisodeSampler
from cvcourse.methods.gan_compression import (
    CYCLEGAN_CHOICES,
    PIX2PIX_CHOICES,
    Found,
    compression_losses,
    evolve_channels,
    sample_channels,
)
from cvcourse.methods.grnn import grnn
from cvcourse.methods.jigsaw import jigsaw_permutations, make_puzzles
from cvcourse.methods.label_propagation import compose_flows, flow_is_consistent, propagate
from cvcourse.methods.layered_depth_inpainting import (
    Layer,
    Regions,
    cut_links,
    depth_edges,
    diffuse,
    grow_regions,
    inpaint_with_networks,
    layered_depth,
    render_layers,
)
from cvcourse.methods.limited_context_inpainting import (
    LimitedContext,
    erase_middle,
    inpainting_loss,
    limited_context_batch,
    paste_patches,
    patch_discriminator_loss,
    patch_pairs,
    thin_plate_flow,
    warp_smoothly,
)
from cvcourse.methods.matting_inputs import perturb_background, rough_segmentation
from cvcourse.methods.mean_teacher import MeanTeacher, update_average
from cvcourse.methods.mixnmatch import (
    background_discriminator_loss,
    background_generator_loss,
    background_patches,
    draw_factors,
    encoder_loss,
    pair_critic_loss,
    pair_fooling_loss,
    shape_of_texture,
)
from cvcourse.methods.moco import MoCo
from cvcourse.methods.multitask import (
    StopAndGo,
    accuracy_of_regions,
    answer_loss,
    choice_loss,
    region_targets,
    round_robin,
)
from cvcourse.methods.noisy_student import noisy_student_loss, select_pseudo_labels
from cvcourse.methods.obstruction_removal import (
    Layers,
    WithoutFence,
    aligned_mean,
    reconstruct_layers,
    remove_fence,
    separate_layers,
    translate,
)
from cvcourse.methods.parallel_pipeline import DepthParallel, Schedule, pipeline_schedule
from cvcourse.methods.pirl import PIRL, shuffled_tiles
from cvcourse.methods.pulse import (
    MappedGaussian,
    PulseResult,
    SphericalSteps,
    fit_mapping,
    linear_cycle_then_drop,
    pulse,
)
from cvcourse.methods.ramps import sigmoid_rampdown, sigmoid_rampup
from cvcourse.methods.rbm import contrastive_divergence, pretrain_layers
from cvcourse.methods.rotation import rotate
from cvcourse.methods.semantic_pyramid import (
    draw_pyramid_masks,
    pyramid_masks,
)
from cvcourse.methods.sideways import sideways
from cvcourse.methods.simclr import SimCLR
from cvcourse.methods.split_brain import split_brain_losses, split_brain_targets
from cvcourse.methods.spot_artifacts import (
    drop_positions,
    local_average,
    repair_loss,
    spotted_mask_loss,
    spotting_loss,
)
from cvcourse.methods.starganv2 import (
    StarGANv2,
    StarGANv2Batch,
    StarGANv2Weights,
    starganv2_discriminator_loss,
    starganv2_generator_loss,
    starganv2_step,
)
from cvcourse.methods.stefann import (
    EditedWord,
    edit_word,
    fit_height,
    glyph_square,
    most_frequent_color,
    shift_boxes,
)
from cvcourse.methods.style_transfer import style_transfer
from cvcourse.methods.stylegan2_training import lazy_adam, mix_styles
from cvcourse.methods.taskonomy import (
    Taxonomy,
    Transfer,
    find_taxonomy,
    ordinal_affinities,
    win_rates,
)
from cvcourse.methods.temporal_ensembling import TemporalEnsembling
from cvcourse.methods.temporal_redundancy import DeltaLayer, delta_network
from cvcourse.methods.weight_average import WeightAverage, half_life_decay

__all__ = [
    "CYCLEGAN_CHOICES",
    "PIRL",
    "PIX2PIX_CHOICES",
    "AutomaticDomainRandomization",
    "BlurEstimate",
    "Boundary",
    "Complexity",
    "DeltaLayer",
    "DepthParallel",
    "Design",
    "EditedWord",
    "EpisodeSampler",
    "EpisodicMemory",
    "Found",
    "FrozenFilters",
    "FusionLosses",
    "GenerativeMemory",
    "Layer",
    "Layers",
    "LimitedContext",
    "Line",
    "MappedGaussian",
    "MeanTeacher",
    "Memory",
    "MoCo",
    "PulseResult",
    "Regions",
    "Schedule",
    "SimCLR",
    "SphericalSteps",
    "StarGANv2",
    "StarGANv2Batch",
    "StarGANv2Weights",
    "StopAndGo",
    "Taxonomy",
    "TemporalEnsembling",
    "Transfer",
    "UniformClusterSampler",
    "WeightAverage",
    "WithoutFence",
    "accuracy_of_regions",
    "adapted_matting_losses",
    "alae_forger_losses",
    "alae_judge_losses",
    "aligned_mean",
    "annealed_mean",
    "answer_loss",
    "background_discriminator_loss",
    "background_generator_loss",
    "background_patches",
    "bigan_forger_losses",
    "bigan_judge_losses",
    "blend_backgrounds",
    "choice_loss",
    "classify",
    "clusterfit_labels",
    "complexity",
    "compose_flows",
    "compression_losses",
    "context_pairs",
    "contrastive_divergence",
    "correspondence_pairs",
    "cut_centre",
    "cut_links",
    "deepcluster_labels",
    "delta_network",
    "depth_edges",
    "diffuse",
    "draw_anynet",
    "draw_codes",
    "draw_factors",
    "draw_line",
    "draw_pyramid_masks",
    "drop_colors",
    "drop_positions",
    "edit_word",
    "encode_colors",
    "encoder_loss",
    "equalized_rates",
    "erase_middle",
    "error_band",
    "error_distribution",
    "estimate_blur",
    "evolve_channels",
    "filling_loss",
    "find_taxonomy",
    "fit_height",
    "fit_mapping",
    "flow_is_consistent",
    "forger_losses",
    "fusion_losses",
    "glyph_square",
    "good_range",
    "grnn",
    "grow_regions",
    "half_life_decay",
    "image_where_opaque",
    "information_losses",
    "inpaint_with_networks",
    "inpainting_loss",
    "jigsaw_permutations",
    "judge_losses",
    "k_means",
    "latent_reciprocity_loss",
    "layered_depth",
    "lazy_adam",
    "limited_context_batch",
    "linear_cycle_then_drop",
    "local_average",
    "make_puzzles",
    "mix_styles",
    "most_frequent_color",
    "noisy_student_loss",
    "normalized_mutual_information",
    "ordinal_affinities",
    "pair_critic_loss",
    "pair_fooling_loss",
    "paste_patches",
    "patch_discriminator_loss",
    "patch_pairs",
    "perturb_background",
    "pipeline_schedule",
    "pretrain_layers",
    "project_colors",
    "propagate",
    "pulse",
    "pyramid_masks",
    "rebalancing_weights",
    "reconstruct_layers",
    "region_targets",
    "remove_fence",
    "render_layers",
    "repair_empty_clusters",
    "repair_loss",
    "reset_classifier",
    "rotate",
    "rough_segmentation",
    "round_robin",
    "sample_channels",
    "sample_designs",
    "scale_invariant_gradient",
    "scene_flow_loss",
    "select_pseudo_labels",
    "separate_layers",
    "shape_of_texture",
    "shift_boxes",
    "shifted_composite",
    "shuffled_tiles",
    "sideways",
    "sigmoid_rampdown",
    "sigmoid_rampup",
    "sparsity_loss",
    "split_brain_losses",
    "split_brain_targets",
    "spotted_mask_loss",
    "spotting_loss",
    "starganv2_discriminator_loss",
    "starganv2_generator_loss",
    "starganv2_step",
    "style_transfer",
    "supervised_matting_losses",
    "text_topics",
    "thin_plate_flow",
    "translate",
    "update_average",
    "used_filters",
    "warp_smoothly",
    "whiten",
    "win_rates",
]
