"""A course in a temporary folder, submissions made from the release, and nbgrader's own verdict on them."""

import ast
import atexit
import copy
import csv
import functools
import logging
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbgrader.api import Grade, Gradebook, SubmittedAssignment

from rnngrade.release import release

ROOT = Path(__file__).parents[2]
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # nbgrader calls alembic

Answers = dict[str, str]  # a function's name → the source that a student writes in its cell


def functions(text: str) -> Answers:
    """The top-level functions of a Python source, by name."""
    nodes = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    return {node.name: ast.get_source_segment(text, node) or "" for node in nodes}


def submission(released: nbformat.NotebookNode, answers: Answers) -> nbformat.NotebookNode:
    """The released notebook with answers in place of its stubs; stubs stay where there is no answer."""
    notebook = copy.deepcopy(released)
    cells = {name: c for c in notebook.cells for name in answers if _is_solution(c) and f"def {name}(" in c.source}
    if missing := answers.keys() - cells.keys():
        raise ValueError(f"the release has no place for {sorted(missing)}")
    for name, cell in cells.items():
        cell.source = answers[name]
    return notebook


def _is_solution(cell: nbformat.NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


@dataclass(frozen=True)
class Row:
    """What rnngrade says of one student."""

    status: str
    score: float
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What nbgrader says of one graded cell: its score, and what the check printed."""

    score: float
    text: str


class Course:
    """A folder that nbgrader's commands run in, with one released assignment."""

    def __init__(self, folder: Path, exercise: str) -> None:
        self.folder, self.exercise = folder, exercise
        shutil.copy(ROOT / "nbgrader_config.py", folder)
        shutil.copytree(ROOT / "solutions", folder / "solutions")
        self.released = nbformat.read(release(folder, exercise, gradebook=True), as_version=4)

    @classmethod
    def bare(cls, folder: Path, assignment: str) -> "Course":
        """Another course, with nothing in its folder."""
        course = cls.__new__(cls)
        course.folder, course.exercise = folder, assignment
        return course

    @classmethod
    def copy(cls, exercise: str, folder: Path) -> "Course":
        """A course as it is after the release; the release itself is made once."""
        course = copy.copy(_released(exercise))
        shutil.copytree(course.folder, folder, dirs_exist_ok=True)
        course.folder = folder
        return course

    def configure(self, line: str) -> None:
        """Add a line to nbgrader_config.py."""
        with open(self.folder / "nbgrader_config.py", "a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")

    def nbgrader(self, *arguments: str) -> str:
        """Run one of nbgrader's commands; AssertionError with its log where it fails."""
        return self._run("nbgrader", arguments, 0, {})

    def rnngrade(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """Run one of rnngrade's commands; AssertionError with its log where it does not end with `code`."""
        return self._run("rnngrade.command", arguments, code, environment)

    def _run(self, module: str, arguments: tuple[str, ...], code: int, environment: dict[str, str]) -> str:
        # A copy knows what was looked up here, and has no threads but the one that made it.
        alone = environment or "validate" in arguments or threading.active_count() > 1
        run = _started if alone else _forked
        ended, said = run(module, arguments, self.folder, self.environment | environment)
        assert ended == code, f"{' '.join(arguments)}:\n{said[-4000:]}"
        return said

    @property
    def environment(self) -> dict[str, str]:
        """Of the commands: this repository's code is the one to run."""
        return os.environ | {"JUPYTER_PLATFORM_DIRS": "1", "PYTHONPATH": str(ROOT)}

    def submit(self, student: str, answers: Answers) -> None:
        """Hand in a notebook with these answers."""
        path = self.folder / "submitted" / student / self.exercise / f"{self.exercise}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(submission(self.released, answers), path)

    def rows(self) -> dict[str, Row]:
        """Student → row of rnngrade's table."""
        with open(self.folder / "grading" / self.exercise / "status.csv", encoding="utf-8", newline="") as file:
            return {
                row["student_id"].removeprefix("'"): Row(row["status"], float(row["score"]), row["reason"])
                for row in csv.DictReader(file)
            }

    def graded(self, student: str) -> Path:
        """The graded notebook."""
        return self.folder / "autograded" / student / self.exercise / f"{self.exercise}.ipynb"

    def size(self, student: str) -> int:
        """Of the graded notebook, in bytes."""
        return self.graded(student).stat().st_size

    def text(self, student: str) -> str:
        """All that the graded notebook's outputs say."""
        cells = nbformat.read(self.graded(student), as_version=4).cells
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        return "\n".join(
            output.get("text", "") or " ".join([output.get("ename", ""), *output.get("traceback", [])])
            for output in outputs
        )

    def scores(self, student: str) -> dict[str, float | None]:
        """Function → score, from the gradebook; what is marked by hand is left out."""
        with Gradebook(f"sqlite:///{self.folder}/gradebook.db") as gradebook:
            submission = gradebook.find_submission(self.exercise, student)
            return {_function(grade.name): grade.score for grade in _automatic(submission)}

    def verdicts(self) -> dict[str, dict[str, Verdict]]:
        """Student → function → verdict, from the gradebook and the autograded notebooks."""
        result: dict[str, dict[str, Verdict]] = {}
        with Gradebook(f"sqlite:///{self.folder}/gradebook.db") as gradebook:
            for handed_in in gradebook.assignment_submissions(self.exercise):
                student = handed_in.student.id
                path = self.folder / "autograded" / student / self.exercise / f"{self.exercise}.ipynb"
                cells = [c for c in nbformat.read(path, as_version=4).cells if "nbgrader" in c.metadata]
                texts = {c.metadata.nbgrader.grade_id: _text(c) for c in cells}
                result[student] = {
                    _function(grade.name): Verdict(grade.score, texts[grade.name]) for grade in _automatic(handed_in)
                }
        return result


def _started(module: str, arguments: tuple[str, ...], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """`python -m module …`: exit code, and all that it said."""
    command = [sys.executable, "-m", module, *arguments]
    run = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return run.returncode, run.stdout


def _forked(module: str, arguments: tuple[str, ...], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """As `_started`, in a copy of this process, which has imported nbgrader already: that takes a second each time."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        child = os.fork()
        if child:
            ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            output.seek(0)
            return ended, output.read()
        ended = 1
        try:
            os.setsid()
            for stream in (1, 2):
                os.dup2(output.fileno(), stream)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            sys.stdin, sys.stdout, sys.stderr = (os.fdopen(i, m) for i, m in enumerate("rww"))
            logging.root.handlers.clear()
            warnings.resetwarnings()
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            sys.argv = [module, *arguments]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
            ended = 0
        except SystemExit as stop:
            ended = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(ended)


@functools.cache
def _released(exercise: str) -> Course:
    folder = tempfile.mkdtemp(prefix="course-")
    atexit.register(shutil.rmtree, folder)
    return Course(Path(folder), exercise)


def _automatic(submission: SubmittedAssignment) -> list[Grade]:
    """The grades of cells that are not answers, which would be marked by hand."""
    answers = {comment.name for notebook in submission.notebooks for comment in notebook.comments}
    return [grade for notebook in submission.notebooks for grade in notebook.grades if grade.name not in answers]


def _function(grade_id: str) -> str:
    return grade_id.removeprefix("check-").replace("-", "_")


def _text(cell: nbformat.NotebookNode) -> str:
    return "".join(output.get("text", "") for output in cell.get("outputs", []))
