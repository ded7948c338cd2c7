"""Ways to change a model at random: its bytes, and the fields of its messages."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from random import Random
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.message import Message

_INTEGERS = (0, 1, 2, 3, 7, 16, 23, 99, -1, -2, 2**31 - 1, 2**31, -(2**31), 2**40, 2**63 - 1, -(2**63))
_NUMBERS = (0.0, -0.0, 1.0, -1.0, 1e-45, 3e38, float("inf"), float("nan"))
_TEXTS = (
    "",
    "x",
    "y",
    "l",
    "W",
    "Softmax",
    "own",
    "ai.onnx",
    "$\\bad{$",
    "\x1b[5mb",
    "file",
    "\u540d",
    "[red]",
    "a/../b",
)


def mutated(model: onnx.ModelProto, random: Random) -> bytes:
    """Return the bytes of a model with one to three changes."""
    changed = deepcopy(model)
    if random.random() < 0.2:
        return _flipped(changed.SerializeToString(), random)
    wanted = random.choice((1, 1, 1, 2, 3))
    while wanted:
        with contextlib.suppress(IndexError):  # nothing in the model that it changes
            random.choice(CHANGES)(changed, random)
            wanted -= 1
    return bytes(changed.SerializePartialToString())


def _flipped(content: bytes, random: Random) -> bytes:
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 4))):
        place = random.randrange(len(data))
        kind = random.randrange(4)
        if kind == 0:
            data[place] ^= 1 << random.randrange(8)
        elif kind == 1:
            data[place] = random.randrange(256)
        elif kind == 2:
            del data[place : place + random.randrange(1, 5)]
        else:
            data[place:place] = random.randbytes(random.randrange(1, 5))
    return bytes(data)


def _drop(model: onnx.ModelProto, random: Random) -> None:
    message, field = _any_field(model, random)
    if _is_repeated(field):
        entries = getattr(message, field.name)
        del entries[random.randrange(len(entries))]
    else:
        message.ClearField(field.name)


def _double(model: onnx.ModelProto, random: Random) -> None:
    message, field = _any_field(model, random, _is_repeated)
    entries = getattr(message, field.name)
    entries.extend([deepcopy(entries[random.randrange(len(entries))])])


def _swap(model: onnx.ModelProto, random: Random) -> None:
    message, field = _any_field(model, random, lambda f, m=None: _is_repeated(f))
    entries = list(getattr(message, field.name))
    random.shuffle(entries)
    kept = deepcopy(entries)
    message.ClearField(field.name)
    getattr(message, field.name).extend(kept)


def _scalar(model: onnx.ModelProto, random: Random) -> None:
    message, field = _any_field(model, random, lambda field: field.message_type is None)
    value = _another_value(model, field, random)
    if _is_repeated(field):
        entries = getattr(message, field.name)
        entries[random.randrange(len(entries))] = value
    else:
        setattr(message, field.name, value)


def _rewire(model: onnx.ModelProto, random: Random) -> None:
    """An input or output of a node, or what a value is called, becomes another name of the model."""
    holders = [
        m for m in _messages(model) if isinstance(m, onnx.NodeProto | onnx.ValueInfoProto | onnx.TensorProto)
    ]
    names = [
        name
        for m in holders
        for name in ([*m.input, *m.output] if isinstance(m, onnx.NodeProto) else [m.name])
    ]
    holder = random.choice(holders)
    if not isinstance(holder, onnx.NodeProto):
        holder.name = random.choice(names)
        return
    entries = random.choice([entries for entries in (holder.input, holder.output) if entries] or [None])
    if entries is not None:
        entries[random.randrange(len(entries))] = random.choice(names)


def _graft(model: onnx.ModelProto, random: Random) -> None:
    """A message becomes a copy of another of its kind."""
    messages = list(_messages(model))
    target = random.choice(messages[1:])
    others = [m for m in messages if type(m) is type(target) and m is not target]
    if others:
        target.CopyFrom(deepcopy(random.choice(others)))


CHANGES: tuple[Callable[[onnx.ModelProto, Random], None], ...] = (
    *(_drop, _double, _swap, _scalar, _scalar, _scalar, _rewire, _rewire, _graft),
)


def _messages(message: Message) -> Iterator[Message]:
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if _is_repeated(field) else [value]:
                yield from _messages(inner)


def _any_field(
    model: onnx.ModelProto, random: Random, fits: Callable[[Any], bool] = lambda _: True
) -> tuple[Any, Any]:
    found = [(m, field) for m in _messages(model) for field, _ in m.ListFields() if fits(field)]
    return random.choice(found)


def _is_repeated(field: Any) -> bool:
    return bool(field.is_repeated if hasattr(field, "is_repeated") else field.label == Field.LABEL_REPEATED)


def _another_value(model: onnx.ModelProto, field: Any, random: Random) -> Any:
    if field.enum_type is not None:
        return random.choice(list(field.enum_type.values_by_number))
    kind = field.cpp_type
    if kind == Field.CPPTYPE_STRING:
        text = random.choice([*_TEXTS, *(node.op_type for node in model.graph.node)])
        return text.encode() if field.type == Field.TYPE_BYTES else text
    if kind in (Field.CPPTYPE_FLOAT, Field.CPPTYPE_DOUBLE):
        return random.choice(_NUMBERS)
    bits, signed = (32, True) if kind == Field.CPPTYPE_INT32 else (64, kind == Field.CPPTYPE_INT64)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return random.choice([number for number in _INTEGERS if low <= number <= high])
