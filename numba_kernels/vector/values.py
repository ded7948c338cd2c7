"""Values in code that is being written: numbers and vectors of numbers, and Python's operators between them.

Operators (``// %`` of integers that are not negative) and comparisons work between values of one type; a number of
Python's becomes a constant of the other's type, a single number is spread over the lanes of a vector. A comparison
gives a mask, which takes ``& | ^ ~``. No operation carries a fast-math flag.
"""

import operator
from typing import Any

from llvmlite import ir
from numba import types

from .numba_internals import Splat, is_closed, llvm_function
from .types import INTEGER, Vector, lanes_of, llvm, llvm_name, scalar_of, typed, with_scalar

Number = int | float | bool


class Value:
    """A number or vector in code that is being written: its Numba type and LLVM's value."""

    __hash__ = None  # type: ignore[assignment]
    __slots__ = ("_ir", "builder", "type")

    def __init__(self, builder: Any, numba_type: Any, value: Any) -> None:
        self.builder = builder
        self.type = numba_type
        self._ir = value

    @property
    def ir(self) -> Any:
        """LLVM's value."""
        if is_closed(self._ir):
            message = (
                "a value made in a `with` block is used behind it, where there may be none; use a `Variable`"
            )
            raise NameError(message)
        return self._ir

    @property
    def scalar(self) -> Any:
        """The type of one lane."""
        return scalar_of(self.type)

    @property
    def lanes(self) -> int:
        """How many numbers there are: 1 for a number."""
        return lanes_of(self.type)

    def new(self, numba_type: Any, value: Any) -> "Value":
        """Another value in the same code."""
        return Value(self.builder, numba_type, value)

    def constant(self, number: Number, numba_type: Any = None) -> "Value":
        """A number of Python's as a constant of this value's type, or of another."""
        wanted = numba_type or self.type
        scalar = ir.Constant(llvm(scalar_of(wanted)), number)
        if isinstance(wanted, Vector):
            scalar = Splat(llvm(wanted), scalar)
        return self.new(wanted, scalar)

    def spread(self, lanes: int) -> "Value":
        """This number in every lane of a vector."""
        target, index = typed(self.scalar, lanes), ir.IntType(32)
        empty = ir.Constant(llvm(target), ir.Undefined)
        one = self.builder.insert_element(empty, self.ir, ir.Constant(index, 0))
        return self.new(
            target, self.builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(index, lanes), None))
        )

    def call(self, name: str, result: Any, *arguments: "Value | Any") -> Any:
        """What one of LLVM's functions gives; `name` ends with this value's type."""
        given = [a.ir if isinstance(a, Value) else a for a in arguments]
        function_type = ir.FunctionType(result, [a.type for a in given])
        full = f"{name}.{llvm_name(self.type)}"
        return self.builder.call(llvm_function(self.builder, function_type, full), given)

    def __bool__(self) -> bool:
        message = "a traced function knows no numbers, only their types; use `where` or `when`"
        raise TypeError(message)

    def __neg__(self) -> "Value":
        return self.new(self.type, self.builder.fneg(self.ir))

    def __abs__(self) -> "Value":
        return self.new(self.type, self.call("llvm.fabs", llvm(self.type), self))

    def __invert__(self) -> "Value":
        return self.new(self.type, self.builder.not_(self.ir))


def alike(*given: Value | Number) -> list[Any]:
    """Values of one type: numbers of Python's as constants, single numbers in every lane where one is a vector."""
    values = [g for g in given if isinstance(g, Value)]
    model = next((v for v in values if v.lanes > 1), values[0])
    result = []
    for each in given:
        value = each if isinstance(each, Value) else model.constant(each)
        if value.type != model.type:
            if value.type != model.scalar:
                message = f"expected values of one type (got {value.type} beside {model.type}); convert one"
                raise TypeError(message)
            value = value.spread(model.lanes)
        result.append(value)
    return result


# Operators: the method of LLVM's builder for floats, the one for integers --------------------------------------------

_ARITHMETIC = {
    operator.add: ("fadd", "add"),
    operator.sub: ("fsub", "sub"),
    operator.mul: ("fmul", "mul"),
    operator.truediv: ("fdiv", ""),
    operator.floordiv: ("", "sdiv"),  # of integers that are not negative
    operator.lshift: ("", "shl"),
    operator.rshift: ("", "lshr"),
    operator.mod: ("", "srem"),  # too
    operator.and_: ("", "and_"),
    operator.or_: ("", "or_"),
    operator.xor: ("", "xor"),
}
_COMPARISONS = {
    operator.lt: ("fcmp_ordered", "<"),
    operator.gt: ("fcmp_ordered", ">"),
    operator.le: ("fcmp_ordered", "<="),
    operator.ge: ("fcmp_ordered", ">="),
    operator.eq: ("fcmp_ordered", "=="),
    operator.ne: ("fcmp_unordered", "!="),
}


def _apply(op: Any, a: Value | Number, b: Value | Number) -> Any:
    x, y = alike(a, b)
    real = x.scalar in INTEGER
    if op in _COMPARISONS:
        method, sign = _COMPARISONS[op]
        compare = getattr(x.builder, method if real else "icmp_signed")
        return x.new(with_scalar(x.type, types.boolean), compare(sign, x.ir, y.ir))
    return x.new(x.type, getattr(x.builder, _ARITHMETIC[op][0 if real else 1])(x.ir, y.ir))


def _register(op: Any) -> None:
    """Give `op` to values."""
    name = op.__name__.strip("_")

    def forward(self: Value, other: Any) -> Any:
        return _apply(op, self, other)

    def backward(self: Value, other: Any) -> Any:
        return _apply(op, other, self)

    setattr(Value, f"__{name}__", forward)
    if op in _ARITHMETIC:
        setattr(Value, f"__r{name}__", backward)


for _op in (*_ARITHMETIC, *_COMPARISONS):
    _register(_op)
