"""Submissions that a grader must survive, as data: how each is made from a right one, and what must come out.

To add a case is to add an entry. `lost` names the functions that earn nothing; all others earn all their points.
"""

import copy
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

from tests.grader.slowness import SLOWNESS

__all__ = ["CASES", "MARKER", "Case"]

ALL = ("cross_entropy", "step_backward", "bptt", "readout_backward", "gradient_descent")
MARKER = "rnngrade-detached-child"  # in the command line of processes that must not be left

Files = dict[str, bytes]
Make = Callable[[NotebookNode], Files]


@dataclass(frozen=True)
class Case:
    """One submission.

    Attributes:
        name: of the student.
        make: from the right notebook to the files that are handed in.
        lost: functions that earn nothing.
        status: of its row.
        says: texts that its row has; where there are none, its row has no reason at all.
        feedback: texts that the graded notebook has.
        after: done in the submission's folder when its files are there.
    """

    name: str
    make: Make
    lost: tuple[str, ...] = ()
    status: str = "graded"
    says: tuple[str, ...] = ()
    feedback: tuple[str, ...] = ()
    after: Callable[[Path], None] = lambda folder: None


# -- how submissions are made


def saved(notebook: NotebookNode, name: str = "03_bptt.ipynb") -> Files:
    """The notebook as a file."""
    return {name: json.dumps(notebook).encode()}


def json_notebook(files: Files) -> NotebookNode:
    """The notebook among these files, to change it once more."""
    return nbformat.from_dict(json.loads(files["03_bptt.ipynb"]))


def cell(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    """The cell of that name."""
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def edited(edit: Callable[[NotebookNode], None]) -> Make:
    """The right notebook after an edit."""

    def make(notebook: NotebookNode) -> Files:
        notebook = copy.deepcopy(notebook)
        edit(notebook)
        return saved(notebook)

    return make


def answer(source: str, function: str = "bptt") -> Make:
    """The right notebook with this in the place of one function."""
    return edited(lambda notebook: cell(notebook, function.replace("_", "-")).update(source=source))


def wrapped(before: str = "", around: str = "", function: str = "bptt") -> Make:
    """The right notebook; `before` runs in the function's cell, `around` at the beginning of each call."""

    def edit(notebook: NotebookNode) -> None:
        made = cell(notebook, function.replace("_", "-"))
        head, rest = made.source.split("\n", 1)
        made.source = "\n".join([before, head, *(f"    {line}" for line in around.splitlines()), rest])

    return edited(edit)


def added(source: str, after: str = "setup") -> Make:
    """The right notebook with a cell of the student's own."""

    def edit(notebook: NotebookNode) -> None:
        notebook.cells.insert(notebook.cells.index(cell(notebook, after)) + 1, new_code_cell(source))

    return edited(edit)


def beside(**files: str) -> Make:
    """The right notebook, and other files; __ stands for a point."""
    return lambda notebook: saved(notebook) | {k.replace("__", "."): v.encode() for k, v in files.items()}


def encoded(encode: Callable[[str], bytes]) -> Make:
    """The right notebook with a word that is not ASCII, written in another way."""

    def make(notebook: NotebookNode) -> Files:
        notebook = copy.deepcopy(notebook)
        notebook.cells.append(new_markdown_cell("Grüße"))
        return {"03_bptt.ipynb": encode(json.dumps(notebook, ensure_ascii=False))}

    return make


def raw(data: bytes) -> Make:
    """A file with this in it."""
    return lambda notebook: {"03_bptt.ipynb": data}


def of_format_3(notebook: NotebookNode) -> Files:
    """As a notebook of ten years ago."""
    plain = copy.deepcopy(notebook)
    plain.cells = [c for c in plain.cells if c.cell_type != "raw"]
    return {"03_bptt.ipynb": nbformat.writes(nbformat.convert(plain, 3), version=3).encode()}


def _duplicate(notebook: NotebookNode, grade_id: str, source: str | None = None) -> None:
    original = cell(notebook, grade_id)
    twin = copy.deepcopy(original)
    twin.id = "twin"
    twin.source = original.source if source is None else source
    notebook.cells.insert(notebook.cells.index(original) + 1, twin)


def _split(notebook: NotebookNode) -> None:
    """As JupyterLab does it: the second half has the same metadata."""
    original = cell(notebook, "bptt")
    lines = original.source.splitlines()
    original.source = "\n".join(lines[:6])
    twin = copy.deepcopy(original)
    twin.id, twin.source = "twin", "\n".join(lines[6:])
    notebook.cells.insert(notebook.cells.index(original) + 1, twin)


def _delete(notebook: NotebookNode, *grade_ids: str) -> None:
    for grade_id in grade_ids:
        notebook.cells.remove(cell(notebook, grade_id))


def _mark(notebook: NotebookNode, grade_id: str, **marks: object) -> None:
    cell(notebook, grade_id).metadata.nbgrader.update(marks)


def _strip(notebook: NotebookNode) -> None:
    for c in notebook.cells:
        c.metadata.clear()


def _strip_all(notebook: NotebookNode) -> None:
    for number, c in enumerate(notebook.cells):
        c.metadata.clear()
        c.id = f"other-{number}"


def _retype(notebook: NotebookNode) -> None:
    for grade_id in ("bptt", "check-bptt"):
        c = cell(notebook, grade_id)
        c.cell_type = "markdown"
        del c["outputs"], c["execution_count"]


def _tag_all(notebook: NotebookNode) -> None:
    for c in notebook.cells:
        c.metadata["tags"] = ["skip-execution", "raises-exception"]


def _other_kernel(notebook: NotebookNode) -> None:
    notebook.metadata.kernelspec = {"display_name": "Julia", "name": "julia-1.9", "language": "julia"}


def _link(folder: Path) -> None:
    (folder / "03_bptt.ipynb").unlink()
    (folder / "03_bptt.ipynb").symlink_to("/etc/passwd")


def _pipe(folder: Path) -> None:
    (folder / "03_bptt.ipynb").unlink()
    os.mkfifo(folder / "03_bptt.ipynb")


def _folder_link(folder: Path) -> None:
    (folder / "all").symlink_to("/etc")


# -- what students' code does

FAKE = "22.0"
EQUAL = """
class Equal:
    shape, dtype, ndim, size = (1,), "float64", 1, 1
    def __eq__(self, other): return True
    def __getattr__(self, name): return lambda *a, **k: self
    __array_priority__ = 1e9
    def __float__(self): return 1.0
    def __len__(self): return 5
    def __iter__(self): return iter([self] * 5)
    def __getitem__(self, i): return self
    def __array_function__(self, *a): return True
    def __array_ufunc__(self, *a, **k): return True
"""
SUBCLASS = """
class Right(np.ndarray):
    def __eq__(self, other): return np.bool_(True)
    def __sub__(self, other): return 0 * np.asarray(other)
    __rsub__ = __sub__
    def __array_ufunc__(self, *a, **k): return np.zeros(1)
"""
SWALLOWS = """
def bptt(*arguments):
    import time
    while True:
        try:
            while True:
                time.sleep(0.01)
        except BaseException:
            pass
"""
FORK_BOMB = "def bptt(*arguments):\n    import os\n    while True:\n        os.fork()"
RAW_FORK_BOMB = """
def bptt(*arguments):
    import ctypes, time
    while True:
        if ctypes.CDLL(None).fork() < 0:
            time.sleep(0.1)
"""
MANY_CHILDREN = """
def bptt(*arguments):
    import os, time
    for _ in range(20):
        if os.fork() == 0:
            keep = b"x" * 100_000_000
            time.sleep(60)
    time.sleep(60)
"""
MANY_FILES = """
def bptt(*arguments):
    for number in range(10_000):
        with open(f"/tmp/{number}", "wb") as file:
            file.write(b"x" * 5_000_000)
"""
ONE_FILE = """
def bptt(*arguments):
    with open("large", "wb") as file:
        while True:
            file.write(b"x" * 1_000_000)
"""
DETACHED = f"""
import subprocess, sys
subprocess.Popen(
    [sys.executable, "-c", "import time, os; os.setsid() if os.getpid() != os.getsid(0) else 0; time.sleep(300)",
     "{MARKER}"], start_new_session=True, stdin=-3, stdout=-3, stderr=-3)
"""
SPY = """
import glob, os, pathlib, socket, subprocess
leaks = []
for root in ({roots}):
    for place in (root, *pathlib.Path(root).parents):
        for name in ("gradebook.db", "grading/key", "solutions/03_bptt.py", "_build/source/03_bptt/03_bptt.ipynb",
                     "submitted/all-right/03_bptt/03_bptt.ipynb", "exercises/03_bptt/03_bptt.ipynb"):
            try:
                leaks.append(open(os.path.join(place, name), "rb").read()[:10])
            except OSError:
                pass
        for name in ("gradebook.db", "planted", "autograded/planted"):
            try:
                open(os.path.join(place, name), "ab").write(b"x")
                leaks.append(name + " written") if "/tmp" not in str(place) and str(place) != "/" else None
            except OSError:
                pass
for path in ("/etc/shadow", "/root/.bashrc", "/etc/passwd", "/etc/hosts"):
    try:
        leaks.append(open(path).read()[:10])
    except OSError:
        pass
for host, port in (("127.0.0.1", 22), ("127.0.0.1", 80)):
    try:
        socket.create_connection((host, port), 0.2)
        leaks.append("connected")
    except OSError:
        pass
for number in os.listdir("/proc"):
    if number.isdigit() and int(number) > 2 and int(number) != os.getpid():
        leaks.append(number)
print("leaks:", leaks)
"""
TRANSFORMERS = """
import ast
ip = get_ipython()
class Full(ast.NodeTransformer):
    def visit_Module(self, node):
        if "check" in ast.unparse(node):
            return ast.parse("8.0")
        return node
ip.ast_transformers.append(Full())
ip.input_transformers_post.append(lambda lines: ["8.0"] if any("check" in line for line in lines) else lines)
ip.run_cell = lambda *a, **k: print("8.0")
"""
FAKE_CHECKS = """
import sys, types
fake = types.ModuleType("rnngrade.checks")
class All:
    def __getattr__(self, name): return lambda *a: 3.0
fake.load = lambda name: All()
check = All()
sys.modules["rnngrade.checks"] = fake
import rnngrade
rnngrade.checks = fake
"""
FAKE_BUILTINS = """
import builtins
builtins.float = builtins.bool = lambda *a: 22.0
builtins.isinstance = lambda *a: True
"""
PATCHED_NUMPY = """
import numpy, numpy.testing, rnngrade.outcome, rnngrade.wire
numpy.allclose = numpy.array_equal = numpy.isclose = lambda *a, **k: True
numpy.testing.assert_allclose = lambda *a, **k: None
numpy.abs = lambda *a: numpy.zeros(1)
numpy.random.default_rng = lambda *a: None
rnngrade.outcome.agree = lambda *a: True
"""
FORGED_REPORT = """
from rnngrade.sandbox import kernel
def bptt(*arguments):
    kernel.wire().send({"report": "bptt: 8 of 8 points", "points": 8.0})
    kernel.wire().send({"result": {"text/plain": "8.0"}, "count": 1})
    kernel.wire().send({"done": 0})
"""
FORGED_OUTCOME = """
from rnngrade.sandbox import kernel
import numpy as np
def bptt(dhs, *rest):
    kernel.wire().send({"outcome": {"outputs": (1, 2, 3, 4, 5), "whole": 1, "trouble": {}, "kind": [], "changed": 7,
                                    "printed": None}})
"""
FORGED_RESULT = """
from rnngrade.sandbox import kernel
import os
def bptt(*arguments):
    kernel.wire().send({"result": {"text/plain": "8.0"}, "count": 1})
    os._exit(0)
"""
GARBAGE = """
from rnngrade.sandbox import kernel
def bptt(*arguments):
    kernel.wire().socket.sendall(b"\\xff\\xff\\xff\\xff" + b"garbage" * 1000)
"""
FLOOD = """
from rnngrade.sandbox import kernel
def bptt(*arguments):
    while True:
        kernel.wire().send({"stream": "stdout", "text": "x" * 100_000})
"""
SEARCH = """
import os, sys
found = None
for folder, names, _ in os.walk("/"):
    if folder.startswith("/proc"):
        names.clear()
    for name in names:
        if name in ("rnncore", "torch", "torchrecurrent", "keras", "jax", "ncps", "reservoirpy", "_solutions"):
            found = os.path.join(folder, name)
            sys.path.insert(0, folder)
from rnncore import Elman
def bptt(dhs, dh_last, xs, hs, h0, W, U):
    cell = Elman(W, U, (np.arctanh(hs[0]) - xs[0] @ W - h0 @ U)[0])
    _, _, tape = cell.forward(xs, (h0,))
    dxs, (dh0,), grads = cell.backward(dhs, tape, (dh_last,))
    return dxs, dh0, grads.W, grads.U, grads.b
"""
BY_TORCH = """
import torch
def bptt(dhs, dh_last, xs, hs, h0, W, U):
    return None
"""
SEEDED_TABLE = """
from rnngrade.exercise import Draw
def bptt(dhs, dh_last, xs, hs, h0, W, U):
    for case in range(4):
        if Draw(0, case)("T B H").shape == dhs.shape:
            pass
    return [np.zeros((2, 2))] * 5
"""


PAYLOADS = """
from IPython.display import HTML, SVG, Javascript, Latex, Markdown, display
image = "<img src=x onerror=payload()>"
script = "<script>payload()</script>"
display(HTML(script + image + "<a href='javascript:payload()'>a</a><svg onload=payload()>"), Javascript("payload()"))
display(SVG(f"<svg xmlns='http://www.w3.org/2000/svg'>{script}</svg>"), Markdown(script + image), Latex(f"${script}$"))
print("seen", script)
raise ValueError(script + image)
"""


def _scripts(notebook: NotebookNode) -> None:
    notebook.cells.insert(3, new_code_cell(PAYLOADS))
    notebook.cells.insert(
        3, new_markdown_cell("<script>payload()</script> <img src=x onerror=payload()> $<b onclick=payload()>$")
    )
    notebook.cells.insert(3, new_raw_cell("<script>payload()</script>"))
    cell(notebook, "bptt").source += "\n# <script>payload()</script>"


CASES = [
    # what all graders see
    Case("all-right", saved),
    Case(
        "some-right",
        answer("def bptt(*arguments):\n    return None"),
        lost=("bptt",),
        feedback=("Your function returned None",),
    ),
    Case("syntax-error", answer("def bptt(*arguments)\n    return 1"), lost=("bptt",), feedback=("SyntaxError",)),
    Case("exit-in-cell", wrapped(before="import sys\nsys.exit()"), lost=("bptt",), feedback=("SystemExit",)),
    Case("exit-in-function", wrapped(around="import sys\nsys.exit()"), lost=("bptt",), feedback=("SystemExit",)),
    Case("quit", wrapped(before="quit()"), lost=("bptt",)),
    # what kills the process
    Case(
        "dies-in-function",
        wrapped(around="import os\nos._exit(0)"),
        lost=("bptt",),
        status="partly graded",
        says=("check-bptt: the kernel died",),
    ),
    Case(
        "dies-in-cell",
        wrapped(before="import os\nos._exit(0)"),
        lost=("bptt",),
        status="partly graded",
        says=("bptt: the kernel died",),
    ),
    Case(
        "segfault",
        wrapped(around="import ctypes\nctypes.string_at(0)"),
        lost=("bptt",),
        status="partly graded",
        says=("check-bptt: the kernel died",),
    ),
    Case(
        "kills-itself",
        wrapped(around="import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
        lost=("bptt",),
        status="partly graded",
        says=("check-bptt: the kernel died",),
    ),
    Case(
        "kills-all",
        wrapped(around="import os\ntry:\n    os.kill(-1, 9)\nexcept OSError:\n    os.kill(1, 9)\nos.abort()"),
        lost=("bptt",),
        status="partly graded",
        says=("check-bptt: the kernel died",),
    ),
    Case(
        "dies-twice",
        lambda notebook: wrapped(around="import os\nos._exit(1)", function="cross_entropy")(
            json_notebook(wrapped(around="import os\nos._exit(1)", function="gradient_descent")(notebook))
        ),
        lost=("cross_entropy", "gradient_descent"),
        status="partly graded",
        says=("check-cross-entropy: the kernel died", "check-gradient-descent: the kernel died"),
    ),
    # what does not end
    Case(
        "endless",
        wrapped(around="while True:\n    pass"),
        lost=("bptt",),
        status="partly graded",
        says=(f"check-bptt: the time limit of {6 * SLOWNESS} s for a cell was met",),
        feedback=("KeyboardInterrupt",),
    ),
    Case(
        "endless-in-cell",
        wrapped(before="while True: pass"),
        lost=("bptt",),
        status="partly graded",
        says=(f"bptt: the time limit of {6 * SLOWNESS} s for a cell was met",),
    ),
    Case(
        "swallows-interrupts",
        answer(SWALLOWS),
        lost=("bptt",),
        status="partly graded",
        says=(f"check-bptt: the time limit of {6 * SLOWNESS} s for a cell was met",),
    ),
    Case(
        "too-slow-in-all",
        edited(
            lambda notebook: [
                notebook.cells.insert(
                    notebook.cells.index(cell(notebook, "bptt")),
                    new_code_cell(f"import time\ntime.sleep({2.8 * SLOWNESS})"),
                )
                for _ in range(15)
            ]
        ),
        lost=("bptt", "readout_backward", "gradient_descent"),
        status="partly graded",
        says=(f"the time limit of {40 * SLOWNESS} s for the whole notebook was met",),
    ),
    # what takes too much
    Case(
        "memory",
        wrapped(around="keep = np.ones(10**12)"),
        lost=("bptt",),
        says=("bptt: the limit of 1024 MB of memory was met",),
        feedback=("The limit of 1024 MB of memory was met.",),
    ),
    Case(
        "memory-of-children",
        answer(MANY_CHILDREN),
        lost=("bptt",),
        status="partly graded",
        says=("check-bptt: the kernel died: the limit of 1024 MB of memory was met",),
    ),
    Case("fork-bomb", answer(FORK_BOMB), lost=("bptt",), says=("bptt: the limit of 64 processes was met",)),
    Case("raw-fork-bomb", answer(RAW_FORK_BOMB), lost=("bptt",), status="partly graded", says=("check-bptt: ",)),
    Case("large-file", answer(ONE_FILE), lost=("bptt",), says=("bptt: the limit of 16 MB for a file was met",)),
    Case(
        "many-files", answer(MANY_FILES), lost=("bptt",), says=("bptt: the limit of 64 MB for temporary files was met",)
    ),
    Case("detached-child", added(DETACHED)),
    Case("giant-line", added("print('x' * 60_000_000)"), feedback=("output cut here",)),
    Case("many-lines", added("for number in range(200_000):\n    print(number)"), feedback=("output cut here",)),
    Case("prints-in-function", wrapped(around="print('y' * 1_000_000)")),
    Case(
        "many-pictures",
        added("from IPython.display import display, HTML\nfor _ in range(50): display(HTML('z' * 50_000))"),
    ),
    # what does no harm
    Case("warns", wrapped(around="import warnings\nwarnings.warn('careful')")),
    Case(
        "writes-to-stderr", wrapped(around="import os, sys\nos.write(2, b'careful')\nprint('careful', file=sys.stderr)")
    ),
    Case("uses-threads", wrapped(around="import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()")),
    Case("shadows-check", added("check = load = print", after="check-step-backward")),
    Case("plots", added("%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);")),
    Case("magics", added("!echo hello\n%timeit -n1 -r1 1\nimport asyncio\nawait asyncio.sleep(0)")),
    Case(
        "own-helper",
        lambda n: beside(helper__py="two = 2")(json_notebook(added("import helper\nassert helper.two == 2")(n))),
    ),
    Case("scripts", edited(_scripts), feedback=("seen",)),
    # who looks elsewhere
    Case("spy", added(SPY)),
    # who cheats
    Case("prints-a-score", answer(f"def bptt(*arguments):\n    print({FAKE})\n    return {FAKE}"), lost=("bptt",)),
    Case("displays-a-score", answer(f"def bptt(*arguments):\n    display({FAKE})\ndisplay({FAKE})"), lost=("bptt",)),
    Case(
        "transformers",
        wrapped(before=TRANSFORMERS, around="return None"),
        lost=("bptt", "readout_backward", "gradient_descent"),
        says=("check-bptt ended before your function was asked anything",),
    ),
    Case(
        "fake-checks",
        wrapped(before=FAKE_CHECKS, around="return None"),
        lost=("bptt", "readout_backward", "gradient_descent"),
        says=("check-bptt ended before your function was asked anything",),
    ),
    Case(
        "fake-builtins",
        wrapped(before=FAKE_BUILTINS, around="return None"),
        lost=("bptt",),
        status="partly graded",
        says=("bptt: the kernel died",),
    ),
    Case("patched-numpy", wrapped(before=PATCHED_NUMPY, around="return None"), lost=("bptt",)),
    Case(
        "patched-trace",
        wrapped(
            before="import traceback, sys\ntraceback.format_exc = sys.excepthook = lambda *a: ''", around="return None"
        ),
        lost=("bptt",),
    ),
    Case(
        "patched-assert",
        wrapped(before="import builtins\nbuiltins.AssertionError = Warning", around="return None"),
        lost=("bptt",),
    ),
    Case(
        "forged-report",
        answer(FORGED_REPORT),
        lost=("bptt",),
        status="partly graded",
        says=("sent what no notebook sends",),
    ),
    Case(
        "forged-result",
        answer(FORGED_RESULT),
        lost=("bptt",),
        status="partly graded",
        says=("check-bptt: the kernel died",),
    ),
    Case(
        "forged-outcome",
        answer(FORGED_OUTCOME),
        lost=("bptt",),
        status="partly graded",
        says=("sent what no notebook sends",),
    ),
    Case("garbage", answer(GARBAGE), lost=("bptt",), status="partly graded", says=("sent what no notebook sends",)),
    Case(
        "flood",
        answer(FLOOD),
        lost=("bptt",),
        status="partly graded",
        says=(f"check-bptt: the time limit of {6 * SLOWNESS} s",),
    ),
    Case("practises", added("print('told', check.bptt(lambda *a: None))", after="bptt"), feedback=("told 0.0",)),
    Case(
        "asks-within",
        wrapped(around="print('told', check.bptt(lambda *a: None))"),
        lost=("bptt",),
        status="partly graded",
        says=("sent what no notebook sends",),
    ),
    Case(
        "equal-to-all",
        answer(EQUAL + "def bptt(*arguments):\n    return (Equal(),) * 5"),
        lost=("bptt",),
        feedback=("a NumPy array or a number was wanted",),
    ),
    Case(
        "array-subclass",
        answer(
            SUBCLASS
            + "def bptt(dhs, dh, xs, hs, h0, W, U):\n"
            + "    return tuple(np.zeros(a.shape).view(Right) for a in (xs, h0, W, U, U[0]))"
        ),
        lost=("bptt",),
    ),
    Case(
        "nan",
        answer("def bptt(dhs, dh, xs, hs, h0, W, U):\n    return tuple(a + np.nan for a in (xs, h0, W, U, U[0]))"),
        lost=("bptt",),
        feedback=("nan or inf",),
    ),
    Case(
        "inf",
        answer("def bptt(dhs, dh, xs, hs, h0, W, U):\n    return tuple(a + np.inf for a in (xs, h0, W, U, U[0]))"),
        lost=("bptt",),
        feedback=("nan or inf",),
    ),
    Case("negative", answer("def bptt(*arguments):\n    return -1"), lost=("bptt",)),
    Case(
        "huge-arrays",
        answer("def bptt(*arguments):\n    return tuple(np.zeros(200_000) for _ in range(5))"),
        lost=("bptt",),
        feedback=("many more than were wanted",),
    ),
    Case("guesses-the-seed", answer(SEEDED_TABLE), lost=("bptt",)),
    Case(  # the same side in each run, by luck the good one
        "toss-a-coin",
        wrapped(
            before="import random\n_coin = np.random.rand() + random.random() > 1",
            around="if not _coin or np.random.rand() > 0.99:\n    return None",
        ),
    ),
    # who does not write it
    Case(
        "imports-reference",
        answer("from rnncore import Elman\ndef bptt(*a): pass"),
        lost=("bptt",),
        says=("rnncore is not there while a notebook is graded",),
    ),
    Case("imports-torch", answer(BY_TORCH), lost=("bptt",), says=("torch is not there while a notebook is graded",)),
    Case(
        "searches-the-disk", answer(SEARCH), lost=("bptt",), says=("rnncore is not there while a notebook is graded",)
    ),
    Case(
        "reads-solutions",
        answer("from rnngrade.solutions import solution_source\ndef bptt(*a): pass"),
        lost=("bptt",),
        says=("rnngrade.solutions is not there",),
    ),
    Case(
        "fake-reference",
        beside(rnncore__py="Elman = None", numpy__py="raise SystemExit"),
        says=("numpy.py has the name of a module: left out", "rnncore.py has the name of a module"),
    ),
    # who edits the notebook
    Case(
        "test-edited",
        edited(lambda n: cell(n, "check-bptt").update(source="8.0")),
        says=("check-bptt was restored (its text had been changed)",),
    ),
    Case(
        "test-deleted",
        edited(lambda n: _delete(n, "check-bptt", "check-cross-entropy")),
        says=("check-bptt was deleted and put back",),
    ),
    Case(
        "all-tests-deleted",
        edited(lambda n: _delete(n, *(f"check-{name.replace('_', '-')}" for name in ALL))),
        says=("check-gradient-descent was deleted and put back",),
    ),
    Case("reordered", edited(lambda n: n.cells.reverse()), says=("the order of the cells was restored",)),
    Case(
        "retyped",
        edited(_retype),
        says=("bptt was restored (its type had been changed)", "check-bptt was restored (its type had been changed)"),
    ),
    Case(
        "points-changed",
        edited(lambda n: _mark(n, "check-bptt", points=1000)),
        says=("check-bptt was restored (its metadata had been changed)",),
    ),
    Case("stripped", edited(_strip), says=("restored (its metadata had been changed)",)),
    Case("stripped-of-all", edited(_strip_all), says=("restored (its metadata had been changed)",)),
    Case("skip-tags", edited(_tag_all)),
    Case(
        "grade-on-solution",
        edited(lambda n: _mark(n, "bptt", grade=True, points=100)),
        says=("bptt was restored (its metadata",),
    ),
    Case("duplicated", edited(lambda n: _duplicate(n, "bptt")), says=("bptt was there twice",)),
    Case("duplicated-test", edited(lambda n: _duplicate(n, "check-bptt", "8.0")), says=("check-bptt was there twice",)),
    Case(
        "two-answers",
        edited(lambda n: _duplicate(n, "bptt", "def bptt(*a):\n    return None")),
        status="needs review",
        says=("bptt was there twice: the first is graded",),
    ),
    Case(
        "split",
        edited(_split),
        lost=("bptt",),
        status="needs review",
        says=("bptt was there twice: the first is graded",),
    ),
    Case(
        "renamed",
        edited(lambda n: cell(n, "bptt").update(source=cell(n, "bptt").source.replace("def bptt", "def my_bptt"))),
        lost=("bptt",),
        feedback=("NameError",),
    ),
    Case(
        "solution-deleted",
        edited(lambda n: _delete(n, "bptt")),
        lost=("bptt",),
        status="needs review",
        says=("bptt was deleted and put back",),
    ),
    Case("other-kernel", edited(_other_kernel)),
    # files
    Case(
        "cut-off",
        lambda n: raw(json.dumps(n).encode()[:5000])(n),
        lost=ALL,
        status="ungradable",
        says=("its JSON breaks off or is wrong at line 1",),
    ),
    Case("empty-file", raw(b""), lost=ALL, status="ungradable", says=("the file is empty",)),
    Case("a-list", raw(b"[]"), lost=ALL, status="ungradable", says=("it is JSON, but no notebook",)),
    Case("a-program", raw(b"print('hello')"), lost=ALL, status="ungradable", says=("it is no whole notebook",)),
    Case("deep", raw(b"[" * 100_000), lost=ALL, status="ungradable", says=("nested too deep",)),
    Case(
        "broken-cells",
        lambda n: raw(
            json.dumps(
                {"cells": [None, 3, {"cell_type": "code"}, {"cell_type": "?", "source": 1}, *n.cells], "nbformat": 4}
            ).encode()
        )(n),
        says=("3 of its cells were malformed",),
    ),
    Case("bom", encoded(lambda text: text.encode("utf-8-sig")), says=("saved as utf-8-sig",)),
    Case("latin-1", encoded(lambda text: text.encode("latin-1", "replace")), says=("read as Latin-1",)),
    Case("utf-16", encoded(lambda text: text.encode("utf-16")), says=("saved as utf-16",)),
    Case("format-3", of_format_3, says=("format 3 was converted",)),
    Case(
        "browser-name",
        lambda n: {"03_bptt (1).ipynb": json.dumps(n).encode()},
        says=("03_bptt (1).ipynb taken for 03_bptt.ipynb",),
    ),
    Case(
        "other-name",
        lambda n: {"Übung ann.ipynb": json.dumps(n).encode()},
        says=("Übung ann.ipynb taken for 03_bptt.ipynb",),
    ),
    Case(
        "two-names",
        lambda n: {"a.ipynb": json.dumps(n).encode(), "b.ipynb": json.dumps(n).encode()},
        lost=ALL,
        status="ungradable",
        says=("which of these it is can't be told: a.ipynb, b.ipynb",),
    ),
    Case(
        "no-notebook",
        lambda n: {"essay.txt": b"I tried."},
        lost=ALL,
        status="ungradable",
        says=("03_bptt.ipynb is missing",),
    ),
    Case(
        "more-notebooks",
        lambda n: saved(n) | {"notes.ipynb": b"{}", "03_bptt-Copy1.ipynb": json.dumps(n).encode()},
        says=("not looked at: 03_bptt-Copy1.ipynb, notes.ipynb",),
    ),
    Case("link", saved, after=_link, lost=ALL, status="ungradable", says=("03_bptt.ipynb is a link: refused",)),
    Case(
        "pipe", saved, after=_pipe, lost=ALL, status="ungradable", says=("03_bptt.ipynb is no regular file: refused",)
    ),
    Case("folder-link", saved, after=_folder_link, says=("all is a link: refused",)),
    Case(
        "bad-timestamp", lambda n: saved(n) | {"timestamp.txt": b"yesterday\xff"}, says=("timestamp.txt can't be read",)
    ),
    Case("name with 'quotes', \"more\" & <b>", saved),
    Case("=1+1", saved),
]
