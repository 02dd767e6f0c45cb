import pytest
import torch

from cvcourse.methods import (
    adapted_matting_losses,
    image_where_opaque,
    shifted_composite,
    supervised_matting_losses,
)
from cvcourse.models import BackgroundMatting, PatchDiscriminator
from cvcourse.ops import composite


def pictures(n=2, size=16):
    f, b = 2 * torch.rand(2, n, 3, size, size) - 1
    alpha = -torch.ones(n, 1, size, size)
    alpha[:, :, 4:12, 5:11] = 1
    image = composite((alpha + 1) / 2, f, b)
    return image, b, alpha, f


def normalized(x, y, mask):
    error = ((x - y).abs() * mask).sum((1, 2, 3)) / (mask.sum((1, 2, 3)) + 1e-6)
    return error.mean()


def test_the_truth_costs_nothing():
    image, background, alpha, foreground = pictures()
    losses = supervised_matting_losses(
        alpha,
        foreground,
        image=image,
        background=background,
        true_alpha=alpha,
        true_foreground=foreground,
    )
    assert sorted(losses) == ["alpha", "alpha_gradient", "composition", "foreground"]
    assert sum(losses.values()) < 1e-6


def test_stage_one_weighs_the_foreground_twice_where_there_is_any():
    image, background, alpha, foreground = pictures()
    guess = torch.rand_like(foreground)
    losses = supervised_matting_losses(
        alpha.clamp(-1, 0.9),
        guess,
        image=image,
        background=background,
        true_alpha=alpha,
        true_foreground=foreground,
    )
    covered = (alpha > 0).float()
    want = 2 * normalized(guess, foreground, covered)
    torch.testing.assert_close(losses["foreground"], want)
    made = composite((alpha.clamp(-1, 0.9) + 1) / 2, guess, background)
    torch.testing.assert_close(
        losses["composition"], normalized(made, image, torch.ones_like(alpha))
    )


def test_the_image_is_its_own_foreground_where_it_is_opaque():
    image, _, alpha, foreground = pictures()
    seen = image_where_opaque(image, alpha, foreground)
    torch.testing.assert_close(seen[:, :, 4:12, 5:11], image[:, :, 4:12, 5:11])
    torch.testing.assert_close(seen[:, :, :4], foreground[:, :, :4])


def test_stage_two_by_hand():
    image, background, alpha, foreground = pictures()
    taught_alpha, taught_foreground = alpha.clone(), foreground.clone().requires_grad_()
    student = (0.5 * alpha).requires_grad_()
    scores = torch.rand(2, 1, 3, 3)
    losses = adapted_matting_losses(
        student,
        foreground + 0.1,
        image=image,
        background=background,
        segmentation=alpha,
        taught_alpha=taught_alpha,
        taught_foreground=taught_foreground,
        scores=scores,
        trust=0.5,
    )
    torch.testing.assert_close(losses["adversarial"], (scores - 1).square().mean())
    torch.testing.assert_close(losses["alpha"], torch.tensor(0.025 * 0.5))
    torch.testing.assert_close(losses["foreground"], torch.tensor(0.025 * 0.3), rtol=1e-3, atol=0)
    inside = (alpha > 0).float()
    made = composite((student + 1) / 2, foreground + 0.1, background)
    torch.testing.assert_close(losses["composition"], 0.025 * normalized(made, image, inside))
    sum(losses.values()).backward()
    assert taught_foreground.grad is None


def test_subjects_move_within_the_picture_over_another_background():
    image, _, alpha, foreground = pictures(6, 32)
    background = torch.zeros_like(image)
    columns = set()
    for seed in range(12):
        generator = torch.Generator().manual_seed(seed)
        out = shifted_composite(alpha, foreground, background, alpha, margin=2, generator=generator)
        for i in range(6):
            seen = out[i].abs().sum((0, 1)).nonzero().flatten()
            assert len(seen) == 6
            assert 2 <= seen[0] <= seen[-1] <= 29
            columns.add(int(seen[0]))
            torch.testing.assert_close(
                out[i][:, 4:12, seen[0] : seen[-1] + 1], foreground[i][:, 4:12, 5:11]
            )
    assert len(columns) > 8


def test_without_room_or_a_subject_nothing_moves():
    _, background, alpha, foreground = pictures()
    want = composite((alpha + 1) / 2, foreground, background)
    for segmentation in (torch.ones_like(alpha), -torch.ones_like(alpha)):
        got = shifted_composite(alpha, foreground, background, segmentation)
        torch.testing.assert_close(got, want)


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_a_step_of_each_stage(dtype):
    image, background, alpha, _ = pictures()
    options = {"width": 4, "selected": 4, "blocks": 1, "branch_blocks": 1}
    teacher, student = BackgroundMatting(**options).eval(), BackgroundMatting(**options)
    discriminator = PatchDiscriminator(width=4)
    motion = torch.zeros(2, 4, 16, 16)
    with torch.autocast("cpu", dtype=dtype or torch.bfloat16, enabled=dtype is not None):
        with torch.no_grad():
            taught = teacher(image, background, alpha, motion)
        own = student(image, background, alpha, motion)
        seen = image_where_opaque(image, *own)
        made = shifted_composite(own[0], seen, background.flip(0), alpha)
        losses = adapted_matting_losses(
            *own,
            image=image,
            background=background,
            segmentation=alpha,
            taught_alpha=taught[0],
            taught_foreground=taught[1],
            scores=discriminator(made),
        )
    sum(losses.values()).backward()
    used = [n for n, p in student.named_parameters() if p.grad is not None]
    assert not any("motion" in n and "encoders" in n for n in used)
    assert all(p.grad.isfinite().all() for p in student.parameters() if p.grad is not None)
    assert all(p.grad is None for p in teacher.parameters())
