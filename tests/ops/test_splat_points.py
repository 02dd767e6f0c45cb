"""The soft z-buffer against SynSin's own numbers, a loop over pixels and points, closed forms."""

import math

import pytest
import torch

from cvcourse.ops import move_points, splat_points
from tests.oracle import generative_golden
from tests.oracles.fill_weights import formula_tensor

ACCUMULATION = {"alphacomposite": "alpha", "wsum": "sum", "wsumnorm": "mean"}
WAYS = pytest.mark.parametrize("accumulation", ["alpha", "sum", "mean"])


def naive(points, features, size, radius, most, power, accumulation, least):
    """For each pixel a list of all points; nearest first."""
    height, width = size
    out = features.new_zeros(*features.shape[:2], height, width)
    for b in range(len(points)):
        for i in range(height):
            for j in range(width):
                found = []
                for n, (x, y, z) in enumerate(points[b].tolist()):
                    d = (x - j) ** 2 + (y - i) ** 2
                    if d < radius**2 and z >= 0:
                        found.append((z, n, d))
                found, through, total = sorted(found)[:most], 1.0, 0.0
                for _, n, d in found:
                    alpha = (1 - math.sqrt(max(d / radius**2, least))) ** power
                    share = alpha * through if accumulation == "alpha" else alpha
                    out[b, :, i, j] += share * features[b, :, n]
                    through, total = through * (1 - alpha), total + alpha
                if accumulation == "mean":
                    out[b, :, i, j] /= max(total, 1e-4)
    return out


def cloud(batch=2, count=60, height=6, width=7, dtype=torch.float64):
    extent = torch.tensor([width + 2, height + 2, 3], dtype=dtype)
    points = torch.rand(batch, count, 3, dtype=dtype) * extent - torch.tensor([1, 1, 0.2])
    return points, torch.randn(batch, 3, count, dtype=dtype)


@WAYS
@pytest.mark.parametrize("options", [(4, 128, 1, 1e-3), (1.5, 3, 2, 0), (0.7, 1, 0.5, 0)], ids=str)
def test_naive_loop(accumulation, options):
    points, features = cloud()
    radius, most, power, least = options
    got = splat_points(
        points, features, (6, 7), radius=radius, points_per_pixel=most, power=power,
        accumulation=accumulation, least=least,
    )  # fmt: skip
    want = naive(points, features, (6, 7), *options[:3], accumulation, least)
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("name", ["alpha_r2", "wsum_r1p5_tau2", "wsumnorm_r1"])
@pytest.mark.parametrize("pose", ["identity", "moved"])
def test_equals_the_authors_renderer(name, pose):
    """Their points are in [-1, 1], (2 i + 1) / W - 1 at the centre of pixel i."""
    meta, golden = generative_golden(f"synsin_{name}")
    config = meta["config"]
    width, channels = config["W"], config["C"]
    features = formula_tensor(f"synsin_{name}/features", (1, channels, width, width), -1, 1)
    points = torch.from_numpy(golden[f"{pose}_points"]).mT.clone()
    points[..., :2] = ((points[..., :2] + 1) * width - 1) / 2
    got = splat_points(
        points, features.flatten(2).double(), width, radius=config["radius"],
        points_per_pixel=config["points_per_pixel"], power=config["tau"],
        accumulation=ACCUMULATION[config["accumulation"]],
    )  # fmt: skip
    want = torch.from_numpy(golden[pose])
    torch.testing.assert_close(got, want, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["alpha_r2", "wsum_r1p5_tau2", "wsumnorm_r1"])
@pytest.mark.parametrize("pose", ["identity", "moved"])
def test_points_are_the_authors(name, pose):
    """Their grid is linspace(-1, 1, W), and the camera looks along -z with y upwards."""
    meta, golden = generative_golden(f"synsin_{name}")
    config = meta["config"]
    width, focal = config["W"], config["focal"]
    depth = formula_tensor(f"synsin_{name}/depth", (1, 1, width, width), 1, 3).double()
    half = (width - 1) / 2
    intrinsics = torch.tensor([[[focal * half, 0, half], [0, focal * half, half], [0, 0, 1.0]]])
    # a point of theirs, in units of K⁻¹, is (x / f, -y / f, -1) z
    x, y, z = config["translation"] if pose == "moved" else (0.0, 0.0, 0.0)
    move = torch.eye(4)[None].clone()
    move[0, :3, 3] = torch.tensor([x, -y, -z])
    got = move_points(depth[:, 0], intrinsics.double(), move.double())
    want = torch.from_numpy(golden[f"{pose}_points"]).mT
    torch.testing.assert_close(got[..., :2] / half - 1, want[..., :2], rtol=0, atol=1e-7)
    torch.testing.assert_close(got[..., 2], want[..., 2], rtol=0, atol=1e-7)


def grid(batch, height, width, dtype=torch.float32):
    eye = torch.eye(4, dtype=dtype).expand(batch, 4, 4)
    intrinsics = torch.tensor([[60.0, 0, width / 2], [0, 60, height / 2], [0, 0, 1]], dtype=dtype)
    return intrinsics.expand(batch, 3, 3), eye


@pytest.mark.parametrize("size", [(1, 1), (5, 8), (48, 33)], ids=str)
def test_identity_gives_the_input(size):
    """Centred grid, a radius of one pixel, exclusive, the normalised sum and no clamp."""
    features = torch.randn(2, 3, *size)
    places = torch.stack(
        torch.meshgrid(*(torch.arange(float(n)) for n in size[::-1]), indexing="xy"), -1
    )
    depth = 1 + 9 * torch.rand(2, *size)
    points = torch.cat((places.expand(2, *size, 2), depth[..., None]), -1).flatten(1, 2)
    exact = {"radius": 1, "accumulation": "mean", "least": 0}
    assert torch.equal(splat_points(points, features.flatten(2), size, **exact), features)
    moved = move_points(depth, *grid(2, *size))
    got = splat_points(moved, features.flatten(2), size, **exact)
    torch.testing.assert_close(got, features, rtol=0, atol=1e-4)


def test_error_of_identity_grows_with_the_radius():
    features, depth = torch.randn(1, 2, 24, 24), 1 + torch.rand(1, 24, 24)
    points = move_points(depth, *grid(1, 24, 24))
    errors = [
        (splat_points(points, features.flatten(2), 24, radius=r) - features.view(1, 2, 24, 24))
        .square()
        .mean()
        .item()
        for r in (1, 2, 4)
    ]
    assert 0 < errors[0] < 0.01 < errors[1] < errors[2]


def test_nearer_covers_farther():
    points = torch.tensor([[[1.0, 0, 2], [1, 0, 1], [0, 0, -1]]])
    features = torch.tensor([[[5.0, 7, 9]]])
    got = splat_points(points, features, (1, 3), radius=1, least=0)
    assert got.flatten().tolist() == [0, 7, 0]
    half = splat_points(points + torch.tensor([0.5, 0, 0]), features, (1, 3), radius=1)
    torch.testing.assert_close(half[0, 0, 0, 1], torch.tensor(0.5 * 7 + 0.25 * 5))


@WAYS
def test_gradcheck(accumulation):
    points, features = cloud(1, 12, 4, 5)
    points, features = points.requires_grad_(), features.requires_grad_()

    def call(p, f):
        return splat_points(p, f, (4, 5), radius=1.7, accumulation=accumulation)

    assert torch.autograd.gradcheck(call, (points, features))


def test_gradient_where_a_point_covers_all_is_finite():
    points = torch.tensor([[[1.0, 1, 1], [1, 1, 2], [1.5, 1, 3]]], requires_grad=True)
    features = torch.ones(1, 1, 3, requires_grad=True)
    splat_points(points, features, 3, radius=1, least=0).sum().backward()
    assert points.grad.isfinite().all()
    assert features.grad.isfinite().all()


def test_gradcheck_of_moved_points():
    depth = (1 + torch.rand(1, 2, 3, dtype=torch.float64)).requires_grad_()
    intrinsics, pose = grid(1, 2, 3, torch.float64)
    pose = (pose + 0.1 * torch.rand(1, 4, 4, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda d, p: move_points(d, intrinsics, p), (depth, pose))


def test_a_shift_moves_by_focal_length_over_depth():
    depth = torch.tensor([[[2.0, 4.0]]])
    intrinsics, pose = grid(1, 1, 2)
    pose = pose.clone()
    pose[:, 0, 3] = -0.1
    got = move_points(depth, intrinsics, pose)
    torch.testing.assert_close(got[0, :, 0], torch.tensor([0 - 3.0, 1 - 1.5]))
    pose[:, 2, 3] = -2  # the first point lies in the camera, the second in front of it
    assert move_points(depth, intrinsics, pose)[0, :, 2].tolist() == [-1, 2]


def test_nan_and_far_points_are_not_there():
    strange = [math.nan, math.inf, -math.inf, 1e30, -1e30]
    points = torch.tensor([[[v, 1.0, 1] for v in strange] + [[1.0, 1, v] for v in strange[:3]]])
    got = splat_points(points, torch.ones(1, 1, 8), 3)
    assert not got.any()


@pytest.mark.parametrize("shape", [(0, 3, 5), (2, 0, 5), (2, 3, 0)], ids=str)
def test_empty_everything(shape):
    batch, channels, count = shape
    features = torch.ones(shape, requires_grad=True)
    got = splat_points(torch.ones(batch, count, 3), features, (4, 5))
    assert got.shape == (batch, channels, 4, 5)
    assert count or not got.any()
    got.sum().backward()


@pytest.mark.as_user
def test_bad_input():
    points, features = torch.zeros(2, 5, 3), torch.zeros(2, 4, 5)
    wrong = {
        r"points must have shape \(2, 5, 3\), got \(2, 3, 5\)": ((points.mT, features, 4), {}),
        r"points must have shape \(batch, points, 3\)": ((points[0], features, 4), {}),
        r"features must have shape \(batch, channels, points\)": ((points, features[0], 4), {}),
        "features must be floating point": ((points, features.long(), 4), {}),
        "size must be one or two integers >= 1": ((points, features, 0), {}),
        "radius must be positive": ((points, features, 4), {"radius": 0}),
        "power must be positive": ((points, features, 4), {"power": -1.0}),
        "points_per_pixel must be at least 1": ((points, features, 4), {"points_per_pixel": 0}),
        "accumulation must be one of": ((points, features, 4), {"accumulation": "wsum"}),
        r"least must lie in \[0, 1\)": ((points, features, 4), {"least": 1.0}),
    }
    for message, (arguments, options) in wrong.items():
        with pytest.raises(ValueError, match=message):
            splat_points(*arguments, **options)
    depth, (intrinsics, pose) = torch.ones(2, 3, 4), grid(2, 3, 4)
    with pytest.raises(ValueError, match=r"pose must have shape \(2, 4, 4\), got \(2, 3, 3\)"):
        move_points(depth, intrinsics, intrinsics)
    with pytest.raises(ValueError, match=r"intrinsics must have shape \(2, 3, 3\)"):
        move_points(depth, intrinsics[:1], pose)
    with pytest.raises(ValueError, match="target_intrinsics must be floating"):
        move_points(depth, intrinsics, pose, intrinsics.long())
    with pytest.raises(ValueError, match=r"depth must have shape \(batch, height, width\)"):
        move_points(depth[None], intrinsics, pose)
