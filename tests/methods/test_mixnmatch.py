"""Codes, boxes, and losses of MixNMatch, by hand and by loops."""

import pytest
import torch
import torch.nn.functional as F

from cvcourse.methods import (
    background_discriminator_loss,
    background_generator_loss,
    background_patches,
    draw_factors,
    encoder_loss,
    pair_critic_loss,
    pair_fooling_loss,
    shape_of_texture,
)
from cvcourse.models import FineGANPatchDiscriminator, MixNMatchCritics

COUNTS = {"latent": 4, "backgrounds": 6, "shapes": 3, "textures": 6}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("textures", "shapes"), [(200, 20), (6, 3), (7, 3), (5, 5)])
def test_textures_are_shared_out_in_order(textures, shapes):
    kinds = shape_of_texture(torch.eye(textures), shapes).argmax(1)
    assert torch.equal(kinds, kinds.sort().values)
    counts = kinds.bincount(minlength=shapes)
    assert counts.max() - counts.min() <= 1
    if textures % shapes == 0:
        assert kinds.tolist() == [i // (textures // shapes) for i in range(textures)]


def test_codes_are_drawn_free_or_tied():
    latent, background, shape, texture = draw_factors(500, **COUNTS, generator=seeded())
    assert [x.shape[1] for x in (latent, background, shape, texture)] == list(COUNTS.values())
    for code in (background, shape, texture):
        assert torch.equal(code.sum(1), torch.ones(500))
        assert code.sum(0).min() > 0.6 * 500 / code.shape[1]
    assert not torch.equal(background, texture)
    assert not torch.equal(shape, shape_of_texture(texture, 3))
    _, background, shape, texture = draw_factors(500, **COUNTS, tied=True, generator=seeded())
    assert torch.equal(background, texture)
    assert torch.equal(shape, shape_of_texture(texture, 3))


def test_patches_beside_a_loop():
    """A patch of 34 pixels from 4i on counts as background unless it reaches the box."""
    torch.manual_seed(0)
    corners = 126 * torch.rand(20, 2, 2)
    boxes = torch.cat([corners.amin(1), corners.amax(1)], 1)
    found = background_patches(boxes)
    for b, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        for row in range(24):
            for column in range(24):
                across = 4 * column + 34 >= x1 and 4 * column <= x2
                along = 4 * row + 34 >= y1 and 4 * row <= y2
                assert found[b, 0, row, column] == float(not (across and along))


def test_a_box_without_size_touches_nothing():
    boxes = torch.tensor([[3.0, 4, 3, 9], [3, 4, 9, 4], [0, 0, 0, 0], [0, 0, 126, 126]])
    assert background_patches(boxes).flatten(1).mean(1).tolist() == [1, 1, 1, 0]


def test_the_patches_are_those_that_the_network_sees():
    """What lies in the box changes no logit of a patch that counts."""
    torch.manual_seed(0)
    model, x = FineGANPatchDiscriminator(width=2).eval(), torch.rand(1, 3, 126, 126)
    box = torch.tensor([[50.0, 70, 80, 90]])
    other = x.clone()
    other[..., 70:91, 50:81] += 1
    kept = background_patches(box).bool().expand(1, 2, 24, 24)
    with torch.no_grad():
        first, second = model(x), model(other)
    assert torch.equal(first[kept], second[kept])
    assert not torch.equal(first[~kept], second[~kept])


def test_background_losses_by_hand():
    torch.manual_seed(0)
    real, made = torch.randn(2, 3, 2, 4, 4).double()
    patches = (torch.rand(3, 1, 4, 4) < 0.6).double()
    bce = F.binary_cross_entropy_with_logits
    ones, zeros = torch.ones_like(patches), torch.zeros_like(patches)
    each = bce(real[:, 1:], ones, reduction="none") * patches
    seen = each.mean() * patches.numel() / patches.sum()  # as the authors scale it
    want = 10 * (seen + bce(made[:, 1:], zeros)) + bce(real[:, :1], patches)
    torch.testing.assert_close(background_discriminator_loss(real, made, patches), want)
    want = 10 * bce(made[:, 1:], ones) + bce(made[:, :1], ones)
    torch.testing.assert_close(background_generator_loss(made), want)
    none = background_discriminator_loss(real, made, zeros)
    want = 10 * bce(made[:, 1:], zeros) + bce(real[:, :1], zeros)
    torch.testing.assert_close(none, want)


def test_encoder_loss_by_hand():
    torch.manual_seed(0)
    codes = draw_factors(5, **COUNTS, generator=seeded())
    logits = [torch.randn_like(code) for code in codes]
    want = 5 * F.l1_loss(logits[0], codes[0]) + 5 * F.cross_entropy(logits[1], codes[1].argmax(1))
    want = want + 10 * F.cross_entropy(logits[2], codes[2].argmax(1))
    want = want + 10 * F.cross_entropy(logits[3], codes[3].argmax(1))
    torch.testing.assert_close(encoder_loss(logits, codes), want)


def test_encoder_loss_of_nothing_and_of_halves():
    codes = draw_factors(0, **COUNTS, generator=seeded())
    logits = [torch.zeros_like(code, requires_grad=True) for code in codes]
    loss = encoder_loss(logits, codes)
    assert loss == 0
    assert all(g.numel() == 0 for g in torch.autograd.grad(loss, logits))
    codes = draw_factors(5, **COUNTS, generator=seeded())
    halves = [3000 * torch.randn_like(code).half() for code in codes]  # × 10: beyond float16
    wholes = [x.float() for x in halves]
    want = 5 * F.l1_loss(wholes[0], codes[0]) + sum(
        w * F.cross_entropy(x, c.argmax(1))
        for w, x, c in zip((5, 10, 10), wholes[1:], codes[1:], strict=True)
    )
    torch.testing.assert_close(encoder_loss(halves, codes), want)


def linear_critics(slopes):
    """Scores that are linear: slopes (a, b) of the picture's and of each code's sum."""

    def critics(x, codes):
        return [
            a * x.flatten(1).sum(1) + b * c.sum(1) for (a, b), c in zip(slopes, codes, strict=True)
        ]

    return critics


def test_critic_loss_of_linear_critics_by_hand():
    torch.manual_seed(0)
    images, made = torch.rand(2, 3, 3, 4, 4).double()
    encoded, codes = ([torch.rand(3, n).double() for n in (2, 3, 4, 5)] for _ in range(2))
    slopes = [(0.1, 0.2), (0.3, 0.4), (-0.5, 0.6), (0.7, 0.0)]
    critics = linear_critics(slopes)
    ours, theirs = critics(images, encoded), critics(made, codes)
    gap = sum(a.mean() - b.mean() for a, b in zip(ours, theirs, strict=True))
    torch.testing.assert_close(pair_fooling_loss(critics, images, encoded, made, codes), gap)
    penalty = 0.0
    for (a, b), code in zip(slopes, codes, strict=True):
        penalty += (abs(a) * 48**0.5 - 1) ** 2 + (abs(b) * code.shape[1] ** 0.5 - 1) ** 2
    found = pair_critic_loss(critics, images, encoded, made, codes)
    assert found.item() == pytest.approx((10 * penalty - gap).item(), abs=1e-6)


def test_critics_leave_the_others_and_can_be_stepped():
    torch.manual_seed(0)
    critics = MixNMatchCritics(**COUNTS, side=16, width=2, hidden=4)
    images = torch.rand(2, 3, 16, 16)
    made = torch.rand(2, 3, 16, 16, requires_grad=True)
    encoded = [torch.rand(2, n, requires_grad=True) for n in COUNTS.values()]
    codes = draw_factors(2, **COUNTS, generator=seeded())
    loss = pair_critic_loss(critics, images, encoded, made, codes, generator=seeded())
    loss.backward()
    assert made.grad is None
    assert all(code.grad is None for code in encoded)
    assert all(p.grad is not None for p in critics.parameters() if p.ndim > 1)
    pair_fooling_loss(critics, images, encoded, made, codes).backward()
    assert made.grad.abs().sum() > 0
    assert all(code.grad.abs().sum() > 0 for code in encoded)


LOGITS, ROW = torch.rand(2, 2, 3, 3), torch.rand(2, 4)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: shape_of_texture(ROW, 5), r"texture must be \(batch, 5 or more\), shapes 1"),
        (lambda: shape_of_texture(ROW, 0), r"texture must be \(batch, 0 or more\), shapes 1"),
        (
            lambda: draw_factors(2, backgrounds=3, textures=4, shapes=2, tied=True),
            "backgrounds must be as many as textures if tied, got 3 and 4",
        ),
        (lambda: background_patches(ROW[0]), r"boxes must have shape \(batch, 4\), got \(4,\)"),
        (
            lambda: background_generator_loss(LOGITS[:, :1]),
            r"made must have shape \(B, 2, rows, columns\), got \(2, 1, 3, 3\)",
        ),
        (
            lambda: background_discriminator_loss(LOGITS, LOGITS, LOGITS),
            r"patches must have the shape of real\[:, :1\]",
        ),
        (
            lambda: encoder_loss([ROW] * 3, [ROW] * 4),
            "predicted and the factors must have the same length, got 3 and 4",
        ),
        (
            lambda: encoder_loss([ROW] * 4, [ROW] * 3 + [ROW[:, :2]]),
            r"codes\[3\] must have the shape of predicted\[3\]",
        ),
        (
            lambda: pair_critic_loss(linear_critics([]), LOGITS, [ROW], LOGITS[:1], [ROW]),
            "made must have the shape of images",
        ),
        (
            lambda: pair_critic_loss(linear_critics([]), LOGITS, [ROW], LOGITS, [ROW[:, :2]]),
            r"codes\[0\] must have the shape of encoded\[0\]",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
