"""Views and their exact depth: what depth and pose say is where the picture shows it."""

import numpy as np
import pytest
import torch

from cvcourse.data.views import WALL, Views
from cvcourse.ops import move_points, splat_points


def test_a_function_of_split_seed_and_index():
    views = Views(5, seed=3)
    images, target = views[2]
    again, _ = Views(9, seed=3)[2]
    assert torch.equal(images, again)
    assert images.shape == (2, 3, 48, 48)
    for other in (Views(5, seed=4), Views(5, seed=3, split="val")):
        assert not torch.equal(images, other[2][0])
    assert target["depth"].shape == target["moving"].shape == (2, 48, 48)
    assert images.min() >= 0
    assert images.max() <= 1


def test_depths_are_those_of_the_planes():
    _, target = Views(1, things=3)[0]
    depths = target["depth"][0].unique()
    assert 2 <= len(depths) <= 4
    assert depths[-1] == WALL
    assert depths[0] >= 1.3
    torch.testing.assert_close(target["poses"][1, :3, 3], -target["camera"][1])
    assert not target["camera"][0].any()
    moved = target["depth"][1].max() + target["camera"][1, 2]
    torch.testing.assert_close(moved, torch.tensor(WALL))


def test_splatting_by_depth_and_pose_gives_the_other_view():
    errors, copied = [], []
    for images, target in (Views(12, reach=0.3)[i] for i in range(12)):
        points = move_points(target["depth"][:1], target["intrinsics"][None], target["poses"][1:])
        features = torch.cat([images[0], torch.ones(1, 48, 48)])[None].flatten(2)
        seen = splat_points(points, features, 48, radius=1, least=0, accumulation="alpha")[0]
        covered = seen[3] > 0.6
        error = (seen[:3] / seen[3:].clamp(min=0.1) - images[1])[:, covered].square().mean()
        errors.append(error)
        copied.append((images[0] - images[1])[:, covered].square().mean())
    assert sum(errors) < 0.3 * sum(copied)


def test_a_bulge_stands_out_and_is_where_its_depth_says():
    flat, round_ = (Views(12, frames=2, reach=0.25, motion=1, bulge=b) for b in (0, 0.5))
    errors, copied = [], []
    for i in range(12):
        (_, told), (images, target) = flat[i], round_[i]
        thing = round_._draw(i)[1][-1]
        moving, radius = target["moving"][0] & told["moving"][0], thing.radius
        plane = told["depth"][0][moving]
        out = (plane - target["depth"][0][moving]) / radius
        assert out.min() >= 0
        assert out.max() <= 0.5 + 1e-5
        assert out.max() > 0.3 or moving.sum() < 40  # its middle may lie outside of the picture
        others = ~(target["moving"][0] | told["moving"][0])
        assert torch.equal(target["depth"][0][others], told["depth"][0][others])
        # rays meet the surface where it says that it is
        x, y, z = (points.numpy() for points in _points(target))
        away = ((x - thing.place[0]) ** 2 + (y - thing.place[1]) ** 2) / radius**2
        expected = thing.place[2] - 0.5 * radius * (1 - away).clip(0, 1)
        np.testing.assert_allclose(z[moving], expected[moving], atol=1e-3)
        there, _, _ = round_.look(i, 0, tuple(target["camera"][1].tolist()))
        points = move_points(target["depth"][:1], target["intrinsics"][None], target["poses"][1:])
        features = torch.cat([images[0], torch.ones(1, 48, 48)])[None].flatten(2)
        seen = splat_points(points, features, 48, radius=1, least=0)[0]
        covered = seen[3] > 0.6
        ours = seen[:3] / seen[3:].clamp(min=0.1)
        errors.append((ours - there)[:, covered].square().mean())
        copied.append((images[0] - there)[:, covered].square().mean())
    assert sum(errors) < 0.3 * sum(copied)


def _points(target):
    """Of the first frame, in the first camera's coordinates: x, y, z (48, 48) each."""
    depth, camera = target["depth"][0], target["intrinsics"]
    at = torch.arange(48.0)
    x, y = (at[None] - camera[0, 2]) / camera[0, 0], (at[:, None] - camera[1, 2]) / camera[1, 1]
    return x * depth, y * depth, depth


def test_a_still_world_stands_still_and_a_moving_one_moves():
    _, target = Views(3, frames=4)[1]
    assert not target["moving"].any()
    views = Views(8, frames=4, motion=1, reach=0)
    images, target = views[1]
    assert target["moving"].any()
    static = ~target["moving"].any(0)
    spread = images.amax(0) - images.amin(0)
    assert (spread[:, static] > 1e-6).float().mean() < 0.05  # only soft edges
    assert spread[:, ~static].max() > 0.1


def test_look_is_the_frame():
    views = Views(3, frames=3, motion=1)
    images, target = views[2]
    picture, depth, moving = views.look(2, 0.5, tuple(target["camera"][1].tolist()))
    torch.testing.assert_close(picture, images[1], rtol=0, atol=1e-4)
    assert (depth != target["depth"][1]).float().mean() < 0.01
    assert (moving != target["moving"][1]).float().mean() < 0.01


def test_one_frame_and_no_things():
    images, target = Views(1, frames=1, things=0)[0]
    assert images.shape == (1, 3, 48, 48)
    assert (target["depth"] == WALL).all()


@pytest.mark.as_user
def test_bad_input():
    for option in (
        {"frames": 0},
        {"size": 8},
        {"things": -1},
        {"reach": 2},
        {"motion": -1.0},
        {"bulge": 1},
    ):
        with pytest.raises(ValueError, match=f"^{next(iter(option))} must be"):
            Views(1, **option)
    with pytest.raises(ValueError, match="split must be"):
        Views(1, split="all")
    with pytest.raises(IndexError, match="index must be from 0 to 0, got 1"):
        Views(1)[1]
