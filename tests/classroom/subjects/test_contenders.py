"""Ways to learn from pictures: what each asks, against loops; the linear segmentation by lstsq."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cvcourse import methods
from cvcourse.classroom.subjects import contenders

IMAGES = torch.rand(12, 3, 24, 24, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(12) % 3
NUMBERS = torch.arange(12)


def new_trunk():
    torch.manual_seed(1)
    first = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU())
    return nn.Sequential(first, nn.Sequential(nn.Conv2d(4, 6, 3, 2, 1), nn.ReLU()))


def same(x):
    return x


def test_pooled_is_the_mean_over_places():
    trunk = new_trunk()
    torch.testing.assert_close(contenders.pooled(trunk)(IMAGES), trunk(IMAGES).mean((2, 3)))


def test_a_look_goes_through_its_augmentations_in_order():
    assert torch.equal(contenders.Look()(IMAGES), IMAGES)
    grey = contenders.Look("color drop")(IMAGES)
    torch.testing.assert_close(grey[:, 0], grey[:, 2])
    cropped = contenders.Look("crop", "color drop")(IMAGES)
    assert cropped.shape == IMAGES.shape
    torch.testing.assert_close(cropped[:, 0], cropped[:, 1])
    assert not torch.allclose(cropped, grey)
    slope = torch.linspace(0, 1, 24).expand(40, 3, 24, 24)
    part = contenders.Look("crop")(slope)
    assert (part.amax(3) - part.amin(3)).amin() > 0.5  # half of the area, sides up to 4 : 3


def test_turns_are_those_of_the_views():
    model, loss = contenders.tells_turns(new_trunk(), lambda x: x.flip(3), channels=6)
    found = loss(model, (IMAGES, NUMBERS))
    losses = [
        F.cross_entropy(model(x.flip(2)[None].rot90(k, (2, 3))), torch.tensor([k]))
        for x in IMAGES
        for k in range(4)
    ]
    torch.testing.assert_close(found, torch.stack(losses).mean())


def test_labels_of_all_or_of_the_few():
    trunk = new_trunk()
    model, loss = contenders.tells_labels(trunk, same, IMAGES, LABELS, channels=6)
    part = NUMBERS[[7, 2, 4]]
    wanted = F.cross_entropy(model(IMAGES[part]), LABELS[part])
    torch.testing.assert_close(loss(model, (IMAGES[part], part)), wanted)
    only = torch.tensor([5])
    model, loss = contenders.tells_labels(trunk, same, IMAGES, LABELS, only, channels=6)
    wanted = F.cross_entropy(model(IMAGES[only]), LABELS[only])
    torch.testing.assert_close(loss(model, (IMAGES, NUMBERS)), wanted)


def test_a_puzzle_knows_the_order_of_its_tiles():
    model, loss = contenders.solves_puzzles(new_trunk(), same, channels=6)
    tiles = methods.shuffled_tiles(IMAGES, contenders.TILE)
    assert model(tiles).shape == (12, contenders.ORDERS)
    assert not torch.allclose(model(tiles), model(tiles.flip(1)))
    assert loss(model, (IMAGES, NUMBERS)).isfinite()


def test_clusters_are_made_anew_and_count_alike():
    steps, found = [], torch.tensor([0] * 9 + [1] * 2 + [2])

    def cluster(net, step):
        steps.append(step)
        return found

    model, loss = contenders.tells_clusters(new_trunk(), same, IMAGES, cluster, channels=6, every=2)
    heads = []
    for _ in range(5):
        value = loss(model, (IMAGES, NUMBERS))
        heads.append(model[1].weight.clone())
    assert steps == [0, 2, 4]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[1], heads[2])
    each = F.cross_entropy(model(IMAGES), found, reduction="none")
    of_clusters = torch.stack([each[found == c].mean() for c in range(3)])
    torch.testing.assert_close(value, of_clusters.mean())
    once, loss = contenders.tells_clusters(
        new_trunk(), same, IMAGES, cluster, channels=6, every=None
    )
    for _ in range(3):
        loss(once, (IMAGES, NUMBERS))
    assert steps == [0, 2, 4, 0]


def test_linear_segmentation_is_weighted_least_squares():
    trunk = new_trunk().eval()
    labels = (IMAGES[:, 0] > 0.7).long() + (IMAGES[:, 1] > 0.9).long()
    train, test = (IMAGES[:8], labels[:8]), (IMAGES[8:], labels[8:])
    found = contenders.segment_linearly(trunk, train, test, num_classes=3)

    def rows(x):
        parts, kept = x, [torch.ones(len(x), 1, 24, 24)]
        for block in trunk:
            parts = block(parts)
            kept.append(F.interpolate(parts, (24, 24), mode="bilinear"))
        return torch.cat(kept, 1).movedim(1, 3).flatten(0, 2).detach().double().numpy()

    a, y = rows(train[0]), train[1].flatten().numpy()
    weight = (1 / np.bincount(y)[y]) ** 0.5
    small = (1e-4 * np.trace((weight[:, None] * a).T @ (weight[:, None] * a)) / a.shape[1]) ** 0.5
    rows_too = np.concatenate([weight[:, None] * a, small * np.eye(a.shape[1])])
    targets = np.concatenate([weight[:, None] * np.eye(3)[y], np.zeros((a.shape[1], 3))])
    answer = np.linalg.lstsq(rows_too, targets, rcond=None)[0]
    said, truth = (rows(test[0]) @ answer).argmax(1), test[1].flatten().numpy()
    ious = [
        ((said == c) & (truth == c)).sum() / ((said == c) | (truth == c)).sum() for c in range(3)
    ]
    assert abs(found - np.mean(ious)) < 1e-6
    assert 0.1 < found < 0.9  # noise: neither nothing nor all
