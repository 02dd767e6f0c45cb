from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvcourse.losses import gram_matrix
from cvcourse.models.restoration.resize_transformation_network import (
    PUBLISHED_NAMES,
    ResizeTransformationNetwork,
)
from cvcourse.models.restoration.transformation_network import TransformationNetwork
from tests import oracle
from tests.models import golden

SMALL = {"widths": (4, 6, 8), "blocks": 1}
BOTH = pytest.mark.parametrize("kind", [TransformationNetwork, ResizeTransformationNetwork])


@BOTH
def test_published_count(kind):
    with torch.device("meta"):
        assert golden.parameter_count(kind()) == 1_679_235


def test_equals_the_well_known_port(tmp_path):
    meta, want = oracle.restoration_golden("johnson_examples")
    model = ResizeTransformationNetwork()
    golden.load_published(model, meta["state_dict"], meta["gain"], PUBLISHED_NAMES, tmp_path)
    with torch.no_grad():
        out = model(255 * oracle.formula_images("jo", 2, 32, 32, 3))
    scale = want["out_stat"][2]
    np.testing.assert_allclose(out[..., ::4, ::4] / scale, want["out"] / scale, atol=1e-8)
    golden.assert_statistics(out / scale, want["out_stat"] / scale, rtol=1e-8)
    features = oracle.formula_images("jo/f", 2, 6, 7, 5)
    np.testing.assert_allclose(gram_matrix(features), want["gram"], rtol=1e-8)


def test_equals_the_papers_layers_one_by_one():
    """fast-neural-style's default string of layers, `reflect-start`, with batch norm."""
    model = TransformationNetwork().eval()
    with torch.no_grad():
        for p in model.parameters():
            p.normal_(std=0.1)
        x = torch.rand(1, 3, 48, 44)
        weights = iter(model.parameters())

        def conv(x, stride=1, padding=0, transposed=False, normed=True):
            w, b = next(weights), next(weights)
            if transposed:
                x = F.conv_transpose2d(x, w, b, stride, padding, output_padding=1)
            else:
                x = F.conv2d(x, w, b, stride, padding)
            if not normed:
                return x
            scale, shift = next(weights), next(weights)
            return F.batch_norm(x, torch.zeros(len(scale)), torch.ones(len(scale)), scale, shift)

        y = F.pad(x, [40] * 4, mode="reflect")
        y = conv(y, padding=4).relu()
        y = conv(y, 2, 1).relu()
        y = conv(y, 2, 1).relu()
        for _ in range(5):
            z = conv(conv(y).relu())
            y = y[:, :, 2:-2, 2:-2] + z
        y = conv(y, 2, 1, transposed=True).relu()
        y = conv(y, 2, 1, transposed=True).relu()
        y = 150 * conv(y, padding=4, normed=False).tanh()
        torch.testing.assert_close(model(x), y)


@BOTH
@pytest.mark.parametrize("size", [(9, 12), (10, 11), (16, 16), (13, 9)], ids=str)
def test_any_size_comes_back(kind, size):
    assert kind(**SMALL).eval()(torch.rand(1, 3, *size)).shape == (1, 3, *size)


def test_no_zeros_are_seen_at_the_border_of_the_blocks():
    """Of a flat picture all pixels but the few that the large kernels' zeros reach are alike."""
    model = TransformationNetwork(blocks=3).eval()
    out = model(torch.full((1, 3, 40, 40), 0.4))
    # the 9 × 9 kernels are padded by zeros 24 pixels further out, and at the end
    inner = out[:, :, 8:-8, 8:-8]
    periods = inner[:, :, :4, :4].repeat(1, 1, 6, 6)
    torch.testing.assert_close(inner, periods, rtol=1e-4, atol=1e-4)


def test_instance_norm_is_an_argument():
    norm = partial(nn.InstanceNorm2d, affine=True)
    with torch.device("meta"):
        assert golden.parameter_count(TransformationNetwork(norm=norm)) == 1_679_235


@BOTH
def test_one_step_of_training_lowers_the_loss(kind):
    model, x = kind(**SMALL), torch.rand(2, 3, 16, 16)
    if kind is TransformationNetwork:
        model.scale = 1.0
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(2):
        loss = (model(x) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match="x: expected more than 40 pixels a side"):
        TransformationNetwork()(torch.rand(1, 3, 40, 64))
    with pytest.raises(ValueError, match="x: expected 8 pixels a side or more"):
        ResizeTransformationNetwork(**SMALL)(torch.rand(1, 3, 7, 64))
    for kind in (TransformationNetwork, ResizeTransformationNetwork):
        with pytest.raises(ValueError, match="widths: expected three numbers"):
            kind(widths=(32, 64))
        with pytest.raises(ValueError, match="blocks: expected at least 0, got -1"):
            kind(blocks=-1)
        for shape in ((1, 4, 40, 40), (3, 40, 40)):
            with pytest.raises(ValueError, match=r"x: expected \(batch, 3, height, width\), got"):
                kind(**SMALL)(torch.rand(shape))


@BOTH
def test_no_pictures_give_none(kind):
    assert kind(**SMALL)(torch.rand(0, 3, 18, 21)).shape == (0, 3, 18, 21)


@BOTH
@pytest.mark.as_user
def test_exports_and_compiles(kind):
    model, x = kind(**SMALL).eval(), torch.rand(2, 3, 18, 21)
    expected = model(x)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)
