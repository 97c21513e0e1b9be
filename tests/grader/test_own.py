"""`rnngrade check`: what a student is told is what the instructor's grader gives, and what nbgrader validate says."""

import subprocess
import sys
from pathlib import Path

import pytest

from rnngrade.sandbox.box import why_no_sandbox
from tests.grader.course import ROOT, Course
from tests.grader.submissions import CASES
from tests.grader.test_hostile import E, hand_in

CHECKED = ("all-right", "some-right", "nan", "two-answers", "syntax-error", "skip-tags", "test-deleted")
SAME_AS_VALIDATE = ("all-right", "nan", "syntax-error", "warns")


def check(course: Course, student: str, *options: str, code: int = 0) -> str:
    file = course.folder / "submitted" / student / E.name / f"{E.name}.ipynb"
    return course.rnngrade("check", str(file), *options, code=code)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    course = Course.copy(E.name, tmp_path_factory.mktemp("own"))
    for case in CASES:
        if case.name in {*CHECKED, *SAME_AS_VALIDATE, "cut-off", "endless"}:
            hand_in(course, case)
    return course


@pytest.mark.skipif(bool(why_no_sandbox()), reason=f"no sandbox: {why_no_sandbox()}")
@pytest.mark.parametrize("student", CHECKED)
def test_marks_are_those_of_the_grader(course: Course, student: str) -> None:
    case = next(case for case in CASES if case.name == student)
    said = check(course, student)
    points = sum(g.points for g in E if g.name not in case.lost)
    assert said.startswith(f"{E.name}: {points:g} of {E.points:g} automatic points; 2 more are marked by hand\n")
    for g in E:
        if g.name not in case.lost:
            assert f"{g.name}: {g.points:g} of {g.points:g} points" in said
    assert "open-task: still empty; 2 points are given by hand" in said
    assert all(words in said for words in case.says)


def test_mistake_is_named(course: Course) -> None:
    said = check(course, "some-right")
    assert "bptt: 0 of 8 points\n  Your function returned None; is the `return` missing?" in said


@pytest.mark.parametrize("student", SAME_AS_VALIDATE)
def test_validate_agrees(course: Course, student: str) -> None:
    file = course.folder / "submitted" / student / E.name / f"{E.name}.ipynb"
    full = f"{E.points:g} of {E.points:g} automatic points" in check(course, student)
    said = course.nbgrader("validate", str(file))
    assert said.count("You did not provide a response.") == 1  # to it an empty answer is a cell that failed
    assert (said.count("The following cell failed:") == 1) == full


def test_file_that_is_no_notebook(course: Course) -> None:
    said = check(course, "cut-off", code=1)
    assert "its JSON breaks off or is wrong at line 1" in said
    assert "Traceback" not in said
    assert "No such file" in course.rnngrade("check", "nowhere.ipynb", code=1)


def test_own_notebook_is_left_as_it_was(course: Course) -> None:
    folder = course.folder / "submitted" / "all-right" / E.name
    before = {path: path.read_bytes() for path in folder.rglob("*")}
    check(course, "all-right")
    assert {path: path.read_bytes() for path in folder.rglob("*")} == before


def test_without_a_sandbox_it_goes_on_and_says_so(course: Course) -> None:
    file = course.folder / "submitted" / "all-right" / E.name / f"{E.name}.ipynb"
    said = course.rnngrade("check", str(file), PATH="/nowhere")
    assert "Without a sandbox, since bubblewrap is not installed: apt install bubblewrap" in said
    assert "22 of 22 automatic points" in said


def test_needs_no_nbgrader(course: Course, tmp_path: Path) -> None:
    """Students have rnncore and Jupyter, and perhaps no more."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nfor name in ('nbgrader', 'pebble', 'sqlalchemy', 'distributed'): sys.modules[name] = None\n"
    )
    file = course.folder / "submitted" / "all-right" / E.name / f"{E.name}.ipynb"
    said = course.rnngrade("check", str(file), PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert "22 of 22 automatic points" in said


def test_make_check_asks_which_one() -> None:
    said = subprocess.run(["make", "check", f"PYTHON={sys.executable}"], cwd=ROOT, capture_output=True, text=True)
    assert said.returncode
    assert "make check NOTEBOOK=work/03_bptt/03_bptt.ipynb" in said.stderr
