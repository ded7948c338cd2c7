"""Which places of the code are changed, and that a change is just that."""

import difflib
from pathlib import Path

import pytest

pytest.importorskip("cosmic_ray")

from tools.code_mutation.places import mutants_of, sample

CODE = """
def most(a: int | None, b: list[int] = [3]) -> int | None:
    limit: int = 7
    for x in b:
        if a < x and x is not None:
            return limit + 1
    return a
"""


def test_places_are_of_behaviour_not_of_types():
    places = mutants_of(CODE, "most.py")
    lines = {line for line, _ in places}
    assert lines == {2, 3, 4, 5, 6}
    of_signature = [change for (line, _), changes in places.items() for change in changes if line == 2]
    assert {change.operator for change in of_signature} == {"core/NumberReplacer"}


def test_a_change_is_one_line():
    for changes in mutants_of(CODE, "most.py").values():
        for change in changes:
            old, new = CODE.splitlines(), change.source(CODE).splitlines()
            altered = [line for line in difflib.ndiff(old, new) if line[0] in "+-"]
            assert len(altered) == 2, change
            assert old[change.line - 1] != new[change.line - 1]


def test_the_same_places_for_the_same_seed():
    root = Path(__file__).parents[2]
    chosen = sample(root, 5, 1, ("cli",))
    assert chosen == sample(root, 5, 1, ("cli",)) != sample(root, 5, 2, ("cli",))
    assert all((root / change.file).exists() for change in chosen)
