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


def test_shares_are_counted():
    model = nn.Identity()
    inputs = torch.tensor([[1.0, 0], [0, 1], [2, 1], [0, 3]])
    assert pretexts.share_right(model, inputs, torch.tensor([0, 1, 1, 1])) == 0.75


def test_figures_say_what_they_show():
    rows = {"one": np.array([[0.1, 0.3], [0.4, 0.6]]), "two": np.zeros((2, 2))}
    figure = pretexts.show_over([1, 2], rows, title="T", xlabel="x", ylabel="y", chance=0.5)
    (panel,) = figure.axes
    np.testing.assert_allclose(panel.lines[0].get_ydata(), [0.2, 0.5])
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["one", "two"]
    parts = {"right": torch.tensor([0.5, 1.0]), "wrong": torch.tensor([0.5, 0.0])}
    figure = pretexts.show_parts(parts, ["0", "1"], title="T", xlabel="x", ylabel="digit")
    first, second = figure.axes[0].containers
    assert [bar.get_width() for bar in first] == [0.5, 1.0]
    assert [bar.get_x() for bar in second] == [0.5, 1.0]


def test_a_disk_is_inside_of_its_square():
    disk = pretexts.inside_disk(24)
    assert disk[0, 0] == disk[-1, 0] == 0
    assert disk[12, 0] == disk[0, 12] == disk[12, 12] == 1
    assert abs(disk.mean().item() - torch.pi / 4) < 0.02
    assert torch.equal(disk, disk.rot90())
