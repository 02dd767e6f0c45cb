import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvcourse.models import SepConv, SepConvPP, load_pretrained
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


def test_reads_the_names_of_the_published_file(tmp_path):
    """Which are not those of the authors' program: it renames them while it reads."""
    meta, _ = oracle.video_golden("sepconv_64")
    shapes = [
        (name.replace("net", "module", 1), shape) for name, shape in meta["state_dict"].items()
    ]
    assert {name.split(".")[0][:9] for name, _ in shapes} > {"moduleCon", "moduleVer"}
    net = golden.load_published(SepConv(), shapes, 1.0, sepconv.PUBLISHED_NAMES, tmp_path)
    for theirs, ours in (
        ("moduleConv1.0.weight", net.encoder[0][0].weight),
        ("moduleDeconv2.4.bias", net.decoder[3][0][4].bias),
        ("moduleUpsample5.1.weight", net.decoder[0][1][1].weight),
        ("moduleHorizontal2.7.weight", net.horizontal[1][7].weight),
    ):
        assert torch.equal(ours, oracle.formula_value(theirs, list(ours.shape), 1.0).double())


def authors_forward(weights, one, two, taps):
    """sniklaus/revisiting-sepconv's network between padding to even sides and cropping, in words
    of our own: each level has half of the sides above, rounded up, and what is enlarged is cut.
    """
    height, width = one.shape[2:]
    one, two = (F.pad(x, (0, width % 2, 0, height % 2), mode="replicate") for x in (one, two))

    def conv(x, name, stride=1):
        return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], stride, padding=1)

    def block(x, name, stride=1):
        x = conv(F.prelu(x, weights[f"{name}.0.weight"]), f"{name}.1", stride)
        return conv(F.prelu(x, weights[f"{name}.2.weight"]), f"{name}.3")

    def twice(x):
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

    def filtered(frame, which):
        vertical, horizontal = (kernel(f"net{way}{which}.netMain") for way in ("Ver", "Hor"))
        padded = F.pad(frame, [taps // 2] * 4, mode="replicate")
        rows, columns = frame.shape[2:]
        return sum(
            vertical[:, i : i + 1] * horizontal[:, j : j + 1]
            * padded[:, :, i : i + rows, j : j + columns]
            for i in range(taps)
            for j in range(taps)
        )  # fmt: skip

    def kernel(name):
        x = F.prelu(conv(twice(rows[1]), f"{name}.1"), weights[f"{name}.2.weight"])
        return conv(x, f"{name}.3")

    mean = (one.mean() + two.mean()) / 2
    variance = sum(x.var(correction=0) + (x.mean() - mean) ** 2 for x in (one, two)) / 2
    normal = [(x - mean) / (variance.sqrt() + 1e-7) for x in (one, two)]
    rows = [torch.cat([conv(x, "netInput") for x in normal], 1)]
    for i in range(1, 5):
        rows.append(block(rows[-1], f"netEncode.0.netVer.{i}.netMain", stride=2))
    sides = [x.shape[2:] for x in rows]
    for i in range(1, 5):
        rows[i] = rows[i] + block(rows[i], f"netDecode.0.netHor.{4 - i}.netMain")
    for i in (3, 2, 1):
        name = f"netDecode.0.netVer.{4 - i}.netMain"
        x = conv(twice(F.prelu(rows[i + 1], weights[f"{name}.0.weight"])), f"{name}.2")
        x = conv(F.prelu(x, weights[f"{name}.3.weight"]), f"{name}.4")
        rows[i] = rows[i] + x[:, :, : sides[i][0], : sides[i][1]]
    frames = [torch.cat([x, torch.ones_like(x[:, :1])], 1) for x in (one, two)]
    out = filtered(frames[0], "one") + filtered(frames[1], "two")
    total = out[:, 3:].clone()
    total[total.abs() < 0.01] = 1
    return (out[:, :3] / total)[:, :, :height, :width]


@pytest.mark.parametrize("size", [(32, 48), (40, 56), (36, 50), (37, 43), (3, 17)])
def test_equals_the_authors_network_at_any_size(size, tmp_path):
    meta, _ = oracle.video_golden("sepconvpp_32x48")
    narrow = {512: 7, 256: 6, 128: 5, 64: 4, 51: 5, 32: 4, 16: 2}
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: torch.randn([narrow.get(n, n) for n in shape], generator=generator).double() / 3
        for name, shape in meta["state_dict"].items()
    }
    torch.save(weights, tmp_path / "narrow.pth")
    net = SepConvPP(stem=2, widths=(4, 5, 6, 7), taps=5).double()
    load_pretrained(net, tmp_path / "narrow.pth", names=sepconv_pp.PUBLISHED_NAMES)
    frames = published_frames(*size)
    with torch.no_grad():
        want = authors_forward(weights, *frames, taps=5)
        torch.testing.assert_close(net(*frames), want, atol=1e-9, rtol=1e-9)


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
