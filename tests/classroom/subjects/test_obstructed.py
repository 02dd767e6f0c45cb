"""Frames behind a window and a fence: what they were made of makes them again."""

import numpy as np
import pytest
import torch

from cvcourse.classroom.subjects.obstructed import (
    fitted,
    through_fence,
    through_window,
    velocity_behind,
)
from cvcourse.methods import translate

G = torch.Generator().manual_seed(0)
PHOTOGRAPHS = torch.nn.functional.interpolate(
    torch.rand(3, 3, 40, 40, generator=G), (160, 160), mode="bilinear"
)


@pytest.mark.parametrize("make", [through_window, through_fence])
def test_the_middle_frame_is_alpha_of_what_is_in_front(make):
    for seed in range(3):
        x = make(PHOTOGRAPHS, seed=seed)
        assert x.frames.shape == (5, 3, 96, 96)
        assert x.motion.shape == (2, 5, 2)
        assert x.motion[:, 2].eq(0).all()
        mixed = x.alpha * x.obstruction + (1 - x.alpha) * x.background
        torch.testing.assert_close(x.frames[2], mixed)
        assert 0 <= x.frames.min() <= x.frames.max() <= 1
        again = make(PHOTOGRAPHS, seed=seed)
        assert all(a.equal(b) for a, b in zip(x, again, strict=True))


def test_a_background_moves_where_its_motion_says():
    x = through_fence(PHOTOGRAPHS, seed=1)
    place = torch.arange(96.0)
    grid = torch.stack(torch.meshgrid(place, place, indexing="ij"))[[1, 0]]  # x, y
    for frame, move in zip(x.frames, x.motion[0], strict=True):
        free = []
        for row, column in ((20, 40), (48, 48), (60, 30), (30, 66), (70, 70)):
            px, py = (float(grid[k, row, column] - move[k]) for k in (0, 1))  # where it was
            left, top = int(px // 1), int(py // 1)
            a, b = px - left, py - top
            corner = x.background[:, top : top + 2, left : left + 2]
            wanted = (1 - b) * ((1 - a) * corner[:, 0, 0] + a * corner[:, 0, 1])
            wanted = wanted + b * ((1 - a) * corner[:, 1, 0] + a * corner[:, 1, 1])
            free.append((frame[:, row, column] - wanted).abs().max() < 1e-3)
        assert sum(free) >= 3  # wires hide a fifth


def test_wires_cover_about_a_fifth_and_move_faster_apart():
    for seed in range(4):
        x = through_fence(PHOTOGRAPHS, seed=seed)
        assert 0.12 < x.alpha.mean() < 0.3
        velocities = (x.motion[:, 4] - x.motion[:, 0]) / 4
        assert (velocities[0] - velocities[1]).norm() > 2 - 0.4  # and a trembling hand


@pytest.mark.parametrize("parallax", [0.25, 3.0])
def test_parallax_as_ordered(parallax):
    distances = []
    for seed in range(20):
        motion = through_window(PHOTOGRAPHS, seed=seed, parallax=parallax, size=32).motion
        distances.append(((motion[0] - motion[1])[[0, 4]].norm(dim=1) / 2).mean())
    assert torch.stack(distances).mean().item() == pytest.approx(parallax, abs=0.15)


def test_photographs_must_be_two_and_large():
    with pytest.raises(ValueError, match="128 pixels"):
        through_window(PHOTOGRAPHS[:1], seed=0)
    with pytest.raises(ValueError, match="256 pixels"):
        through_fence(PHOTOGRAPHS, seed=0, size=224)


def test_fitted_is_a_line_for_each_colour():
    g = torch.Generator().manual_seed(0)
    found, truth = torch.rand(2, 3, 9, 7, generator=g).double()
    ours = fitted(found, truth)
    for colour in range(3):
        x, y = (layer[colour].flatten().numpy() for layer in (found, truth))
        wanted = np.polyval(np.polyfit(x, y, 1), x)
        np.testing.assert_allclose(ours[colour].flatten(), wanted, atol=1e-9)


def test_fitted_finds_gain_and_offset_and_leaves_the_mean_of_a_flat_colour():
    truth = torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(fitted(0.3 * truth - 0.2, truth), truth)
    flat = fitted(torch.full_like(truth, 0.4), truth)
    torch.testing.assert_close(flat, truth.mean((1, 2), keepdim=True).expand_as(truth))


@pytest.mark.parametrize("seed", range(3))
def test_the_velocity_of_what_is_behind_a_fence(seed):
    x = through_fence(PHOTOGRAPHS, seed=seed)
    true = (x.motion[0, 4] - x.motion[0, 0]) / 4
    assert (velocity_behind(x.frames) - true).abs().max() < 0.25


def test_the_velocity_of_one_layer():
    for velocity in torch.tensor([[1.5, -0.5], [-2.25, 2.0]]):
        time = torch.arange(5.0)[:, None] - 2
        frames = translate(PHOTOGRAPHS[:1].expand(5, -1, -1, -1), velocity * time)
        torch.testing.assert_close(velocity_behind(frames), velocity, atol=0.13, rtol=0)
