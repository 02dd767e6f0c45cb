import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvcourse.metrics import psnr
from cvcourse.models.restoration.srcnn import PUBLISHED_NAMES, SRCNN
from cvcourse.ops import resize_bicubic
from tests import oracle
from tests.models import golden


@pytest.mark.parametrize("padding", ["none", "zeros"])
def test_equals_the_well_known_port(padding, tmp_path):
    meta, want = oracle.restoration_golden("srcnn")
    model = golden.load_published(
        SRCNN(kernels=(9, 5, 5), padding=padding),
        meta["state_dict"],
        meta["gain"],
        PUBLISHED_NAMES,
        tmp_path,
    )
    got = model(oracle.formula_images("sr", 1, 33, 33, 1)).detach()
    if padding == "zeros":
        np.testing.assert_allclose(got[..., ::2, ::2], want["out"], atol=1e-10)
        got = got[..., 8:-8, 8:-8]
    np.testing.assert_allclose(got[..., ::2, ::2], want["center"], atol=1e-10)


@pytest.mark.parametrize(
    ("options", "weights", "parameters"),
    [
        ({}, 8032, 8129),
        ({"kernels": (9, 3, 5)}, 24416, 24513),
        ({"kernels": (9, 5, 5)}, 57184, 57281),
        ({"channels": 3}, 20000, 20099),
    ],
)
def test_published_counts(options, weights, parameters):
    with torch.device("meta"):
        model = SRCNN(**options)
    assert golden.parameter_count(model) == parameters
    kernels = [p.numel() for p in model.parameters() if p.ndim == 4]
    assert sum(kernels) == weights


@pytest.mark.parametrize(("kernels", "side"), [((9, 1, 5), 21), ((9, 5, 5), 17)])
def test_sizes_of_the_paper(kernels, side):
    assert SRCNN(kernels=kernels)(torch.rand(1, 1, 33, 33)).shape == (1, 1, side, side)
    for padding in ("zeros", "replicate"):
        model = SRCNN(kernels=kernels, padding=padding)
        assert model(torch.rand(2, 1, 14, 5)).shape == (2, 1, 14, 5)


@pytest.mark.parametrize("channels", [1, 3])
def test_passes_pixels_through_when_told(channels):
    model = SRCNN(kernels=(9, 3, 5), channels=channels, padding="replicate").pass_through_()
    x = torch.rand(2, channels, 11, 14)
    torch.testing.assert_close(model(x), x, rtol=0, atol=0)


def test_from_there_a_few_steps_beat_bicubic_on_the_picture_they_saw():
    tiles = oracle.formula_tensor("srcnn/tiles", (1, 1, 6, 6))
    truth = tiles.repeat_interleave(6, 2).repeat_interleave(6, 3)
    low = resize_bicubic(resize_bicubic(truth, 12), 36)
    model = SRCNN(widths=(16, 8), padding="replicate").pass_through_()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(30):
        optimizer.zero_grad()
        F.mse_loss(model(low), truth).backward()
        optimizer.step()
    assert psnr(model(low), truth) > psnr(low, truth) + 0.3


def test_gradcheck():
    model = SRCNN(kernels=(3, 1, 3), widths=(3, 2), padding="replicate").double().pass_through_()
    x = torch.rand(1, 1, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(model, x)


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match=r"kernels: expected three odd numbers, got \(9, 2, 5\)"):
        SRCNN(kernels=(9, 2, 5))
    with pytest.raises(ValueError, match="padding must be one of 'none', 'zeros', 'replicate'"):
        SRCNN(padding="same")
    with pytest.raises(ValueError, match="channels: expected at least 1, got 0"):
        SRCNN(channels=0)
    with pytest.raises(ValueError, match="x: expected more than 12 pixels a side"):
        SRCNN()(torch.rand(1, 1, 12, 40))
    for shape in ((1, 3, 40, 40), (1, 40, 40)):
        with pytest.raises(ValueError, match=r"x: expected \(batch, 1, height, width\), got"):
            SRCNN()(torch.rand(shape))


@pytest.mark.as_user
def test_exports_and_compiles():
    model, x = SRCNN(widths=(4, 3)).eval(), torch.rand(2, 1, 19, 25)
    expected = model(x)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)
