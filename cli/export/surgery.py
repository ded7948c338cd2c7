"""`softops export append`, `strip`, `replace`, `fuse` and `decompose`: surgery on existing models."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from ..terminal.options import Model
from ..terminal.words import Appended, Replacement
from .head import Names

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

    from ..terminal.console import Console
    from .before_after import Outputs

    Judge = Callable[[Console, ModelProto, ModelProto, Outputs], bool]

FAILED = 1  # --check found an output that changed

Out = Annotated[
    Path, typer.Option("--out", "-o", metavar="FILE.onnx", help="The model to write.", show_default=False)
]
Output = Annotated[str | None, typer.Option(metavar="NAME", help="The output of the model to work on.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")]
Check = Annotated[bool, typer.Option("--check", help="First compare before and after in onnxruntime.")]

Inputs = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.npz",
        help="What --check runs on: one array per model input, by name [default: generated].",
        show_default=False,
    ),
]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to `softops export`."""
    for command in (append, strip, replace, fuse, decompose):
        app.command()(command)


def append(
    model: Model,
    *,
    out: Out,
    output: Output = None,
    activation: Annotated[Appended, typer.Option(help="What to append.")] = "softmax",
    axis: Annotated[int, typer.Option(metavar="N", help="The axis of the classes.")] = -1,
    temperature: Annotated[
        float | None, typer.Option(metavar="T", help="Divide the output by this number first.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Text file, one class label a line.")
    ] = None,
    top_k: Annotated[
        int | None, typer.Option("--top-k", metavar="K", help="Also give the K best classes.")
    ] = None,
    names: Names = None,
    drop_output: Annotated[bool, typer.Option("--drop-output", help="Leave out the output itself.")] = False,
    force: Force = False,
    check: Check = False,
    inputs: Inputs = None,
) -> None:
    """Append probabilities, labels and top-k to an output.

    The new outputs are called probabilities (or log_probabilities), label, top_k_values, top_k_indices and
    top_k_labels; where a name is taken, a number is added. All other outputs stay as they are.
    """
    from .head_file import read_labels, read_pairs

    table = None if labels is None else read_labels(labels)
    new_names = read_pairs("--name", names)

    def build() -> "ModelProto":
        from softops.export import append_head

        return append_head(
            model,
            output,
            activation=activation,
            axis=axis,
            temperature=temperature,
            labels=table,
            top_k=top_k,
            names=new_names,
            keep_output=not drop_output,
        )

    def judge(console: "Console", before: "ModelProto", after: "ModelProto", values: "Outputs") -> bool:
        from .before_after import judge_appended

        return judge_appended(console, before, after, output, values)

    _operate(model, out, build, force, _Check(check, "same", inputs, judge))


def strip(
    model: Model,
    *,
    out: Out,
    output: Output = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call the logits [default: as in the model].")
    ] = None,
    force: Force = False,
    check: Check = False,
    inputs: Inputs = None,
) -> None:
    """Take a model back to its logits.

    Removes softmax, log-softmax, hardmax, sigmoid, arg max, top-k and labels at the end of every output, or
    of the one that is named, and what a classifier of ai.onnx.ml makes of its scores. All other outputs stay
    as they are.
    """

    def build() -> "ModelProto":
        from softops.export import strip_head

        return strip_head(model, output, name=name)

    _operate(model, out, build, force, _Check(check, "same", inputs))


def replace(
    model: Model,
    *,
    out: Out,
    activation: Annotated[
        Replacement,
        typer.Option(
            help="softmax, log_softmax or hardmax; of a classifier softmax, sigmoid, softmax_zero, probit or none.",
            show_default=False,
        ),
    ],
    output: Output = None,
    force: Force = False,
    check: Check = False,
    inputs: Inputs = None,
) -> None:
    """Exchange softmax, log-softmax and hardmax at the end.

    Or the post_transform of a classifier of ai.onnx.ml.
    """

    def build() -> "ModelProto":
        from softops.export import replace_activation

        return replace_activation(model, activation, output=output)

    _operate(model, out, build, force, _Check(check, "but one", inputs))


def fuse(
    model: Model, *, out: Out, force: Force = False, check: Check = False, inputs: Inputs = None
) -> None:
    """Find operators that are spelled out, and use them.

    Softmax, LogSoftmax, ReduceLogSumExp, Sigmoid, Softplus and Softsign, where the expression means the
    operator for certain. Each computes it without overflow on the way.
    """

    def build() -> "ModelProto":
        from softops.export import fuse as fuse_model

        return fuse_model(model)

    _operate(model, out, build, force, _Check(check, "close", inputs))


def decompose(
    model: Model,
    operators: Annotated[
        list[str], typer.Argument(metavar="OPERATOR…", help="Such as Softmax.", show_default=False)
    ],
    *,
    out: Out,
    force: Force = False,
    check: Check = False,
    inputs: Inputs = None,
) -> None:
    """Spell operators out, for runtimes without them.

    Softmax, LogSoftmax, Hardmax, ReduceLogSumExp, ReduceLogSum, Sigmoid, Softplus, HardSigmoid, Softsign,
    SoftmaxCrossEntropyLoss, NegativeLogLikelihoodLoss and Attention, in forms that do not overflow.
    """

    def build() -> "ModelProto":
        from softops.export import decompose as decompose_model

        return decompose_model(model, operators)  # type: ignore[arg-type]  # it says what they may be

    _operate(model, out, build, force, _Check(check, "close", inputs))


class _Check(NamedTuple):
    """Whether the outputs are compared, how those of the same name do, on which inputs, and what is judged besides."""

    wanted: bool
    kept: str
    inputs: Path | None
    judge: "Judge | None" = None


def _operate(model: Path, out: Path, build: Callable[[], "ModelProto"], force: bool, check: _Check) -> None:
    from softops.opset import load_model
    from softops.opset.graph.files import save_beside_data

    from ..terminal.console import Console, shown
    from .head_file import describe, refuse_existing, refuse_inputs_alone

    refuse_inputs_alone(check.inputs, check.wanted)
    refuse_existing(out, force)
    before = load_model(model, external_data=False)
    after = build()
    console = Console(soft_wrap=True)
    if check.wanted:
        from .before_after import compare_outputs, run_both

        old, new = run_both(before, after, model.parent, check.inputs)
        good = compare_outputs(console, old, new, check.kept, check.inputs)
        if not good or (check.judge is not None and not check.judge(console, before, after, old)):
            console.print(f"{shown(out)} was not written.")
            raise typer.Exit(FAILED)
    save_beside_data(after, out, model.absolute().parent)
    describe(console, after, out)
    _print_changes(console, before, after)


def _print_changes(console: "Console", before: "ModelProto", after: "ModelProto") -> None:
    from softops.opset.graph.external import data_files

    from ..terminal.console import shown

    old, new = _operators(before), _operators(after)
    changes = [f"{count:+d} {name}" for name, count in sorted(_difference(old, new).items())]
    what = ", ".join(changes) or "none added or removed"
    console.print(f"  nodes {old.total()} → {new.total()}: {shown(what)}")
    if files := data_files(after):
        console.print(f"  with its tensors in {shown(', '.join(files))}")


def _difference(old: Counter[str], new: Counter[str]) -> dict[str, int]:
    return {name: new[name] - old[name] for name in old | new if new[name] != old[name]}


def _operators(model: "ModelProto") -> Counter[str]:
    found = Counter(node.op_type for function in model.functions for node in function.node)
    graphs: list[GraphProto] = [model.graph]
    while graphs:
        graph = graphs.pop()
        found.update(node.op_type for node in graph.node)
        graphs += [a.g for node in graph.node for a in node.attribute if a.HasField("g")]
    return found
