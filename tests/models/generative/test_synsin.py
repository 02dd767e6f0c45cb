"""SynSin: sizes, the authors' networks on formula weights, the identity, and who learns what."""

import pytest
import torch

from cvcourse.models import SynSin, load_pretrained
from cvcourse.models.generative.synsin import NOISE, PUBLISHED_NAMES
from cvcourse.ops import move_points
from tests.oracle import formula_tensor, formula_value, generative_golden

SMALL = {"features": 5, "width": 4, "depth_width": 4, "levels": 3}


def camera(batch, size=16, shift=0.0):
    intrinsics = torch.tensor([[size * 1.2, 0, size / 2], [0, size * 1.2, size / 2], [0, 0, 1]])
    pose = torch.eye(4).repeat(batch, 1, 1)
    pose[:, 0, 3] = shift
    return intrinsics.expand(batch, 3, 3), pose


@pytest.fixture(scope="module")
def paper():
    """At paper scale; on the CPU, for power iterations on the meta device take half a minute."""
    return SynSin()


def test_sizes(paper):
    model = paper
    parts = (model.encoder, model.depth, model.refinement, model)
    sizes = [sum(p.numel() for p in part.parameters()) for part in parts]
    assert sizes == [431_064, 9_795_137, 3_578_066, 13_804_267]


def published(meta):
    """A plain state dict in the authors' layout."""
    weights = {}
    renamed = (("stored_", "running_"), ("weight_orig", "weight"))
    for name, shape in meta["state_dict"]:
        own = name
        for theirs, ours in renamed:
            own = own.replace(theirs, ours)
        weights[name] = formula_value(own, shape).double()
        if name.endswith("num_batches_tracked"):
            weights[name] = torch.zeros(shape, dtype=torch.int64)
    for name in [name for name in weights if name.endswith("weight_orig")]:
        u, _, v = torch.linalg.svd(weights[name].flatten(1), full_matrices=False)
        weights[name[:-4] + "u"], weights[name[:-4] + "v"] = u[:, 0], v[0]
    return weights


def test_equals_the_authors_networks(tmp_path):
    meta, golden = generative_golden("synsin_nets")
    torch.save(published(meta), tmp_path / "published.pth")
    model = SynSin(width=8, depth_width=4).double()
    load_pretrained(model, tmp_path / "published.pth", names=PUBLISHED_NAMES).eval()

    def run(name, shape, net):
        x = formula_tensor(f"synsin_nets/{name}", shape, -1, 1).double()
        torch.manual_seed(0)
        noise = torch.stack([torch.randn(2, NOISE) for _ in range(16)], 1).double()
        with torch.no_grad():
            out = net(x, noise).flatten()
        want = torch.from_numpy(golden[name])
        torch.testing.assert_close(out[:: -(-out.numel() // 400)], want, rtol=0, atol=1e-9)

    run("encoder", (2, 3, 16, 12), model.encoder)
    run("pts_regressor", (1, 3, 256, 256), lambda x, noise: model.depth(x))
    run("projector", (2, 64, 16, 12), model.refine)


def test_every_published_name_is_used(paper):
    own = paper.state_dict().keys()
    ours = {name for name in PUBLISHED_NAMES.values() if name is not None}
    unused = [n for n in ours if not any(o == n or o.startswith(n + ".") for o in own)]
    bare = [n for n in unused if not n.split(".shortcut")[0].startswith(("encoder", "refinement"))]
    assert not bare  # only shortcuts that are the identity
    assert all(any(o == n or o.startswith(n + ".") for n in ours) for o in own)


def test_identity_pose_gives_the_features_back():
    torch.manual_seed(0)
    model = SynSin(**SMALL, radius=1, accumulation="mean", least=0).eval()
    images, noise = torch.rand(2, 3, 16, 16) * 2 - 1, torch.randn(2, 32, NOISE)
    out = model(images, *camera(2), noise)
    features = model.encoder(images, noise[:, :16])
    torch.testing.assert_close(out.projected, features, rtol=0, atol=1e-3)
    blurred = SynSin(**SMALL).eval()
    blurred.load_state_dict(model.state_dict())
    error = (blurred(images, *camera(2), noise).projected - features).abs().mean()
    assert error > 0.1 * features.abs().mean()  # the authors' radius of 4


@pytest.mark.parametrize("size", [(16, 16), (17, 22), (9, 13)], ids=str)
@pytest.mark.parametrize("batch", [1, 3])
def test_odd_sizes_and_single_pictures(size, batch):
    out = SynSin(**SMALL)(torch.rand(batch, 3, *size), *camera(batch))
    assert out.view.shape == (batch, 3, *size)
    assert out.depth.shape == (batch, *size)
    assert out.projected.shape == (batch, 5, *size)
    assert out.view.abs().max() <= 1
    assert 0.5 <= out.depth.min() <= out.depth.max() <= 10


def test_depth_learns_from_the_new_view_alone():
    """Of textured planes at depth 2, seen from 0.4 to the right: no depth is ever told."""
    torch.manual_seed(0)
    model = SynSin(**SMALL, depth_range=(1, 6), radius=1.5, points_per_pixel=8)
    coarse = torch.rand(4, 3, 5, 12) * 2 - 1
    wide = torch.nn.functional.interpolate(coarse, (16, 24), mode="bilinear")
    intrinsics, pose = camera(4, 16, -0.4)
    disparity = round(1.2 * 16 * 0.4 / 2)
    first, second = wide[..., :16], wide[..., disparity : 16 + disparity]
    before = (model.predict_depth(first) - 2).abs().mean().item()
    optimizer = torch.optim.Adam(model.depth.parameters(), 3e-3)
    for _ in range(40):
        points = move_points(model.predict_depth(first), intrinsics, pose)
        seen = model.splat(points, first.flatten(2), 16)
        loss = (seen - second)[..., 2:11].abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (model.predict_depth(first) - 2).abs().mean() < before / 2


def test_inverse_depth():
    model = SynSin(**SMALL, inverse_depth=True)
    depth = model.predict_depth(torch.rand(1, 3, 16, 16))
    assert depth.min() >= 1 / 10.01
    assert depth.max() <= 100


def test_half_precision_weights_keep_depth_in_float32():
    model = SynSin(**SMALL).bfloat16().eval()
    out = model(torch.rand(1, 3, 16, 16).bfloat16(), *camera(1))
    assert out.depth.dtype == torch.float32
    assert out.view.dtype == torch.bfloat16


@pytest.mark.as_user
def test_bad_input():
    model, (intrinsics, pose) = SynSin(**SMALL), camera(2)
    images = torch.rand(2, 3, 16, 16)
    with pytest.raises(ValueError, match=r"images: expected \(batch, 3, height, width\)"):
        model(images[:, :1], intrinsics, pose)
    with pytest.raises(ValueError, match=r"pose must have shape \(2, 4, 4\)"):
        model(images, intrinsics, pose[:1])
    with pytest.raises(ValueError, match=r"noise: expected \(2, 32, 20\), got \(1, 32, 20\)"):
        model(images, intrinsics, pose, torch.zeros(1, 32, 20))
    for message, options in {
        "features: expected at least 1": {"features": 0},
        "width: expected at least 2": {"width": 1},
        "levels: expected at least 2": {"levels": 1},
        "depth_range: expected 0 < least": {"depth_range": (0, 1)},
        "accumulation: expected one of": {"accumulation": "wsum"},
    }.items():
        with pytest.raises(ValueError, match=message):
            SynSin(**{**SMALL, **options})
