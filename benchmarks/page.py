"""Runs a chapter's cells in this process, and writes down each comparison that it asserts and each number it quotes.

python page.py ../book/06-lstm.md    # prints one line of JSON
"""

import ast
import contextlib
import io
import json
import os
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "agg")
import jupytext
import nudge
import numpy as np
from IPython.core.interactiveshell import InteractiveShell

GLUED = "application/papermill.record/text/plain"
_SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "=="}


class Record:
    """The comparisons of a page's assertions: text → (left, right) each time it was made."""

    def __init__(self) -> None:
        self.made: dict[str, dict[str, Any]] = {}
        self.failed: list[str] = []
        self.cell = 0

    def holds(self, text: str, test: Any) -> None:
        """An assertion; the page goes on where it fails, so that one run finds all of them."""
        if not test:
            self.failed.append(f"{self.cell}: {text}")

    def __call__(self, text: str, left: Any, sign: str, right: Any) -> Any:
        try:
            sides = [float(np.asarray(side, np.float64)) for side in (left, right)]
        except (TypeError, ValueError):  # arrays, lists, names: compared as they are
            sides = []
        if sides:
            entry = self.made.setdefault(f"{self.cell}: {text}", {"sign": sign, "sides": []})
            entry["sides"].append(sides)
        return {"<": _lt, "<=": _le, ">": _gt, ">=": _ge, "==": _eq}[sign](left, right)


def _lt(a: Any, b: Any) -> Any:
    return a < b


def _le(a: Any, b: Any) -> Any:
    return a <= b


def _gt(a: Any, b: Any) -> Any:
    return a > b


def _ge(a: Any, b: Any) -> Any:
    return a >= b


def _eq(a: Any, b: Any) -> Any:
    return a == b


class Watch(ast.NodeTransformer):
    """`assert test` becomes `_holds_("test", test)`, and in it `a < b` becomes `_record_("a < b", a, "<", b)`."""

    def __init__(self) -> None:
        self.inside = 0

    def visit_Assert(self, node: ast.Assert) -> ast.Expr:
        text = ast.unparse(node.test)
        self.inside += 1
        test = self.visit(node.test)
        self.inside -= 1
        return ast.Expr(ast.Call(ast.Name("_holds_", ast.Load()), [ast.Constant(text), test], []))

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        if not self.inside or not all(type(op) in _SIGNS for op in node.ops):
            return node
        text = ast.unparse(node)
        sides = [node.left, *node.comparators]
        calls: list[ast.expr] = [
            ast.Call(
                ast.Name("_record_", ast.Load()),
                [ast.Constant(text if len(node.ops) == 1 else f"{text} [{i}]"), a, ast.Constant(_SIGNS[type(op)]), b],
                [],
            )
            for i, (a, op, b) in enumerate(zip(sides, node.ops, sides[1:], strict=False))
        ]
        return calls[0] if len(calls) == 1 else ast.BoolOp(ast.And(), calls)


def run(path: Path) -> dict[str, Any]:
    """All cells of a page, to the end or to the first that fails.

    Returns:
        `seconds`, `error` (a traceback, or nothing), `failed` (assertions), `asserted` (see `Record`), `quoted`
        (name → value) and `printed`.
    """
    folder = path.resolve().parent
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    shell, record = InteractiveShell.instance(), Record()
    shell.user_ns |= {"_record_": record, "_holds_": record.holds}
    shell.ast_transformers.append(Watch())
    quoted, printed, error, started = {}, [], "", time.monotonic()
    shell.display_pub.publish = lambda data, metadata=None, **_: quoted.update(_glued(data, metadata or {}))
    for record.cell, cell in enumerate(c for c in jupytext.read(path.name).cells if c.cell_type == "code"):
        output = io.StringIO()
        with contextlib.redirect_stdout(output), warnings.catch_warnings(record=True):
            result = shell.run_cell(cell.source)
        printed.append(output.getvalue())
        if not result.success:
            what = result.error_before_exec or result.error_in_exec
            error = "".join(traceback.format_exception(what)[-4:]) + cell.source[:300]
            break
        shell.run_cell("import matplotlib.pyplot; matplotlib.pyplot.close('all')")
    seconds = time.monotonic() - started
    found = {"seconds": seconds, "error": error, "failed": record.failed, "asserted": record.made}
    return found | {"quoted": quoted, "printed": printed}


def _glued(data: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    name = metadata.get("scrapbook", {}).get("name")
    return {name: ast.literal_eval(data[GLUED])} if name and GLUED in data else {}


if __name__ == "__main__":
    assert nudge
    with contextlib.redirect_stdout(sys.stderr):
        found = run(Path(sys.argv[1]))
    print(json.dumps(found))
