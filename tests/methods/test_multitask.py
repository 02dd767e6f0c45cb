"""Many tasks: the authors' stop-and-go, turns, and losses that weigh what they should."""

import json
from collections import Counter

import pytest
import torch
import torch.nn.functional as F

from cvcourse.methods import (
    StopAndGo,
    accuracy_of_regions,
    answer_loss,
    choice_loss,
    region_targets,
    round_robin,
)
from tests import oracle

CASES = json.loads(
    (oracle.FOLDER / "design_language/stop_and_go.json").read_text(encoding="utf-8")
)["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_stop_and_go_is_the_authors(case):
    control = StopAndGo(**case["params"])
    for score, want in zip(case["scores"], case["expected"], strict=True):
        assert control.update(score) == want["in_stop"]
        found = control.best, control.bad, control.cooldown_left
        assert found == (want["best"], want["bad"], want["cooldown"])


def test_a_stopped_task_has_every_fourth_turn():
    control = StopAndGo()
    for _ in range(4):
        control.update(0.5)
    assert control.in_stop
    turns = list(round_robin(["vqa", "grounding"], 8, {"vqa": control}))
    assert [i for i, task in turns if task == "vqa"] == [0, 4]
    assert [i for i, task in turns if task == "grounding"] == list(range(8))
    assert turns[:2] == [(0, "vqa"), (0, "grounding")]


def test_a_control_is_looked_at_when_its_turn_comes():
    control, seen = StopAndGo(cooldown=0, patience=0), Counter()
    for iteration, task in round_robin(["a", "b"], 6, {"a": control}):
        seen[task] += 1
        if iteration < 3 and task == "a":
            control.update(1.0)  # no growth after the first
    assert control.in_stop
    assert seen == {"a": 3, "b": 6}  # a: 0, 1, and 4


def test_answers_weigh_as_many_times_as_there_are():
    logits, scores = torch.randn(4, 7).double(), torch.rand(4, 7).double()
    each = F.binary_cross_entropy_with_logits(logits, scores, reduction="none")
    torch.testing.assert_close(answer_loss(logits, scores), each.sum(1).mean())


def test_regions_and_choices():
    overlap = torch.tensor([[0.9, 0.5, 0.49, 0.0]])
    assert region_targets(overlap).tolist() == [[pytest.approx(0.9), 0.5, 0, 0]]
    scores = torch.tensor([[2.0, 0.0, 1.0, 5.0], [0.0, 3.0, 1.0, -1.0]])
    both = overlap.expand(2, 4)
    assert accuracy_of_regions(scores, both) == 0.5
    mask = torch.tensor([[True, True, True, False], [True] * 4])
    assert accuracy_of_regions(scores, both, mask) == 1.0
    expected = -scores.log_softmax(1)[[0, 1], [3, 1]].mean()
    torch.testing.assert_close(choice_loss(scores, torch.tensor([3, 1])), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": -1}, "patience must be at least 0, got -1"),
        ({"every": 0}, "every must be at least 1, got 0"),
        ({"threshold": float("nan")}, "threshold must be at least 0, got nan"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        StopAndGo(**options)


def test_controls_of_other_tasks_are_refused():
    with pytest.raises(ValueError, match=r"controls must be of a, got \['b'\]"):
        list(round_robin(["a"], 2, {"b": StopAndGo()}))


def test_losses_of_an_empty_batch_are_0():
    for loss, target in ((answer_loss, torch.zeros(0, 7)), (choice_loss, torch.zeros(0).long())):
        logits = torch.zeros(0, 7, requires_grad=True)
        assert loss(logits, target) == 0
        assert torch.autograd.grad(loss(logits, target), logits)[0].shape == (0, 7)


def test_losses_of_halves_are_computed_in_float32():
    """As many answers as VQA has, each far off: their sum is more than float16 holds."""
    logits, scores = 60 * torch.randn(2, 3129).half(), torch.rand(2, 3129).round().half()
    full = F.binary_cross_entropy_with_logits(logits.float(), scores.float(), reduction="none")
    expected = full.sum(1).mean()
    assert not torch.isfinite(expected.half())
    torch.testing.assert_close(answer_loss(logits, scores), expected)
    which = torch.tensor([3, 5])
    torch.testing.assert_close(choice_loss(logits, which), F.cross_entropy(logits.float(), which))


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: answer_loss(torch.rand(2, 3), torch.rand(1, 3)),
            r"scores must have the shape of logits, \(2, 3\), got \(1, 3\)",
        ),
        (lambda: answer_loss(torch.rand(3), torch.rand(3)), r"logits must have shape \(N, D\)"),
        (
            lambda: choice_loss(torch.rand(2, 3), torch.ones(3).long()),
            r"which must have the shape of scores\[:, 0\], \(2,\), got \(3,\)",
        ),
        (
            lambda: choice_loss(torch.rand(2, 3), torch.rand(2)),
            "which must be integers, got torch.float32",
        ),
        (
            lambda: accuracy_of_regions(torch.rand(2, 3), torch.rand(2, 4)),
            "overlap must have the shape of logits",
        ),
        (
            lambda: accuracy_of_regions(*torch.rand(2, 2, 3), torch.ones(2, 3).long()),
            r"mask must be bool of shape \(2, 3\), got torch.int64",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
