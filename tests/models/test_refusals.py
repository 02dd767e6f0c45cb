"""Networks and methods say which argument is wrong, where torch would speak of its own."""

import pytest
import torch
from torch import nn

from cvcourse import methods, models

PICTURE, GREY = torch.zeros(2, 3, 96, 96), torch.zeros(2, 1, 96, 96)
NARROW = (4, 4, 4, 4, 4)
TRUNK = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())  # 3 features of a picture


def gated():
    net = models.GatedNetwork(3, widths=(4, 4), hidden=2)
    net.add_task(2)
    return net


def puzzle(side):
    net = models.ContextFreeNetwork(5, tiles=4, side=40, widths=NARROW, features=(8, 12))
    return net(torch.zeros(2, 4, 3, side, side))


def video(values):
    return lambda: models.I3D(num_classes=2)(values)


def frames(net):
    return net(widths=(4, 6), taps=3)(*torch.zeros(2, 1, 3, 8, 8, dtype=torch.uint8))


REFUSED = {
    "Conv4": (lambda: models.Conv4(channels=4)(GREY), "x: expected .batch, 3, height, width."),
    "ResNet12": (lambda: models.ResNet12((4, 4, 4, 4))(GREY), "x: expected .batch, 3,"),
    "RotNet": (lambda: models.RotNet(widths=(4, 4, 4, 4))(GREY), "x: expected .batch, 3,"),
    "ConvNet13": (lambda: models.ConvNet13(widths=NARROW)(GREY), "x: expected .batch, 3,"),
    "ConvNet13, its start": (
        lambda: models.ConvNet13(widths=NARROW).init_from_data_(GREY), "images: expected .batch, 3,"
    ),
    "ColorizationNet": (
        lambda: models.ColorizationNet(5, width=2)(PICTURE), "lightness: expected .batch, 1,"
    ),
    "ContextFreeNetwork": (lambda: puzzle(60), "tiles must have shape"),
    "ContextEncoder": (
        lambda: models.ContextEncoder(16, width=2, bottleneck=4)(torch.zeros(2, 1, 16, 16)),
        "images: expected .batch, 3,",
    ),
    "HoleDiscriminator": (
        lambda: models.HoleDiscriminator(8, width=2)(torch.zeros(1, 3, 32, 32)),
        "filling must be 8 x 8 pixels, got .32, 32.",
    ),
    "SimCLRHead": (lambda: models.SimCLRHead(4, 4, 2)(torch.zeros(2, 5)), "x must have shape"),
    "PIRLNetwork": (
        lambda: models.PIRLNetwork(TRUNK, features=4)(PICTURE), r"trunk must give \(2, 4\)"
    ),
    "GatedNetwork": (lambda: gated()(GREY, 0), "x: expected .batch, 3,"),
    "TaskClassifier": (
        lambda: models.TaskClassifier(2, 4)(torch.zeros(3, 2, 5)), "features must have shape"
    ),
    "L3Net": (
        lambda: models.L3Net(widths=(2, 2, 2, 2))(PICTURE, PICTURE), "spectrograms: expected"
    ),
    "PatchPairDiscriminator": (
        lambda: models.PatchPairDiscriminator(width=2, halvings=1)(PICTURE), "pairs: expected"
    ),
    "ArtifactAutoencoder": (
        lambda: models.ArtifactAutoencoder(widths=(2, 4))(GREY), "images: expected .batch, 3,"
    ),
    "SetAttention": (
        lambda: models.SetAttention(4)(torch.zeros(1, 3, 5)), "items must have shape"
    ),
    "FewShot": (
        lambda: models.FewShot()(torch.zeros(1, 5, 8), torch.zeros(1, 5, 8)),
        "support must have shape",
    ),
    "VideoConv3d": (
        lambda: models.VideoConv3d(3, 2)(torch.zeros(1, 2, 3, 4, 4)), "x: expected .batch, 3, time"
    ),
    "I3D": (video(torch.zeros(1, 3, 8, 32, 32, dtype=torch.uint8)), "x must be floating point"),
    "SepConv": (lambda: frames(models.SepConv), "first must be floating point"),
    "SepConvPP": (lambda: frames(models.SepConvPP), "first must be floating point"),
    "propagate": (
        lambda: methods.propagate(
            PICTURE, torch.zeros(2, 96, 96), torch.zeros(2, 2, 96, 96)
        ),
        "labels must be integers",
    ),
    "rebalancing_weights": (
        lambda: methods.rebalancing_weights(torch.ones(2, 3)), r"prior must have shape \(bins,\)"
    ),
    "pipeline_schedule": (
        lambda: methods.pipeline_schedule([1.0, float("nan")]), "costs: expected at least one"
    ),
    "noisy_student_loss": (
        lambda: methods.noisy_student_loss(
            torch.zeros(2, 3), torch.tensor([0, 3]), *torch.zeros(2, 1, 3)
        ),
        r"labels must have values in \[0, 2\], got 3",
    ),
    "make_puzzles": (
        lambda: methods.make_puzzles(PICTURE, torch.tensor([[1, 2, 3, 4]]), 8),
        "orders must be permutations of 0 to 3",
    ),
    "encode_colors": (
        lambda: methods.encode_colors(torch.zeros(4, 3), torch.zeros(20, 2)), "ab must have shape"
    ),
    "annealed_mean": (
        lambda: methods.annealed_mean(torch.zeros(1, 4, 2, 2), torch.zeros(5, 2)),
        "logits must be of 5 bins",
    ),
    "whiten": (
        lambda: methods.whiten(torch.full((5, 3), float("nan")), 2), "features must be finite"
    ),
}  # fmt: skip


@pytest.mark.as_user
@pytest.mark.parametrize("name", REFUSED)
def test_the_argument_is_named(name):
    call, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        call()
