"""Resize and Upsample of every version, rank and option, beside onnxruntime and torch."""

import itertools

import numpy as np
import onnx
import pytest

from softops.opset import ModelError
from softops.opset.backend import run_node
from softops.opset.implementations.choice import is_verified

RANDOM = np.random.default_rng(11)
IMAGE = RANDOM.standard_normal((2, 4, 7, 6)).astype(np.float32)
IMAGES = [
    RANDOM.standard_normal(shape).astype(np.float32)
    for shape in ((7,), (4, 5), (1, 2, 7), (1, 2, 5, 6), (1, 1, 4, 5, 3))
]
COORDINATES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]


def factors_of(x, factor):
    """The same for all axes but the first two, of a matrix or less for all."""
    return np.float32([factor if x.ndim < 3 or axis > 1 else 1 for axis in range(x.ndim)])


@pytest.mark.parametrize("x", IMAGES, ids=lambda x: str(x.shape))
@pytest.mark.parametrize("mode", ["linear", "cubic", "nearest"])
def test_every_rank_as_onnxruntime(x, mode, assert_as_onnxruntime):
    if (mode == "cubic" and x.ndim not in (2, 4)) or (mode == "linear" and x.ndim == 1):
        return  # which onnxruntime does not take
    roundings = [{}]
    if mode == "nearest":
        roundings = [
            {"nearest_mode": f"{name}"}
            for name in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
        ]
    for coordinates, factor, rounding in itertools.product(COORDINATES, (2, 0.5, 0.6, 1.5, 3.3), roundings):
        scales = factors_of(x, factor)
        sizes = np.array([max(1, round(n * f)) for n, f in zip(x.shape, scales.tolist(), strict=True)])
        given = {"mode": mode, "coordinate_transformation_mode": coordinates, **rounding}
        assert_as_onnxruntime("Resize", 13, [x, None, scales], given)
        assert_as_onnxruntime("Resize", 19, [x, None, scales], given)
        if mode != "nearest":
            assert_as_onnxruntime("Resize", 13, [x, None, None, sizes], given)
            assert_as_onnxruntime("Resize", 11, [x, np.zeros(0, np.float32), scales], given)
            assert_as_onnxruntime(
                "Resize",
                19,
                [x, None, scales],
                given | {"coordinate_transformation_mode": "half_pixel_symmetric"},
            )


@pytest.mark.parametrize(
    ("name", "mode"), [("bilinear", "linear"), ("bicubic", "cubic"), ("nearest", "nearest")]
)
def test_as_torch_in_float64(name, mode):
    torch = pytest.importorskip("torch")
    x = RANDOM.standard_normal((2, 3, 5, 6))
    for sizes, aligned in itertools.product(((10, 12), (3, 9), (5, 1), (1, 6)), (False, True)):
        if mode == "nearest" and aligned:
            continue
        options = {} if mode == "nearest" else {"align_corners": aligned}
        expected = torch.nn.functional.interpolate(torch.from_numpy(x), sizes, mode=name, **options)
        coordinates = "asymmetric" if mode == "nearest" else "align_corners" if aligned else "half_pixel"
        given = {"mode": mode, "coordinate_transformation_mode": coordinates, "nearest_mode": "floor"}
        node = onnx.helper.make_node("Resize", ["x", "", "", "s"], ["y"], **given)
        (y,) = run_node(node, [x, np.array([2, 3, *sizes])], opset_version=19)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)  # coordinates are float32


def test_a_part_of_an_image(assert_as_onnxruntime):
    for region in (
        [0, 0, 0.2, 0.1, 1, 1, 0.8, 0.9],
        [0, 0, -0.3, 0.4, 1, 1, 0.7, 1.3],
        [0, 0, 0.8, 0.2, 1, 1, 0.1, 0.9],
    ):
        for mode in ("linear", "nearest"):
            given = {
                "mode": mode,
                "coordinate_transformation_mode": "tf_crop_and_resize",
                "extrapolation_value": 7.0,
            }
            inputs = [IMAGE, np.float32(region), None, np.array([2, 4, 5, 3])]
            assert_as_onnxruntime("Resize", 13, inputs, given)
    inputs = [IMAGE, np.float32([0, 0, 0.2, 0.1, 1, 1, 0.4, 0.9]), None, np.array([2, 4, 1, 1])]
    assert_as_onnxruntime(
        "Resize", 13, inputs, {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize"}
    )


def test_some_axes_and_the_aspect_ratio(assert_as_onnxruntime):
    for policy, mode in itertools.product(("stretch", "not_larger", "not_smaller"), ("linear", "cubic")):
        given = {"mode": mode, "axes": [2, 3], "keep_aspect_ratio_policy": policy}
        assert_as_onnxruntime("Resize", 18, [IMAGE, None, None, np.array([9, 11])], given)
    assert_as_onnxruntime(
        "Resize", 18, [IMAGE, None, np.float32([2, 0.5])], {"mode": "linear", "axes": [3, 2]}
    )


def test_cubic_weights(assert_as_onnxruntime):
    for coefficient, excluded in itertools.product((-0.75, -0.5), (0, 1)):
        given = {"mode": "cubic", "cubic_coeff_a": coefficient, "exclude_outside": excluded}
        for factor in (0.6, 2.5):
            assert_as_onnxruntime("Resize", 13, [IMAGE, None, factors_of(IMAGE, factor)], given)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scales", [[1, 1, 2, 3], [1, 1, 1.5, 1.75]])
def test_enlarged(mode, scales, assert_as_onnxruntime):
    factors = np.float32(scales)
    assert_as_onnxruntime("Upsample", 7, (IMAGE,), {"mode": mode, "scales": factors.tolist()})
    assert_as_onnxruntime("Upsample", 9, (IMAGE, factors), {"mode": mode})
    assert_as_onnxruntime("Resize", 10, (IMAGE, factors), {"mode": mode})


def test_made_smaller_before_opset_11(assert_as_onnxruntime):
    factors = np.float32([1, 1, 0.5, 0.75])
    assert_as_onnxruntime("Resize", 10, (IMAGE, factors), {"mode": "linear"})
    node = onnx.helper.make_node("Resize", ["x", "s"], ["y"])
    with pytest.raises(ModelError, match="which number is the nearest"):
        run_node(node, [IMAGE, factors], opset_version=10)


def test_what_hangs_on_roundings_is_not_verified():
    aligned = {"coordinate_transformation_mode": "align_corners"}
    for mode, attributes in (("nearest", {}), ("linear", {"antialias": 1}), ("linear", aligned)):
        node = onnx.helper.make_node("Resize", ["x", "", "s"], ["y"], mode=mode, **attributes)
        assert not is_verified(node, {"": 19})
    assert is_verified(
        onnx.helper.make_node("Resize", ["x", "", "", "n"], ["y"], mode="linear", **aligned), {"": 19}
    )
    for mode in ("linear", "cubic"):
        assert is_verified(onnx.helper.make_node("Resize", ["x", "", "s"], ["y"], mode=mode), {"": 19})


def test_integers_between_others_are_not_verified():
    node = onnx.helper.make_node("Resize", ["x", "", "s"], ["y"], mode="linear")
    assert not is_verified(node, {"": 19}, np.dtype(np.uint8))
    assert is_verified(node, {"": 19}, np.dtype(np.float32))
    assert is_verified(onnx.helper.make_node("Add", ["x", "y"], ["z"]), {"": 19}, np.dtype(np.uint8))


def test_coordinates_that_onnx_does_not_have():
    node = onnx.helper.make_node(
        "Resize", ["x", "", "s"], ["y"], mode="linear", coordinate_transformation_mode="other"
    )
    with pytest.raises(ModelError, match="expected a coordinate_transformation_mode of half_pixel"):
        run_node(node, [IMAGE, factors_of(IMAGE, 2)], opset_version=19)
