import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvcourse.methods import SphericalSteps, fit_mapping, linear_cycle_then_drop, pulse
from cvcourse.ops import resize_bicubic
from tests import oracle


def test_spherical_adam_equals_the_authors():
    _, want = oracle.restoration_golden("pulse")
    z = torch.from_numpy(want["z0"]).clone().requires_grad_()
    target = torch.from_numpy(want["target"])
    optimizer = torch.optim.Adam([z], 0.4)
    on_sphere = SphericalSteps(optimizer)
    for step in want["z_steps"]:
        optimizer.zero_grad()
        (z - target).square().sum().backward()
        on_sphere.step()
        np.testing.assert_allclose(z.detach(), step, atol=1e-9)


def test_noise_is_on_a_sphere_for_each_picture():
    noise = torch.randn(2, 1, 3, 4, requires_grad=True)
    before = noise.detach().flatten(1).norm(dim=1)
    optimizer = torch.optim.SGD([noise], 10.0)
    on_sphere = SphericalSteps(optimizer)
    (noise**3).sum().backward()
    on_sphere.step()
    torch.testing.assert_close(noise.detach().flatten(1).norm(dim=1), before)


def test_schedule_equals_the_authors():
    _, want = oracle.restoration_golden("pulse")
    got = [linear_cycle_then_drop(step, 100) for step in range(100)]
    np.testing.assert_allclose(got, want["schedule"], atol=1e-9)


def test_fit_finds_what_a_mapping_says_before_its_activation():
    generator = torch.Generator().manual_seed(0)
    mean, std = torch.tensor([0.5, -2.0, 0.0]), torch.tensor([1.0, 0.3, 2.0])
    z = torch.randn(20_000, 3, generator=generator)
    fit = fit_mapping(lambda z: F.leaky_relu(z * std + mean, 0.2), z, batch=3000)
    before = z * std + mean
    torch.testing.assert_close(fit.mean, before.mean(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fit.std, before.std(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        fit(z[None, :3]), F.leaky_relu(z[None, :3] * fit.std + fit.mean, 0.2)
    )


def generator_of(layers=3, dimensions=6, side=8):
    """Smooth pictures, as a sum of one linear part for each layer."""
    g = torch.Generator().manual_seed(1)
    weights = torch.randn(layers, dimensions, 3 * side * side, generator=g) / dimensions**0.5

    def generate(v, *noise):
        out = torch.einsum("bld,ldp->bp", v, weights.to(v)).sigmoid().view(-1, 3, side, side)
        return out + sum(0.1 * F.interpolate(n, (side, side)) for n in noise)

    return generate


class TestSearch:
    def test_pictures_that_look_different_and_are_the_same_when_small(self):
        generate, g = generator_of(), torch.Generator().manual_seed(2)
        truth = generate(torch.randn(1, 3, 6, generator=g))
        low = resize_bicubic(truth, 2, border="reflect")
        start = torch.randn(8, 3, 6, generator=g)
        result = pulse(generate, low, start, eps=1e-3, cross_weight=0.0)
        assert result.accepted.sum() >= 6
        small = resize_bicubic(result.images, 2, border="reflect")
        errors = (small - low).square().mean((1, 2, 3))
        torch.testing.assert_close(result.errors, errors)
        assert torch.equal(result.accepted, errors <= 1e-3)
        found = result.images[result.accepted].flatten(1)
        assert F.pdist(found).min() > 0.5
        torch.testing.assert_close(result.latents.norm(dim=2), start.norm(dim=2))
        torch.testing.assert_close(generate(result.latents), result.images)

    def test_starts_do_not_see_each_other(self):
        generate, g = generator_of(), torch.Generator().manual_seed(3)
        low, start = torch.rand(2, 3, 2, 2, generator=g), torch.randn(2, 3, 6, generator=g)
        both = pulse(generate, low, start, steps=10)
        for i in range(2):
            alone = pulse(generate, low[i : i + 1], start[i : i + 1], steps=10)
            torch.testing.assert_close(alone.images[0], both.images[i])

    def test_cross_loss_draws_the_layers_together(self):
        generate, g = generator_of(), torch.Generator().manual_seed(4)
        low, start = torch.rand(1, 3, 2, 2, generator=g), torch.randn(4, 3, 6, generator=g)
        angles = []
        for weight in (0.0, 5.0):
            z = pulse(generate, low, start, cross_weight=weight, eps=0.0).latents
            unit = F.normalize(z, dim=2)
            angles.append((unit @ unit.mT).mean())
        assert angles[1] > angles[0]

    def test_a_small_weight_draws_them_together_too(self):
        """Alone: the other loss falls by itself, so that the last step is the best."""
        generate, g = generator_of(), torch.Generator().manual_seed(4)
        low, start = torch.zeros(1, 3, 2, 2), torch.randn(4, 3, 6, generator=g)
        falling = iter(range(100, 0, -1))
        options = {"downscale": lambda x: next(falling) + 0 * x[..., :2, :2], "eps": 0.0}
        z = pulse(generate, low, start, cross_weight=0.05, steps=20, **options).latents
        before, after = (F.normalize(v, dim=2) for v in (start, z))
        assert (after @ after.mT).mean() > (before @ before.mT).mean() + 0.05

    def test_noise_and_map(self):
        generate, g = generator_of(), torch.Generator().manual_seed(5)
        noise = [torch.randn(2, 1, 4, 4, generator=g), torch.zeros(2, 1, 8, 8)]
        low, start = torch.rand(1, 3, 2, 2, generator=g), torch.randn(2, 3, 6, generator=g)
        fit = fit_mapping(lambda z: F.leaky_relu(z, 0.2), torch.randn(1000, 6, generator=g))
        options = {"noise": noise, "trained_noise": 1, "latent_map": fit, "steps": 20}
        result = pulse(generate, low, start, **options)
        fixed = pulse(generate, low, start, **{**options, "trained_noise": 0})
        assert (result.errors <= fixed.errors).all()
        assert not torch.equal(result.images, fixed.images)
        assert noise[1].eq(0).all()

    def test_exactly_eps_is_enough(self):
        low, start = torch.full((1, 3, 2, 2), 0.25), torch.ones(2, 1, 4)
        result = pulse(
            lambda z: 0 * z.sum() + torch.full((2, 3, 2, 2), 0.75),
            low, start, downscale=lambda x: x, eps=0.25, cross_weight=0.0, steps=1,
        )  # fmt: skip
        assert result.errors.tolist() == [0.25] * 2
        assert result.accepted.all()

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_under_autocast(self, dtype):
        generate, g = generator_of(), torch.Generator().manual_seed(6)
        low, start = torch.rand(1, 3, 2, 2, generator=g), torch.randn(2, 3, 6, generator=g)
        want = pulse(generate, low, start, steps=1)
        with torch.autocast("cpu", dtype=dtype):
            got = pulse(generate, low, start, steps=1)
        torch.testing.assert_close(got.errors, want.errors, rtol=0.05, atol=0.01)
        assert got.latents.dtype == torch.float32


@pytest.mark.as_user
def test_bad_input():
    generate, low, z = generator_of(), torch.rand(1, 3, 2, 2), torch.randn(2, 3, 6)
    with pytest.raises(ValueError, match="latents must have shape"):
        pulse(generate, low, z[0])
    with pytest.raises(ValueError, match=r"low must have shape \(1 or 2, channels"):
        pulse(generate, low.expand(3, -1, -1, -1), z)
    with pytest.raises(ValueError, match=r"low must hold thumbnails \(3, 2, 2\)"):
        pulse(generate, low[:, :1], z)
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        pulse(generate, low, z, steps=0)
    with pytest.raises(ValueError, match="z must be"):
        fit_mapping(torch.relu, torch.randn(1, 6))
    with pytest.raises(ValueError, match="optimizer must be over"):
        SphericalSteps(torch.optim.SGD([torch.zeros(3, 4, requires_grad=True)], 0.1))
