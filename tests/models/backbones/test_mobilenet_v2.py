import pytest
import torch
from torch import nn

from cvcourse.models.backbones.mobilenet_v2 import (
    InvertedResidual,
    MobileNetV2,
    MobileNetV2Features,
    Stage,
)
from tests import oracle
from tests.models import golden

TINY = {"stages": (Stage(1, 8, 1, 1), Stage(4, 16, 2, 2), Stage(4, 24, 1, 2))}


@pytest.mark.parametrize(("width", "count"), [(1.0, 3_504_872), (0.5, 1_968_680)])
def test_torchvisions_parameter_counts(width, count):
    with torch.device("meta"):
        assert golden.parameter_count(MobileNetV2(width=width)) == count


def test_names_and_shapes_are_torchvisions():
    with torch.device("meta"):
        state = MobileNetV2().state_dict()
    expected = {
        "features.0.0.weight": (32, 3, 3, 3),
        "features.1.conv.0.0.weight": (32, 1, 3, 3),
        "features.1.conv.1.weight": (16, 32, 1, 1),
        "features.1.conv.2.running_var": (16,),
        "features.2.conv.0.0.weight": (96, 16, 1, 1),
        "features.2.conv.1.0.weight": (96, 1, 3, 3),
        "features.17.conv.3.bias": (320,),
        "features.18.0.weight": (1280, 320, 1, 1),
        "features.18.1.running_mean": (1280,),
        "classifier.1.weight": (1000, 1280),
    }
    assert {name: tuple(state[name].shape) for name in expected} == expected
    assert len(state) == 314


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (
            1.0,
            [
                [2.4868789731936842, -5.090155636740212, -0.8261761857001968],
                [2.349251744373069, -4.767497009575114, 0.13410199369025544],
            ],
        ),
        (
            0.5,
            [
                [2.4933752040739616, 0.2675250190934677, 2.194995530471191],
                [2.43536650587961, 0.37840530376119474, 0.4398132051272823],
            ],
        ),
    ],
)
def test_equals_torchvision(width, expected):
    """Three logits of torchvision 0.29.1's mobilenet_v2 for the formula weights, gain 2."""
    model = oracle.fill_(MobileNetV2(width=width), 2.0).double().eval()
    with torch.no_grad():
        logits = model(oracle.formula_batch((2, 3, 64, 80)).double())
    torch.testing.assert_close(logits[:, :3], logits.new_tensor(expected), rtol=1e-10, atol=0)


def test_strides_and_channels_of_the_trunk():
    trunk = MobileNetV2Features()
    maps = trunk(torch.rand(1, 3, 63, 97))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (16, 32, 49),
        (24, 16, 25),
        (32, 8, 13),
        (96, 4, 7),
        (320, 2, 4),
    ]
    assert trunk.out_channels == [m.shape[1] for m in maps]


def test_a_classifier_loads_into_the_trunk():
    classifier, trunk = MobileNetV2(**TINY).eval(), MobileNetV2Features(**TINY).eval()
    state = {k: v for k, v in classifier.state_dict().items() if k in trunk.state_dict()}
    trunk.load_state_dict(state, strict=True)
    x = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(trunk(x)[-1], classifier.features[:-1](x))


def test_a_residual_adds_its_input_where_shapes_agree():
    block = InvertedResidual(4, 4, stride=1, expand=2).eval()
    nn.init.zeros_(block.conv[2].weight)
    x = torch.rand(1, 4, 5, 5)
    assert torch.equal(block(x), x)
    assert not InvertedResidual(4, 4, stride=2, expand=2).residual
    assert not InvertedResidual(4, 6, stride=1, expand=2).residual


def test_one_step_of_training_lowers_the_loss():
    model, x, target = MobileNetV2(5, **TINY), torch.rand(8, 3, 32, 32), torch.arange(8) % 5
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for _ in range(2):
        model.classifier[0].eval()  # the same features are dropped each time: none
        loss = nn.functional.cross_entropy(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_is_near_float32(dtype):
    model, x = MobileNetV2(5, **TINY).eval(), torch.rand(2, 3, 33, 47)
    expected = model(x)
    with torch.autocast("cpu", dtype=dtype):
        torch.testing.assert_close(model(x).float(), expected, atol=0.02, rtol=0.02)


@pytest.mark.as_user
@pytest.mark.parametrize("kind", [MobileNetV2, MobileNetV2Features])
@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (3, 32, 32)], ids=str)
def test_bad_input(kind, shape):
    with pytest.raises(ValueError, match=r"x: expected \(batch, 3, height, width\), got"):
        kind(**TINY)(torch.rand(shape))


@pytest.mark.as_user
def test_exports_and_compiles():
    model, x = MobileNetV2(5, **TINY).eval(), torch.rand(2, 3, 32, 32)
    expected = model(x)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)
