"""A Numba type for LLVM's vectors, with Python's operators.

Numba leaves vector code to LLVM's loop vectoriser, which gives up at a maximum, a branch or a wrap-around check and
says nothing. Here a kernel handles 64 bytes of numbers as one value, whatever the machine: LLVM makes of it one
register of AVX-512, two of AVX2, four of SSE2 or NEON. Nothing is tied to a processor.

``+ - * /``, ``<< &`` and comparisons work between vectors of one type; a comparison gives a mask. No operation carries
a fast-math flag.
"""

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model

VECTOR_BYTES = 64


class Vector(types.Type):
    """The type of `lanes` numbers of one scalar type."""

    def __init__(self, scalar: Any, lanes: int) -> None:
        self.scalar = scalar
        self.lanes = lanes
        super().__init__(name=f"Vector({scalar}, {lanes})")

    def of(self, scalar: Any) -> "Vector":
        """As many lanes of another scalar type."""
        return Vector(scalar, self.lanes)


# Halves are named by integers as wide: NumPy's float16 by uint16, bfloat16 by int16. They live in memory only and are
# computed in float32.
FLOAT16, BFLOAT16 = types.uint16, types.int16
INTEGER = {types.float32: types.int32, types.float64: types.int64}
_SCALARS = {
    types.float32: (ir.FloatType(), "f32"),
    types.float64: (ir.DoubleType(), "f64"),
    types.uint8: (ir.IntType(8), "i8"),
    types.int16: (ir.IntType(16), "i16"),
    types.int32: (ir.IntType(32), "i32"),
    types.int64: (ir.IntType(64), "i64"),
    types.boolean: (ir.IntType(1), "i1"),
}


def scalar_of(t: Any) -> Any:
    return t.scalar if isinstance(t, Vector) else t


def with_scalar(t: Any, scalar: Any) -> Any:
    return t.of(scalar) if isinstance(t, Vector) else scalar


def llvm(t: Any) -> Any:
    scalar = _SCALARS[scalar_of(t)][0]
    return ir.VectorType(scalar, t.lanes) if isinstance(t, Vector) else scalar


def llvm_name(t: Any) -> str:
    return f"{f'v{t.lanes}' if isinstance(t, Vector) else ''}{_SCALARS[scalar_of(t)][1]}"


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Vector) -> None:
        super().__init__(dmm, fe_type, llvm(fe_type))  # type: ignore[no-untyped-call]


def vector_of(kind: Any) -> Vector:
    """The type that `load` gives for a `kind` of this Numba type."""
    scalar = computed_as(kind)
    return Vector(scalar, VECTOR_BYTES * 8 // scalar.bitwidth)


def computed_as(kind: Any) -> Any:
    """The type that numbers of this kind are computed in."""
    return types.float32 if kind in (FLOAT16, BFLOAT16) else kind


def call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    function_type = ir.FunctionType(result, [a.type for a in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), arguments)


def broadcast(builder: Any, scalar: Any, lanes: int) -> Any:
    one = builder.insert_element(
        ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0)
    )
    mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return builder.shuffle_vector(one, one, mask)


def _binary(op: Any, floats: str, integers: str, comparison: str | None = None) -> None:
    """Give vectors the Python operator `op`: the builder's method for floats, the one for integers."""

    @infer_global(op)
    class _Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) == 2 and isinstance(args[0], Vector) and args[0] == args[1]:
                result = args[0].of(types.boolean) if comparison else args[0]
                return signature(result, *args)
            return None

    @lower_builtin(op, Vector, Vector)
    def _lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        method = floats if sig.args[0].scalar in INTEGER else integers
        return getattr(builder, method)(comparison, *args) if comparison else getattr(builder, method)(*args)


_binary(operator.add, "fadd", "add")
_binary(operator.sub, "fsub", "sub")
_binary(operator.mul, "fmul", "mul")
_binary(operator.truediv, "fdiv", "")
_binary(operator.lshift, "", "shl")
_binary(operator.rshift, "", "lshr")
_binary(operator.and_, "", "and_")
_binary(operator.or_, "", "or_")
_binary(operator.lt, "fcmp_ordered", "icmp_signed", "<")
_binary(operator.gt, "fcmp_ordered", "icmp_signed", ">")
_binary(operator.eq, "fcmp_ordered", "icmp_signed", "==")
_binary(operator.ne, "fcmp_unordered", "icmp_signed", "!=")
