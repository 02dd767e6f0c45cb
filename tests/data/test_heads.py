import math

import pytest
import torch

from cvcourse.data.heads import draw_head, draw_light, shine


def test_a_function_of_split_seed_and_index():
    head = draw_head(3, seed=5)
    assert all(torch.equal(a, b) for a, b in zip(head, draw_head(3, seed=5), strict=True))
    for other in (draw_head(4, seed=5), draw_head(3, seed=6), draw_head(3, seed=5, split="test")):
        assert not torch.equal(head.albedo, other.albedo)
    assert torch.equal(draw_light(2), draw_light(2))
    assert not torch.equal(draw_light(2), draw_light(3))


@pytest.mark.parametrize("size", [32, 49])
def test_ranges(size):
    for i in range(3):
        head = draw_head(i, size=size)
        assert head.albedo.shape == (3, size, size)
        assert head.mask.shape == (size, size)
        assert 0.2 < head.mask.float().mean() < 0.8
        assert head.albedo[:, head.mask].min() > 0
        assert head.albedo.max() <= 1
        torch.testing.assert_close(head.normals.norm(dim=0), torch.ones(size, size))
        assert (head.normals[2] > 0).all()


def test_normals_are_those_of_the_height():
    """Central differences, where the surface is not steep."""
    head = draw_head(1, size=256)
    step = 2 * 2 / 256
    slope_x = (head.height[1:-1, 2:] - head.height[1:-1, :-2]) / step
    slope_y = (head.height[2:, 1:-1] - head.height[:-2, 1:-1]) / step
    normals = head.normals[:, 1:-1, 1:-1]
    inner = -torch.nn.functional.max_pool2d(-head.mask[None].float(), 5, 1, 2)[0, 1:-1, 1:-1]
    flat = (normals[2] > 0.6) & (inner > 0)
    torch.testing.assert_close((-normals[0] / normals[2])[flat], slope_x[flat], rtol=0, atol=2e-2)
    torch.testing.assert_close((-normals[1] / normals[2])[flat], slope_y[flat], rtol=0, atol=2e-2)


def test_light_from_the_camera_casts_no_shadow():
    head = draw_head(0)
    lit = shine(head, torch.tensor([0.0, 0, 1]))
    assert lit.visible.all()
    torch.testing.assert_close(lit.shading[0], head.normals[2])
    torch.testing.assert_close(lit.image, head.albedo * lit.shading + lit.highlight)
    assert lit.highlight.max() == pytest.approx(0.35, abs=0.02)


def test_light_from_the_side_casts_some():
    low = torch.tensor([math.sqrt(1 - 0.2**2), 0, 0.2])
    shares = []
    for i in range(6):
        head = draw_head(i)
        hidden = ~shine(head, low).visible[0]
        assert not hidden[~head.mask].any()
        shares.append((hidden & head.mask).sum() / head.mask.sum())
        right = head.normals[0] > 0.8
        assert hidden[right].float().mean() < 0.2  # what faces the light sees it
    assert max(shares) > 0.1


def test_lights_are_unit_vectors_before_the_head():
    lights = torch.stack([draw_light(i) for i in range(200)])
    torch.testing.assert_close(lights.norm(dim=1), torch.ones(200))
    assert lights[:, 2].min() > 0.3
    assert abs(lights[:, :2].mean()) < 0.1
    assert lights[:, 2].mean() == pytest.approx(0.655, abs=0.05)


@pytest.mark.as_user
def test_bad_input():
    for options in ({"size": 8}, {"seed": -1}, {"split": "all"}):
        with pytest.raises(ValueError, match=f"^{next(iter(options))} must be"):
            draw_head(0, **options)
    with pytest.raises(ValueError, match="index must be"):
        draw_head(-1)
    with pytest.raises(ValueError, match="light must be a unit vector"):
        shine(draw_head(0), torch.ones(3))
