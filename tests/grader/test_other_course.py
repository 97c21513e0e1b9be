"""rnngrade in a course that knows nothing of rnncore: tests that are asserts, some hidden, some marked by hand."""

from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.api import Gradebook

from rnngrade.sandbox.box import why_no_sandbox
from tests.grader.course import Course

pytestmark = pytest.mark.skipif(bool(why_no_sandbox()), reason=f"no sandbox: {why_no_sandbox()}")

STUB = "def square(x):\n    raise NotImplementedError()"
HIDDEN = "### BEGIN HIDDEN TESTS\nassert square(7) == 49\n### END HIDDEN TESTS"
READS = """
def square(x):
    import inspect
    print(In)
    print(inspect.stack()[1].code_context)
    return x * x
"""
ANSWERS = {
    "right": "def square(x):\n    return x * x",
    "warns": "import warnings\ndef square(x):\n    warnings.warn('hm')\n    return x * x",
    "passes-visible": "def square(x):\n    return {2: 4, 0: 0}[x] if x in (0, 2) else -1",
    "wrong": "def square(x):\n    return x",
    "kills": "import os\ndef square(x):\n    os._exit(0)",
    "false-score": "def square(x):\n    return x * x\nbonus = float('nan')",
    "too-much": "def square(x):\n    return x * x\nbonus = 1000",
    "less-than-nothing": "def square(x):\n    return x * x\nbonus = -1",
    "reads-tests": READS,
    "untouched": STUB,
}
SCORES = {  # of the tests worth 3, of the partial credit worth 2
    "right": (3, 2),
    "warns": (3, 2),
    "passes-visible": (0, 2),
    "wrong": (0, 2),
    "kills": (0, 2),
    "false-score": (3, 0),
    "too-much": (3, 0),
    "less-than-nothing": (3, 0),
    "reads-tests": (3, 2),
    "untouched": (0, 2),
}


def marks(name: str, **more: object) -> dict[str, object]:
    plain = {"grade": False, "grade_id": name, "locked": True, "schema_version": 3, "solution": False, "task": False}
    return {"nbgrader": plain | more}


def source() -> nbformat.NotebookNode:
    solution = "def square(x):\n    ### BEGIN SOLUTION\n    return x * x\n    ### END SOLUTION"
    tests = f"assert square(2) == 4\nassert square(0) == 0\n{HIDDEN}"
    return new_notebook(
        cells=[
            new_markdown_cell("Squares."),
            new_code_cell("bonus = 2", metadata=marks("setup")),
            new_code_cell(solution, metadata=marks("square", solution=True, locked=False)),
            new_code_cell(tests, metadata=marks("test-square", grade=True, points=3)),
            new_code_cell("bonus", metadata=marks("test-bonus", grade=True, points=2)),
            new_markdown_cell("Why?", metadata=marks("essay", grade=True, points=4, solution=True, locked=False)),
        ],
        metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    )


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    folder = tmp_path_factory.mktemp("other")
    course = Course.bare(folder, "squares")
    course.configure(
        "c = get_config()\n"
        "c.GenerateFeedback.preprocessors = ['nbgrader.preprocessors.GetGrades', 'rnngrade.plugins.NeedsMarking', "
        "'rnngrade.plugins.HideTests']"
    )
    made = folder / "source" / "squares" / "squares.ipynb"
    made.parent.mkdir(parents=True)
    nbformat.write(source(), made)
    course.nbgrader("generate_assignment", "squares")
    released = nbformat.read(folder / "release" / "squares" / "squares.ipynb", as_version=4)
    for student, answer in ANSWERS.items():
        handed_in = nbformat.from_dict(released)
        cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in handed_in.cells}
        cells["square"].source = answer
        cells["test-square"].metadata["tags"] = ["skip-execution"]
        if student == "right":
            cells["essay"].source = "Because."
        path = folder / "submitted" / student / "squares" / "squares.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(handed_in, path)
    course.rnngrade("autograde", "squares")
    return course


@pytest.mark.parametrize("student", ANSWERS)
def test_scores(course: Course, student: str) -> None:
    scores = course.scores(student)
    assert (scores["test_square"], scores["test_bonus"]) == SCORES[student], course.text(student)


def test_rows(course: Course) -> None:
    rows = course.rows()
    assert (rows["right"].status, rows["right"].reason) == ("needs marking", "4 points to be marked by hand")
    assert (rows["kills"].status, "test-square: the kernel died" in rows["kills"].reason) == ("partly graded", True)
    assert "test-bonus: a score of nan is none of 0 to 2" in rows["false-score"].reason
    assert "test-bonus: a score of 1000 is none of 0 to 2" in rows["too-much"].reason
    assert "test-bonus: a score of -1 is none of 0 to 2" in rows["less-than-nothing"].reason


def feedback(course: Course, student: str) -> str:
    """What a feedback page shows."""
    page = (course.folder / "feedback" / student / "squares" / "squares.html").read_text(encoding="utf-8")
    return BeautifulSoup(page, "html.parser").get_text()


def test_hidden_tests_are_run_and_stay_hidden(course: Course) -> None:
    assert "square(7)" in course.graded("passes-visible").read_text()
    course.nbgrader("generate_feedback", "squares")
    for student in ANSWERS:
        shown = feedback(course, student)
        assert "square(2) == 4" in shown
        assert "HIDDEN TESTS" not in shown
        assert "square(7)" not in shown
        assert ("Needs marking: 4 points are given by hand." in shown) == (student == "right")
    assert "AssertionError" in feedback(course, "passes-visible")


def test_the_same_through_nbgrader_itself(course: Course, tmp_path: Path) -> None:
    course.configure(
        "c.Autograde.sanitize_preprocessors = ['rnngrade.plugins.Restore']\n"
        "c.Autograde.autograde_preprocessors = ['rnngrade.plugins.Execute', 'nbgrader.preprocessors.SaveAutoGrades']"
    )
    with Gradebook(f"sqlite:///{course.folder}/gradebook.db") as book:  # as the formgrader writes it
        grade = book.find_grade("essay", "squares", "squares", "right")
        grade.manual_score, grade.needs_manual_grade = 3, False
        book.db.commit()
    course.nbgrader("autograde", "squares", "--force")
    with Gradebook(f"sqlite:///{course.folder}/gradebook.db") as book:
        right, wrong = (book.find_grade("essay", "squares", "squares", student) for student in ("right", "wrong"))
        assert (right.auto_score, right.manual_score, right.needs_manual_grade) == (None, 3, True)
        assert (wrong.auto_score, wrong.manual_score, wrong.needs_manual_grade) == (0, None, False)
    for student, (tests, bonus) in SCORES.items():
        scores = course.scores(student)
        assert (scores["test_square"], scores["test_bonus"]) == (tests, bonus)
