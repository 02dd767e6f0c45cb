from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from cvcourse.models.restoration.obstruction_removal import (
    FenceFusion,
    LayerFusion,
    LayerTranslations,
)
from tests.models import golden

SMALL_FUSION = {"others": 2, "widths": (6, 4)}
SMALL = {"widths": (4, 6), "reach": 1, "estimator_widths": (6, 4)}


def scene(height=13, width=18):
    layers = torch.rand(4, 2, 3, height, width)
    return (*layers[:3], layers[3], torch.rand(2, 2, 3, height, width))


def test_counts_of_the_papers_layers():
    """3 × 3 convolutions 37-128-128-96-64-32-3; 3-16-16-...-96-96, 177-128-128-96-64-32, 32-2."""

    def convolutions(*widths):
        return sum(9 * a * b + b for a, b in pairwise(widths))

    with torch.device("meta"):
        fusion, translations = LayerFusion(), LayerTranslations()
    assert golden.parameter_count(fusion) == convolutions(37, 128, 128, 96, 64, 32, 3)
    pyramid = convolutions(3, 16, 16, 32, 32, 64, 64, 96, 96)
    estimator = convolutions(96 + 81, 128, 128, 96, 64, 32)
    assert golden.parameter_count(translations) == pyramid + estimator + 2 * (2 * 32 + 2)


def test_fusion_is_a_residual_on_the_layer_it_improves():
    model, (layer, f, b, key, frames) = LayerFusion(**SMALL_FUSION), scene()
    for p in model.layers[-1].parameters():
        torch.nn.init.zeros_(p)
    flows = torch.randn(2, 2, 2, 13, 18)
    torch.testing.assert_close(model(layer, f, b, key, frames, flows), layer, rtol=0, atol=0)


def test_fusion_sees_frames_aligned_by_whole_pixels():
    model, (layer, f, b, key, frames) = LayerFusion(**SMALL_FUSION), scene()
    seen = []
    model.layers.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    flows = torch.zeros(2, 2, 2, 13, 18)
    flows[:, 1, 0] = 2  # the second frame lies two pixels to the right
    model(layer, f, b, key, frames, flows)
    x = seen[0]
    assert x.shape == (2, 9 + 7 * 2, 13, 18)
    torch.testing.assert_close(x[:, :9], torch.cat([f, b, key], 1))
    torch.testing.assert_close(x[:, 9:12], frames[:, 0])
    assert x[:, 12].eq(1).all()
    torch.testing.assert_close(x[:, 13:16], (layer - frames[:, 0]).abs())
    torch.testing.assert_close(x[:, 16:19, :, :-2], frames[:, 1, :, :, 2:])
    assert x[:, 19, :, :-2].eq(1).all()
    assert x[:, 19, :, -2:].eq(0).all()


def test_counts_of_the_fence_network():
    """3 × 3 convolutions 35-128-128-96-64-32-4, as in the authors' test_fence.py."""
    with torch.device("meta"):
        counted = golden.parameter_count(FenceFusion())
    widths = pairwise((35, 128, 128, 96, 64, 32, 4))
    assert counted == sum(9 * a * b + b for a, b in widths)


def test_fence_is_a_residual_on_background_and_alpha():
    model, (background, _, key, other, frames) = FenceFusion(**SMALL_FUSION), scene()
    torch.nn.init.zeros_(model.layers[-1].weight)
    with torch.no_grad():
        model.layers[-1].bias.copy_(torch.tensor([0.1, 0.2, 0.3, 0.4]))
    flows, alpha = torch.randn(2, 2, 2, 13, 18), other[:, :1]
    got, fence = model(background, alpha, key, frames, flows)
    more = torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)
    torch.testing.assert_close(got, background + more)
    torch.testing.assert_close(fence, alpha + 0.4)


def test_fence_sees_background_alpha_and_key_then_each_frame():
    """In the order of the authors' FusionLayer_B, which the authors' weights need."""
    model, (background, _, key, other, frames) = FenceFusion(**SMALL_FUSION), scene()
    seen, alpha = [], other[:, :1]
    model.layers.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model(background, alpha, key, frames, torch.zeros(2, 2, 2, 13, 18))
    inside, expected = torch.ones_like(alpha), [background, alpha, key]
    for frame in frames.unbind(1):
        expected += [frame, inside, (background - frame).abs()]
    torch.testing.assert_close(seen[0], torch.cat(expected, 1))


def test_fence_network_learns_to_take_a_fence_away():
    torch.manual_seed(0)
    model, still = FenceFusion(**SMALL_FUSION), torch.zeros(8, 2, 2, 12, 12)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    truth = F.avg_pool2d(torch.rand(8, 3, 14, 14), 3, 1)
    fence = torch.zeros(8, 3, 1, 12, 12)  # black bars, elsewhere in each frame
    for i in range(3):
        fence[:, i, :, :, 2 * i :: 6] = 1
    frames = truth[:, None] * (1 - fence)
    losses = []
    for _ in range(60):
        background, alpha = model(
            frames.mean(1), 0 * fence[:, 0], frames[:, 0], frames[:, 1:], still
        )
        loss = (background - truth).square().mean() + (alpha - fence[:, 0]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_translations_learn_a_shift():
    torch.manual_seed(0)
    model = LayerTranslations(**SMALL)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    wide = F.avg_pool2d(torch.rand(8, 3, 32, 40), 3, 1, 1)
    shift = torch.randint(0, 5, (8,))
    second = torch.stack([w[:, :, s : s + 32] for w, s in zip(wide, shift, strict=True)])
    first, target = wide[..., :32], torch.stack([-shift / 4, 0 * shift], 1)
    losses = []
    for _ in range(15):
        background, obstruction = model(first, second)
        loss = (background - target).square().mean() + (obstruction + target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert background.shape == obstruction.shape == (8, 2)


@pytest.mark.as_user
def test_bad_input():
    model, (layer, f, b, key, frames) = LayerFusion(**SMALL_FUSION), scene()
    flows = torch.zeros(2, 2, 2, 13, 18)
    with pytest.raises(ValueError, match=r"flows: expected \(2, 2, 2, 13, 18\)"):
        model(layer, f, b, key, frames, frames)
    with pytest.raises(ValueError, match=r"frames: expected \(2, 2, 3, 13, 18\)"):
        model(layer, f, b, key, frames[:, :1], flows)
    with pytest.raises(ValueError, match=r"layer: expected \(batch, 3, height, width\), got"):
        model(layer[:, :1], f, b, key, frames, flows)
    for place, name in enumerate(("obstruction", "background", "key")):
        pictures = [f, b, key]
        pictures[place] = pictures[place][:, :1]
        with pytest.raises(ValueError, match=rf"{name}: expected \(2, 3, 13, 18\), got \(2, 1, 13"):
            model(layer, *pictures, frames, flows)
    fence, alpha = FenceFusion(**SMALL_FUSION), f[:, :1]
    with pytest.raises(ValueError, match=r"alpha: expected \(2, 1, 13, 18\), got \(2, 3, 13, 18\)"):
        fence(b, f, key, frames, flows)
    with pytest.raises(ValueError, match=r"background: expected \(batch, 3, height, width\), got"):
        fence(alpha, alpha, key, frames, flows)
    with pytest.raises(ValueError, match=r"key: expected \(2, 3, 13, 18\), got \(2, 1, 13, 18\)"):
        fence(b, alpha, alpha, frames, flows)
    with pytest.raises(ValueError, match=r"frames: expected \(2, 2, 3, 13, 18\)"):
        fence(b, alpha, key, flows, flows)
    with pytest.raises(ValueError, match=r"flows: expected \(2, 2, 2, 13, 18\)"):
        fence(b, alpha, key, frames, frames)
    translations = LayerTranslations(**SMALL)
    with pytest.raises(ValueError, match=r"first: expected \(batch, 3, height, width\), got"):
        translations(layer[:, :1], layer[:, :1])
    with pytest.raises(ValueError, match="second: expected the shape of first"):
        translations(layer, layer[..., 1:])
    with pytest.raises(ValueError, match="first: expected 5 pixels a side or more"):
        translations(layer, layer)


@pytest.mark.as_user
def test_exports_and_compiles():
    layer, f, b, key, frames = scene()
    for model, x in (
        (LayerFusion(**SMALL_FUSION), (layer, f, b, key, frames, torch.randn(2, 2, 2, 13, 18))),
        (FenceFusion(**SMALL_FUSION), (layer, f[:, :1], key, frames, torch.randn(2, 2, 2, 13, 18))),
        (LayerTranslations(**SMALL), tuple(torch.rand(2, 2, 3, 23, 26))),
    ):
        expected = model.eval()(*x)
        torch.testing.assert_close(torch.export.export(model, x).module()(*x), expected)
        compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(compiled(*x), expected)
