import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from cvcourse.classroom.subjects import probing
from cvcourse.data import digits
from cvcourse.data.scenes import Scenes, stack
from cvcourse.methods import rotate


def trunk(channels=1):
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU()),
    )


def test_contenders_begin_alike():
    begun = {}

    def way(name):
        def train(net):
            begun[name] = {k: v.clone() for k, v in net.state_dict().items()}
            net[0][0].weight.data.add_(1)

        return train

    images = torch.rand(20, 1, 8, 8)
    ways = {"supervised": way("supervised"), "turned": way("turned")}
    nets = probing.contenders(trunk, ways, images, seed=3)
    assert list(nets) == ["random", "supervised", "turned"]
    for name in ways:
        assert all(torch.equal(begun[name][k], v) for k, v in begun["supervised"].items())
        assert torch.equal(nets[name][0][0].weight, nets["random"][0][0].weight + 1)
    assert not any(net.training for net in nets.values())
    normed = nets["random"][0][:2](images)  # in evaluation mode: the statistics of these pictures
    assert normed.mean((0, 2, 3)).abs().max() < 1e-5
    with pytest.raises(ValueError, match="ways must have 'supervised'"):
        probing.contenders(trunk, {"turned": way("turned")}, images, seed=3)


def test_features_of_blocks_are_averages_of_their_maps():
    net, images = trunk(), torch.rand(300, 1, 8, 8)
    net.train()
    first, second = probing.block_features(net, images, numbers=64)
    assert net.training
    assert first.shape == (300, 32)  # 8 channels, 2 × 2 cells
    net.eval()
    maps = net[0](images)
    expected = [maps[:, :, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4].mean((2, 3))
                for i in range(2) for j in range(2)]  # fmt: skip
    torch.testing.assert_close(first, torch.stack(expected, 2).flatten(1))
    assert second.shape == (300, 64)
    whole = probing.block_features(net, images, numbers=10**6)[1]
    torch.testing.assert_close(whole, net(images).flatten(1))


def test_few_labels_are_as_many_of_each():
    labels = torch.tensor([0, 2] * 10 + [5] * 4)
    chosen = probing.few_labels(labels, 3, seed=0)
    assert labels[chosen].tolist() == [0] * 3 + [2] * 3 + [5] * 3
    assert len(set(chosen.tolist())) == 9
    assert torch.equal(chosen, probing.few_labels(labels, 3, seed=0))
    with pytest.raises(ValueError, match="per_class must be from 1 to 4, got 5"):
        probing.few_labels(labels, 5, seed=0)


def test_probe_is_scikit_learns_with_the_best_strength():
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(3, 6, generator=generator)

    def split(count):
        labels = torch.arange(count) % 3
        noise = torch.randn(count, 6, generator=generator)
        return 10 * (centres[labels] + 1.2 * noise) + 5, labels

    train, val, test = split(60), split(300), split(300)
    found = probing.probe(train, val, test)
    mean, std = train[0].double().mean(0), train[0].double().std(0, correction=0)
    x, seen, unseen = (((s[0].double() - mean) / std).numpy() for s in (train, val, test))
    scores = []
    for c in probing.STRENGTHS:
        model = LogisticRegression(C=c, max_iter=500).fit(x, train[1])
        scores.append((model.score(seen, val[1]), model.score(unseen, test[1])))
    assert found["linear"] == scores[int(np.argmax([s[0] for s in scores]))][1]
    distances = np.linalg.norm(unseen[:, None] - x, axis=2)
    shares = []
    for n in probing.NEIGHBOURS:
        nearest = train[1].numpy()[distances.argsort(1)[:, :n]]
        votes = np.array([np.bincount(row, minlength=3).argmax() for row in nearest])
        shares.append((votes == test[1].numpy()).mean())
    assert any(math.isclose(found["neighbours"], share) for share in shares)


def test_probes_of_all_blocks_use_the_same_few_labels():
    splits = [tuple(part[:200] for part in digits.load(name)) for name in ("train", "val", "test")]
    nets = {"random": trunk().eval(), "again": trunk().eval()}
    nets["again"].load_state_dict(nets["random"].state_dict())
    scores = probing.probe_trunks(nets, *splits, per_class=5, seed=1, numbers=64)
    assert len(scores) == 2 * 2 * 2
    for block in (1, 2):
        for kind in ("linear", "neighbours"):
            ours, theirs = (scores[f"{name} block {block} {kind}"] for name in nets)
            assert ours == theirs > 0.3


def test_rotation_of_digits_can_be_answered_unless_their_pixels_are_shuffled():
    images = digits.load("train")[0]

    def question(batch, generator):
        return rotate(batch)

    found = probing.check_pretext(
        trunk, question, images[:400], images[800:], answers=4, steps=40, lr=1e-2,
        destroy=probing.shuffle_pixels,
    )  # fmt: skip
    assert found.chance == 0.25
    assert found.solved[1] > 0.5
    assert found.destroyed[1] < 0.25 < found.destroyed[2]


def test_a_shortcut_survives_the_destruction():
    """A pretext whose answer is the brightness: no picture is needed for it."""

    def question(batch, generator):
        labels = torch.randint(2, (len(batch),), generator=generator)
        return batch + 2 * labels[:, None, None, None], labels

    images = torch.rand(128, 1, 8, 8)
    found = probing.check_pretext(trunk, question, images, images, answers=2, steps=30, lr=1e-2)
    assert found.destroyed[0] > 0.9


def test_scrambled_pictures_keep_their_amplitudes():
    images = torch.rand(3, 2, 9, 12).double()
    out = probing.scramble_phases(images, torch.Generator().manual_seed(0))
    expected = np.abs(np.fft.fft2(images.numpy()))
    np.testing.assert_allclose(np.abs(np.fft.fft2(out.numpy())), expected, atol=1e-9)
    torch.testing.assert_close(out.mean((2, 3)), images.mean((2, 3)))
    alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(out, images, strict=True)]
    assert max(map(abs, alike)) < 0.5
    shuffled = probing.shuffle_pixels(images, torch.Generator().manual_seed(0))
    assert torch.equal(shuffled.flatten(2).sort(2).values, images.flatten(2).sort(2).values)
    pairs = images[0].flatten(1).T.tolist()
    assert sorted(shuffled[0].flatten(1).T.tolist()) == sorted(pairs)  # channels move together


def test_heads_learn_from_few_labels_and_leave_the_trunk():
    shapes = {"size": 32, "objects": 1, "classes": ("background", "disk"), "scale": (0.5, 0.6)}
    scenes = Scenes(16, **shapes, background="plain", texture=0.0, noise=0.0, lighting=0.0)
    kept = [scenes[i] for i in range(16)]
    net = trunk(3).eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    images, targets = stack(kept)
    masks = images, torch.stack([target["semantic"] for _, target in kept])
    untrained, learnt = (
        probing.segment_from(net, masks, masks, num_classes=2, steps=steps, lr=1e-2)
        for steps in (1, 40)
    )
    assert learnt > max(untrained, 0.6)
    assert all(torch.equal(net.state_dict()[k], v) for k, v in before.items())
    assert targets


@pytest.mark.parametrize("frozen", [False, True])
def test_a_detector_learns_from_a_trunk_and_leaves_it(frozen):
    shapes = {"size": 32, "objects": 1, "classes": ("background", "disk"), "scale": (0.5, 0.6)}
    scenes = Scenes(24, **shapes, background="plain", texture=0.0, noise=0.0, lighting=0.0)
    kept = [scenes[i] for i in range(24)]
    net = trunk(3).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    options = {"num_classes": 2, "lr": 1e-2, "seed": 3, "frozen": frozen}
    found = probing.detect_from(net, kept[:16], kept[16:], steps=60, **options)
    assert (
        min(found) > 0.5 > max(probing.detect_from(net, kept[:16], kept[16:], steps=1, **options))
    )
    assert found == probing.detect_from(net, kept[:16], kept[16:], steps=60, **options)
    assert net.training
    assert all(p.requires_grad for p in net.parameters())
    assert all(torch.equal(net.state_dict()[k], v) for k, v in before.items())


def test_a_detector_sees_the_trunks_maps_standardised_and_cut():
    net, images = trunk(3).eval(), torch.rand(300, 3, 8, 12)
    frozen = probing._Frozen(net, images).train()
    assert frozen.training
    assert not any(module.training for module in net.modules())
    maps = frozen(images)["0"]
    assert (frozen.out_channels, frozen.stride, maps.shape[2:]) == (16, 2, (4, 6))
    wanted = net(images).detach().numpy()
    mean, std = (f(wanted, axis=(0, 2, 3), keepdims=True) for f in (np.mean, np.std))
    np.testing.assert_allclose(maps, ((wanted - mean) / std).clip(-5, 5), atol=2e-3)
    assert maps.max() == 5  # the last maps of this trunk are 0 nearly everywhere
    assert not maps.requires_grad
