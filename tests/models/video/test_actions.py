"""I3D, R3D-18 and SlowFast: other people's numbers, sizes, and what they refuse."""

import numpy as np
import pytest
import torch

from cvcourse.models import I3D, ResNet3d, SlowFast, r3d_18
from cvcourse.models.video import i3d, slowfast
from cvcourse.models.video.i3d import pad_same
from cvcourse.models.video.slowfast import slow_frames
from tests import oracle
from tests.models import golden
from tests.models.examples import arguments, network

NETS = ["I3D", "ResNet3d", "SlowFast"]


def meanstd(x):
    return [x.mean(), x.std(), x.min(), x.max()]


def test_i3d_equals_the_well_known_port(tmp_path):
    meta, want = oracle.video_golden("i3d_rgb_8x64")
    shapes = meta["state_dict"].items()
    net = golden.load_published(I3D(), shapes, meta["gain"], i3d.PUBLISHED_NAMES, tmp_path)
    ends = sorted({name.split("/")[0] for name in want if "/" in name})
    outputs = golden.capture(net, [f"features.{end}" for end in ends])
    with torch.no_grad():
        logits = net.over_time(oracle.formula_batch((1, 3, 8, 64, 64)).double() / 2)
    for end in ends:
        x = outputs[f"features.{end}"]
        c, h, w = (max(x.shape[i] // parts, 1) for i, parts in ((1, 8), (3, 3), (4, 3)))
        np.testing.assert_allclose(
            x[:, ::c, :, ::h, ::w], want[f"{end}/sample"], atol=1e-8, rtol=0, err_msg=end
        )
        np.testing.assert_allclose(meanstd(x), want[f"{end}/meanstd"], atol=1e-8, rtol=0)
    np.testing.assert_allclose(logits[:, ::10], want["logits_of_space_mean"], atol=1e-8, rtol=0)


def test_r3d_equals_torchvision():
    meta, want = oracle.video_golden("r3d_18")
    net = r3d_18()
    assert {k: list(v.shape) for k, v in net.state_dict().items()} == meta["state_dict"]
    oracle.fill_(net, meta["gain"]).double().eval()
    stages = golden.capture(net, ["stem", "layer1", "layer2", "layer3", "layer4"])
    with torch.no_grad():
        logits = net(oracle.formula_batch((2, 3, 5, 40, 48)).double() / 2)
    for name, output in stages.items():
        golden.assert_statistics(output, want[name])
    np.testing.assert_allclose(logits[:, ::10], want["logits"], rtol=1e-10, atol=1e-10)


def test_slowfast_equals_the_authors_network(tmp_path):
    meta, want = oracle.video_golden("slowfast_4x16_w16")
    shapes, names = meta["state_dict"].items(), slowfast.PUBLISHED_NAMES
    net = golden.load_published(SlowFast(width=16), shapes, meta["gain"], names, tmp_path)
    stages = [f"{pathway}.{i}" for pathway in ("slow", "fast") for i in range(5)]
    outputs = golden.capture(net, [*stages, *(f"fuse.{i}" for i in range(4))])
    with torch.no_grad():
        logits = net(oracle.formula_batch((1, 3, 32, 64, 64)).double() / 2)
    for i in range(5):
        slow, fast = outputs[f"slow.{i}"], outputs[f"fast.{i}"]
        if f"s{i + 1}/slow/meanstd" in want:
            np.testing.assert_allclose(meanstd(slow), want[f"s{i + 1}/slow/meanstd"], atol=1e-8)
            np.testing.assert_allclose(meanstd(fast), want[f"s{i + 1}/fast/meanstd"], atol=1e-8)
        if i < 4:
            fused = torch.cat((slow, outputs[f"fuse.{i}"]), dim=1)
            np.testing.assert_allclose(
                meanstd(fused), want[f"s{i + 1}_fuse/slow/meanstd"], atol=1e-8
            )
    np.testing.assert_allclose(logits.softmax(1)[:, ::5], want["probabilities"], atol=1e-8, rtol=0)
    assert slow_frames(32, 8).tolist() == want["slow_frames"].tolist()


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (I3D, 12_697_264),
        (r3d_18, 33_371_472),
        (SlowFast, 34_480_216),
        (lambda: SlowFast(alpha=4, fusion_kernel=7), 34_566_488),
    ],
)
def test_published_counts(build, count):
    with torch.device("meta"):
        assert golden.parameter_count(build()) == count


def test_tensorflows_padding():
    """By hand: 7 at stride 2 over 8 lacks 5, and over 9 lacks 6; the odd one goes to the end."""
    x = torch.ones(1, 1, 8, 9, 5)
    assert pad_same(x, (7, 7, 1), (2, 2, 1)).shape == (1, 1, 13, 15, 5)
    padded = pad_same(torch.ones(1, 1, 1, 1, 8), (1, 1, 7), (1, 1, 2)).flatten()
    assert padded.tolist() == [0, 0, *[1] * 8, 0, 0, 0]
    assert pad_same(x, (1, 2, 2), (1, 2, 2)).shape == (1, 1, 8, 10, 6)


def test_i3ds_answer_is_the_mean_of_its_steps():
    net, video = network("I3D").eval(), torch.rand(1, 3, 32, 32, 40) * 2 - 1
    steps = net.over_time(video)
    assert steps.shape[:2] == (1, 4)
    torch.testing.assert_close(net(video), steps.mean(2))


def test_the_slow_pathway_misses_what_happens_between_its_frames():
    net, (video,) = network("SlowFast").eval(), arguments("SlowFast")
    seen = slow_frames(8, 4)
    assert seen.tolist() == [0, 7]
    changed = video.clone()
    changed[:, :, 3] += 1
    slow = golden.capture(net, ["slow.0", "fast.0"])
    net(video)
    before = dict(slow)
    net(changed)
    assert torch.equal(slow["slow.0"], before["slow.0"])
    assert not torch.equal(slow["fast.0"], before["fast.0"])


@pytest.mark.parametrize("name", NETS)
def test_each_example_by_itself(name):
    net, (video,) = network(name).double().eval(), arguments(name)
    video = video.double()
    torch.testing.assert_close(net(video)[1:], net(video[1:]))
    assert net(video[..., :-3, :-5]).shape == (2, 4)


@pytest.mark.as_user
@pytest.mark.parametrize("name", NETS)
def test_bad_input(name):
    net = network(name)
    with pytest.raises(ValueError, match=r"x: expected \(batch, 3, time, height, width\)"):
        net(torch.rand(1, 3, 32, 32))
    with pytest.raises(ValueError, match=r"x: expected .* of at least one frame"):
        net(torch.rand(1, 3, 0, 32, 32))
    with pytest.raises(ValueError, match="num_classes: expected at least 1, got 0"):
        type(net)(0)


@pytest.mark.as_user
def test_slowfast_says_which_frames_and_widths_it_takes():
    with pytest.raises(ValueError, match="x: expected a multiple of 4 frames, got 6"):
        network("SlowFast")(torch.rand(1, 3, 6, 32, 32))
    with pytest.raises(ValueError, match="width: expected a multiple of 8, got 12"):
        SlowFast(width=12)
    with pytest.raises(ValueError, match="slow_times: expected as many as depths"):
        SlowFast(depths=(1, 1))


@pytest.mark.as_user
@pytest.mark.parametrize("name", NETS)
def test_exports(name):
    net, inputs = network(name).eval(), arguments(name)
    torch.testing.assert_close(torch.export.export(net, inputs).module()(*inputs), net(*inputs))


def test_one_step_of_training_lowers_the_loss():
    net, x, target = ResNet3d(3, depths=(1,), width=6), torch.rand(6, 3, 4, 16, 16), torch.arange(6)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    losses = []
    for _ in range(2):
        loss = torch.nn.functional.cross_entropy(net(x), target % 3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]
