"""The shape of the house: what imports what, what is public, what is packaged."""

import ast
import importlib
import inspect
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
ORDER = ["numba_kernels", "opset", "export", "conformance", "cli"]  # a package imports only those before it
KERNELS_MAY_IMPORT = {"numpy", "numba", "llvmlite", "ml_dtypes"}
MODULES = sorted(path for package in ORDER for path in (ROOT / package).glob("*.py"))
module = pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")


def imports(path):
    """(line, level, module) of every import statement, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, 0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "softops":
            yield from ((node.lineno, 0, f"softops.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, node.level, node.module or alias.name) for alias in node.names)


@module
def test_imports_point_upwards(path):
    own = ORDER.index(path.parent.name)
    for line, level, name in imports(path):
        where = f"{path.name}:{line} imports {name}"
        parts = name.split(".")
        if level:
            assert level == 1, f"{where} from outside its package: name it softops.…"
            assert (path.parent / f"{parts[0]}.py").exists(), f"{where}, which is no module beside it"
        elif parts[0] == "softops":
            assert len(parts) > 1, f"{where}: name the package"
            assert parts[1] in ORDER[:own], (
                f"{where}: only {ORDER[:own]} lie above (inside a package: relative)"
            )
        else:
            assert parts[0] not in ORDER, f"{where}: the packages' names begin with softops."


@pytest.mark.parametrize(
    "path", [m for m in MODULES if m.parent.name == "numba_kernels"], ids=lambda path: path.name
)
def test_kernels_need_nothing_but_numba_and_numpy(path):
    outside = {name.split(".")[0] for _, level, name in imports(path) if not level}
    assert outside - sys.stdlib_module_names <= KERNELS_MAY_IMPORT


def test_no_module_is_imported_in_a_circle():
    """Of the statements that run at import, those outside functions."""
    for package in ORDER:
        needs = {}
        for path in (ROOT / package).glob("*.py"):
            top = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)]
            needs[path.stem] = {
                (node.module or alias.name).split(".")[0]
                for node in top
                if node.level
                for alias in node.names
            }
        while needs:
            free = [name for name, others in needs.items() if not others & needs.keys()]
            assert free, f"{package}: {needs}"
            for name in free:
                del needs[name]


def test_packages_are_those_of_pyproject():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert setuptools["packages"] == [f"softops.{package}" for package in ORDER]
    assert setuptools["package-dir"] == {f"softops.{package}": package for package in ORDER}
    assert {path.parent.name for path in ROOT.glob("*/py.typed")} == set(ORDER)
    assert not (ROOT / "softops").exists()


@pytest.mark.parametrize("package", ORDER)
def test_packages_are_flat(package):
    folder = ROOT / package
    deeper = [
        path for path in folder.rglob("*.py") if path.parent != folder and "__pycache__" not in path.parts
    ]
    assert deeper == []
    assert (folder / "__init__.py").exists()
    assert (folder / "py.typed").read_text() == ""


@pytest.mark.parametrize("package", ORDER)
def test_tests_mirror_the_package(package):
    """A folder of tests for each package, without packages among them."""
    assert list((ROOT / "tests" / package).glob("test_*.py"))
    assert not list((ROOT / "tests").rglob("__init__.py"))


@pytest.mark.parametrize("package", ORDER)
def test_all_names_what_is_public(package):
    imported = importlib.import_module(f"softops.{package}")
    assert len(set(imported.__all__)) == len(imported.__all__)
    for name in imported.__all__:
        assert not name.startswith("_")
        assert not isinstance(getattr(imported, name), ModuleType), name
    present = {
        name
        for name, value in vars(imported).items()
        if not name.startswith("_")
        and not isinstance(value, ModuleType)
        and getattr(value, "__module__", "").startswith("softops.")
    }
    assert present <= set(imported.__all__)


@pytest.mark.parametrize("package", ORDER)
def test_what_is_public_is_documented(package):
    """Every parameter has its word; the kernels, which are called without their source at hand, have all sections."""
    imported = importlib.import_module(f"softops.{package}")
    missing = []
    for name in imported.__all__:
        thing = getattr(imported, name)
        if inspect.isclass(thing):
            missing += [name] * (not vars(thing).get("__doc__"))
        elif inspect.isfunction(thing):
            text = inspect.getdoc(thing) or ""
            words = set(re.findall(r"\w+", text))
            missing += [
                f"{name}: {word}" for word in inspect.signature(thing).parameters if word not in words
            ]
            if package == "numba_kernels":
                sections = ("Parameters", "Returns", "Raises", "Notes")
                missing += [f"{name}: {s}" for s in sections if f"\n{s}\n{'-' * len(s)}\n" not in text]
            missing += [name] * (not text)
    assert missing == []
