"""A small invented class for the page on teaching: its course folder, its submissions, and a terminal to show."""

import copy
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from rnngrade.checks import exercise
from rnngrade.grading.job import Assignment, Job, Released, Result, Settings
from rnngrade.grading.submission import grade_submission
from rnngrade.sandbox.box import why_no_sandbox
from rnngrade.sandbox.limits import Limits
from rnngrade.solutions import solution_source, wrong_source

ROOT = Path(__file__).parents[1]
NAME = "03_bptt"
WALLED = not why_no_sandbox()
ADA = """From the last segment to the first: what a call of `bptt` returns as `dh0` is the next call's `dh_last`, and
the gradients of the weights add up. Segments of 4 of 13 steps gave what one call gives, all five arrays, to $10^{-15}$.

In memory are $T/m$ kept states and the $m$ of a segment: fewest where $1 - T/m^2 = 0$, so $m = 100$, 200 in all."""
_MODULES = {"rnngrade": "rnngrade.command", "nbgrader": "nbgrader"}
_WIDTH = 84  # what a page shows beside its contents
_NOISE = re.compile(r"\d+/\d+ \[|^\s*$")  # the progress bar
_STAMP = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-[0-9a-f]{4}")


class Terminal:
    """Runs commands in a folder, and shows them as a terminal would, without what depends on the machine."""

    def __init__(self, folder: Path, name: str, python_path: Path = ROOT) -> None:
        self.folder, self.name = folder, name
        self._begun: dict[str, subprocess.Popen] = {}
        self.path = str(Path(sys.executable).parent)  # nbgrader calls its helpers by name
        noisy = ("JPY_PARENT_PID", "JPY_SESSION_NAME", "FORCE_COLOR", "CLICOLOR_FORCE", "MPLBACKEND")
        self.environment = {key: value for key, value in os.environ.items() if key not in noisy}
        self.environment |= {
            "PATH": f"{self.path}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(python_path),
            "JUPYTER_PLATFORM_DIRS": "1",
            "PYTHONIOENCODING": "utf-8",
        }

    def __call__(self, *commands: str, keep: str = "", path: str | None = None) -> None:
        """Run commands, several of them at the same time; of nbgrader's log, show the lines that match `keep`."""
        running = [(command, self._begun.pop(command, None) or self._start(command, path)) for command in commands]
        for number, (command, process) in enumerate(running):
            output, errors = process.communicate()
            if number:
                print()
            self._show(command, output, errors, keep)

    def ahead(self, *commands: str) -> None:
        """Begin with commands that will be shown later: the page is made in less time."""
        self._begun |= {command: self._start(command) for command in commands}

    def interrupted(self, command: str, rows: int) -> None:
        """Run a grading command, and press Ctrl-C when the journal has this many rows."""
        process = self._start(command)
        journal = self.folder / "grading" / NAME / "journal.jsonl"
        while process.poll() is None and not (journal.is_file() and journal.read_text().count('"row"') >= rows):
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate()
        self._show(command, f"^C\n{output}", errors, "")

    def _start(self, command: str, path: str | None = None) -> subprocess.Popen:
        program, *words = command.split()
        if program in _MODULES:
            words = ["-m", _MODULES[program], *words]
        argv = [sys.executable if program in ("python", *_MODULES) else program, *words]
        return subprocess.Popen(
            argv,
            cwd=self.folder,
            env=self.environment | ({"PATH": path} if path else {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def _show(self, command: str, output: str, errors: str, keep: str) -> None:
        print(f"$ {command}")
        if "check" in command or command.startswith("python"):  # reports are folded already, a little wider
            output = re.sub(r"(?m)^(  \S.*)\n {4}(?=\S)", r"\1 ", output)
        said = [line for line in errors.splitlines() if not _NOISE.search(line)]
        log = [line for line in said if re.match(r"\[\w+ \| \w+\]|\[IPKernelApp\]", line)]
        plain = [line for line in said if line not in log]
        left_out = False
        for line in log:
            if keep and re.search(keep, line):
                self._print(line)
                left_out = False
            elif keep and not left_out:
                print("…")
                left_out = True
        for line in [*plain, *output.rstrip().splitlines()]:
            self._print(line)

    def _print(self, line: str) -> None:
        line = line.replace(str(self.folder), self.name)
        line = _STAMP.sub("DATE_TIME-CODE", line)
        line = line if set(line) != {"="} else line[:_WIDTH]
        indent = " " * (4 if line.startswith("  ") else 8)
        print(textwrap.fill(line, _WIDTH, subsequent_indent=indent, break_on_hyphens=False) if line.strip() else "")


def course() -> tuple[tempfile.TemporaryDirectory, Terminal]:
    """A folder with the configuration of this course and the instructor's notebook of one exercise."""
    from rnngrade.release import source_notebook

    folder = tempfile.TemporaryDirectory(prefix="course-")
    root = Path(folder.name)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    source = root / "_build" / "source" / NAME / f"{NAME}.ipynb"
    source.parent.mkdir(parents=True)
    nbformat.write(source_notebook(ROOT / "solutions" / f"{NAME}.py"), source)
    return folder, Terminal(root, "~/course")


def tree(folder: Path, places: list[str]) -> Iterator[str]:
    """The files in these places, as lines."""
    for place in places:
        for path in sorted([folder / place, *(folder / place).rglob("*")]):
            if path.is_file():
                yield _STAMP.sub("DATE_TIME-CODE", path.relative_to(folder).as_posix())


# -- who hands in what


def solution() -> dict[str, str]:
    """Right answers, by function."""
    return {g.name: solution_source(NAME, g.name) or "" for g in exercise(NAME)}


def wrong(mistake: str) -> str:
    """`bptt` with this mistake."""
    bptt = exercise(NAME)["bptt"]
    return wrong_source(NAME, "bptt", bptt.mistake(mistake)) or ""


def handed_in(answers: dict[str, str], written: str = "") -> NotebookNode:
    """The release with these answers in it, and this one to the open task."""
    notebook = nbformat.read(ROOT / "exercises" / NAME / f"{NAME}.ipynb", as_version=4)
    for cell in notebook.cells:
        for name, source in answers.items():
            if cell.metadata.get("nbgrader", {}).get("solution") and f"def {name}(" in cell.source:
                cell.source = re.sub(r" +### (BEGIN|END) SOLUTION\n?", "", source).rstrip()
        if written and cell.metadata.get("nbgrader", {}).get("grade_id") == "open-task":
            cell.source = written
    return notebook


def classmates() -> dict[str, str]:
    """What six students hand in, as the text of a notebook file."""
    right = solution()
    endless = right["bptt"].replace(
        "for t in reversed(range(len(xs))):", "t = len(xs) - 1\n    while t >= 0:  # and t never changes"
    )
    twice = handed_in(right)
    at = next(i for i, cell in enumerate(twice.cells) if cell.source.startswith("def bptt"))
    second = copy.deepcopy(twice.cells[at])
    second.id, second.source = "second", wrong("no carry")
    twice.cells.insert(at + 1, second)
    notebooks = {
        "ada": handed_in(right, ADA),
        "boole": handed_in(right | {"bptt": wrong("last state before the first step")}),
        "cantor": handed_in({}),
        "dijkstra": handed_in(right | {"bptt": endless}),
        "euler": handed_in(right),
        "frege": twice,
    }
    texts = {student: nbformat.writes(notebook) for student, notebook in notebooks.items()}
    texts["euler"] = texts["euler"][:9000]
    return texts


def download(folder: Path, texts: dict[str, str]) -> None:
    """What the learning platform gives: one archive with everybody's file, and one that somebody has prepared."""
    archives = folder / "downloaded" / NAME / "archive"
    archives.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archives / "gradebook.zip", "w") as archive:
        for student, text in texts.items():
            archive.writestr(f"{NAME}_{student}_attempt_20261019T0830_{NAME}.ipynb", text)
    with zipfile.ZipFile(archives / "mallory.zip", "w") as archive:
        archive.writestr("../../../nbgrader_config.py", "c = None")


# -- one submission at a time


def verdict(notebook: NotebookNode, released: NotebookNode, name: str = NAME) -> tuple[float, str]:
    """Points of a submission, and what was said of it: the first reason of its row, or else the check of `bptt`."""
    from nbgrader.utils import determine_grade

    assignment = Assignment(name, {name: Released(released, {})})
    files = {f"{name}.ipynb": json.dumps(notebook).encode()}
    settings = Settings(Limits(cell=3, total=20), packages=("matplotlib",), unsafe=not WALLED)
    job = Job(assignment, "mallory", files, settings=settings).with_seeds(secrets.token_hex(32))
    result = Result.from_json(grade_submission(job.to_json()))
    cells = [
        cell
        for cell in nbformat.from_dict(result.notebooks[name]).cells
        if cell.metadata.get("nbgrader", {}).get("grade")
    ]
    said = next((reason for reason in result.reasons if reason != "no response"), "")
    if not said:
        cell = next((c for c in cells if c.metadata.nbgrader.grade_id == "check-bptt"), cells[-1])
        texts = [o.get("text") or f"{o.get('ename')}: {o.get('evalue')}" for o in cell.outputs if "data" not in o]
        lines = " ".join(" ".join(texts).split())
        said = re.sub(r"^\w+: [\d.]+ of \d+ points ", "", lines).split(" (T=")[0].split(" Wrong as well")[0]
    return sum(determine_grade(cell)[0] or 0.0 for cell in cells), said
