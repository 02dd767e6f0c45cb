import numpy as np
import pytest
import torch

from cvcourse.losses import composition_loss, normalized_l1_loss
from cvcourse.models.restoration import patch_discriminator
from cvcourse.models.restoration.background_matting import PUBLISHED_NAMES, BackgroundMatting
from cvcourse.models.restoration.patch_discriminator import PatchDiscriminator
from tests import oracle
from tests.models import golden

SMALL = {"width": 4, "selected": 4, "blocks": 1, "branch_blocks": 1}
CONFIGS = {
    "background_matting_g": {},
    "background_matting_g_small": {
        "width": 8,
        "selected": 8,
        "blocks": 2,
        "branch_blocks": 1,
    },
}


def inputs(n=2, height=16, width=20):
    return tuple(2 * torch.rand(n, c, height, width) - 1 for c in (3, 3, 1, 4))


@pytest.mark.parametrize("name", CONFIGS)
def test_equals_the_authors(name, tmp_path):
    meta, want = oracle.restoration_golden(name)
    model = BackgroundMatting(**CONFIGS[name])
    assert golden.parameter_count(model) == meta["parameters"]
    golden.load_published(model, meta["state_dict"], meta["gain"], PUBLISHED_NAMES, tmp_path)
    tag = "bms" if name.endswith("small") else "bm"
    x = [
        2 * oracle.formula_images(f"{tag}/{part}", 2, 32, 32, channels) - 1
        for part, channels in (("image", 3), ("back", 3), ("seg", 1), ("multi", 4))
    ]
    for mode in ("eval", "train"):
        with torch.no_grad():
            alpha, foreground = model.train(mode == "train")(*x)
        np.testing.assert_allclose(alpha[..., ::4, ::4], want[f"{mode}_alpha"], atol=1e-9)
        np.testing.assert_allclose(foreground[..., ::8, ::8], want[f"{mode}_fg"], atol=1e-9)
        golden.assert_statistics(alpha, want[f"{mode}_alpha_stat"])
        golden.assert_statistics(foreground, want[f"{mode}_fg_stat"])


def test_discriminator_equals_the_authors(tmp_path):
    meta, want = oracle.restoration_golden("background_matting_d")
    model = PatchDiscriminator()
    assert golden.parameter_count(model) == meta["parameters"] == 2_764_737
    names = patch_discriminator.PUBLISHED_NAMES
    golden.load_published(model, meta["state_dict"], meta["gain"], names, tmp_path)
    x = 2 * oracle.formula_images("bmd", 2, 32, 32, 3) - 1
    np.testing.assert_allclose(model(x).detach(), want["out"], atol=1e-9)


def test_the_released_network_does_not_look_at_motion_and_the_papers_does():
    image, background, segmentation, motion = inputs()
    for third, same in (("background", True), ("motion", False)):
        torch.manual_seed(0)
        model = BackgroundMatting(**SMALL, third_prior=third).eval()
        first = model(image, background, segmentation, motion)[0]
        second = model(image, background, segmentation, -motion)[0]
        assert torch.equal(first, second) == same


@pytest.mark.parametrize("size", [(8, 8), (9, 14), (16, 11)], ids=str)
def test_any_size_comes_back(size):
    alpha, foreground = BackgroundMatting(**SMALL).eval()(*inputs(1, *size))
    assert alpha.shape == (1, 1, *size)
    assert foreground.shape == (1, 3, *size)
    assert alpha.abs().max() <= 1


def test_one_step_of_training_lowers_the_loss():
    model, x = BackgroundMatting(**SMALL), inputs()
    discriminator = PatchDiscriminator(width=4)
    target, mask = x[2].sign(), torch.ones(2, 1, 16, 20)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(5):
        alpha, foreground = model(*x)
        loss = normalized_l1_loss(alpha, target, mask)
        loss = loss + composition_loss(x[0], alpha, foreground, x[1], mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert discriminator(foreground.detach()).shape == (2, 1, 5, 6)


@pytest.mark.as_user
def test_bad_input():
    model, (image, background, segmentation, motion) = BackgroundMatting(**SMALL), inputs()
    with pytest.raises(ValueError, match=r"image: expected .* 8 pixels a side or more"):
        model(*inputs(1, 7, 9))
    with pytest.raises(ValueError, match=r"segmentation: expected \(2, 1, 16, 20\)"):
        model(image, background, image, motion)
    with pytest.raises(ValueError, match=r"motion: expected \(2, 4, 16, 20\)"):
        model(image, background, segmentation, segmentation)
    with pytest.raises(ValueError, match="third_prior must be one of"):
        BackgroundMatting(third_prior="depth")
    with pytest.raises(ValueError, match="channels: expected those of four inputs"):
        BackgroundMatting(channels=(3, 3))
    with pytest.raises(ValueError, match=r"x: expected \(batch, 3, height, width\)"):
        PatchDiscriminator(width=4)(segmentation)


@pytest.mark.as_user
def test_exports_and_compiles():
    for model, x in (
        (BackgroundMatting(**SMALL).eval(), inputs(2, 13, 18)),
        (PatchDiscriminator(width=4).eval(), (torch.rand(2, 3, 21, 18),)),
    ):
        expected = model(*x)
        torch.testing.assert_close(torch.export.export(model, x).module()(*x), expected)
        compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(compiled(*x), expected)
