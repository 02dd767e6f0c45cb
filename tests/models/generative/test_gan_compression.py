"""Slices of one generator: the authors' numbers, sizes and costs; what is copied stays the same."""

import itertools

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cvcourse.models import DistillationConnectors, SlimmableGenerator, transfer_channels
from cvcourse.models.generative import gan_compression
from cvcourse.models.generative.gan_compression import (
    CYCLEGAN_CHANNELS,
    SlimConv2d,
    SlimConvTranspose2d,
    SlimSeparableConv2d,
)
from tests import oracle
from tests.models import golden

LAYERS = {
    "conv": lambda: SlimConv2d(6, 8, 3, padding=1),
    "transposed": lambda: SlimConvTranspose2d(6, 8, 3, stride=2, padding=1, output_padding=1),
    "separable": lambda: SlimSeparableConv2d(6, 8, padding=1),
}
SEPARABLE = {"conv.0": "depthwise", "conv.2": "pointwise"}


def counted(model, *inputs) -> int:
    with FlopCounterMode(display=False) as counter:
        model(*inputs)
    return counter.get_total_flops() // 2


@pytest.mark.parametrize(("entering", "leaving"), [(4, 5), (6, 8)])
@pytest.mark.parametrize("kind", LAYERS)
def test_layers_equal_the_authors(kind, entering, leaving):
    meta, want = oracle.generative_golden("gan_compression_layers")
    layer, prefix = LAYERS[kind]().double(), f"gan_compression_layers{kind}."
    weights = {
        key: oracle.formula_value(prefix + key, shape, meta["gain"])
        for key, shape in meta["state_dict"][kind]
    }
    for theirs, ours in SEPARABLE.items():
        weights = {key.replace(theirs, ours): value for key, value in weights.items()}
    layer.load_state_dict(weights)
    tag = "x" if entering == 4 else "xf"
    x = oracle.formula_tensor(f"gan_compression_layers/{tag}", (2, entering, 5, 5), -1).double()
    with torch.no_grad():
        found = layer(x, leaving)
    expected = want[f"{kind}_in{entering}_out{leaving}"]
    np.testing.assert_allclose(found, expected, atol=1e-9, rtol=0)


@pytest.fixture(scope="module")
def authors(tmp_path_factory):
    meta, want = oracle.generative_golden("gan_compression_supernet")
    model = SlimmableGenerator(channels=(8,) * 8)
    weights = {
        key: oracle.formula_value(f"S.{key}", shape, meta["gain"]).double()
        for key, shape in meta["state_dict"]
    }
    path = tmp_path_factory.mktemp("supernet") / "super.pth"
    torch.save(weights, path)
    golden.load_pretrained(model.double(), path, names=gan_compression.PUBLISHED_NAMES)
    return model, meta, want


@pytest.mark.parametrize("name", ["full", "mixed", "smallest"])
def test_the_generator_and_what_is_inside_equal_the_authors(authors, name):
    model, meta, want = authors
    channels = meta["channels"][name]
    x = oracle.formula_tensor("gan_compression_supernet/x", (1, 3, 24, 24), -1).double()
    small = model.extract(channels)
    assert golden.parameter_count(small) == meta["sub_generator_parameters"][name]
    with torch.no_grad():
        inside, outside = model(x, channels), small(x)
    step = -(-inside.numel() // 400)
    np.testing.assert_allclose(inside.flatten()[::step], want[name], atol=1e-9, rtol=0)
    torch.testing.assert_close(outside, inside, atol=1e-12, rtol=0)


def test_sizes_and_costs_at_paper_scale():
    count, x = golden.parameter_count, torch.zeros(1, 3, 256, 256, device="meta")
    with torch.device("meta"):
        teacher = SlimmableGenerator()
        cyclegan = SlimmableGenerator(separable=False)
        small = SlimmableGenerator(channels=CYCLEGAN_CHANNELS)
    assert count(teacher) == 1_987_075
    assert count(cyclegan) == 11_378_179  # CycleGAN's, 11.4 M in the table of the authors' page
    assert count(small) == 341_627  # 0.342 M there
    assert count(SlimmableGenerator(channels=(16, 16, 32, 16, 32, 32, 16, 16))) == 356_867
    for model in (teacher, cyclegan, small):
        assert model.multiply_adds(256, 256) == counted(model, x)
    # theirs counts zeros between the pixels of transposed convolutions: 56.8 G
    zeros = 3 * 9 * 64**2 * (8 * 64**2 + 2 * 4 * 64**2)
    assert round((cyclegan.multiply_adds(256, 256) + zeros) / 1e9, 1) == 56.8


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("channels", [(6, 3, 5, 2, 4, 6, 1, 2), (1,) * 8, (6, 5, 4, 3, 2, 1)])
def test_costs_of_slices(channels, separable):
    model = SlimmableGenerator(2, 4, channels=(6,) * 8, blocks=4, separable=separable)
    x = torch.rand(1, 2, 13, 18)
    assert model.multiply_adds(13, 18, channels) == counted(model, x, channels)
    assert model.multiply_adds(13, 18, channels) == model.extract(channels).multiply_adds(13, 18)


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("blocks", [1, 2, 3, 5])
def test_extracted_is_the_slice(blocks, separable):
    torch.manual_seed(0)
    model = SlimmableGenerator(
        2, 1, channels=(5, 4, 6, 3, 5, 4, 6, 3), blocks=blocks, separable=separable
    ).double()
    x = torch.rand(2, 2, 9, 14).double()
    channels = (3, 4, 2, 1, 5, 2, 3, 1)
    small = model.extract(channels)
    with torch.no_grad():
        inside, maps = model.features(x, channels)
        outside, others = small.features(x)
        torch.testing.assert_close(outside, inside)
        torch.testing.assert_close(others, maps)
        small.head.weight.zero_()  # a copy
        torch.testing.assert_close(model(x, channels), inside)
    assert len(maps) == 1 + min(blocks, 3)


def test_six_numbers_are_eight():
    torch.manual_seed(0)
    model, x = SlimmableGenerator(channels=(4,) * 8, blocks=3), torch.rand(1, 3, 8, 8)
    six, eight = (3, 2, 4, 1, 3, 2), (3, 2, 4, 1, 1, 1, 3, 2)
    torch.testing.assert_close(model(x, six), model(x, eight))


def test_maps_are_taken_before_and_after_each_third():
    torch.manual_seed(0)
    model = SlimmableGenerator(channels=(2,) * 8, blocks=9).double()
    kept = golden.capture(model, ["blocks.2", "blocks.5", "blocks.8"])
    _, maps = model.features(torch.rand(1, 3, 12, 12).double())
    for found, expected in zip(maps[1:], kept.values(), strict=True):
        assert torch.equal(found, expected)


def test_gradients_of_a_slice_leave_the_rest():
    torch.manual_seed(0)
    model = SlimmableGenerator(channels=(4,) * 8, blocks=3)
    model(torch.rand(1, 3, 8, 8), (2,) * 8).sum().backward()
    assert model.downs[0].weight.grad[:4, :2].abs().min() > 0
    assert not model.downs[0].weight.grad[4:].any()
    assert not model.downs[0].weight.grad[:, 2:].any()


@pytest.mark.parametrize("separable", [True, False])
def test_a_transfer_at_full_size_only_sorts(separable):
    torch.manual_seed(0)
    options = {"channels": (4, 3, 5, 2, 4, 3, 6, 2), "blocks": 4, "separable": separable}
    source, target = (SlimmableGenerator(**options).double() for _ in range(2))
    transfer_channels(source, target)
    x = torch.rand(2, 3, 12, 10).double()
    with torch.no_grad():
        torch.testing.assert_close(target(x), source(x))
    size = target.stem.weight.abs().flatten(1).sum(1)
    assert torch.equal(size, size.sort(descending=True).values)
    assert not torch.equal(target.stem.weight, source.stem.weight)


def test_a_transfer_keeps_the_channels_that_matter():
    """Channels of zeros go first: without them the generator is the same."""
    torch.manual_seed(0)
    small = SlimmableGenerator(channels=(2,) * 8, blocks=3).double()
    large = SlimmableGenerator(channels=(4,) * 8, blocks=3).double()
    with torch.no_grad():
        own = small.state_dict()
        for name, value in large.state_dict().items():
            value.zero_()
            there = [slice(0, n) for n in own[name].shape]
            if name.startswith(("stem", "downs.0")):  # they need not come first
                there[0] = slice(value.shape[0] - own[name].shape[0], None)
            if name in ("downs.0.weight", "downs.1.weight"):
                there[1] = slice(value.shape[1] - own[name].shape[1], None)
            value[tuple(there)] = own[name]
    found = SlimmableGenerator(channels=(2,) * 8, blocks=3).double()
    transfer_channels(large, found)
    x = torch.rand(1, 3, 8, 8).double()
    with torch.no_grad():
        torch.testing.assert_close(found(x), small(x))


def test_connectors_learn_from_any_slice():
    torch.manual_seed(0)
    student = SlimmableGenerator(channels=(4,) * 8, blocks=3)
    teacher = SlimmableGenerator(channels=(6,) * 8, blocks=3)
    connect = DistillationConnectors(16, 24)
    x = torch.rand(1, 3, 8, 8)
    for channels in (None, (2,) * 8):
        maps = student.features(x, channels)[1]
        wanted = teacher.features(x)[1]
        assert [m.shape for m in connect(maps)] == [m.shape for m in wanted]


@pytest.mark.parametrize("size", list(itertools.product([5, 6, 8], [5, 7, 11])), ids=str)
def test_any_size_comes_back(size):
    model = SlimmableGenerator(1, 2, channels=(2,) * 8, blocks=1)
    answer = model(torch.rand(1, 1, *size))
    assert answer.shape == (1, 2, *size)
    assert answer.abs().max() <= 1


def calls():
    model = SlimmableGenerator(channels=(4,) * 8, blocks=1)
    other = SlimmableGenerator(channels=(4,) * 8, blocks=2)
    larger = SlimmableGenerator(channels=(5,) * 8, blocks=1)
    x, conv = torch.rand(1, 3, 8, 8), SlimConv2d(4, 6, 1)
    return [
        (lambda: model(x[:, :2]), r"x: expected \(batch, 3, height, width\), got \(1, 2, 8, 8\)"),
        (lambda: model(x[..., :4]), "must be at least 5 pixels"),
        (lambda: model(x, (4,) * 7), "channels: expected eight whole numbers, or six, from 1 to"),
        (lambda: model(x, (5,) * 8), r"channels: expected .* got \(5, 5"),
        (lambda: model(x, (0,) * 8), r"channels: expected .* got \(0, 0"),
        (lambda: model.extract((2.0,) * 8), r"channels: expected .* got \(2.0, 2.0"),
        (lambda: model.multiply_adds(8, 8, (5,) * 8), "channels: expected"),
        (lambda: SlimmableGenerator(channels=(0,) * 8), "channels: expected .* from 1, got"),
        (lambda: SlimmableGenerator(blocks=0), "blocks: expected at least 1, got 0"),
        (lambda: conv(torch.rand(1, 5, 2, 2)), r"x: expected \(batch, 1 to 4, height, width\)"),
        (lambda: conv(torch.rand(1, 4, 2, 2), 7), "out: expected 1 to 6, got 7"),
        (lambda: conv(torch.rand(1, 4, 2, 2), 0), "out: expected 1 to 6, got 0"),
        (lambda: DistillationConnectors(4, 6)([]), "maps: expected 4, got 0"),
        (lambda: DistillationConnectors(0, 6), "student: expected at least 1, got 0"),
        (lambda: transfer_channels(model, other), "target: expected a network like source"),
        (lambda: transfer_channels(model, larger), r"target: expected at most \(4, "),
    ]


@pytest.mark.as_user
@pytest.mark.parametrize("i", range(len(calls())))
def test_bad_input(i):
    call, message = calls()[i]
    with pytest.raises(ValueError, match=message):
        call()
