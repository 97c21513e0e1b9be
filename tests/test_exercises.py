"""The exercises: complete, released from the solutions byte for byte, and without an answer in sight."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest

from rnngrade.checks import exercise, exercise_names
from rnngrade.grading.cells import is_by_hand, is_solution
from rnngrade.release import release
from rnngrade.solutions import solution_source
from tests.grader.course import ROOT, functions

SOLUTIONS = sorted((ROOT / "solutions").glob("*.py"))
solutions = pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
ANSWER = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.DOTALL)


def released(name: str) -> nbformat.NotebookNode:
    return nbformat.read(ROOT / "exercises" / name / f"{name}.ipynb", as_version=4)


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and ".ipynb_checkpoints" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@solutions
def test_exercise_is_complete(path: Path) -> None:
    name = path.stem
    parts = {
        f"rnngrade/checks/ex{name}.py": (ROOT / "rnngrade/checks" / f"ex{name}.py").is_file(),
        f"exercises/{name}/{name}.ipynb (`make exercises`)": (ROOT / "exercises" / name / f"{name}.ipynb").is_file(),
        f"two files in tests/alternatives/{name}/": len(list((ROOT / "tests/alternatives" / name).glob("*.py"))) >= 2,
    }
    missing = [part for part, there in parts.items() if not there]
    assert not missing, f"solutions/{path.name} lacks {', '.join(missing)}"


def test_nothing_stands_without_its_solution() -> None:
    names = {path.stem for path in SOLUTIONS}
    assert set(exercise_names()) == names, "rnngrade/checks/exNN_topic.py and solutions/NN_topic.py go together"
    for folder in ("exercises", "tests/alternatives"):
        there = {path.name for path in (ROOT / folder).iterdir() if path.is_dir()}
        assert there <= names, f"{folder}/ has {sorted(there - names)}, which no solution makes"


def course_in(folder: Path) -> Path:
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    shutil.copytree(ROOT / "solutions", folder / "solutions", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@solutions
def test_release_gives_the_committed_bytes(path: Path, tmp_path: Path) -> None:
    release(course_in(tmp_path), path.stem)
    committed, made = (files(folder / "exercises" / path.stem) for folder in (ROOT, tmp_path))
    differ = sorted(name for name in committed.keys() | made.keys() if committed.get(name) != made.get(name))
    assert not differ, f"not what the solutions give: {differ}; run `make exercises`"
    assert not (tmp_path / "gradebook.db").exists()


def test_generate_assignment_gives_the_same_bytes_again(tmp_path: Path) -> None:
    """The command of nbgrader, over what `make exercises` made."""
    name = SOLUTIONS[0].stem
    made = release(course_in(tmp_path), name).read_bytes()
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", name, "--force"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "exercises" / name / f"{name}.ipynb").read_bytes() == made


@solutions
def test_solution_runs_as_a_script_and_scores_full_marks(path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", path],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    points = f"{exercise(path.stem).points:g}"
    assert run.stdout.splitlines()[-1].strip().startswith(f"total: {points} of {points} automatic points; ")


@solutions
def test_release_shows_no_answer(path: Path) -> None:
    answers = ANSWER.findall(path.read_text(encoding="utf-8"))
    assert len(answers) == len(list(exercise(path.stem)))
    lines = {line.strip() for answer in answers for line in answer.splitlines() if len(line.strip()) >= 25}
    stubs = [c.source for c in released(path.stem).cells if is_solution(c) and not is_by_hand(c)]
    assert all(stub.endswith("raise NotImplementedError()") for stub in stubs)
    assert len(stubs) == len(answers)
    assert not [line for line in sorted(lines) for stub in stubs if line in stub]


@solutions
def test_release_shows_no_output_and_no_mark_of_a_solution(path: Path) -> None:
    for cell in released(path.stem).cells:
        assert "SOLUTION" not in cell.source
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def body(source: str) -> str:
    """A function's body: its code alone, without docstring, comments and blank space."""
    statements = ast.parse(source).body[0].body
    if isinstance(statements[0], ast.Expr) and isinstance(statements[0].value, ast.Constant):
        statements = statements[1:]
    return "\n".join(map(ast.unparse, statements))


@pytest.mark.parametrize("page", sorted((ROOT / "book").rglob("*.md")), ids=lambda page: page.stem)
def test_book_has_no_graded_function_in_full(page: Path) -> None:
    cells = [cell.source for cell in jupytext.read(page, fmt="md:myst").cells if cell.cell_type == "code"]
    code = [re.sub(r"^[%!].*", "", cell, flags=re.MULTILINE) for cell in cells]
    shown = {body(source) for cell in code for source in functions(cell).values()}
    answers = {body(solution_source(e.name, g.name)): g.name for e in map(exercise, exercise_names()) for g in e}
    # A body of one or two lines, such as tanh(x @ W + h @ U + b), is the chapter's equation.
    given_away = [name for answer, name in answers.items() if answer in shown and answer.count("\n") > 1]
    assert not given_away
