"""Which cases there are."""

from softops.conformance.cases.families import FAMILIES
from softops.conformance.cases.graphs import FORMS
from softops.conformance.cases.grid import cases
from softops.opset import operators


def test_every_row_of_the_table_has_cases():
    there = {(case.domain, case.op, case.opset, case.dtype) for case in cases()}
    rows = {
        (row.domain, row.op_type, row.since_version, dtype) for row in operators() for dtype in row.dtypes
    }
    assert there == rows


def test_cases_are_told_apart_by_their_names():
    for listed in (cases(), cases(ops="Softmax", depth="full")):
        assert len({case.id for case in listed}) == len(listed)


def test_a_full_run_has_the_versions_between_too():
    opsets = {case.opset for case in cases(ops="Softmax", depth="full")}
    assert {1, 10, 11, 12, 13} < opsets


def shapes(op, dtype, depth):
    return {case.shape for case in cases(ops=op, dtypes=dtype, depth=depth)}


def test_a_quick_run_tries_other_ranks_in_float32_alone():
    ranks = {len(shape) for shape in shapes("Sigmoid", "float32", "default")}
    assert len(ranks) == 5
    assert {len(shape) for shape in shapes("Sigmoid", "float32", "quick")} == ranks
    assert {len(shape) for shape in shapes("Sigmoid", "float16", "quick")} == {2}
    assert {len(shape) for shape in shapes("Sigmoid", "float16", "default")} == ranks


def test_a_quick_run_tries_special_values_and_long_lines_in_every_dtype():
    """Whatever a dtype may fail in alone: as far as a default run tries it."""

    def tried(depth):
        found = {}
        for case in cases(depth=depth):
            families, lengths = found.setdefault((case.domain, case.op, case.dtype), (set(), set()))
            families.update({case.family} if FAMILIES[case.family].special else ())
            lengths.update(limit for limit in (256, 1024) if case.shape[-1] > limit)
        return found

    quick, default = tried("quick"), tried("default")
    assert quick == default
    assert {dtype for _, _, dtype in quick} == {dtype for row in operators() for dtype in row.dtypes}


def test_integers_are_tried_in_other_shapes_unless_the_run_is_quick():
    further = shapes("LinearClassifier", "float32", "quick") - shapes("LinearClassifier", "int64", "quick")
    assert further
    assert further <= shapes("LinearClassifier", "int64", "default")


def test_integers_are_tried_on_every_family_but_those_of_small_gaps_and_signed_zeros():
    tried = {case.family for case in cases(ops="ArgMax", dtypes="int32")}
    finite = {name for name, family in FAMILIES.items() if not family.special}
    assert finite - tried == {"gaussian-0.01", "gaps", "subnormal", "minus-zero"}
    assert tried <= finite


def test_whoever_works_along_an_axis_is_tried_with_more_lines_than_16_bits_count():
    tall = {case.op for case in cases(dtypes="float32") if case.axis is not None and case.shape[0] > 1 << 16}
    assert tall == {"Softmax", "LogSoftmax", "Hardmax", "ReduceLogSumExp", "ArgMax", "TopK"}
    assert not any(max(case.shape) > 1 << 16 for case in cases(depth="quick") if case.shape[0] > 1)


def test_attention_is_tried_with_a_query_for_each_of_several_heads_in_several_batches():
    assert any(
        n > 1 and heads > 1 and queries == 1
        for n, heads, queries, _ in shapes("Attention", "float32", "default")
    )


def test_lines_are_tried_around_what_4096_numbers_fill():
    tried = {op: max(case.shape[-1] for case in cases(ops=op)) for op in {row.op_type for row in operators()}}
    short = {op for op, longest in tried.items() if longest < 4097}
    assert short == {"Attention", "Multinomial", "LinearClassifier"}  # whose inputs are of several sizes


def test_empty_arrays_are_tried_where_there_is_a_result():
    empty = {case.op for case in cases() if 0 in case.shape}
    assert empty == {
        *("Softmax", "LogSoftmax", "Hardmax", "Sigmoid", "Softplus", "ReduceLogSumExp", "ArgMax", "TopK")
    }


def test_settings_of_a_runtime_are_tried_on_two_graphs_and_in_a_full_run_on_all():
    def tried(depth):
        asked = {
            "ops": "Softmax",
            "opsets": [13],
            "dtypes": "float32",
            "settings": ("level=basic", "threads=2"),
        }
        return {case.form for case in cases(**asked, depth=depth) if case.setting == "level=basic"}

    assert tried("quick") == set()
    assert tried("default") == {"plain", "chained"}
    assert tried("full") == set(FORMS)
