"""Messages between grader and student code: length, JSON, tensors. Data only, nothing is unpickled.

A value is a tree of None, bool, int, float, str, list, tuple, dict, set, torch.dtype, torch.Tensor
and numpy.ndarray. What is none of these stays where it is, and a handle (a number) goes instead.
"""

import json
import math
import select
import socket
import struct
import time
import types

import numpy as np
import torch
from safetensors.torch import load, save

LONGEST = 64 * 2**20  # bytes of one message
LONGEST_TEXT = 16 * 2**20  # of these, of JSON: as Python objects it takes twenty times as much
LONGEST_ITERATOR = 100_000
HEAD = struct.Struct("!QQ")  # bytes of the JSON part, bytes of the tensors


class WireError(Exception):
    """The other side said something that is no message."""


class Closed(WireError):
    """The other side is gone."""


class TooLate(WireError):
    """No whole message came in time."""


def encode(value, tensors: dict, handle=None):
    """JSON for `value`; its tensors go to `tensors`. `handle(value)` numbers what is no data."""

    def inner(item):
        return encode(item, tensors, handle)

    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float) and type(value) in (int, float):
        return value
    if isinstance(value, torch.Tensor) and value.layout == torch.strided:
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().contiguous().clone()
        coded = {"tensor": name}
        if value.requires_grad:
            coded["requires_grad"] = True
        if value.is_leaf and value.grad is not None:
            coded["grad"] = inner(value.grad)
        return coded
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufc":
        name = str(len(tensors))
        tensors[name] = torch.from_numpy(np.array(value))
        return {"array": name, "scalar": isinstance(value, np.generic)}
    if isinstance(value, torch.dtype):
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, list):
        return [inner(item) for item in value]
    if isinstance(value, tuple):  # named tuples and torch.Size as well
        return {"tuple": [inner(item) for item in value]}
    if isinstance(value, set | frozenset):
        return {"set": [inner(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[inner(key), inner(item)] for key, item in value.items()]}
    if isinstance(value, int | float):  # subclasses: IntEnum, float64
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, types.GeneratorType | map | filter | zip | range | type({}.values())):
        items = []
        for item in value:
            items.append(inner(item))
            if len(items) > LONGEST_ITERATOR:
                raise WireError(f"more than {LONGEST_ITERATOR} items in an iterator")
        return items
    if handle is None:
        raise WireError(f"a {type(value).__name__} cannot be sent to student code")
    return {"handle": handle(value), "type": type(value).__name__, "callable": callable(value)}


def decode(coded, tensors: dict, handle=None):
    """The value again; `handle(coded)` stands for what stayed on the other side.

    Takes the tensors out of `tensors`: one that is named a second time is no value, or a short
    message could ask for any amount of memory.
    """

    def inner(item):
        return decode(item, tensors, handle)

    if isinstance(coded, list):
        return [inner(item) for item in coded]
    if not isinstance(coded, dict):
        return coded
    if "tensor" in coded:
        tensor = _modest(tensors.pop(coded["tensor"])).clone()
        if coded.get("requires_grad") and tensor.is_floating_point():
            tensor.requires_grad_()
        if "grad" in coded:
            tensor.grad = inner(coded["grad"])
        return tensor
    if "array" in coded:
        array = _modest(tensors.pop(coded["array"])).numpy().copy()
        return array[()] if coded.get("scalar") else array
    if "dtype" in coded:
        kind = getattr(torch, coded["dtype"])
        if not isinstance(kind, torch.dtype):
            raise WireError("no dtype")
        return kind
    if "tuple" in coded:
        return tuple(inner(item) for item in coded["tuple"])
    if "set" in coded:
        return {inner(item) for item in coded["set"]}
    if "dict" in coded:
        return {inner(key): inner(item) for key, item in coded["dict"]}
    if "handle" in coded and handle is not None:
        return handle(coded)
    raise WireError("no value")


def _modest(tensor: torch.Tensor) -> torch.Tensor:
    """No 0 × 2⁴⁰ either: nothing on the wire, and gigabytes as soon as somebody sums it."""
    if math.prod(max(side, 1) for side in tensor.shape) > LONGEST:
        raise WireError(f"a tensor of shape {tuple(tensor.shape)}")
    return tensor


def send(connection: socket.socket, message: dict, tensors: dict | None = None, seconds=60.0):
    text = json.dumps(message).encode()
    blob = save(tensors) if tensors else b""
    connection.settimeout(seconds)
    try:
        connection.sendall(HEAD.pack(len(text), len(blob)) + text + blob)
    except TimeoutError:
        raise TooLate from None
    except OSError:
        raise Closed from None


def receive(connection: socket.socket, seconds: float | None = None) -> tuple[dict, dict]:
    """The next message and its tensors. Waits at most `seconds` for all of it."""
    deadline = None if seconds is None else time.monotonic() + seconds
    connection.setblocking(True)

    def exactly(count: int) -> bytearray:
        parts = bytearray()
        while len(parts) < count:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and (left <= 0 or not select.select([connection], [], [], left)[0]):
                raise TooLate
            try:
                part = connection.recv(min(count - len(parts), 2**20))
            except OSError:
                raise Closed from None
            if not part:
                raise Closed
            parts += part
        return parts

    text, blob = HEAD.unpack(exactly(HEAD.size))
    if text + blob > LONGEST or text > LONGEST_TEXT:
        raise WireError(
            f"a message of {(text + blob) // 2**20} MiB; {LONGEST // 2**20} are allowed, "
            f"of which {LONGEST_TEXT // 2**20} may be lists and text"
        )
    try:
        message = json.loads(exactly(text))
        tensors = load(bytes(exactly(blob))) if blob else {}
    except WireError:
        raise
    except Exception as error:  # whatever a forged message makes a parser raise
        raise WireError(f"an unreadable message ({type(error).__name__})") from None
    if not isinstance(message, dict):
        raise WireError("an unreadable message")
    return message, tensors
