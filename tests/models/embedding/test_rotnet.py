"""RotNet's network, and turned pictures."""

import numpy as np
import pytest
import torch

from cvcourse.methods import rotate
from cvcourse.models import RotNet
from cvcourse.models.embedding import rotnet
from tests import oracle
from tests.models import golden


def test_equals_the_authors_network(tmp_path):
    meta, want = oracle.less_supervision_golden("rotnet_nin4")
    shapes = meta["state_dict"].items()
    net = golden.load_published(RotNet(), shapes, meta["gain"], rotnet.PUBLISHED_NAMES, tmp_path)
    assert sum(p.numel() for p in net.parameters()) == meta["params"] == 1_411_140
    images = oracle.formula_batch((2, 3, 32, 32)).double()
    with torch.no_grad():
        maps, logits = net.features(images), net(images)
    for i, x in enumerate(maps, 1):
        np.testing.assert_allclose(
            x[:, ::24, ::3, ::3], want[f"conv{i}/sample"], atol=1e-9, rtol=0, err_msg=str(i)
        )
        statistics = [x.mean(), x.std(), x.min(), x.max()]
        np.testing.assert_allclose(statistics, want[f"conv{i}/meanstd"], atol=1e-9, rtol=0)
    np.testing.assert_allclose(logits, want["logits"], atol=1e-9, rtol=0)


@pytest.mark.parametrize(("blocks", "count"), [(3, 1_004_484), (5, 1_817_796)])
def test_sizes(blocks, count):
    assert sum(p.numel() for p in RotNet(blocks=blocks).parameters()) == count


@pytest.mark.parametrize("case", oracle.cases("rotations", "less_supervision/cases.json"))
def test_turns_are_the_authors(case):
    image = case["inputs"]["image"]  # (1, 3, 4): squares of it turn alike
    square = torch.zeros(1, 4, 4, dtype=image.dtype)
    square[:, :3] = image
    copies, labels = rotate(square[None])
    assert labels.tolist() == [0, 1, 2, 3]
    assert torch.equal(copies[1, :, :, :3], case["expected"]["label1"])
    assert torch.equal(copies[3, :, :, 1:], case["expected"]["label3"])
    assert torch.equal(copies[2, :, 1:], case["expected"]["label2"])


def test_copies_of_one_image_follow_each_other():
    images = torch.arange(2 * 4).view(2, 1, 2, 2).float()
    copies, labels = rotate(images, (0, 2))
    assert labels.tolist() == [0, 1, 0, 1]
    assert copies[:, 0].tolist() == [
        [[0, 1], [2, 3]], [[3, 2], [1, 0]], [[4, 5], [6, 7]], [[7, 6], [5, 4]],
    ]  # fmt: skip


@pytest.mark.parametrize("turns", [(1,), (0, 4), ()])
def test_bad_turns(turns):
    with pytest.raises(ValueError, match="turns must be two or more different quarters"):
        rotate(torch.zeros(1, 3, 4, 4), turns)


@pytest.mark.as_user
def test_bad_images():
    with pytest.raises(ValueError, match=r"images must have shape \(B, C, S, S\)"):
        rotate(torch.zeros(1, 3, 4, 5))
