import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import maximum_filter

from cvcourse.methods import (
    aligned_mean,
    reconstruct_layers,
    remove_fence,
    separate_layers,
    translate,
)
from cvcourse.models import FenceFusion, LayerFusion, LayerTranslations


def scene():
    """Five frames of 32 pixels, each layer with a whole velocity, whose sum they are."""
    g = torch.Generator().manual_seed(0)
    wide = F.interpolate(torch.rand(2, 3, 14, 14, generator=g), (56, 56), mode="bicubic")
    background, obstruction = (
        wide.clamp(0, 1) * torch.tensor([0.6, 0.4]).view(2, 1, 1, 1)
    ).unbind()
    frames = []
    for t in range(-2, 3):
        by, ox = 12 + t, 12 - 2 * t  # moved up by 1, and to the right by 2 pixels a frame
        frames.append(background[:, by : by + 32, 12:44] + obstruction[:, 12:44, ox : ox + 32])
    return torch.stack(frames), background[:, 12:44, 12:44], obstruction[:, 12:44, 12:44]


def affine_psnr(x, truth):
    """After the best gain and offset of each channel."""
    x, truth = x.flatten(1), truth.flatten(1)
    x, centred = x - x.mean(1, keepdim=True), truth - truth.mean(1, keepdim=True)
    gain = (x * centred).sum(1, keepdim=True) / x.square().sum(1, keepdim=True)
    return -10 * (gain * x - centred).square().mean().log10()


def test_layers_and_motion_of_a_known_scene():
    frames, background, obstruction = scene()
    found = separate_layers(frames, scales=(2, 1), steps=(40, 60), tries=9, fastest=4.0)
    layers = {"background": background, "obstruction": obstruction}
    up = found.motion[0, -1, 1] < -1
    order = ("background", "obstruction") if up else ("obstruction", "background")
    for layer, name in zip(found[:2], order, strict=True):
        alone = affine_psnr(frames[2], layers[name])
        assert affine_psnr(layer, layers[name]) > alone + 3
    velocity = dict(zip(order, found.motion[:, -1] / 2, strict=True))
    torch.testing.assert_close(velocity["background"], torch.tensor([0.0, -1]), atol=0.2, rtol=0)
    torch.testing.assert_close(velocity["obstruction"], torch.tensor([2.0, 0]), atol=0.2, rtol=0)
    assert found.motion[:, 2].eq(0).all()
    rebuilt = sum(
        translate(layer.expand(5, -1, -1, -1), m)
        for layer, m in zip(found[:2], found.motion, strict=True)
    )
    assert (rebuilt - frames).abs().mean() < 0.03


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(dtype):
    frames = scene()[0].to(dtype)
    settings = {"scales": (2, 1), "steps": (5, 5), "tries": 5, "fastest": 4.0}
    got, want = (separate_layers(x, **settings) for x in (frames, frames.float()))
    assert torch.equal(got.motion, want.motion)
    for layer, single in zip(got[:2], want[:2], strict=True):
        assert layer.dtype == dtype
        assert torch.equal(layer, single.to(dtype))
        assert layer.isfinite().all()


def test_translate_moves_by_whole_pixels():
    images = torch.rand(2, 3, 6, 7)
    moved = translate(images, torch.tensor([[2.0, 0], [0, -1]]))
    torch.testing.assert_close(moved[0, :, :, 2:], images[0, :, :, :-2])
    torch.testing.assert_close(moved[1, :, :-1], images[1, :, 1:])


class TestNetworks:
    VELOCITIES = torch.tensor([[0.0, 2.0], [-4.0, 0.0]])  # of both layers, in pixels a frame

    def stubs(self, levels):
        """Networks that know the truth: the layers move evenly; fusion keeps what it is given."""
        calls = []

        def translations(first, second):
            t = float(second.flatten()[0] - first.flatten()[0])  # frames carry their time
            t = t / 2 ** (levels - 1)
            return tuple(v.expand(len(first), 2) * t for v in self.VELOCITIES)

        def fusion(layer, obstruction, background, key, frames, flows):
            calls.append((layer, obstruction, background, key, frames, flows))
            return layer

        def flow(first, second):
            assert first.min() >= 0
            assert first.max() <= 1
            return torch.zeros(len(first), 2, *first.shape[2:])

        return {
            "translations": translations,
            "fusions": [(fusion, fusion)] * levels,
            "flow": flow,
        }, calls

    def test_coarsest_layers_are_means_of_aligned_frames(self):
        times = torch.arange(3.0)
        frames = torch.rand(1, 3, 3, 16, 24)
        frames[0, :, 0, 0, 0] = times
        networks, calls = self.stubs(1)
        background, obstruction = reconstruct_layers(frames, **networks)
        for layer, velocity in (
            (background, self.VELOCITIES[0]),
            (obstruction, self.VELOCITIES[1]),
        ):
            for i in range(3):
                flows = (times - i)[:, None] * velocity
                flows = flows[None, :, :, None, None].expand(1, 3, 2, 16, 24)
                torch.testing.assert_close(layer[:, i], aligned_mean(frames, flows))
        key, others, flows = calls[1][3:]
        torch.testing.assert_close(key, frames[:, 1])
        torch.testing.assert_close(others, frames[:, [0, 2]])
        torch.testing.assert_close(flows[0, :, :, 0, 0], torch.tensor([[0.0, -2], [0, 2]]))

    def test_sizes_double_and_flows_are_asked_for_from_the_second_scale_on(self):
        networks, calls = self.stubs(3)
        background, obstruction = reconstruct_layers(torch.rand(2, 2, 3, 16, 24), **networks)
        assert background.shape == obstruction.shape == (2, 2, 3, 16, 24)
        assert [call[0].shape[2:] for call in calls[::4]] == [(4, 6), (8, 12), (16, 24)]

    def test_with_the_networks_of_the_paper(self):
        small = {"others": 1, "widths": (4,)}
        fusions = [(LayerFusion(**small), LayerFusion(**small)) for _ in range(2)]
        translations = LayerTranslations(widths=(4,), reach=1, estimator_widths=(4,))
        layers = reconstruct_layers(
            torch.rand(1, 2, 3, 12, 16),
            translations=translations,
            fusions=fusions,
            flow=lambda first, second: (first - second)[:, :2],
        )
        sum(layer.sum() for layer in layers).backward()
        for network in (translations, *fusions[0], *fusions[1]):
            assert all(p.grad is not None for p in network.parameters())

    def test_a_fence_is_left_out_of_the_mean(self):
        frames, flows = torch.rand(1, 3, 3, 6, 7), torch.zeros(1, 3, 2, 6, 7)
        free = (torch.rand(1, 3, 1, 6, 7) < 0.5).float()
        free[..., 0, 0] = 0
        got = aligned_mean(frames, flows, free, torch.full((1, 3, 6, 7), 9.0))
        for y in range(6):
            for x in range(7):
                seen = frames[0, free[0, :, 0, y, x] > 0, :, y, x]
                want = seen.mean(0) if len(seen) else torch.full((3,), 9.0)
                torch.testing.assert_close(got[0, :, y, x], want)
        outside = flows + 100
        assert aligned_mean(frames, outside, torch.ones_like(free)).eq(0).all()


class TestFence:
    """Frames of a background that moves by (2, 0) pixels a frame, behind bars that stand still."""

    @pytest.fixture
    def film(self):
        wide = torch.rand(1, 3, 16, 24 + 8)
        truth = torch.stack([wide[..., 8 - 2 * t :][..., :24] for t in range(5)], 1)
        bars = torch.zeros(1, 5, 1, 16, 24)
        bars[..., 3::8] = 1
        return truth, bars, truth * (1 - bars) + 0.5 * bars

    def networks(self, truth, bars, levels=1):
        """Networks that know the truth, of the flow as well: the background moves to the right."""
        calls = []

        def translations(first, second):
            return torch.zeros(len(first), 2), torch.full((len(first), 2), torch.nan)

        def fusion(background, alpha, key, frames, flows):
            calls.append((background, alpha, key, frames, flows))
            t = (len(calls) - 1) % truth.shape[1]
            return truth[:, t], bars[:, t]

        def flow(first, second):  # asked from the middle frame on: of the n-th call
            calls.append(None)
            t = sum(call is None for call in calls) - 1
            shift = torch.tensor([2.0 * (t - 2), 0.0]).view(1, 2, 1, 1)
            return shift.expand(len(first), 2, *first.shape[2:])

        return {"translations": translations, "fusions": [fusion] * levels, "flow": flow}, calls

    def test_the_picture_is_what_the_frames_show_beside_the_fence(self, film):
        truth, bars, frames = film
        networks, _ = self.networks(truth, bars)
        found = remove_fence(frames, **networks)
        torch.testing.assert_close(found.backgrounds, truth)
        torch.testing.assert_close(found.alphas, bars)
        wide = np.stack([maximum_filter(bars[0, t, 0].numpy(), 5) for t in range(5)])  # SciPy's
        total, count = np.zeros((3, 16, 24)), np.zeros((16, 24))
        for t, x in itertools.product(range(5), range(24)):
            at = x + 2 * (t - 2)  # where the key frame's column x lies in frame t
            if 0 <= at < 24:
                free = 1 - wide[t, :, at]
                total[:, :, x] += frames[0, t, :, :, at].numpy() * free
                count[:, x] += free
        want = np.where(count > 0, total / np.maximum(count, 1), truth[0, 2].numpy())
        np.testing.assert_allclose(found.picture[0].numpy(), want, atol=1e-6)
        np.testing.assert_allclose(found.picture[0].numpy(), truth[0, 2].numpy(), atol=1e-6)
        assert (count > 0).mean() > 0.9

    def test_where_no_frame_is_free_the_networks_background_stays(self, film):
        truth, bars, frames = film
        networks, _ = self.networks(truth, torch.ones_like(bars))
        torch.testing.assert_close(remove_fence(frames, **networks).picture, truth[:, 2])

    def test_the_networks_get_means_alpha_of_zero_and_the_other_frames(self, film):
        truth, bars, frames = film
        networks, calls = self.networks(truth, bars)
        remove_fence(frames, key=0, **networks)
        background, alpha, key, others, flows = calls[1]
        torch.testing.assert_close(background, frames.mean(1))  # translations of 0
        assert alpha.eq(0).all()
        torch.testing.assert_close(key, frames[:, 1])
        torch.testing.assert_close(others, frames[:, [0, 2, 3, 4]])
        assert flows.shape == (1, 4, 2, 16, 24)

    def test_with_networks_from_coarse_to_fine(self):
        small = {"others": 2, "widths": (4,)}
        networks = {
            "translations": LayerTranslations(widths=(4,), reach=1, estimator_widths=(4,)),
            "fusions": [FenceFusion(**small) for _ in range(2)],
            "flow": lambda first, second: (first - second)[:, :2],
        }
        frames = torch.rand(1, 3, 3, 12, 16)
        found = remove_fence(frames, **networks)
        assert [x.shape[1:] for x in found] == [(3, 12, 16), (3, 3, 12, 16), (3, 1, 12, 16)]
        sum(x.sum() for x in found).backward()
        for network in networks["fusions"]:
            assert all(p.grad is not None for p in network.parameters())
        empty = remove_fence(frames[:0], **networks)
        assert empty.picture.shape == (0, 3, 12, 16)

    @pytest.mark.as_user
    def test_bad_input(self, film):
        networks, _ = self.networks(*film[:2])
        with pytest.raises(ValueError, match="key must be one of 5 frames, got 5"):
            remove_fence(film[2], key=5, **networks)
        with pytest.raises(ValueError, match="frames must be"):
            remove_fence(film[2][:, :1], **networks)
        with pytest.raises(ValueError, match="fusions must be one for each scale"):
            remove_fence(film[2], **(networks | {"fusions": []}))


@pytest.mark.as_user
def test_bad_input_of_networks():
    networks, _ = TestNetworks().stubs(3)
    with pytest.raises(ValueError, match="frames must be"):
        reconstruct_layers(torch.rand(1, 1, 3, 16, 24), **networks)
    with pytest.raises(ValueError, match="fusions must be one for each scale"):
        reconstruct_layers(torch.rand(1, 2, 3, 18, 24), **networks)
    with pytest.raises(ValueError, match="flows must have shape"):
        aligned_mean(torch.rand(1, 2, 3, 4, 4), torch.rand(1, 2, 3, 4, 4))


@pytest.mark.as_user
def test_bad_input():
    frames = torch.rand(3, 3, 32, 32)
    for message, options in (
        ("key must be one of 3 frames, got 3", {"key": 3}),
        ("steps must be one for each", {"steps": (1, 2)}),
        ("frames must be 8 pixels or more at scale 8", {"scales": (8,), "steps": (1,)}),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            separate_layers(frames, **options)
    with pytest.raises(ValueError, match="frames must be"):
        separate_layers(frames[:1])
    with pytest.raises(ValueError, match=r"frames must be floating point, got torch\.uint8"):
        separate_layers((255 * frames).byte())
    with pytest.raises(ValueError, match=r"motion must be \(3, 2\)"):
        translate(frames, torch.zeros(2))
