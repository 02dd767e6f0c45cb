import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvcourse.models.restoration import color_inpainting, depth_inpainting, edge_inpainting
from cvcourse.models.restoration.partial_conv import PartialConv2d, PartialConvUNet
from tests import oracle
from tests.models import golden

NETS = {
    "edge": (edge_inpainting.EdgeInpainting, edge_inpainting.PUBLISHED_NAMES, 11_432_129),
    "depth": (depth_inpainting.DepthInpainting, depth_inpainting.PUBLISHED_NAMES, 25_781_925),
    "color": (color_inpainting.ColorInpainting, color_inpainting.PUBLISHED_NAMES, 25_789_285),
}
SMALL = {
    "edge": {"width": 4, "blocks": 1},
    "depth": {"widths": (4, 6, 8)},
    "color": {"widths": (4, 6, 8)},
}
CHANNELS = {"edge": 7, "depth": 4, "color": 6}
EVERY = pytest.mark.parametrize("name", NETS)


def picture(name):
    side = 64 if name == "edge" else 128
    x = oracle.formula_images(f"p3/{name}", 1, side, side, CHANNELS[name])
    if name != "edge":
        hole = torch.zeros(side, side, dtype=torch.float64)
        hole[32:64, 42:85] = 1
        x[:, -1], x[:, -2] = 0, 1 - hole
    return x


@EVERY
def test_equals_the_authors(name, tmp_path):
    meta, want = oracle.restoration_golden("photo3d_nets")
    kind, names, count = NETS[name]
    model = kind()
    assert golden.parameter_count(model) == count
    state = meta[name]["state_dict"]
    fixed = {}
    if name != "edge":  # the authors' files have these, too
        fixed = {
            key.replace("input_conv", "mask_conv"): torch.ones(shape)
            for key, shape in state
            if key.endswith("input_conv.weight")
        }
    golden.load_published(model, state, meta[name]["gain"], names, tmp_path, **fixed)
    step = 3 if name == "edge" else 6
    with torch.no_grad():
        out = model(picture(name))
    np.testing.assert_allclose(out[..., ::step, ::step], want[name], atol=1e-8)
    if name != "edge":
        golden.assert_statistics(out, want[f"{name}_stat"], rtol=1e-8)


def test_partial_convolution_equals_the_authors():
    _, want = oracle.restoration_golden("photo3d_partial_conv")
    conv = PartialConv2d(2, 3, 5, 2, 2).double()
    with torch.no_grad():
        for leaf in ("weight", "bias"):
            shape = getattr(conv, leaf).shape
            getattr(conv, leaf).copy_(oracle.formula_value(f"input_conv.{leaf}", shape))
    x = oracle.formula_images("pc", 1, 13, 13, 2)
    mask = (oracle.formula_images("pc/m", 1, 13, 13, 1) > 0.62).double()
    np.testing.assert_array_equal(mask, want["mask"])
    for m in (mask, mask.expand(-1, 2, -1, -1)):
        out, new = conv(x, m)
        np.testing.assert_allclose(out.detach(), want["out"], atol=1e-10)
        np.testing.assert_array_equal(new, want["new_mask"])


def test_of_known_pixels_alone_it_is_the_convolution():
    conv, x = PartialConv2d(3, 4, 3).double(), torch.rand(2, 3, 6, 7).double()
    out, mask = conv(x, torch.ones(2, 1, 6, 7).double())
    torch.testing.assert_close(out, F.conv2d(x, conv.weight, conv.bias))
    assert mask.eq(1).all()
    out, mask = conv(x, torch.zeros(2, 1, 6, 7).double())
    assert out.eq(0).all()
    assert mask.eq(0).all()


def test_what_is_hidden_does_not_matter():
    conv, x = PartialConv2d(3, 4, 3, padding=1), torch.rand(2, 3, 6, 7)
    mask = (torch.rand(2, 1, 6, 7) < 0.5).float()
    other = torch.where(mask > 0, x, torch.rand_like(x))
    torch.testing.assert_close(conv(x, mask), conv(other, mask))


def test_gradcheck():
    conv, x = PartialConv2d(2, 2, 3).double(), torch.rand(1, 2, 4, 5, dtype=torch.float64)
    mask = (torch.rand(1, 1, 4, 5) < 0.6).double()
    assert torch.autograd.gradcheck(lambda x: conv(x, mask)[0], x.requires_grad_())


@EVERY
@pytest.mark.parametrize("size", [(12, 12), (13, 21), (17, 14)], ids=str)
def test_any_size_comes_back(name, size):
    model = NETS[name][0](**SMALL[name]).eval()
    out = model(torch.rand(1, CHANNELS[name], *size))
    assert out.shape == (1, 3 if name == "color" else 1, *size)


@EVERY
def test_one_step_of_training_lowers_the_loss(name):
    model, x = NETS[name][0](**SMALL[name]), torch.rand(2, CHANNELS[name], 16, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(4):
        loss = (model(x) - x[:, :1]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.as_user
def test_bad_input():
    conv = PartialConv2d(3, 4, 3)
    with pytest.raises(ValueError, match=r"mask: expected \(1, 3, 6, 6\), or one channel"):
        conv(torch.rand(1, 3, 6, 6), torch.ones(1, 2, 6, 6))
    with pytest.raises(ValueError, match=r"x: expected \(batch, 7, height, width\), 12 pixels"):
        NETS["edge"][0](**SMALL["edge"])(torch.rand(1, 7, 11, 20))
    with pytest.raises(ValueError, match=r"x: expected \(batch, 6, height, width\)"):
        NETS["color"][0](**SMALL["color"])(torch.rand(1, 4, 16, 16))
    with pytest.raises(ValueError, match="in_channels: expected at least 3, got 2"):
        PartialConvUNet(2, 1)


@EVERY
@pytest.mark.as_user
def test_exports_and_compiles(name):
    model, x = NETS[name][0](**SMALL[name]).eval(), torch.rand(2, CHANNELS[name], 18, 21)
    expected = model(x)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)
