"""What a hostile caller hands in: each gets a documented value or an error that names it."""

import warnings
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from cvcourse import models
from cvcourse.models.segmentation.dense_crf import crf_energy, free_energy, mean_field
from tests.models.examples import NETWORKS, arguments, network, polar_mask
from tests.models.small import small_backbone, small_detector

pytestmark = pytest.mark.as_user

DETECTORS = ["EfficientDet", "FCOS", "FasterRCNN", "MaskRCNN", "PolarMask", "RetinaNet"]
every_detector = pytest.mark.parametrize("name", DETECTORS)


def detector(name, num_classes=3, **options):
    if name == "PolarMask":
        return polar_mask(num_classes, **options)
    return small_detector(getattr(models, name), num_classes, **options)


def as_numpy(value):
    if isinstance(value, torch.Tensor):
        return value.numpy()
    if isinstance(value, dict):
        return {key: as_numpy(v) for key, v in value.items()}
    if isinstance(value, int):  # the number of a task
        return value
    return type(value)(as_numpy(v) for v in value)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_arrays_of_numpy_are_named_in_every_network(name, training):
    model = network(name).train(training)
    with pytest.raises((ValueError, TypeError), match=r"numpy\.ndarray"):
        model(*as_numpy(arguments(name)))


@pytest.mark.parametrize(
    ("name", "key"),
    [(name, key) for name in DETECTORS for key in ("boxes", "labels")]
    + [("MaskRCNN", "masks"), ("PolarMask", "masks")],
)
def test_arrays_of_numpy_are_named_in_targets(name, key):
    images, targets = arguments(name)
    targets[0][key] = targets[0][key].numpy()
    with pytest.raises(ValueError, match=rf"targets\[0\]\['{key}'\] must be a tensor, .*ndarray"):
        network(name)(images, targets)


MAP, MAPS, LABELS = np.zeros((1, 2)), np.zeros((1, 2, 4, 4)), np.zeros((4, 4), dtype=np.int64)
UNARY, KERNEL = torch.zeros(2, 3), torch.zeros(3, 3)
FUNCTIONS = {
    "images": [
        lambda: models.dense_crf(torch.zeros(1, 2, 4, 4), MAPS),
        lambda: models.overlap_tile(nn.Identity(), MAPS, tile=4, margin=2),
        lambda: models.gradient_footprint(nn.Identity(), MAPS),
    ],
    "logits": [lambda: models.dense_crf(MAPS, torch.zeros(1, 3, 4, 4))],
    "compatibility": [
        lambda: models.dense_crf(
            torch.zeros(1, 2, 4, 4), torch.zeros(1, 3, 4, 4), compatibility=np.eye(2)
        )
    ],
    "labels": [lambda: crf_energy(LABELS[0, :3], UNARY, KERNEL)],
    "unary": [lambda: mean_field(UNARY.numpy(), KERNEL)],
    "kernel": [lambda: mean_field(UNARY, KERNEL.numpy())],
    "q": [lambda: free_energy(UNARY.numpy(), UNARY, KERNEL)],
    "instances": [lambda: models.separation_weights(LABELS)],
    "pixels": [lambda: models.enet_class_weights(np.zeros(3))],
    "target": [
        lambda: models.label_guidance_loss([torch.rand(1, 2, 4, 4)] * 3, LABELS[None]),
        lambda: network("PointRendSemantic").losses(torch.rand(1, 3, 4, 4), LABELS[None]),
    ],
    "masks": [lambda: models.masks_to_rays(MAPS[0] > 0, torch.zeros(2, 2))],
    "centers": [
        lambda: models.masks_to_rays(torch.zeros(1, 4, 4).bool(), MAP),
        lambda: models.rays_to_polygons(MAP, torch.ones(1, 4)),
    ],
    "distances": [lambda: models.rays_to_polygons(torch.ones(1, 2), MAP)],
    "polygons": [lambda: models.polygons_to_masks(MAPS[0], (4, 4))],
    r"boxes\[0\]": [lambda: network("MaskRCNN").segment([torch.rand(3, 9, 9)], [np.ones((1, 4))])],
}


@pytest.mark.parametrize(
    ("name", "call"), [(n, c) for n, calls in FUNCTIONS.items() for c in calls]
)
def test_arrays_of_numpy_are_named_in_every_function(name, call):
    with pytest.raises(ValueError, match=f"^{name} must be a tensor, got <class 'numpy.ndarray'>"):
        call()


WITH_CLASSES = {
    "AnyNet", "BlurClassifier", "ConvNet13", "DeconvNet", "ENet", "EfficientNet", "FCN",
    "FCNResNet", "I3D", "ICNet", "MobileNetV2", "PointRendMaskHead", "PointRendSemantic", "RegNet",
    "ResNet", "ResNet3d", "RotNet", "SegNet", "SegNetBasic", "SlowFast",
    "SpatialTransformerNetwork", "TransformationClassifier", "UNet", "VGG", *DETECTORS,
}  # fmt: skip


@pytest.mark.parametrize("num_classes", [0, -1])
@pytest.mark.parametrize("name", sorted(WITH_CLASSES))
def test_no_classes_are_refused(name, num_classes):
    make = partial(detector, name) if name in DETECTORS else getattr(models, name)
    arguments = {"channels": 16} if name == "PointRendMaskHead" else {}
    with (
        torch.device("meta"),
        pytest.raises(ValueError, match=rf"num_classes: expected at least \d, got {num_classes}"),
    ):
        make(num_classes=num_classes, **arguments)


def test_every_network_with_classes_is_here():
    takes = {
        name for name in NETWORKS if "num_classes" in getattr(models, name).__init__.__annotations__
    }
    assert takes == WITH_CLASSES


def test_the_background_alone_is_refused():
    with pytest.raises(ValueError, match="num_classes: expected at least 2, got 1"):
        detector("FasterRCNN", 1)


class Trunk(nn.Module):
    """What a tutorial wraps around a trunk: a width, and one map instead of a dictionary."""

    def __init__(self, out_channels):
        super().__init__()
        self.conv, self.out_channels = nn.Conv2d(3, 16, 3, padding=1), out_channels

    def forward(self, x):
        return self.conv(x)


def classifier():
    return models.ResNet(3, block=models.BasicBlock, depths=(1, 1, 1), width=8)


@every_detector
def test_a_classifier_is_no_backbone(name):
    given = models.VGG(3, stages=((4,),), hidden=4)
    with pytest.raises(ValueError, match=r"backbone: expected a network .* got VGG of None"):
        detector(name, backbone=given)
    if name != "EfficientDet":  # which takes a trunk, a width for each map
        with pytest.raises(ValueError, match=r"backbone: expected .* got ResNet of \[8, 16, 32\]"):
            detector(name, backbone=classifier())


@every_detector
def test_a_backbone_that_gives_one_map_is_named(name):
    wide = name == "EfficientDet"
    model = detector(name, backbone=classifier() if wide else Trunk(16)).eval()
    kind = "a list of maps" if wide else "a dictionary of levels"
    given = "ResNet" if wide else "Trunk"
    with pytest.raises(
        ValueError, match=f"backbone: expected {kind} from it, got Tensor from {given}"
    ):
        model([torch.rand(3, 64, 64)])


def test_a_backbone_of_too_few_maps_is_named():
    trunk = models.ResNetFeatures(block=models.BasicBlock, depths=(1, 1), width=8)
    with pytest.raises(ValueError, match=r"backbone: expected .* 3 maps or more, .* of \[8, 16\]"):
        detector("EfficientDet", backbone=trunk)


def test_a_semantic_backbone_that_is_a_classifier_is_named():
    with pytest.raises(ValueError, match=r"backbone: expected .* got ResNet of \[8, 16, 32\]"):
        models.PointRendSemantic(3, backbone=classifier())
    model = models.PointRendSemantic(3, backbone=Trunk(16)).eval()
    with pytest.raises(
        ValueError, match="backbone: expected a dictionary of levels from it, got T"
    ):
        model(torch.rand(1, 3, 32, 32))


@pytest.mark.parametrize("name", ["FCOS", "PolarMask", "RetinaNet"])
def test_a_norm_that_does_not_fit_the_backbone_is_named(name):
    norm = partial(nn.GroupNorm, 32)
    with pytest.raises(ValueError, match=r"head_norm: expected one for 16 channels, .*num_groups"):
        detector(name, head_norm=norm)


def test_a_norm_that_does_not_fit_the_coarse_head_is_named():
    with pytest.raises(ValueError, match=r"coarse_norm: expected one for 8 channels, .*num_groups"):
        models.PointRendSemantic(3, backbone=small_backbone(), coarse_channels=8)


@pytest.mark.parametrize(
    "shape", [(2, 1, 28, 32), (2, 1, 32, 32), (2, 3, 28, 28), (1, 28, 28), (28, 28)], ids=str
)
def test_pictures_of_another_size_in_a_spatial_transformer(shape):
    with pytest.raises(ValueError, match=r"images: expected each of \(1, 28, 28\), as in_channels"):
        models.SpatialTransformerNetwork()(torch.rand(shape))


class TestRangeOfPictures:
    @every_detector
    @pytest.mark.parametrize("training", [False, True])
    def test_0_to_255_is_an_error_as_it_is_for_bytes(self, name, training):
        images, targets = arguments(name)
        model = detector(name).train(training)
        with pytest.raises(
            ValueError, match=r"images\[0\]: expected floats between 0 and 1 .* got to"
        ):
            model([image * 255 for image in images], targets)

    def test_the_picture_is_named(self):
        with pytest.raises(ValueError, match=r"images\[1\]: .* torch.float32 from 0\.0 to 255\.0"):
            detector("FCOS").eval()([torch.rand(3, 9, 9), 255 * torch.eye(9).expand(3, 9, 9)])

    def test_means_of_bytes_are_for_pictures_of_bytes(self):
        model = detector("FCOS", image_mean=(123.7, 116.3, 103.5), image_std=(1.0, 1.0, 1.0)).eval()
        model([255 * torch.rand(3, 32, 32)])

    def test_bright_and_noisy_pictures_are_taken_and_the_first_ones_tell(self):
        model = detector("FCOS").eval()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model([3 * torch.randn(3, 32, 32).clamp(-3, 3)])
            model([255 * torch.rand(3, 32, 32)])
