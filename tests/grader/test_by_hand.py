"""What a person marks is called that, is seen to wait, counts once its mark is given, and keeps it."""

import csv
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook

from rnngrade.checks import exercise
from rnngrade.grading.batch import Row
from rnngrade.grading.cells import grade_id, is_by_hand
from rnngrade.grading.gradebook import Marks
from rnngrade.grading.job import STATUSES, Settings
from rnngrade.grading.restore import restore
from rnngrade.own import checked
from rnngrade.report import counted
from rnngrade.sandbox.box import why_no_sandbox
from rnngrade.solutions import solution_source
from tests.grader.course import Answers, Course, submission
from tests.grader.course import Row as Shown

E = exercise("03_bptt")
RIGHT: Answers = {g.name: solution_source(E.name, g.name) or "" for g in E}
UNSAFE = ["--unsafe"] if why_no_sandbox() else []
OPEN, STUB = "open-task", "YOUR ANSWER HERE"


def hand_in(course: Course, student: str, answers: Answers, answer: str = STUB, beside: str = "") -> Path:
    """A notebook with this text in its open task, and a cell of the student's own above it."""
    notebook = submission(course.released, answers)
    (at,) = (index for index, cell in enumerate(notebook.cells) if grade_id(cell) == OPEN)
    notebook.cells[at].source = answer
    if beside:
        notebook.cells.insert(at, new_code_cell(beside))
    path = course.folder / "submitted" / student / E.name / f"{E.name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def mark(course: Course, student: str, points: float) -> None:
    """What the formgrader writes when somebody types a mark."""
    with Gradebook(f"sqlite:///{course.folder}/gradebook.db") as book:
        grade = book.find_grade(OPEN, E.name, E.name, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        book.db.commit()


def mark_of(course: Course, student: str) -> tuple[float | None, float | None, bool]:
    """By the checks, by hand, and whether the formgrader asks for it."""
    with Gradebook(f"sqlite:///{course.folder}/gradebook.db") as book:
        grade = book.find_grade(OPEN, E.name, E.name, student)
        return grade.auto_score, grade.manual_score, grade.needs_manual_grade


def exported(course: Course) -> dict[str, tuple[float, float, float]]:
    """Student → score, the most there is, and what needs marking."""
    course.nbgrader("export")
    with open(course.folder / "grades.csv", encoding="utf-8", newline="") as file:
        columns = "score", "max_score", "needs_marking"
        return {row["student_id"]: tuple(float(row[name]) for name in columns) for row in csv.DictReader(file)}


def feedback(course: Course, student: str) -> str:
    """What a student's page shows."""
    page = course.folder / "feedback" / student / E.name / f"{E.name}.html"
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").get_text()


def test_from_the_answer_to_the_mark(tmp_path: Path) -> None:
    course = Course.copy(E.name, tmp_path)
    hand_in(course, "ada", RIGHT, "It costs one more way forward.", "print(1)")
    hand_in(course, "boole", {})
    hand_in(course, "cantor", {}, " \n", "print(2)")
    hand_in(course, "dora", {}, "It costs two more.")
    hand_in(course, "euler", {}, "It costs three.")
    said = course.rnngrade("autograde", E.name, "-j", "1", *UNSAFE)
    assert "1 graded, 3 needs marking, 1 needs review" in said
    assert "cantor  " in said  # a row to look at; Ada's is none
    assert "ada  " not in said
    waits = "2 points to be marked by hand"
    rows = course.rows()
    assert (rows["ada"], rows["dora"]) == (Shown("needs marking", 22, waits), Shown("needs marking", 0, waits))
    assert rows["boole"] == Shown("graded", 0, "no response")
    assert rows["cantor"].status == "needs review"
    assert "open-task is empty, and there are cells of the student's own beside it" in rows["cantor"].reason

    mark(course, "ada", 1.5)
    mark(course, "dora", 1)
    said = course.rnngrade("status", E.name)
    assert "ada                  graded           23.5/24\n" in said
    assert f"euler                needs marking       0/24  {waits}" in said
    assert "3 graded, 1 needs marking, 1 needs review" in said
    points = {"ada": (23.5, 24, 0), "boole": (0, 24, 0), "cantor": (0, 24, 0), "dora": (1, 24, 0), "euler": (0, 24, 2)}
    assert exported(course) == points
    course.nbgrader("generate_feedback", E.name)
    assert "22 of 22 automatic points; 1.5 of 2 by hand" in feedback(course, "ada")
    assert "eeds marking" not in feedback(course, "ada")
    assert "0 of 22 automatic points; 0 of 2 by hand" in feedback(course, "boole")
    assert "0 of 22 automatic points; 2 more are marked by hand (needs marking)" in feedback(course, "euler")
    assert "Needs marking: 2 points are given by hand." in feedback(course, "euler")

    hand_in(course, "dora", {}, "It costs nothing.")
    for _ in range(2):  # the second time nobody has looked yet
        course.rnngrade("autograde", E.name, "-j", "1", "--force", "--student", "ada", "--student", "dora", *UNSAFE)
        rows = course.rows()
        assert rows["ada"] == Shown("graded", 23.5, "")  # the same answer: the mark stands
        assert rows["dora"] == Shown("needs review", 1, "open-task: the manual mark of 1 was kept")
        assert mark_of(course, "ada") == (None, 1.5, False)
        assert mark_of(course, "dora") == (None, 1, True)
    mark(course, "dora", 0.5)
    course.rnngrade("autograde", E.name, "-j", "1", *UNSAFE)  # nothing to grade; the gradebook has changed
    assert course.rows()["dora"] == Shown("graded", 0.5, "")


def test_own_check_says_that_it_is_written_and_takes_nothing_away(tmp_path: Path) -> None:
    course = Course.copy(E.name, tmp_path)
    said = checked(hand_in(course, "ada", {}, "Because."), Settings(unsafe=bool(UNSAFE)))
    assert said.startswith(f"{E.name}: 0 of 22 automatic points; 2 more are marked by hand\n")
    assert "open-task: needs marking; 2 points are given by hand" in said


@pytest.mark.parametrize(
    ("answer", "beside", "empty", "doubted"),
    [
        ("Because.", "", False, False),
        ("Because.", "print(1)", False, False),
        (f"{STUB}\n\nBecause.", "", False, False),
        (STUB, "", True, False),
        (f" {STUB}\n", " ", True, False),
        ("\n", "", True, False),
        (STUB, "print(1)", True, True),
        ("", "print(1)", True, True),
    ],
)
def test_empty_answer_is_seen(tmp_path: Path, answer: str, beside: str, empty: bool, doubted: bool) -> None:
    course = Course.copy(E.name, tmp_path)
    handed_in = nbformat.read(hand_in(course, "ada", RIGHT, answer, beside), as_version=4)
    restored = restore(handed_in, course.released, {})
    assert (OPEN in restored.untouched) == empty
    assert bool(restored.doubts) == doubted
    (cell,) = (cell for cell in restored.notebook.cells if grade_id(cell) == OPEN)
    assert cell.source == (STUB if empty else answer)


def test_answer_stays_what_was_released_but_for_its_text(tmp_path: Path) -> None:
    course = Course.copy(E.name, tmp_path)
    handed_in = nbformat.read(hand_in(course, "ada", RIGHT, "Because."), as_version=4)
    (cell,) = (cell for cell in handed_in.cells if grade_id(cell) == OPEN)
    cell.update(cell_type="code", outputs=[], execution_count=None)
    cell.metadata.nbgrader.update(points=100, solution=False)
    restored = restore(handed_in, course.released, {})
    (cell,) = (cell for cell in restored.notebook.cells if grade_id(cell) == OPEN)
    assert (cell.cell_type, cell.source, is_by_hand(cell)) == ("markdown", "Because.", True)
    assert cell.metadata.nbgrader.points == E.by_hand
    assert restored.notes == ["open-task was restored (its type and metadata had been changed)"]


ROW = Row("ada", "graded", 22.0, 24.0, "", "f", "r")
LATE = Row("ada", "partly graded", 14.0, 24.0, "bptt: time limit", "f", "r")


@pytest.mark.parametrize(
    ("row", "marks", "status", "score", "reason"),
    [
        (ROW, None, "graded", 22, ""),
        (ROW, Marks(22, 24, 0, ()), "graded", 22, ""),
        (ROW, Marks(22, 24, 2, ()), "needs marking", 22, "2 points to be marked by hand"),
        (ROW, Marks(23, 24, 0, ("open-task: kept",)), "needs review", 23, "open-task: kept"),
        (LATE, Marks(14, 24, 2, ()), "partly graded", 14, "bptt: time limit; 2 points to be marked by hand"),
        (LATE, Marks(15, 24, 0, ("open-task: kept",)), "needs review", 15, "open-task: kept; bptt: time limit"),
    ],
)
def test_row_is_that_of_the_gradebook(row: Row, marks: Marks | None, status: str, score: float, reason: str) -> None:
    now = row.now(marks)
    assert (now.status, now.score, now.reason) == (status, score, reason)
    assert now.is_odd == (STATUSES.index(status) > 1)
    assert (now.fingerprint, now.run) == (row.fingerprint, row.run)


def test_points_are_called_automatic_where_others_are_not() -> None:
    assert counted(3, 5, 0) == "3 of 5 points"
    assert counted(41, 41, 4) == "41 of 41 automatic points; 4 more are marked by hand"
    assert counted(0, 9.5, 1) == "0 of 9.5 automatic points; 1 more is marked by hand"


def test_journal_of_an_older_version_is_read() -> None:
    old = {
        "student": "ada",
        "status": "graded",
        "score": 22.0,
        "most": 22.0,
        "reason": "",
        "fingerprint": "f",
        "run": "r",
    }
    assert Row(**old).unmarked == 0
