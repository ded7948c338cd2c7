"""The shape of the house: its rooms, what imports what, what is public, what is packaged."""

import ast
import importlib
import inspect
import itertools
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
# A package imports only those before it, a room of a package only those before it; "" stands for the package's own
# modules. `errors` may be imported from everywhere.
ROOMS = {
    "numba_kernels": [
        *("vector", "compile", "numerics", "arrays", "rowwise", "log_sums", "products", ""),
        *(
            "elementwise",
            "normalization",
            "sparse",
            "sampling",
            "losses",
            "linear",
            "attention",
            "njit",
            "precompile",
            "dask_arrays",
        ),
    ],
    "opset": [
        "graph",
        "oracle",
        "operators",
        "expressions",
        "runtimes",
        "nodes",
        "classical",
        "networks",
        "implementations",
        "fusions",
        "backend",
        "rounding_rules",
        "rounding",
        "convert",
        "lint",
        "",
    ],
    "export": ["builder", "bridges", "heads", "sources", "surgery", ""],
    "conformance": [
        *(
            "measure",
            "cases",
            "verdicts",
            "causes",
            "workers",
            "runtimes",
            "elsewhere",
            "adapters",
            "rounding",
            "steps",
            "models",
            "evaluation",
            "reports",
            "suite",
            "",
        ),
    ],
    "cli": ["terminal", "demo", "export", "conformance", ""],
}
ORDER = list(ROOMS)
NOT_FOR_USERS = {"test", "bench", "mutation"}
# By onnx, jinja2 and Numba; what runs a plugin of pytest; and what apache-tvm, iree-base-compiler and MNN are called.
BROUGHT = {"google", "markupsafe", "llvmlite", "pytest", "softops", "tvm", "iree", "_tools"}
KERNELS_MAY_IMPORT = {"numpy", "numba", "llvmlite", "ml_dtypes"}
ROOMS_MAY_IMPORT = {"dask_arrays": {"dask"}}  # which nothing else imports, and which needs an extra
MOST_MODULES = 15
MOST_LINES = 300
MODULES = sorted(path for package in ORDER for path in (ROOT / package).rglob("*.py"))
FOLDERS = sorted({path.parent for path in MODULES})
module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
folder = pytest.mark.parametrize("path", FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))


def imports(path):
    """(line, level, module) of every import statement, those inside functions and for types alone too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, 0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "softops":
            yield from ((node.lineno, 0, f"softops.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, node.level, node.module or alias.name) for alias in node.names)


def imported_modules(path):
    """(line, module of the same package, as its parts below the package) of every relative import."""
    package = ROOT / path.relative_to(ROOT).parts[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        target = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        assert target.is_relative_to(package), f"{path}:{node.lineno}: name another package softops.…"
        for alias in node.names:
            found = [
                p
                for p in (target.with_suffix(".py"), target / f"{alias.name}.py", target / "__init__.py")
                if p.exists()
            ]
            assert found, f"{path}:{node.lineno} imports {alias.name}, which is no module there"
            yield node.lineno, found[0].relative_to(package).with_suffix("").parts


def room_of(parts):
    return parts[0] if len(parts) > 1 else ""


@module
def test_imports_point_upwards(path):
    """To packages before one's own by their full names; inside a package relative, to rooms before one's own."""
    package, *own = path.relative_to(ROOT).with_suffix("").parts
    above, rooms = ORDER[: ORDER.index(package)], ROOMS[package]
    for line, level, name in imports(path):
        parts = name.split(".")
        if not level and parts[0] == "softops":
            assert (parts[1:2] or [""])[0] in above, f"{path}:{line} imports {name}: only {above} lie above"
        elif not level:
            assert parts[0] not in ORDER, (
                f"{path}:{line} imports {name}: our packages' names begin with softops."
            )
    allowed = rooms[: rooms.index(room_of(own)) + 1]
    for line, other in imported_modules(path):
        if own[-1] != "__init__" or len(own) > 1:
            assert room_of(other) in allowed or other == ("errors",), (
                f"{path}:{line} imports {'.'.join(other)}: only {allowed}"
            )


@pytest.mark.parametrize(
    "path", [m for m in MODULES if m.is_relative_to(ROOT / "numba_kernels")], ids=lambda path: path.name
)
def test_kernels_need_nothing_but_numba_and_numpy(path):
    outside = {name.split(".")[0] for _, level, name in imports(path) if not level}
    allowed = KERNELS_MAY_IMPORT | ROOMS_MAY_IMPORT.get(path.parent.name, set())
    assert outside - sys.stdlib_module_names <= allowed


def test_what_is_imported_is_declared():
    """In the dependencies, or in an extra that is for users: neither for tests nor for measuring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [
        names for extra, names in project["optional-dependencies"].items() if extra not in NOT_FOR_USERS
    ]
    asked = [re.match(r"[\w.-]+", name)[0] for name in [*project["dependencies"], *itertools.chain(*extras)]]
    declared = {name.replace("-", "_") for name in asked} | BROUGHT
    for path in MODULES:
        outside = {name.split(".")[0] for _, level, name in imports(path) if not level}
        assert outside <= declared | sys.stdlib_module_names, path


@pytest.mark.parametrize("package", ORDER)
def test_no_module_is_imported_in_a_circle(package):
    """Imports inside functions and for types alone count as well."""
    modules = [path for path in MODULES if path.is_relative_to(ROOT / package)]
    needs = {
        path.relative_to(ROOT / package).with_suffix("").parts: {other for _, other in imported_modules(path)}
        for path in modules
    }
    while needs:
        free = [name for name, others in needs.items() if not others & needs.keys() - {name}]
        assert free, f"{package}: {needs}"
        for name in free:
            del needs[name]


@folder
def test_rooms_are_small_and_say_what_they_are_for(path):
    modules = [module for module in path.glob("*.py") if module.name != "__init__.py"]
    assert len(modules) <= MOST_MODULES
    assert ast.get_docstring(ast.parse((path / "__init__.py").read_text()))


@module
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_packages_are_those_of_pyproject():
    """Every folder with modules is listed; a room resolves through its package's entry in package-dir."""
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    names = ["softops." + ".".join(path.relative_to(ROOT).parts) for path in FOLDERS]
    assert sorted(setuptools["packages"]) == sorted(names)
    assert setuptools["package-dir"] == {f"softops.{package}": package for package in ORDER}
    assert {path.parent.name for path in ROOT.glob("*/py.typed")} == set(ORDER)
    assert not (ROOT / "softops").exists()


@pytest.mark.parametrize("package", ORDER)
def test_there_is_one_level_of_rooms(package):
    depths = {
        len(path.relative_to(ROOT / package).parts) for path in FOLDERS if path.is_relative_to(ROOT / package)
    }
    assert depths <= {0, 1}
    assert {path.name for path in FOLDERS if path.parent == ROOT / package} == set(ROOMS[package]) - {""}
    assert (ROOT / package / "py.typed").read_text() == ""


@folder
def test_tests_mirror_the_rooms(path):
    """A folder of tests for each room, without packages among them."""
    assert list((ROOT / "tests" / path.relative_to(ROOT)).glob("test_*.py"))
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
