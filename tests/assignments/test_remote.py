"""What goes over between checks and student code, and what a forged message does."""

import json
import socket

import numpy as np
import pytest
import torch

from grading import wire
from grading.limits import Limits
from grading.remote import Missing, Names, StandIn
from grading.sandbox import StudentGone


def there_and_back(value):
    tensors = {}
    return wire.decode(json.loads(json.dumps(wire.encode(value, tensors))), tensors)


@pytest.mark.parametrize(
    "value",
    [None, True, 3, -2.5, float("inf"), "ü", [1, [2]], (1, (2,)), {"a": 1, 2: "b"}, {1, 2}],
    ids=str,
)
def test_plain_values_arrive(value):
    back = there_and_back(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int64, torch.bool])
def test_tensors_arrive(dtype):
    tensor = torch.arange(6).view(2, 3).to(dtype).mT  # not contiguous
    back = there_and_back({"t": (tensor, torch.tensor(7), torch.empty(0, 4))})["t"]
    assert torch.equal(back[0], tensor)
    assert back[0].dtype == dtype
    assert back[1].shape == ()
    assert back[2].shape == (0, 4)


def test_arrays_and_kinds_arrive():
    array, number, kind, size = there_and_back(
        [np.arange(4.0)[::2], np.float32(2), torch.int64, torch.Size([2])]
    )
    assert array.tolist() == [0, 2]
    assert number == 2
    assert kind is torch.int64
    assert size == (2,)


def test_a_tensor_is_named_once():
    """64 MiB named thirty times would be two gigabytes in the grader."""
    tensors = {"0": torch.ones(4)}
    with pytest.raises(KeyError):
        wire.decode([{"tensor": "0"}] * 30, dict(tensors))
    with pytest.raises(KeyError):
        wire.decode({"tuple": [{"array": "0"}, {"tensor": "0"}]}, dict(tensors))
    one = torch.ones(2)
    assert [t.tolist() for t in there_and_back([one, one])] == [[1, 1], [1, 1]]


def test_no_empty_tensor_of_giant_sides():
    for shape in ((0, 2**40), (2**20, 0, 2**20)):
        with pytest.raises(wire.WireError, match="a tensor of shape"):
            wire.decode({"tensor": "0"}, {"0": torch.empty(shape)})


def test_text_is_limited_more_than_tensors():
    """Fifty million empty lists are 150 MB on the wire and gigabytes in Python."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(wire.HEAD.pack(wire.LONGEST_TEXT + 1, 0))
        with pytest.raises(wire.WireError, match="lists and text"):
            wire.receive(ours, 5)


def test_nan_arrives():
    assert there_and_back(float("nan")) != there_and_back(float("nan"))


@pytest.mark.parametrize(
    "coded",
    [
        {"tensor": "no such"},
        {"dtype": "load"},
        {"dict": 3},
        {"handle": 0},
        {"unknown": 1},
        {"tuple": None},
    ],
    ids=str,
)
def test_forged_values_are_refused(coded):
    with pytest.raises((wire.WireError, KeyError, TypeError)):
        wire.decode(coded, {})


@pytest.mark.parametrize(
    "sent",
    [
        wire.HEAD.pack(3, 0) + b"}{}",
        wire.HEAD.pack(2, 0) + b"[]",
        wire.HEAD.pack(2, 8) + b"{}" + b"\xff" * 8,
        wire.HEAD.pack(2**62, 2**62),
    ],
)
def test_forged_messages_are_refused(sent):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(sent)
        with pytest.raises(wire.WireError):
            wire.receive(ours, 5.0)


def test_silence_is_too_late_and_an_end_is_closed():
    ours, theirs = socket.socketpair()
    with ours:
        with pytest.raises(wire.TooLate):
            wire.receive(ours, 0.01)
        theirs.close()
        with pytest.raises(wire.Closed):
            wire.receive(ours, 5.0)


@pytest.fixture
def student(examiner):
    student = examiner.zygote.start(examiner.limits)
    yield student
    student.end()


@pytest.fixture
def names(student):
    def define(code):
        answer, _ = student.ask(300, do="cell", source="import torch\n" + code)
        assert answer["error"] is None
        return Names(student, in_place=["fill"])

    return define


def test_values_of_functions(names):
    f = names("def f(x, *, k=1):\n    return {'twice': x * 2 * k, 'size': x.shape}").find("f")
    value = f(torch.arange(3), k=2)
    assert value["twice"].tolist() == [0, 4, 8]
    assert value["size"] == (3,)


def test_gradients_of_functions(names):
    f = names("def f(x, w):\n    return (w * x**2).sum(), x.detach() + 1").find("f")
    x = torch.tensor([1.0, 2, 3], requires_grad=True)
    w = torch.tensor([1.0, 0, 2], requires_grad=True)
    value, other = f(x, w)
    (3 * value + w.sum()).backward()
    assert x.grad.tolist() == [6, 0, 36]  # 3 * 2 w x, by hand
    assert w.grad.tolist() == [4, 13, 28]  # 3 x² + 1
    assert not other.requires_grad
    with torch.no_grad():
        assert not f(x, w)[0].requires_grad


def test_gradients_through_what_is_only_passed_on(names):
    f = names("def f(x):\n    return x, 2 * x").find("f")
    x = torch.ones(2, requires_grad=True)
    same, twice = f(x)
    (same + twice).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_exceptions_keep_their_builtin_class(names):
    f = names("class Odd(ValueError): pass\ndef f():\n    raise Odd('three')").find("f")
    with pytest.raises(ValueError, match=r"Odd: three \(line 4 of its cell: raise Odd"):
        f()


def test_changes_in_place_come_back_only_when_listed(names):
    found = names("def fill(x):\n    x.fill_(7)\ndef other(x):\n    x.fill_(7)")
    x, y = torch.zeros(2), torch.zeros(2)
    found.find("fill")(x)
    found.find("other")(y)
    assert x.tolist() == [7, 7]
    assert y.tolist() == [0, 0]


def test_modules(names):
    found = names(
        "class Half(torch.nn.Module):\n"
        "    def __init__(self, n):\n"
        "        super().__init__()\n"
        "        self.linear = torch.nn.Linear(n, 1, bias=False)\n"
        "    def forward(self, x):\n"
        "        return self.linear(x) / 2"
    )
    half = found.find("Half")(3)
    assert isinstance(half, StandIn)
    half.load_state_dict({"linear.weight": torch.tensor([[2.0, 4, 6]])})
    assert half(torch.ones(1, 3)).item() == 6
    assert [tuple(p.shape) for p in half.parameters()] == [(1, 3)]
    half(torch.tensor([[1.0, 0, 2]], requires_grad=True)).sum().backward()
    assert half.linear.weight.grad.tolist() == [[0.5, 0, 1]]
    assert half.eval().training is False
    with pytest.raises(TypeError, match="no tensor"):
        half.equal(3)


def test_names_that_are_missing(names):
    with pytest.raises(Missing, match="nothing"):
        names("").find("nothing")


def test_a_student_that_is_gone_stays_gone(student):
    for _ in range(2):
        with pytest.raises(StudentGone, match=r"ended the Python process \(exit status 3\)"):
            student.ask(60, do="cell", source="import os; os._exit(3)")


def test_waiting_has_an_end(student):
    with pytest.raises(StudentGone, match="not done after 1 seconds"):
        student.ask(1, do="cell", source="import time; time.sleep(1000)")


def test_limits_must_be_positive():
    with pytest.raises(ValueError, match="limit cpu must be positive"):
        Limits(cpu=0)
