"""What `import rnncore` brings with it, which way imports point, and that everything public says what it is."""

import ast
import graphlib
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rnncore

ROOT = Path(rnncore.__file__).parent.parent
CHAIN = [
    "backend",
    "normalisation",
    "recurrence",
    "engines",
    "cell",
    "cells",
    "layers",
    "models",
    "training",
    "sweeps",
]  # each may import those before it
LOADED = {"torch": {"modules", "kernels"}, "jax": {"jax", "engines.xla", "compiled_sweep"}}  # these alone may import it
FILES = {
    ".".join(path.relative_to(ROOT / "rnncore").with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "rnncore").rglob("*.py"))
    if path != ROOT / "rnncore" / "__init__.py"
}


def imported(path):
    """The full names of all that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dependencies(path):
    """The modules of rnncore that a file imports."""
    for name in imported(path):
        parts = name.split(".")[1:]
        while name.startswith("rnncore.") and parts and ".".join(parts) not in FILES:
            parts.pop()
        if name.startswith("rnncore.") and parts:
            yield ".".join(parts)


GRAPH = {name: set(dependencies(path)) for name, path in FILES.items()}


def test_import_needs_numpy_and_array_api_compat_alone():
    code = """if True:
        import json, sys
        before = set(sys.modules)
        import rnncore
        print(json.dumps([k for k, m in sys.modules.items() if k not in before and hasattr(m, "__file__")]))"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    names = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not names & {"torch", "jax", "matplotlib", "nbgrader", "rnngrade"}
    assert names - set(sys.stdlib_module_names) == {"rnncore", "numpy", "array_api_compat"}
    assert done.stderr == ""


@pytest.mark.parametrize("name", FILES)
def test_imports_are_allowed(name):
    roots = {other.partition(".")[0] for other in imported(FILES[name])} - set(sys.stdlib_module_names)
    allowed = {library for library, places in LOADED.items() if {name, name.split(".")[0]} & places}
    assert roots <= {"rnncore", "numpy", "array_api_compat", *allowed}


def test_imports_point_one_way():
    tuple(graphlib.TopologicalSorter(GRAPH).static_order())  # CycleError names a circle
    for name, others in GRAPH.items():
        place = CHAIN.index(name.split(".")[0]) if name.split(".")[0] in CHAIN else None
        above = CHAIN[place + 1 :] if place is not None else []
        assert not {other for other in others if other.split(".")[0] in above}, f"{name} imports what is built on it"
    assert {"recurrence", "backend"} <= GRAPH["cell"]  # the graph is not empty
    assert "cell" in GRAPH["cells.elman"]


def public():
    """Every public module, function, class and method of rnncore, by its full name."""
    for info in pkgutil.walk_packages(rnncore.__path__, "rnncore."):
        module = importlib.import_module(info.name)
        yield info.name, module
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", None) != info.name:
                continue
            if inspect.isclass(value) or inspect.isfunction(value):
                yield f"{info.name}.{name}", value
            for method, function in vars(value).items() if inspect.isclass(value) else ():
                if not method.startswith("_") and (callable(function) or isinstance(function, property | classmethod)):
                    yield f"{info.name}.{name}.{method}", getattr(value, method)


def test_everything_public_has_a_docstring():
    names = dict(public())
    assert "rnncore.cell.Cell.forward" in names
    assert [name for name, value in names.items() if not inspect.getdoc(value)] == []


@pytest.mark.parametrize("name", rnncore.CELLS)
def test_a_cell_says_its_equations_shapes_and_paper(name):
    text = inspect.getdoc(rnncore.CELLS[name])
    assert re.search(r"\n {4,}\S+ = .+", text), "no equations"
    for part in ("Shapes: ", "State: ", "Output: ", "Paper: "):
        assert part in text, f"no {part}"
    assert re.search(r"Paper: .+\d{4}", text, re.DOTALL)


def test_all_names_exist():
    for name in FILES:
        module = importlib.import_module(f"rnncore.{name}")
        assert [n for n in module.__all__ if not hasattr(module, n)] == []
    assert [n for n in rnncore.__all__ if not hasattr(rnncore, n)] == []


def test_every_cell_file_is_in_the_registry():
    files = {name.removeprefix("cells.") for name in FILES if name.startswith("cells.")}
    missing = files - {kind.__module__.rpartition(".")[2] for kind in rnncore.CELLS.values()}
    assert not missing, f"{missing}: import its class in rnncore/cells/__init__.py, and name it in a family there"
    assert sum(map(len, rnncore.FAMILIES.values())) == len(rnncore.CELLS), "a cell is in two families"
