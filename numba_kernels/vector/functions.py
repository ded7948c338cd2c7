"""Functions whose Python code writes a kernel's code while it runs.

Numba does not analyse a `traced` function: its Python code runs once for every combination of argument types, on a
`Value` for each argument, and what it does to them writes LLVM instructions into the function that calls it. So it may
look at types and call other functions as any Python code does, and costs next to nothing to compile; Numba's analysis
takes some 50 ms a function and more with its length. It cannot branch on a number, which is not known while it runs:
loops and branches are those of `control`.

Only what jitted code calls by name has to be `traced`; what that calls are functions as any.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from .numba_internals import Intrinsic, parts_of_tuple, set_result_type
from .types import llvm
from .values import Value


def as_tuple(result: Any) -> tuple[Any, ...]:
    """What a function returned, as a tuple."""
    return () if result is None else tuple(result) if isinstance(result, tuple | list) else (result,)


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
    parts = zip(numba_type, parts_of_tuple(builder, value), strict=True)
    return tuple(_given(builder, t, part) for t, part in parts)


def _unknown(builder: Any, numba_type: Any) -> Any:
    """An argument of a type, for a rehearsal."""
    if _is_tuple(numba_type):
        return tuple(_unknown(builder, t) for t in numba_type)
    return Value(builder, numba_type, ir.Constant(llvm(numba_type), ir.Undefined))


# Numba's stubs call the class final.
class Traced(Intrinsic):  # type: ignore[misc]
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


def outlined(function: Callable[..., Any]) -> Any:
    """A traced function that is written once for each module and combination of types, and called.

    It takes and returns values, in tuples or by themselves.
    """

    @functools.wraps(function)
    def called(*arguments: Value) -> Any:
        builder, kinds = arguments[0].builder, [a.type for a in arguments]
        name = f"softops.{function.__module__}.{function.__qualname__}({', '.join(map(str, kinds))})"
        code = builder.module.globals.get(name) or _written(function, builder.module, name, kinds)
        result = builder.call(code, [a.ir for a in arguments])
        parts = [Value(builder, t, builder.extract_value(result, i)) for i, t in enumerate(code.result_types)]
        return None if not parts else parts[0] if len(parts) == 1 else tuple(parts)

    return traced(called)


def _written(function: Callable[..., Any], module: Any, name: str, kinds: list[Any]) -> Any:
    """The LLVM function of an outlined one, new in a module."""
    code = ir.Function(module, ir.FunctionType(ir.VoidType(), [llvm(t) for t in kinds]), name)
    code.linkage = "internal"
    code.attributes.add("noinline")
    builder = ir.IRBuilder(code.append_basic_block("entry"))
    results = as_tuple(function(*(Value(builder, t, a) for t, a in zip(kinds, code.args, strict=True))))
    structure = ir.LiteralStructType([llvm(value.type) for value in results])
    set_result_type(code, structure)
    code.result_types = [value.type for value in results]
    aggregate = ir.Constant(structure, ir.Undefined)
    for i, value in enumerate(results):
        aggregate = builder.insert_value(aggregate, value.ir, i)
    builder.ret(aggregate)
    return code
