"""Places where one small change makes a program wrong, by the operators of cosmic-ray."""

import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

PACKAGES = ("numba_kernels", "opset", "export", "conformance", "cli")
# Left out: removed decorators (most are caches) and `is` for `==`, which say the same of small numbers and names.
_CHANGES = ("Replace", "AddNot", "Number", "ZeroIter", "Exception")
_SAME = ("_Is", "_IsNot")


class Mutant(NamedTuple):
    """One change: the `occurrence`-th of the places where `operator` could make it in `file`."""

    file: str
    line: int
    operator: str
    occurrence: int

    def source(self, code: str) -> str:
        """The file's code with the change."""
        changed: str = mutate_code(code, get_operator(self.operator)(), self.occurrence)
        return changed


def _is_annotation(node: Any) -> bool:
    """Whether the node stands in a type, where no change is one of behaviour."""
    while node.parent is not None:
        parent = node.parent
        if parent.type in ("annassign", "tfpdef") and node is not parent.children[0]:
            # of `name: type = value` the value counts
            return "=" not in parent.children or parent.children.index(node) < parent.children.index("=")
        if parent.type == "funcdef" and node is parent.annotation:
            return True
        node = parent
    return False


def _operators() -> Iterator[tuple[str, Any]]:
    for name in sorted(operator_names()):
        short, operator = name.split("/")[-1], get_operator(name)
        if short.startswith(_CHANGES) and not short.endswith(_SAME) and not operator.arguments():
            yield name, operator()


def mutants_of(code: str, file: str) -> dict[tuple[int, int], list[Mutant]]:
    """By places (line, column), the changes that can be made there."""
    tree = get_ast(code)
    nodes = list(ast_nodes(tree))
    found = defaultdict(list)
    for name, operator in _operators():
        occurrence = 0
        for node in nodes:
            for start, _ in operator.mutation_positions(node):
                if not _is_annotation(node):
                    found[start].append(Mutant(file, start[0], name, occurrence))
                occurrence += 1
    return found


def sample(root: Path, count: int, seed: int, packages: tuple[str, ...] = PACKAGES) -> list[Mutant]:
    """`count` places of all files, one change each; the same for the same code and seed."""
    draw = random.Random(seed)
    places = [
        changes
        for package in packages
        for path in sorted((root / package).rglob("*.py"))
        for _, changes in sorted(mutants_of(path.read_text(), str(path.relative_to(root))).items())
    ]
    return [draw.choice(changes) for changes in draw.sample(places, min(count, len(places)))]
