"""Dynamic convolution: a loop over pictures, a convolution where it is one, the paper's count."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvcourse.models import (
    DynamicConv2d,
    MobileNetV2,
    annealed_temperature,
    dynamic_mobilenet_v2,
    make_dynamic,
    set_temperature,
)
from tests import oracle
from tests.models import golden

CASES = ["dynamic_conv_depthwise", "dynamic_conv_t1_stride2_groups2", "dynamic_conv_t34"]


def layer_of(config) -> DynamicConv2d:
    return DynamicConv2d(
        config["in_channels"],
        config["out_channels"],
        config["kernel"],
        config["stride"],
        config["padding"],
        groups=config["groups"],
        bias=config["bias"],
        kernels=config["K"],
        hidden=config["hidden"],
        attention_bias=False,
        temperature=config["temperature"],
    )


@pytest.mark.parametrize("case", CASES)
def test_equals_the_published_port_and_a_loop(case):
    meta, want = oracle.design_language_golden(case)
    config, layer = meta["config"], layer_of(meta["config"]).double()
    values = {
        name: oracle.formula_value(f"{case}.{name}", shape, meta["gain"]).double()
        for name, shape in meta["state_dict"]
    }
    layer.load_state_dict(values, strict=True)
    shape = (config["batch"], config["in_channels"], config["hw"], config["hw"])
    x = oracle.formula_tensor(f"{case}/x", shape, -1, 1).double()
    out = layer(x)
    mix = layer.attention(x, layer.temperature)
    np.testing.assert_allclose(mix.detach(), want["attention"], atol=1e-9, rtol=0)
    np.testing.assert_allclose(out.detach(), want["out"], atol=1e-9, rtol=0)
    out.square().sum().backward()
    gradient = layer.weight.grad.flatten()
    gradient = gradient[:: -(-len(gradient) // 300)]
    np.testing.assert_allclose(gradient, want["grad_weight"], atol=1e-9, rtol=1e-9)
    of_attention = layer.attention.fc2.weight.grad
    np.testing.assert_allclose(of_attention, want["grad_fc2"], atol=1e-9, rtol=1e-9)
    loop = [
        F.conv2d(
            picture[None],
            sum(p * w for p, w in zip(shares, layer.weight, strict=True)),
            None if layer.bias is None else shares @ layer.bias,
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
        )
        for picture, shares in zip(x, mix, strict=True)
    ]
    torch.testing.assert_close(out, torch.cat(loop), rtol=0, atol=1e-11)


def test_one_kernel_or_equal_kernels_are_a_convolution():
    conv = nn.Conv2d(4, 6, (3, 5), (2, 1), (1, 2), (1, 2), groups=2).double()
    x = torch.randn(3, 4, 11, 14).double()
    for kernels in (1, 3):
        layer = DynamicConv2d(4, 6, (3, 5), (2, 1), (1, 2), (1, 2), 2, kernels=kernels).double()
        layer.weight.data[:] = conv.weight.data
        layer.bias.data[:] = conv.bias.data
        torch.testing.assert_close(layer(x), conv(x), rtol=0, atol=1e-12)


def test_a_picture_is_convolved_as_it_is_alone():
    layer = DynamicConv2d(4, 6, 3, padding=1).double()
    x = torch.randn(5, 4, 7, 9).double()
    alone = torch.cat([layer(picture[None]) for picture in x])
    torch.testing.assert_close(layer(x), alone, rtol=0, atol=1e-12)
    strided = x.transpose(2, 3).contiguous().transpose(2, 3)
    torch.testing.assert_close(layer(strided), alone, rtol=0, atol=1e-12)


def test_gradients():
    layer = DynamicConv2d(4, 4, 3, padding=1, groups=4, kernels=2).double()
    x = torch.randn(2, 4, 3, 3).double().requires_grad_()
    parameters = tuple(layer.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: layer(x), (x, *parameters))


def test_temperature():
    net = nn.Sequential(DynamicConv2d(3, 4, 3), nn.ReLU(), DynamicConv2d(4, 2, 1))
    nn.init.normal_(net[0].attention.fc2.weight, std=20)
    x = torch.randn(4, 3, 8, 8)
    uniform = torch.full((4, 4), 0.25)
    sharp = net[0].attention(x, net[0].temperature)
    set_temperature(net, 1e6)
    flat = net[0].attention(x, net[0].temperature)
    assert (sharp - uniform).abs().max() > 0.1
    torch.testing.assert_close(flat, uniform, rtol=0, atol=1e-3)
    assert [annealed_temperature(e) for e in (0, 5, 10, 99)] == [30, 15.5, 1, 1]


def test_kernels_begin_apart_and_each_as_a_convolution_would():
    layer = DynamicConv2d(64, 64, 3, kernels=3)
    assert layer.weight.flatten(1).corrcoef().fill_diagonal_(0).abs().max() < 0.05
    expected = (2 / (64 * 9)) ** 0.5
    for kernel in layer.weight:
        assert kernel.std().item() == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(
    ("width", "count"),
    [(1.0, 11_149_736), (0.75, 7_012_118), (0.5, 3_946_334), (0.35, 2_686_612)],
)
def test_count_of_the_dynamic_mobilenet(width, count):
    """The paper's 11.1M and 7.0M; its 4.0M and 2.8M are not met by the same rule."""
    with torch.device("meta"):
        model = dynamic_mobilenet_v2(width=width)
    assert golden.parameter_count(model) == count


def test_make_dynamic_keeps_shapes_and_the_rest():
    model = MobileNetV2(3, width=0.25)
    before = {n for n, m in model.named_modules() if isinstance(m, nn.Conv2d)}
    x = torch.rand(2, 3, 33, 47)
    shape = model(x).shape
    assert make_dynamic(model, kernels=2) is model
    after = {n for n, m in model.named_modules() if isinstance(m, DynamicConv2d)}
    assert before == after
    assert model(x).shape == shape


@pytest.mark.as_user
def test_exports_and_compiles():
    model, x = DynamicConv2d(4, 6, 3, padding=1).eval(), torch.rand(2, 4, 7, 9)
    expected = model(x)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DynamicConv2d(4, 6, 3, kernels=0), "kernels: expected at least 1, got 0"),
        (lambda: DynamicConv2d(4, 6, 3, groups=4), "groups: expected a divisor of 4 and 6, got 4"),
        (lambda: DynamicConv2d(4, 6, 3, temperature=0), "temperature must be positive and finite"),
        (
            lambda: DynamicConv2d(4, 6, 3)(torch.rand(2, 3, 7, 9)),
            r"x: expected \(batch, 4, height, width\), got \(2, 3, 7, 9\)",
        ),
        (
            lambda: DynamicConv2d(4, 6, 3)(torch.rand(4, 7, 9)),
            r"x: expected \(batch, 4, height, width\), got \(4, 7, 9\)",
        ),
        (lambda: DynamicConv2d(4, 6, 0), "kernel_size must be one or two integers >= 1, got 0"),
        (
            lambda: set_temperature(nn.Linear(2, 2), 1.0),
            "model: expected one with a DynamicConv2d, got Linear",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_layouts_and_what_else_is_done_to_all_weights():
    torch.manual_seed(0)
    model = dynamic_mobilenet_v2(5, width=0.25, kernels=2).eval()
    x = torch.rand(2, 3, 33, 47)
    want, state = model(x), {k: v.clone() for k, v in model.state_dict().items()}
    model.to(memory_format=torch.channels_last)
    assert model.features[1].conv[0][0].weight.ndim == 5
    torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)
    torch.testing.assert_close(model(x.to(memory_format=torch.channels_last)), want)
    model.to(memory_format=torch.contiguous_format).double()
    torch.testing.assert_close(model(x.double()).float(), want)
    shapes = [p.shape for p in model.parameters()]
    assert [p.shape for p in model.to("meta").parameters()] == shapes
