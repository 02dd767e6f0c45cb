import numpy as np
import pytest
import torch

from cvcourse.models import SepConv, SepConvPP
from cvcourse.models.video import sepconv, sepconv_pp
from cvcourse.models.video.sepconv import frame_between
from cvcourse.models.video.sepconv_pp import (
    normalize_frames,
    normalized_frame_between,
    self_ensemble,
)
from tests import oracle
from tests.models import golden
from tests.models.examples import network

NETS = ["SepConv", "SepConvPP"]


def published_frames(height, width):
    names = ("sep/one", "sep/two")
    return [oracle.formula_image(name, height, width)[None].double() for name in names]


@pytest.mark.parametrize(
    ("model", "names", "name", "size"),
    [
        (SepConv, sepconv.PUBLISHED_NAMES, "sepconv_64", (64, 64)),
        (SepConvPP, sepconv_pp.PUBLISHED_NAMES, "sepconvpp_32x48", (32, 48)),
    ],
)
def test_equals_the_authors_network(model, names, name, size, tmp_path):
    meta, want = oracle.video_golden(name)
    shapes = meta["state_dict"].items()
    net = golden.load_published(model(), shapes, meta["gain"], names, tmp_path)
    with torch.no_grad():
        out = net(*published_frames(*size))
    np.testing.assert_allclose(out[:, :, ::4, ::4], want["output"], atol=1e-8, rtol=0)
    statistics = [out.mean(), out.std(), out.min(), out.max()]
    np.testing.assert_allclose(statistics, want["meanstd"], atol=1e-8, rtol=0)


@pytest.mark.parametrize(("model", "count"), [(SepConv, 21_675_452), (SepConvPP, 13_560_102)])
def test_published_counts(model, count):
    with torch.device("meta"):
        assert golden.parameter_count(model()) == count


@pytest.mark.parametrize(
    "case", oracle.cases("sepconvpp_input_normalization", "video/cases_interpolation.json")
)
def test_frames_are_normalized_together(case):
    one, two = normalize_frames(case["inputs"]["one"], case["inputs"]["two"])
    torch.testing.assert_close(one, case["expected"]["one"], atol=case["atol"], rtol=0)
    torch.testing.assert_close(two, case["expected"]["two"], atol=case["atol"], rtol=0)


def one_tap(dy, dx, taps=5, size=(6, 7)):
    """Kernels that look `dy` down and `dx` to the right."""
    vertical, horizontal = torch.zeros(2, 1, taps, *size)
    vertical[:, taps // 2 + dy], horizontal[:, taps // 2 + dx] = 1, 1
    return vertical, horizontal


def test_half_of_each_frame_moved_by_half():
    """A square that moves 2 to the right is 1 to the right in between."""
    first, second, between = torch.zeros(3, 1, 1, 6, 7)
    first[..., 2:4, 1:3], between[..., 2:4, 2:4], second[..., 2:4, 3:5] = 1, 1, 1
    (v1, h1), (v2, h2) = one_tap(0, -1), one_tap(0, 1)
    got = frame_between((first, second), [(v1 / 2, h1), (v2 / 2, h2)])
    assert torch.equal(got, between)
    got = normalized_frame_between((first, second), [(v1, h1), (v2, h2)])
    assert torch.equal(got, between)


def test_divisors_near_zero_are_one():
    frames = torch.rand(2, 1, 3, 6, 7).unbind()
    (v1, h1), (v2, h2) = one_tap(0, 0), one_tap(1, 1)
    opposite = [(v1, h1), (-v2, h2)]
    got = normalized_frame_between(frames, opposite)
    torch.testing.assert_close(got, frame_between(frames, opposite))


def test_frames_of_one_colour_stay():
    colour = torch.tensor([0.1, 0.5, 0.9])[None, :, None, None].expand(1, 3, 20, 30)
    kernels = oracle.formula_tensor("sep/kernels", (4, 1, 5, 20, 30), -0.3, 1)
    pairs = [tuple(kernels[:2]), tuple(kernels[2:])]
    sure = frame_between([torch.ones_like(colour)] * 2, pairs).abs() > 0.02
    assert sure.float().mean() > 0.95
    got = normalized_frame_between((colour, colour), pairs)
    torch.testing.assert_close(got[sure], colour[sure], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("size", [(64, 64), (33, 50), (1, 2)])
def test_sizes_and_batches(name, size):
    net, frames = network(name).double(), torch.rand(2, 3, 3, *size).double().unbind()
    out = net(*frames)
    assert out.shape == (3, 3, *size)
    torch.testing.assert_close(net(*(frame[1:2] for frame in frames)), out[1:2])


@pytest.mark.parametrize("name", NETS)
def test_other_channels_can_be_filtered_too(name):
    net, frames = network(name), torch.rand(2, 1, 3, 16, 16).unbind()
    features = [torch.cat((frame, frame.square()), dim=1) for frame in frames]
    between = frame_between(features, net.kernels(*frames))
    torch.testing.assert_close(between[:, :3], frame_between(frames, net.kernels(*frames)))
    assert between.shape == (1, 6, 16, 16)


def test_an_ensemble_does_not_care_how_frames_are_turned():
    net, frames = network("SepConvPP").double(), torch.rand(2, 1, 3, 16, 24).double().unbind()
    out = self_ensemble(net, *frames)
    turned = self_ensemble(net, *(frame.mT.flip(2) for frame in frames))
    torch.testing.assert_close(turned, out.mT.flip(2))
    assert (net(*frames) - out).abs().max() > 1e-4
    average = lambda first, second: (first + second) / 2  # noqa: E731
    torch.testing.assert_close(self_ensemble(average, *frames), average(*frames))


@pytest.mark.as_user
@pytest.mark.parametrize("model", [SepConv, SepConvPP])
def test_bad_input(model):
    with pytest.raises(ValueError, match="taps: expected an odd number, got 4"):
        model(taps=4)
    with pytest.raises(ValueError, match="widths: expected at least"):
        model(widths=())
    net = model(widths=(4, 6), taps=3)
    with pytest.raises(ValueError, match=r"first: expected \(batch, 3, height, width\)"):
        net(torch.rand(1, 1, 8, 8), torch.rand(1, 1, 8, 8))
    with pytest.raises(ValueError, match="second: expected the shape of first"):
        net(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 9))


@pytest.mark.as_user
@pytest.mark.parametrize("name", NETS)
def test_exports(name):
    net, frames = network(name).eval(), torch.rand(2, 2, 3, 24, 32).unbind()
    torch.testing.assert_close(torch.export.export(net, frames).module()(*frames), net(*frames))
