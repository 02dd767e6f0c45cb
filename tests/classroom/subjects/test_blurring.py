import math

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import convolve

from cvcourse.classroom.subjects import blurring
from cvcourse.ops import blur, gaussian_kernel

FLAT = [torch.full((256, 256), 0.5)]


@pytest.fixture(scope="module")
def noise():
    coarse = torch.rand(33, 38, generator=torch.Generator().manual_seed(0))
    return [coarse.repeat_interleave(8, 0).repeat_interleave(8, 1)]


def examples(photographs, count=6, each=2, **options):
    return blurring.blurred_examples(photographs, count, 0, lambda x: x, each, **options)


@pytest.mark.parametrize("kind", range(3))
def test_transfer_is_the_blur_in_frequencies(kind):
    kernel = blurring.kernel_of(kind, 4.0, 0.3)
    x = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    ours = torch.fft.irfft2(torch.fft.rfft2(x) * blurring.transfer(kernel, 64), s=(64, 64))
    inner = slice(20, -20)
    torch.testing.assert_close(ours[..., inner, inner], blur(x, kernel)[..., inner, inner])


def test_transfer_of_a_gaussian():
    f = torch.arange(33) / 64
    expected = torch.exp(-2 * math.pi**2 * 4 * f**2)
    ours = blurring.transfer(gaussian_kernel(2.0), 64)[0]
    torch.testing.assert_close(ours.abs(), expected, atol=5e-3, rtol=0)


def test_a_kernel_larger_than_the_picture():
    with pytest.raises(ValueError, match="side must be at least"):
        blurring.transfer(gaussian_kernel(3.5), 9)


def test_photographs_are_not_enlarged():
    assert [p.shape[0] for p in blurring.grey_photographs(["coins"], (256, 320))] == [256]


def test_patches_have_contrast():
    own = torch.Generator().manual_seed(0)
    photograph = torch.full((256, 256), 0.5)
    assert len(blurring.patches_of(photograph, own, 5)) == 0
    photograph[128:, :] = torch.rand(128, 256, generator=own)
    patches = blurring.patches_of(photograph, own, 3)
    assert patches.shape == (3, 128, 128)
    assert (patches.std((1, 2)) > 0.03).all()


def test_kinds_take_turns_and_targets_are_in_range(noise):
    patches, kinds, targets = examples(noise)
    assert patches.shape[1:] == (128, 128)
    assert len(patches) == len(kinds) == len(targets)
    assert kinds.unique_consecutive().tolist() == [0, 1, 2, 0, 1, 2]
    assert ((targets[:, 0] >= 0) & (targets[:, 0] <= 1)).all()
    norms = targets[:, 1:].norm(dim=1)
    torch.testing.assert_close(norms, (kinds == 1).float())


def test_rounded_to_whole_levels(noise):
    levels = 255 * examples(noise)[0]
    np.testing.assert_allclose(levels, levels.round(), atol=1e-3)


def test_each_is_the_turned_picture_by_the_kernel_of_its_target():
    """By SciPy's convolution; every third turn is another quarter, from the 12th on mirrored."""
    picture = torch.rand(64, 64, generator=torch.Generator().manual_seed(3))
    picture = picture.repeat_interleave(4, 0).repeat_interleave(4, 1)
    patches, kinds, targets = examples([picture], count=15, each=1)
    assert len(patches) == 15
    for k, (patch, kind, (share, cosine, sine)) in enumerate(
        zip(patches, kinds.tolist(), targets.tolist(), strict=True)
    ):
        low, high = blurring.SIZES[kind]
        kernel = blurring.kernel_of(kind, low + share * (high - low), math.atan2(sine, cosine) / 2)
        turned = np.rot90(picture.numpy(), k // 3 % 4)
        turned = turned[:, ::-1] if k >= 12 else turned
        soft = convolve(turned, kernel.numpy(), mode="wrap")[12:-12, 12:-12]
        windows = sliding_window_view(soft, (128, 128))[::24, ::24].reshape(-1, 128, 128)
        apart = np.abs(windows - patch.numpy()).max((1, 2)).min()
        assert apart < 0.51 / 255


def test_alike_for_a_seed_and_noisier_with_noise(noise):
    first, again = examples(noise)[0], examples(noise)[0]
    torch.testing.assert_close(first, again)
    noisy = examples(FLAT, each=1, noise=(0.1, 0.1))[0]
    assert len(noisy) == 6
    assert abs(noisy.std() - 0.1) < 0.01
