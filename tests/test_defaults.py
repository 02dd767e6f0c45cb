"""The reference wing says the same whatever PyTorch's default dtype and default device are."""

import contextlib
import copy
import inspect
from functools import partial

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from cvcourse import losses, methods, metrics, models, ops
from cvcourse.losses.distance_weighted import distance_weights
from cvcourse.methods.domain_randomization import AutomaticDomainRandomization
from tests.losses.examples import LOSSES, MINERS
from tests.metrics import test_autocast, test_labels
from tests.models.examples import NETWORKS, arguments, network
from tests.ops.calls import calls

DETECTORS = ["EfficientDet", "FCOS", "FasterRCNN", "MaskRCNN", "PointRendRCNN", "PolarMask"]
DETECTORS += ["RetinaNet"]
# on the default device, unless one is given
KERNELS = {"defocus_kernel", "gaussian_kernel", "motion_kernel"}
MADE_ANEW = {"anchor_grid", "default_boxes", *KERNELS}
ON_THE_DEFAULT_DEVICE = {"draw_codes"}
TAKE_NETWORKS = {"StarGANv2", "latent_reciprocity_loss", "pair_critic_loss"}


@contextlib.contextmanager
def float64():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


DEFAULTS = {"dtype": float64, "device": lambda: torch.device("meta")}


def empty_coco(kind):
    none = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0).long(), "scores": torch.zeros(0)}
    masks = {**none, "masks": torch.zeros(0, 4, 4, dtype=torch.bool)}
    return lambda: metrics.coco_average_precision([masks], [masks], iou_type=kind)


def numbers():
    values, generator = [1.0, 5.0, 2.5], torch.Generator()
    return {
        "list": lambda: metrics.bootstrap_interval(values, generator=generator.manual_seed(0)),
        "statistic": lambda: metrics.bootstrap_interval(
            values, statistic=max, n=20, generator=generator.manual_seed(0)
        ),
    }


def randomised():
    model = AutomaticDomainRandomization(
        [0.0, 1.0], step=[0.1, 0.1], limits=[(0, 1), (0, 2)], t_low=0.1, t_high=0.9
    )
    generator = torch.Generator().manual_seed(0)
    return model.sample(3, generator=generator), model.sample_boundary(3, generator=generator)[1]


def of_losses():
    for name, make in (LOSSES | MINERS).items():
        function = getattr(losses, name) if "weighted" not in name else distance_weights
        yield name, partial(function, *make())
    extractor = losses.FeatureExtractor(nn.Sequential(nn.Conv2d(3, 4, 3)), ["0"])
    yield "FeatureExtractor", partial(extractor, torch.rand(1, 3, 8, 8))
    x, y = torch.rand(2, 3, requires_grad=True), torch.rand(2, 3, 1, 1)
    graph = torch.enable_grad()
    yield "r1_penalty", graph(lambda: losses.r1_penalty(x.square().sum(1), x).detach())
    lengths = graph(lambda: losses.path_lengths(x.square()[..., None, None], x, y).detach())
    yield "path_lengths", lengths
    mean = torch.rand(()), torch.rand(2)
    yield "path_length_penalty", partial(losses.path_length_penalty, *mean[::-1])
    weights = {"alpha": [1.0, 2.0, 3.0]}
    pair = torch.randn(6, 3), torch.arange(6) % 3
    yield "softmax_focal_loss, weighted", partial(losses.softmax_focal_loss, *pair, **weights)


def of_ops():
    for name, (inputs, options) in calls().items():
        if name not in MADE_ANEW:
            yield name, partial(getattr(ops, name), *inputs, **options)
    maps, boxes = torch.rand(2, 1, 8, 8), torch.rand(2, 2, 2).cumsum(1).flatten(1)
    yield "roi_align, list", partial(ops.roi_align, maps, [boxes, boxes[:0]], 2)
    yield "roi_align, none", partial(ops.roi_align, maps, [boxes[:0], boxes[:0]], 2)


def of_metrics():
    yield from test_autocast.calls(torch.float32).items()
    yield from test_labels.calls(torch.int64).items()
    yield from numbers().items()
    for kind in ("bbox", "segm"):
        yield f"coco_average_precision, {kind}, no instances", empty_coco(kind)
    masks = torch.rand(2, 9, 9) < 0.5
    yield "boundary_iou", partial(metrics.boundary_iou, masks[0], masks[1])


def of_models():
    crf, cells = (torch.randn(1, 2, 5, 5), torch.rand(1, 3, 5, 5)), torch.tensor([[0, 1, 0, 2]] * 3)
    yield "dense_crf", partial(models.dense_crf, *crf)
    yield "dense_crf, filtered", partial(models.dense_crf, *crf, exact=False)
    yield "separation_weights", partial(models.separation_weights, cells)
    given = {"class_weights": (1.0, 2.0)}
    yield "separation_weights, given", partial(models.separation_weights, cells, **given)
    yield "enet_class_weights", partial(models.enet_class_weights, torch.tensor([3, 4]))
    tiles = {"tile": 4, "margin": 2}
    yield (
        "overlap_tile",
        partial(models.overlap_tile, nn.Identity(), torch.rand(1, 1, 9, 9), **tiles),
    )
    masks = torch.rand(2, 9, 9) < 0.5
    yield "masks_to_rays", partial(models.masks_to_rays, masks, torch.rand(2, 2))
    yield "AutomaticDomainRandomization", randomised


def of_methods():
    points, image, depth = torch.rand(5, 2), torch.rand(3, 9, 12), torch.full((9, 12), 5.0)
    depth[3:7, 4:9] = 1
    yield "grnn", partial(methods.grnn, points, points, points[:3], sigma=0.5)
    layers = partial(methods.layered_depth, image, depth)
    yield "layered_depth", layers
    yield "render_layers", partial(methods.render_layers, layers(), focal=9.0, shift=(0.2, 0, 0))
    few = {"scales": (2, 1), "steps": (2, 2), "tries": 3}
    yield (
        "remove_fence",
        partial(
            methods.remove_fence,
            torch.rand(1, 3, 3, 12, 16),
            translations=lambda first, second: (first.mean((2, 3))[:, :2],) * 2,
            fusions=[models.FenceFusion(others=2, widths=(4,)) for _ in range(2)],
            flow=lambda first, second: (first - second)[:, :2],
        ),
    )
    yield "separate_layers", partial(methods.separate_layers, torch.rand(3, 3, 18, 20), **few)
    start, low = torch.randn(2, 2, 3 * 16), torch.rand(1, 3, 2, 2)
    search = partial(methods.pulse, lambda v: v.mean(1).view(-1, 3, 4, 4), low, start, steps=2)
    yield "pulse", search
    features = losses.FeatureExtractor(nn.Sequential(nn.Conv2d(3, 4, 3)), ["0"])
    options = {"content_layers": (0,), "style_layers": (0,), "evaluations": 2}
    pictures = image[None], image.flip(0)[None]
    yield "style_transfer", partial(methods.style_transfer, features, *pictures, **options)
    alpha = 2 * torch.rand(1, 1, 9, 12) - 1
    yield (
        "shifted_composite",
        partial(methods.shifted_composite, alpha, pictures[0], pictures[1], alpha, margin=1),
    )
    weights = torch.randn(4, 2), torch.zeros(4), torch.zeros(2), points
    yield "contrastive_divergence", partial(methods.contrastive_divergence, *weights)
    yield from of_questions()
    yield from of_samplers()
    yield from of_memories()
    yield from of_designs()


def seeded():
    return {"generator": torch.Generator().manual_seed(0)}


def of_questions():
    """Pretext tasks: what they draw, they draw alike."""
    images, square = torch.rand(4, 3, 20, 20), {"patch": 9, "hole": 5, "crop": 12}
    orders = methods.jigsaw_permutations(5, 4)
    yield from {
        "context_pairs": lambda: methods.context_pairs(images, 4, gap=1, jitter=1, **seeded()),
        "drop_colors": lambda: methods.drop_colors(images, **seeded()),
        "project_colors": lambda: methods.project_colors(images),
        "make_puzzles": lambda: methods.make_puzzles(images, orders, 8, **seeded()),
        "shuffled_tiles": lambda: methods.shuffled_tiles(images, 5, **seeded()),
        "erase_middle": lambda: methods.erase_middle(images, 6, **seeded()),
        "warp_smoothly": lambda: methods.warp_smoothly(images, points=5, **seeded()),
        "limited_context_batch": lambda: methods.limited_context_batch(
            images, lambda x: x.flip(3), **square, **seeded()
        ),
        "drop_positions": lambda: methods.drop_positions(images, **seeded()),
        "correspondence_pairs": lambda: methods.correspondence_pairs(6, **seeded()),
        "rotate": lambda: methods.rotate(images),
        "cut_centre": lambda: methods.cut_centre(images),
        "perturb_background": lambda: methods.perturb_background(images, **seeded()),
        "rough_segmentation": lambda: methods.rough_segmentation(
            images[:, :1], erode=(1, 3), dilate=(1, 3), hole_sides=(3,), blurs=(5,), **seeded()
        ),
        "draw_pyramid_masks": lambda: methods.draw_pyramid_masks([images], share=1.0, **seeded()),
        "draw_factors": lambda: methods.draw_factors(3, **seeded()),
        "mix_styles": lambda: methods.mix_styles(images[0], images[1], **seeded()),
    }.items()


def of_samplers():
    features, assignments = torch.randn(12, 3), torch.tensor([0, 3] * 6)
    labels = torch.arange(30) % 3
    few = {"ways": 2, "shots": 1, "queries": 3, "episodes": 4}
    repair = partial(methods.repair_empty_clusters, features, assignments, 5)
    yield "repair_empty_clusters", lambda: repair(**seeded())
    yield "k_means", partial(methods.k_means, features, 3)
    yield "whiten", partial(methods.whiten, features, 2)
    for name, length in (("none replaced", 5), ("replaced", 40)):
        options = {"length": length}
        yield (
            f"UniformClusterSampler, {name}",
            lambda options=options: list(
                methods.UniformClusterSampler(assignments, **options, **seeded())
            ),
        )
    yield "EpisodeSampler", lambda: list(methods.EpisodeSampler(labels, **few, **seeded()))


def of_designs():
    values, errors = torch.rand(2, 12).unbind()
    choices = [[4, 2], [8, 4, 2]]
    few = {"cost": sum, "budget": 9, "population": 4, "generations": 2}
    yield "draw_anynet", lambda: methods.draw_anynet(**seeded())
    yield "draw_line", lambda: methods.draw_line(**seeded())
    yield "error_band", lambda: methods.error_band(errors, values, n=5, **seeded())
    yield "good_range", lambda: methods.good_range(values, errors, n=5, **seeded())
    yield "sample_channels", lambda: methods.sample_channels(choices, **seeded())
    evolve = partial(methods.evolve_channels, choices, lambda channels: -sum(channels), **few)
    yield "evolve_channels", lambda: evolve(**seeded())
    layers, data = [nn.Linear(3, 2), nn.Linear(2, 2)], torch.rand(7, 3)

    def pretrained():
        trained = copy.deepcopy(layers)
        methods.pretrain_layers(trained, data, epochs=1, batch_size=4, **seeded())
        return [layer.weight for layer in trained]

    yield "pretrain_layers", pretrained


def of_memories():
    """Modules with a state of their own, made before and asked anew each time."""
    x, y = torch.randn(2, 6, 4).unbind()
    rows = torch.arange(6)
    for shuffle in (1, 2):
        moco = methods.MoCo(nn.Linear(4, 3), 3, queue=8, shuffle=shuffle).eval()
        yield f"MoCo, {shuffle}", lambda moco=moco: copy.deepcopy(moco).train()(x, y)
    pirl = methods.PIRL(9, 4, negatives=3)
    yield "PIRL", lambda: copy.deepcopy(pirl)(x, y, rows)
    net = models.GatedNetwork(3, widths=(4, 5), hidden=2)
    net.add_task(2)
    used = [rows[:width] % 2 == 0 for width in (4, 5)]

    def close():
        changed = copy.deepcopy(net)
        frozen = methods.FrozenFilters(changed)
        frozen.close_task(changed, 0, used, **seeded())
        return frozen.free(), list(frozen.state_dict().values()), list(changed.parameters())

    yield "FrozenFilters", close

    def remember():
        memory = methods.EpisodicMemory(2, **seeded())
        memory.add(x, rows % 2, 1)
        memory.add(y, rows % 2, 0)
        return memory.sample(5)

    yield "EpisodicMemory", remember
    made = methods.GenerativeMemory(nn.Linear(2, 4), nn.Linear(4, 1), 2)
    yield "GenerativeMemory", torch.enable_grad()(lambda: made.critic_loss(x).detach())
    yield "GenerativeMemory, generator", lambda: made.generator_loss(5)


FUNCTIONS = {
    f"{room}: {name}": call
    for room, entries in (
        ("losses", of_losses()),
        ("ops", of_ops()),
        ("metrics", of_metrics()),
        ("models", of_models()),
        ("methods", of_methods()),
    )
    for name, call in entries
}


def assert_same(call, default):
    results = []
    for context in (contextlib.nullcontext, DEFAULTS[default]):
        torch.manual_seed(0)
        with context(), torch.no_grad():
            results.append(tree_leaves(call()))
    want, got = results
    # a share of counts is a number without a dtype of its own: it has the default one
    torch.testing.assert_close(got, want, check_dtype=False, equal_nan=True)
    for tensor in (x for x in got if isinstance(x, torch.Tensor)):
        assert tensor.device.type == "cpu"


@pytest.mark.parametrize("default", DEFAULTS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, default):
    assert_same(FUNCTIONS[name], default)


@pytest.mark.parametrize("default", DEFAULTS)
@pytest.mark.parametrize(
    ("name", "training"),
    [(name, False) for name in sorted(NETWORKS)] + [(name, True) for name in DETECTORS],
)
def test_networks(name, training, default):
    assert_same(partial(network(name).train(training), *arguments(name)), default)


@pytest.mark.parametrize("default", DEFAULTS)
def test_losses_of_points(default):
    images, target = torch.rand(2, 3, 16, 48), torch.zeros(2, 16, 48).long()
    assert_same(partial(network("PointRendSemantic").losses, images, target), default)


def test_every_public_name_is_here():
    named = {name.split(": ")[1].split(",")[0] for name in FUNCTIONS}
    public = {*losses.__all__, *metrics.__all__, *ops.__all__}
    assert public - named - MADE_ANEW == {"HintRegressor", "PathLengthPenalty"}  # kinds


def test_every_method_that_draws_is_here():
    named = {name.split(": ")[1].split(",")[0] for name in FUNCTIONS}
    draws = {
        name
        for name in methods.__all__
        if callable(thing := getattr(methods, name))
        and "generator" in inspect.signature(thing).parameters
    }
    assert draws - named == ON_THE_DEFAULT_DEVICE | TAKE_NETWORKS
