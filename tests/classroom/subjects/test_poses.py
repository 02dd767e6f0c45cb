import torch

from cvcourse.classroom.subjects.poses import posed


def test_turning_by_quarters_moves_pixels_and_nothing_else():
    images = torch.rand(4, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    turned = posed(images, torch.arange(4) * torch.pi / 2)
    for k in range(4):
        torch.testing.assert_close(turned[k], images[k].rot90(k, (1, 2)), atol=1e-5, rtol=0)


def test_size_shift_and_what_is_outside():
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    none, quarter = torch.zeros(2), torch.tensor([[0.5, 0.0], [0.0, 0.5]])  # two of eight pixels
    moved = posed(images, none, shift=quarter, outside="border")
    torch.testing.assert_close(moved[0, :, :, :6], images[0, :, :, 2:])
    torch.testing.assert_close(moved[0, :, :, 6:], images[0, :, :, -1:].expand(-1, -1, 2))
    torch.testing.assert_close(moved[1, :, :6], images[1, :, 2:])
    assert posed(images, none, shift=quarter)[0, :, :, 6:].eq(0).all()
    halved = posed(images, none, torch.full((2,), 2.0))
    torch.testing.assert_close(halved[:, :, 2:6, 2:6], torch.nn.functional.avg_pool2d(images, 2))
