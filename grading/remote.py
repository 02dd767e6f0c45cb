"""What a check sees of the student's notebook: functions and objects of the student process.

A check is written as if the student's functions were in its own notebook. `Names.find("f")` gives a
stand-in: calling it sends the arguments over, and the value comes back. Gradients come back too,
and exceptions (a ValueError there is a ValueError here). Changes made to arguments in place stay
there, so that no answer can bend the numbers that it is compared with; functions listed as
`in_place` are the exception.
"""

import builtins
from collections.abc import Collection

import numpy as np
import torch

from grading import wire
from grading.sandbox import Student, StudentRaised


class Missing(Exception):
    """The student's notebook does not define a name that the check needs."""


def _as_raised(error: StudentRaised) -> Exception:
    """The same exception, also of the builtin class that the student's is an instance of."""
    for name in error.details.get("bases", []):
        kind = getattr(builtins, str(name), None)
        if isinstance(kind, type) and issubclass(kind, Exception) and kind is not Exception:
            try:
                both = type(kind.__name__, (StudentRaised, kind), {})(error.details)
            except TypeError:  # classes of different layout: such as OSError
                return error
            return both
    return error


class _Across(torch.autograd.Function):
    """Joins the graph here with the one in the student process."""

    @staticmethod
    def forward(context, names, number, values, *leaves):
        context.names, context.number = names, number
        return tuple(value.detach() for value in values)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context, *slopes):
        return None, None, None, *context.names.backward(context.number, slopes)


class Names:
    """The names of one student process."""

    def __init__(self, student: Student, in_place: Collection[str] = ()):
        self.student, self.in_place = student, in_place

    def _ask(self, tensors=None, **message):
        try:
            return self.student.ask(self.student.limits.call, tensors, **message)
        except StudentRaised as error:
            raise _as_raised(error) from None

    def _value(self, coded, tensors):
        try:
            return wire.decode(
                coded, tensors, lambda c: StandIn(self, int(c["handle"]), str(c["type"]))
            )
        except Exception as error:  # a forged answer
            raise wire.WireError(f"an answer that is no value ({type(error).__name__})") from None

    def find(self, name: str):
        answer, tensors = self._ask(do="lookup", name=name)
        if answer.get("missing"):
            raise Missing(name)
        value = self._value(answer.get("value"), tensors)
        if isinstance(value, StandIn):
            value.__dict__["_in_place"] = name in self.in_place
        return value

    def attribute(self, handle: int, name: str):
        answer, tensors = self._ask(do="attribute", handle=handle, name=name)
        return self._value(answer.get("value"), tensors)

    def call(self, handle: int, arguments, options, in_place: bool):
        given = list(_tensors_in((arguments, options)))
        leaves = [tensor for tensor in given if tensor.requires_grad]
        grad = bool(leaves) and torch.is_grad_enabled()
        sent = {}
        coded = wire.encode((arguments, options), sent, _own_handle)
        answer, tensors = self._ask(
            sent,
            do="call",
            handle=handle,
            arguments=coded,
            grad=torch.is_grad_enabled(),
            in_place=in_place,
        )
        value = self._value(answer.get("value"), tensors)
        if in_place:
            for tensor, content in zip(given, self._value(answer["given"], tensors), strict=True):
                tensor.detach().copy_(content)
        grown = [tensor for tensor in _tensors_in(value) if tensor.requires_grad]
        if grad and grown:
            joined = _Across.apply(self, answer["call"], grown, *leaves)
            return _replaced(value, dict(zip(map(id, grown), joined, strict=True)))
        return value

    def backward(self, number: int, slopes):
        sent = {}
        coded = wire.encode(list(slopes), sent)
        answer, tensors = self._ask(sent, do="backward", call=number, slopes=coded)
        return self._value(answer.get("slopes"), tensors)


_OF_DATA = {name for kind in (torch.Tensor, np.ndarray, list, dict, str) for name in dir(kind)}
_OF_DATA -= set(dir(torch.nn.Module))


class StandIn:
    """A function or object of the student's: may be called, and its attributes read."""

    def __init__(self, names: Names, handle: int, kind: str):
        self.__dict__.update(_names=names, _handle=handle, _kind=kind, _in_place=False)

    def __call__(self, *arguments, **options):
        return self._names.call(self._handle, arguments, options, self._in_place)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name in _OF_DATA:  # else an object of the student's could say that it equals anything
            raise TypeError(
                f"this is the student's {self._kind}, no tensor, array, list or dictionary"
            )
        return self._names.attribute(self._handle, name)

    def __repr__(self):
        return f"<the student's {self._kind}>"


def _own_handle(thing):
    if isinstance(thing, StandIn):
        return thing._handle
    raise wire.WireError(f"a check may not send a {type(thing).__name__} to student code")


def _tensors_in(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _tensors_in(item)
    elif isinstance(value, dict):
        yield from _tensors_in(list(value.values()))


def _replaced(value, by: dict):
    if isinstance(value, torch.Tensor):
        return by.get(id(value), value)
    if isinstance(value, list | tuple):
        return type(value)(_replaced(item, by) for item in value)
    if isinstance(value, dict):
        return {key: _replaced(item, by) for key, item in value.items()}
    return value
