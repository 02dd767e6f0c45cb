"""Pose: the authors' targets, reading and loss; PoseNet's size."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvcourse.models import (
    PoseNet,
    ResNetFeatures,
    joint_heatmaps,
    joint_loss,
    read_joints,
)
from cvcourse.models.language import pose
from cvcourse.models.pretrained import load_pretrained
from tests import oracle
from tests.models import golden


def case():
    meta, want = oracle.design_language_golden("pose_heatmaps")
    rows = torch.tensor(meta["joints_x_y_visible"])
    return rows[..., :2], rows[..., 2] > 0, want


def test_targets_are_the_authors():
    joints, visible, want = case()
    maps, weight = joint_heatmaps(joints, visible, (16, 16), stride=4, sigma=1)
    np.testing.assert_allclose(maps, want["target"], atol=1e-6, rtol=0)
    np.testing.assert_array_equal(weight, want["weight"][..., 0])


def test_reading_and_loss_are_the_authors():
    _, _, want = case()
    target = torch.from_numpy(want["target"])
    made = oracle.formula_tensor("pose/pred", target.shape, 0, 0.25) + 0.9 * target.roll(1, 2)
    places, value = read_joints(made, quarter=False)
    np.testing.assert_allclose(places, want["max_xy"], atol=0)
    np.testing.assert_allclose(value[..., None], want["max_value"], atol=1e-6)
    moved, _ = read_joints(made)
    np.testing.assert_allclose(moved, want["quarter_offset_xy"], atol=1e-6)
    weight = torch.from_numpy(want["weight"])[..., 0]
    assert joint_loss(made, target, weight).item() == pytest.approx(
        float(want["loss_weighted"]), abs=1e-6
    )
    assert joint_loss(made, target).item() == pytest.approx(
        float(want["loss_unweighted"]), abs=1e-6
    )


def test_loss_of_nothing_is_0():
    maps = torch.zeros(0, 3, 4, 5, requires_grad=True)
    assert joint_loss(maps, maps.detach(), torch.zeros(0, 3)) == 0
    assert torch.autograd.grad(joint_loss(maps, maps.detach()), maps)[0].shape == maps.shape


def test_loss_of_halves_is_computed_in_float32():
    maps, target = (300 * torch.randn(2, 3, 4, 5).half() for _ in range(2))
    expected = F.mse_loss(maps.float(), target.float()) / 2  # squares beyond float16's 65,504
    torch.testing.assert_close(joint_loss(maps, target), expected)


def test_targets_by_a_loop():
    joints = torch.tensor([[[13.0, 30.0], [50.0, 7.0]]])
    maps, weight = joint_heatmaps(joints, torch.tensor([[True, False]]), (12, 16), sigma=1.5)
    expected = torch.zeros(1, 2, 12, 16)
    x, y = int(13 / 4 + 0.5), int(30 / 4 + 0.5)
    for row in range(12):
        for column in range(16):
            if max(abs(row - y), abs(column - x)) <= 4.5:
                squared = (row - y) ** 2 + (column - x) ** 2
                expected[0, 0, row, column] = np.exp(-squared / (2 * 1.5**2))
    torch.testing.assert_close(maps, expected)
    assert weight.tolist() == [[1, 0]]


def test_a_joint_comes_back_within_half_a_pixel_of_the_map():
    joints = 12 + 40 * torch.rand(30, 1, 2)
    maps, _ = joint_heatmaps(joints, torch.ones(30, 1, dtype=torch.bool), (16, 16))
    places, value = read_joints(maps, quarter=False)
    assert (value == 1).all()
    assert ((places * 4 - joints).abs() <= 2).all()


def test_the_quarter_goes_to_the_larger_neighbour_and_not_at_the_border():
    maps = torch.zeros(1, 3, 6, 7)
    maps[0, 0, 3, 3], maps[0, 0, 3, 4], maps[0, 0, 2, 3] = 1.0, 0.5, 0.2
    maps[0, 1, 3, 1], maps[0, 1, 3, 2] = 1.0, 0.5
    places, _ = read_joints(maps)
    assert places[0].tolist() == [[3.25, 2.75], [1.0, 3.0], [0.0, 0.0]]


def published(width: int, joints: int) -> dict[str, torch.Tensor]:
    """Names and shapes of the authors' `PoseResNet` with one bottleneck in each layer."""
    weights = {}

    def conv_norm(conv: str, norm: str, *shape: int, transposed: bool = False) -> None:
        weights[f"{conv}.weight"] = torch.randn(shape) / (shape[2] * shape[1] ** 0.5)
        channels = shape[1] if transposed else shape[0]
        for leaf in ("weight", "running_var"):
            weights[f"{norm}.{leaf}"] = 0.5 + torch.rand(channels)
        for leaf in ("bias", "running_mean"):
            weights[f"{norm}.{leaf}"] = torch.randn(channels)
        weights[f"{norm}.num_batches_tracked"] = torch.tensor(7)

    conv_norm("conv1", "bn1", width, 3, 7, 7)
    seen = width
    for i in range(4):
        at, inner = f"layer{i + 1}.0", width * 2**i
        conv_norm(f"{at}.conv1", f"{at}.bn1", inner, seen, 1, 1)
        conv_norm(f"{at}.conv2", f"{at}.bn2", inner, inner, 3, 3)
        conv_norm(f"{at}.conv3", f"{at}.bn3", 4 * inner, inner, 1, 1)
        conv_norm(f"{at}.downsample.0", f"{at}.downsample.1", 4 * inner, seen, 1, 1)
        seen = 4 * inner
    for i in (0, 3, 6):
        names = f"deconv_layers.{i}", f"deconv_layers.{i + 1}"
        conv_norm(*names, seen, 6, 4, 4, transposed=True)
        seen = 6
    weights["final_layer.weight"] = torch.randn(joints, seen, 1, 1)
    weights["final_layer.bias"] = torch.randn(joints)
    return weights


def authors(weights: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """lib/models/pose_resnet.py, by its names, layer after layer."""

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        leaves = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(weights[f"{name}.{leaf}"] for leaf in leaves))

    def conv(name: str, x: torch.Tensor, **options) -> torch.Tensor:
        return F.conv2d(x, weights[f"{name}.weight"], **options)

    x = F.max_pool2d(norm("bn1", conv("conv1", x, stride=2, padding=3)).relu(), 3, 2, 1)
    for i in range(1, 5):
        at, stride = f"layer{i}.0", 1 if i == 1 else 2
        y = norm(f"{at}.bn1", conv(f"{at}.conv1", x)).relu()
        y = norm(f"{at}.bn2", conv(f"{at}.conv2", y, stride=stride, padding=1)).relu()
        y = norm(f"{at}.bn3", conv(f"{at}.conv3", y))
        x = norm(f"{at}.downsample.1", conv(f"{at}.downsample.0", x, stride=stride)) + y
        x = x.relu()
    for i in (0, 3, 6):
        kernel = weights[f"deconv_layers.{i}.weight"]
        x = norm(
            f"deconv_layers.{i + 1}", F.conv_transpose2d(x, kernel, stride=2, padding=1)
        ).relu()
    return conv("final_layer", x, bias=weights["final_layer.bias"])


def test_published_weights_load_by_their_names(tmp_path):
    weights = published(width=4, joints=5)
    torch.save(weights, tmp_path / "pose_resnet.pth.tar")
    trunk = ResNetFeatures(depths=(1, 1, 1, 1), width=4)
    net = PoseNet(5, trunk=trunk, channels=(6, 6, 6)).eval()
    load_pretrained(net, tmp_path / "pose_resnet.pth.tar", names=pose.PUBLISHED_NAMES)
    images = torch.randn(2, 3, 64, 96)
    weights = {name: value.double() for name, value in weights.items()}
    with torch.no_grad():
        found, want = net.double()(images.double()), authors(weights, images.double())
    assert found.shape == (2, 5, 16, 24)
    torch.testing.assert_close(found, want)


def test_size_of_the_paper():
    """The authors' table: 34.0M for ResNet-50."""
    with torch.device("meta"):
        net = PoseNet()
        maps = net(torch.empty(1, 3, 256, 192))
    assert maps.shape == (1, 17, 64, 48)
    assert golden.parameter_count(net) == 33_999_697


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PoseNet(0), "joints: expected at least 1, got 0"),
        (
            lambda: PoseNet()(torch.rand(1, 4, 32, 32)),
            r"x must have shape \(B, 3, H, W\), got \(1, 4, 32, 32\)",
        ),
        (
            lambda: joint_heatmaps(torch.zeros(3, 2), torch.ones(3).bool(), (4, 4)),
            r"joints must have shape \(batch, joints, 2\), got \(3, 2\)",
        ),
        (
            lambda: joint_heatmaps(torch.zeros(1, 3, 2), torch.ones(1, 3).bool(), (4, 4), sigma=0),
            "sigma must be positive and finite, got 0",
        ),
        (
            lambda: joint_loss(torch.rand(2, 3, 4, 5), torch.rand(1, 3, 4, 5)),
            r"target must have the shape of heatmaps, \(2, 3, 4, 5\), got \(1, 3, 4, 5\)",
        ),
        (
            lambda: joint_loss(*torch.rand(2, 2, 3, 4, 5), torch.rand(2, 1)),
            r"weight must have the shape of heatmaps\[:, :, 0, 0\], \(2, 3\), got \(2, 1\)",
        ),
        (lambda: read_joints(torch.zeros(1, 1, 4, 4).long()), "heatmaps must be floating point"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
