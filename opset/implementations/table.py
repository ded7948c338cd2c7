"""The table of implementations. An operator that is not in it is left to its schema's body and to onnx's own code."""

from __future__ import annotations

import numpy as np

from ..classical.zip_map import zip_map
from ..networks import convolution, normalization, pools
from ..nodes import control, elementwise, matrices, pieces, shapes
from ..nodes.elementwise import binary, extremum, unary
from ..nodes.family import family
from ..nodes.node import Implementation, same_for_all
from ..operators.table import operators

IMPLEMENTATIONS: dict[tuple[str, str], Implementation] = {
    ("", "Abs"): unary(np.abs),
    ("", "Add"): binary(np.add),
    ("", "And"): binary(np.logical_and),
    ("", "AveragePool"): pools.average_pool,
    ("", "BatchNormalization"): normalization.batch_normalization,
    ("", "Cast"): shapes.cast,
    ("", "Ceil"): unary(np.ceil),
    ("", "Concat"): pieces.concat,
    ("", "ConstantOfShape"): shapes.constant_of_shape,
    ("", "Conv"): convolution.conv,
    ("", "ConvTranspose"): convolution.conv_transpose,
    ("", "Cos"): unary(np.cos),
    ("", "DequantizeLinear"): elementwise.dequantize,
    ("", "Div"): binary(elementwise.truncated_divide),
    ("", "Dropout"): shapes.dropout,
    ("", "Equal"): binary(np.equal),
    ("", "Erf"): same_for_all(elementwise.erf),
    ("", "Exp"): unary(np.exp),
    ("", "Expand"): same_for_all(shapes.expand),
    ("", "Flatten"): shapes.flatten,
    ("", "Floor"): unary(np.floor),
    ("", "Gather"): pieces.gather,
    ("", "GatherElements"): pieces.gather_elements,
    ("", "Gemm"): matrices.gemm,
    ("", "GlobalAveragePool"): pools.over_image(pools.mean),
    ("", "GlobalLpPool"): pools.global_lp_pool,
    ("", "GlobalMaxPool"): pools.over_image(np.max),
    ("", "Greater"): binary(np.greater),
    ("", "GreaterOrEqual"): binary(np.greater_equal),
    ("", "Identity"): same_for_all(lambda x: x, fresh=False),
    ("", "If"): control.if_,
    ("", "IsNaN"): unary(np.isnan, keeps_dtype=False),
    ("", "Less"): binary(np.less),
    ("", "LessOrEqual"): binary(np.less_equal),
    ("", "Log"): unary(np.log),
    ("", "Loop"): control.loop,
    ("", "LpPool"): pools.lp_pool,
    ("", "MatMul"): same_for_all(matrices.matmul),
    ("", "Max"): extremum(np.maximum),
    ("", "MaxPool"): pools.max_pool,
    ("", "Min"): extremum(np.minimum),
    ("", "Mul"): binary(np.multiply),
    ("", "Neg"): unary(np.negative),
    ("", "Not"): unary(np.logical_not),
    ("", "Optional"): same_for_all(lambda x=None: x, fresh=False),
    ("", "OptionalGetElement"): same_for_all(shapes.element, fresh=False),
    ("", "OptionalHasElement"): same_for_all(lambda x=None: np.array(x is not None)),
    ("", "Or"): binary(np.logical_or),
    ("", "PRelu"): elementwise.prelu,
    ("", "Pow"): elementwise.power,
    ("", "Reciprocal"): unary(np.reciprocal),
    ("", "Relu"): unary(elementwise.relu),
    ("", "Reshape"): shapes.reshape,
    ("", "Scan"): control.scan,
    ("", "Shape"): shapes.shape,
    ("", "Sin"): unary(np.sin),
    ("", "Size"): same_for_all(lambda x: np.array(x.size, np.int64)),
    ("", "Slice"): pieces.slices,
    ("", "Sqrt"): unary(np.sqrt),
    ("", "Squeeze"): shapes.squeeze,
    ("", "Sub"): binary(np.subtract),
    ("", "Tanh"): unary(np.tanh),
    ("", "Transpose"): shapes.transpose,
    ("", "Unsqueeze"): shapes.unsqueeze,
    ("", "Where"): same_for_all(elementwise.where),
    ("", "Xor"): binary(np.logical_xor),
    ("ai.onnx.ml", "ZipMap"): zip_map,
    **{(row.domain, row.op_type): family for row in operators()},
}
