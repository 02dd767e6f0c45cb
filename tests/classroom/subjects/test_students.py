import pytest
import torch
from torch import nn

from cvcourse.classroom.subjects.students import Draws, Guided, Students, jittered


def plain(students, i):
    """The same network made of nn.Linear."""
    layers = []
    for layer in students.layers:
        linear = nn.Linear(layer.shape[1] - 1, layer.shape[2])
        linear.weight.data, linear.bias.data = layer.data[i, :-1].T, layer.data[i, -1]
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_each_is_the_network_of_its_own_linear_layers():
    students, x = Students(3, (7, 5, 4, 2)), torch.randn(3, 6, 7)
    for i, logits in enumerate(students(x)):
        net = plain(students, i)
        torch.testing.assert_close(logits, net(x[i]))
        torch.testing.assert_close(students.features(x, 2)[i], net[:4](x[i]))


def test_begins_as_linear_does_or_as_gains_say():
    torch.manual_seed(0)
    students = Students(2, (50, 400), gains=torch.tensor([1.0, 6**0.5]))
    (layer,) = students.layers
    usual = nn.Linear(50, 400).weight
    assert abs(layer[0, :-1].std() / usual.std() - 1) < 0.03
    assert abs(layer[1, :-1].std() - (2 / 50) ** 0.5) < 0.01  # He et al. 2015
    assert layer[0, -1].abs().max() > 0
    assert layer[1, -1].abs().max() == 0
    with pytest.raises(ValueError, match="gains must be 2"):
        Students(2, (3, 1), gains=torch.ones(3))


def test_training_together_is_training_alone():
    torch.manual_seed(0)
    students = Students(2, (4, 3, 2))
    alone, x, y = plain(students, 1), torch.randn(2, 8, 4), torch.randn(2, 8, 2)
    together = torch.optim.AdamW(students.parameters(), lr=0.01)
    single = torch.optim.AdamW(alone.parameters(), lr=0.01)
    for _ in range(5):
        together.zero_grad()
        (students(x) - y).square().mean((1, 2)).sum().backward()
        together.step()
        single.zero_grad()
        (alone(x[1]) - y[1]).square().mean().backward()
        single.step()
    torch.testing.assert_close(students(x)[1], alone(x[1]), atol=1e-5, rtol=1e-4)


def test_guided_trains_the_students_own_lower_layers():
    students = Students(2, (4, 3, 3, 2))
    guided = Guided(students, 2, channels=5)
    x = torch.randn(2, 6, 4)
    features = guided(x)
    assert features.shape == (2, 6, 5)
    assert features.min() >= 0
    features.sum().backward()
    assert guided.lower[0] is students.layers[0]
    assert students.layers[1].grad is not None
    assert students.layers[2].grad is None


def test_draws_only_what_is_allowed_in_all_copies():
    allowed = [torch.tensor([4, 9]), torch.tensor([0, 1, 2])]
    draws = Draws(allowed, pictures=10, copies=3, size=400, steps=2, seed=0)
    first, second = draws
    assert len(draws) == 2
    assert first.unique().tolist() == [0, 1, 2, 4, 9, 10, 11, 12, 14, 19, 20, 21, 22, 24, 29]
    assert set((first[0] % 10).tolist()) == {4, 9}
    assert not first.equal(second)
    assert next(iter(draws)).equal(first)
    with pytest.raises(ValueError, match="at least one picture"):
        Draws([torch.tensor([], dtype=torch.long)], pictures=1, copies=1, size=1, steps=1, seed=0)


def test_jittered_keeps_the_ink_near_its_place():
    images = torch.zeros(500, 1, 16, 16)
    images[:, :, 6:10, 6:10] = 1
    moved = jittered(images, torch.Generator().manual_seed(0))
    mass = moved.sum((1, 2, 3))
    assert 16 / 1.1**2 - 0.5 < mass.min() < 14.5
    assert 17.5 < mass.max() < 16 / 0.9**2 + 0.5
    at = torch.arange(16) - 7.5
    centre = torch.stack([(moved[:, 0] * at).sum((1, 2)), (moved[:, 0].mT * at).sum((1, 2))], 1)
    centre = centre / mass[:, None]
    assert 1.5 < centre.abs().max() < 2.8  # an eighth of 16, turned, over a size of 0.9
    assert abs(centre.mean()) < 0.15
    assert not moved[0].equal(moved[1])
