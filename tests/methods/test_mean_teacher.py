"""Ramps, averages of answers and of weights: the authors' numbers, and what survives."""

import copy
import io

import pytest
import torch
from torch import nn

from cvcourse.methods import (
    MeanTeacher,
    TemporalEnsembling,
    sigmoid_rampdown,
    sigmoid_rampup,
    update_average,
)
from tests import oracle

CASES = "less_supervision/cases.json"


@pytest.mark.parametrize("case", oracle.cases("sigmoid_rampup", CASES))
def test_rampup(case):
    def ramp(t, length):
        return torch.tensor([sigmoid_rampup(x, length) for x in t.tolist()], dtype=torch.float64)

    oracle.assert_matches(case, ramp)


@pytest.mark.parametrize("case", oracle.cases("sigmoid_rampdown", CASES))
def test_rampdown(case):
    def ramp(t, length, total):
        values = [sigmoid_rampdown(x, length, total) for x in t.tolist()]
        return torch.tensor(values, dtype=torch.float64)

    oracle.assert_matches(case, ramp)


def test_ramps_at_their_ends():
    assert sigmoid_rampup(0, 0) == sigmoid_rampup(80, 80) == 1
    assert sigmoid_rampdown(250, 50, 300) == 1
    assert sigmoid_rampdown(400, 50, 300) == sigmoid_rampdown(300, 50, 300)
    assert sigmoid_rampdown(3, 0, 3) == 1


class Weights(nn.Module):
    def __init__(self, values):
        super().__init__()
        self.values = nn.Parameter(values.clone())

    def forward(self, x):
        return x * self.values


@pytest.mark.parametrize("case", oracle.cases("ema_with_warmup", CASES))
def test_average_of_weights(case):
    def run(initial, students, alpha):
        teacher = MeanTeacher(Weights(initial), alpha)
        found = []
        for values in students:
            teacher.update(Weights(values))
            found.append(teacher.teacher.values.clone())
        return torch.stack(found)

    oracle.assert_matches(case, run)


@pytest.mark.parametrize("case", oracle.cases("temporal_ensembling_targets", CASES))
def test_average_of_answers(case):
    def run(z, alpha):
        memory = TemporalEnsembling(*z.shape[1:], alpha).double()
        found = []
        for epoch in z:
            for indices in torch.randperm(len(epoch)).split(2):
                memory.update(indices, epoch[indices])
            found.append(memory.targets(torch.arange(len(epoch))))
        return torch.stack(found)

    oracle.assert_matches(case, run)


def test_targets_before_and_after_an_image_is_seen():
    memory = TemporalEnsembling(4, 3, 0.9)
    assert (memory.targets(torch.arange(4)) == 0).all()
    predictions = torch.tensor([[0.2, 0.3, 0.5], [1.0, 0, 0]])
    memory.update(torch.tensor([2, 0]), predictions)
    torch.testing.assert_close(memory.targets(torch.tensor([2, 0])), predictions)  # no bias
    for _ in range(300):
        memory.update(torch.tensor([2]), predictions[1:])
    found = memory.targets(torch.arange(4))
    torch.testing.assert_close(found[2], predictions[1])
    assert found.sum(1).tolist() == pytest.approx([1, 0, 1, 0], abs=1e-5)
    memory.update(torch.tensor([3]), predictions[:1].half())
    assert memory.targets(torch.tensor([3])).dtype == torch.float32


def test_teacher_has_no_gradient_its_own_statistics_and_dropout():
    student = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 2))
    teacher = MeanTeacher(student)
    assert not any(p.requires_grad for p in teacher.parameters())
    assert all(p.requires_grad for p in student.parameters())
    x = torch.randn(8, 4) + 3
    first, second = teacher(x), teacher(x)
    assert not first.requires_grad
    assert not torch.equal(first, second)
    assert student[1].num_batches_tracked == 0
    assert teacher.teacher[1].num_batches_tracked == 2
    student(x)
    before = teacher.teacher[1].running_mean.clone()
    teacher.update(student)
    assert torch.equal(teacher.teacher[1].running_mean, before)


def test_average_after_many_steps_in_closed_form():
    zero, one = Weights(torch.zeros(3).double()), Weights(torch.ones(3).double())
    for _ in range(50):
        update_average(zero, one, 0.9)
    assert zero.values.tolist() == pytest.approx([1 - 0.9**50] * 3)


def test_a_checkpoint_goes_on_to_the_bit():
    torch.manual_seed(0)
    student = nn.Linear(3, 2)
    straight = MeanTeacher(student, 0.99)
    memory = TemporalEnsembling(5, 2)
    changes = [copy.deepcopy(student.requires_grad_(False)) for _ in range(6)]
    for change in changes:
        change.weight += torch.randn(2, 3)
    for change in changes[:3]:
        straight.update(change)
        memory.update(torch.arange(5), change(torch.ones(5, 3)).softmax(1))
    file = io.BytesIO()
    torch.save([straight.state_dict(), memory.state_dict()], file)
    file.seek(0)
    resumed, again = MeanTeacher(student, 0.99), TemporalEnsembling(5, 2)
    for module, state in zip((resumed, again), torch.load(file), strict=True):
        module.load_state_dict(state)
    for change in changes[3:]:
        for teacher, answers in ((straight, memory), (resumed, again)):
            teacher.update(change)
            answers.update(torch.arange(5), change(torch.ones(5, 3)).softmax(1))
    assert torch.equal(straight.teacher.weight, resumed.teacher.weight)
    assert torch.equal(memory.targets(torch.arange(5)), again.targets(torch.arange(5)))


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sigmoid_rampup(-1, 5), "step must be at least 0, got -1"),
        (lambda: sigmoid_rampdown(1, -5, 3), "length must be at least 0, got -5"),
        (lambda: MeanTeacher(nn.Linear(2, 2), 1.0), r"decay must lie in \[0, 1\), got 1.0"),
        (lambda: update_average(nn.Linear(2, 2), nn.Linear(2, 2), 1.5), r"decay must lie in"),
        (
            lambda: update_average(nn.Linear(2, 2), nn.Linear(2, 3), 0.5),
            "network must have parameters of the shapes",
        ),
        (lambda: TemporalEnsembling(0, 2), "images must be at least 1, got 0"),
        (lambda: TemporalEnsembling(3, 2, 1.0), r"decay must lie in \[0, 1\)"),
        (
            lambda: TemporalEnsembling(3, 2).targets(torch.tensor([3])),
            "indices must be from 0 to 2, got 3 to 3",
        ),
        (
            lambda: TemporalEnsembling(3, 2).update(torch.tensor([1, 1]), torch.zeros(2, 2)),
            "indices must be different",
        ),
        (
            lambda: TemporalEnsembling(3, 2).update(torch.tensor([1]), torch.zeros(2, 2)),
            r"predictions must have shape \(1, 2\), got \(2, 2\)",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
