"""Code for kernels, written down while it runs.

Numba does not analyse a `traced` function: its Python code runs once for every combination of argument types, on a
`Value` for each argument, and what it does to them writes LLVM instructions into the function that calls it. So it may
look at types and call other traced functions as any Python code does, and costs next to nothing to compile; Numba's
analysis takes some 50 ms a function and more with its length. It cannot branch on a number, which is not known while it
runs: loops and branches are those of `flow`.

Jitted functions (`jit.helper`) take traced functions and vectors alike.

Python's operators (``// %`` of integers that are not negative) and comparisons work between values of one type; a
number of Python's becomes a constant of the other's type, a single number is spread over the lanes of a vector. A
comparison gives a mask. No operation carries a fast-math flag.
"""

import functools
import inspect
import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import _Intrinsic
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin

from .types import INTEGER, Vector, lanes_of, llvm, llvm_name, scalar_of, typed, with_scalar

Number = int | float | bool


class _Splat(ir.Constant):
    """A vector constant with one number in every lane, as LLVM writes it in short."""

    def __init__(self, vector: Any, number: Any) -> None:
        super().__init__(vector, None)
        self._text = f"splat ({number})"

    def _to_string(self) -> str:
        return f"{self.type} {self._text}"

    def _get_reference(self) -> str:
        return self._text


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
        made_in = getattr(self._ir, "parent", None)
        if getattr(made_in, "closed", False):
            message = (
                "a value made in a `with` block is used behind it, where it may not exist; use a `Variable`"
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
            scalar = _Splat(llvm(wanted), scalar)
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
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, function_type, full), given
        )

    def __bool__(self) -> bool:
        message = "a traced function knows no numbers, only their types; use `where` or `flow.choose`"
        raise TypeError(message)

    def __neg__(self) -> "Value":
        return self.new(self.type, self.builder.fneg(self.ir))


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
    """Give `op` to values, and to vectors inside jitted code."""
    name = op.__name__.strip("_")

    def forward(self: Value, other: Any) -> Any:
        return _apply(op, self, other)

    def backward(self: Value, other: Any) -> Any:
        return _apply(op, other, self)

    setattr(Value, f"__{name}__", forward)
    if op in _ARITHMETIC:
        setattr(Value, f"__r{name}__", backward)

    @infer_global(op)
    class _Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) == 2 and isinstance(args[0], Vector) and args[0] == args[1]:
                scalar = types.boolean if op in _COMPARISONS else args[0].scalar
                return signature(with_scalar(args[0], scalar), *args)
            return None

    @lower_builtin(op, Vector, Vector)
    def _lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _apply(op, *(Value(builder, t, a) for t, a in zip(sig.args, args, strict=True))).ir


for _op in (*_ARITHMETIC, *_COMPARISONS):
    _register(_op)


# Functions -----------------------------------------------------------------------------------------------------------


def _result_type(result: Any) -> Any:
    match result:
        case None:
            return types.void
        case Value():
            return result.type
        case bool():
            return types.boolean
        case int():
            return types.int64
        case float():
            return types.float64
    return types.Tuple([_result_type(part) for part in result])


def _lowered(context: Any, builder: Any, result_type: Any, result: Any) -> Any:
    """A result as Numba wants it."""
    match result:
        case None:
            return context.get_dummy_value()
        case Value():
            return result.ir
        case bool() | int() | float():
            return ir.Constant(llvm(result_type), result)
    parts = [_lowered(context, builder, t, part) for t, part in zip(result_type, result, strict=True)]
    return context.make_tuple(builder, result_type, parts)


def _is_tuple(numba_type: Any) -> bool:
    return isinstance(numba_type, types.BaseTuple)


def _given(builder: Any, numba_type: Any, value: Any) -> Any:
    """An argument, of a number, a vector or a tuple of such, as values."""
    if not _is_tuple(numba_type):
        return Value(builder, numba_type, value)
    parts = cgutils.unpack_tuple(builder, value)
    return tuple(_given(builder, t, part) for t, part in zip(numba_type, parts, strict=True))


def _unknown(builder: Any, numba_type: Any) -> Any:
    """An argument of a type, for a rehearsal."""
    if _is_tuple(numba_type):
        return tuple(_unknown(builder, t) for t in numba_type)
    return Value(builder, numba_type, ir.Constant(llvm(numba_type), ir.Undefined))


# Numba offers no other way to be called with types and builder; its stubs call the class final.
class Traced(_Intrinsic):  # type: ignore[misc]
    """A traced function: called with values it writes code; in jitted code Numba calls it as one of its own."""

    def __init__(self, function: Callable[..., Any]) -> None:
        def define(typingctx: Any, *given: Any) -> Any:
            arguments = [types.unliteral(t) for t in given]
            # the code of a kernel is long, and says itself that there is nothing to be found out by writing it twice
            nothing = own.return_annotation is None
            result_type = types.void if nothing else _result_type(self._rehearsed(arguments))

            def write(context: Any, builder: Any, sig: Any, args: Any) -> Any:
                values = [_given(builder, t, a) for t, a in zip(sig.args, args, strict=True)]
                return _lowered(context, builder, sig.return_type, function(*values))

            return result_type(*arguments), write

        own = inspect.signature(function)
        context = inspect.Parameter("typingctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        functools.update_wrapper(define, function)
        define.__signature__ = own.replace(parameters=[context, *own.parameters.values()])  # type: ignore[attr-defined]
        super().__init__(function.__name__, define)
        self.function = function
        self._register()

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def _rehearsed(self, arguments: list[Any]) -> Any:
        """The result for arguments of these types, its code written to a place that is thrown away."""
        scratch = ir.Function(ir.Module(), ir.FunctionType(ir.VoidType(), []), "rehearsal")
        builder = ir.IRBuilder(scratch.append_basic_block())
        return self.function(*(_unknown(builder, t) for t in arguments))


def traced(function: Callable[..., Any]) -> Any:
    """Make a function part of the code of whoever calls it, traced or jitted."""
    return Traced(function)
