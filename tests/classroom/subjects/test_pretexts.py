import numpy as np
import torch
from torch import nn

from cvcourse.classroom.subjects import pretexts


def test_a_question_is_learnt_and_its_answers_are_counted():
    generator = torch.Generator().manual_seed(0)
    batches = [(torch.rand(32, 3, 4, 4, generator=generator), torch.zeros(32)) for _ in range(60)]

    def brighter_half(images, _):
        left, right = images[..., :2].mean((1, 2, 3)), images[..., 2:].mean((1, 2, 3))
        return images, (right > left).long()

    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    history = pretexts.learn_answers(model, batches, brighter_half, lr=0.05)
    assert len(history.curve("loss")[0]) == 60
    assert not model.training
    held_out = torch.rand(500, 3, 4, 4, generator=generator)
    assert pretexts.share_right(model, *brighter_half(held_out, None)) > 0.9


def test_pictures_are_copied():
    images = torch.rand(8, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 48), nn.Unflatten(1, (3, 4, 4)))
    history = pretexts.learn_to_copy(model, [(images, None)] * 150, lr=0.01)
    assert not model.training
    losses = history.curve("loss")[1]
    assert losses[-1] < losses[0] / 10
    error = (model(2 * images - 1) - (2 * images - 1)).square().mean()  # of the same pictures
    assert error < losses[0] / 10


def test_shares_are_counted():
    model = nn.Identity()
    inputs = torch.tensor([[1.0, 0], [0, 1], [2, 1], [0, 3]])
    assert pretexts.share_right(model, inputs, torch.tensor([0, 1, 1, 1])) == 0.75


def test_figures_say_what_they_show():
    rows = {"one": np.array([[0.1, 0.3], [0.4, 0.6]]), "two": np.zeros((2, 2))}
    levels = {"guess": 0.5}
    figure = pretexts.show_over([1, 2], rows, title="T", xlabel="x", ylabel="y", levels=levels)
    (panel,) = figure.axes
    mean, first, second = panel.lines[:3]
    np.testing.assert_allclose(mean.get_ydata(), [0.2, 0.5])
    np.testing.assert_allclose([first.get_ydata(), second.get_ydata()], rows["one"].T)
    assert first.get_marker() != second.get_marker()
    assert mean.get_linestyle() != panel.lines[3].get_linestyle()
    np.testing.assert_allclose(panel.lines[-1].get_ydata(), 0.5)
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["one", "two"]
    assert [text.get_text() for text in panel.texts] == ["guess"]


def test_answers_are_drawn_beside_the_picture():
    picture = torch.rand(3, 4, 4)
    figure = pretexts.show_answers(picture, {"up": torch.tensor(0.75), "down": 0.25}, title="T")
    left, right = figure.axes
    np.testing.assert_allclose(left.images[0].get_array(), picture.permute(1, 2, 0))
    assert [bar.get_height() for bar in right.patches] == [0.75, 0.25]


def test_a_disk_is_inside_of_its_square():
    disk = pretexts.inside_disk(24)
    assert disk[0, 0] == disk[-1, 0] == 0
    assert disk[12, 0] == disk[0, 12] == disk[12, 12] == 1
    assert abs(disk.mean().item() - torch.pi / 4) < 0.02
    assert torch.equal(disk, disk.rot90())
