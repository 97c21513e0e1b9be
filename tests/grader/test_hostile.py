"""A class of students who do what students do, and worse: each row of it through the real command, sandbox and all."""

import hashlib
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from rnngrade.checks import exercise
from rnngrade.sandbox.box import why_no_sandbox
from rnngrade.solutions import solution_source
from tests.grader.course import Course, Row, submission
from tests.grader.slowness import SLOWNESS
from tests.grader.submissions import CASES, MARKER, Case

pytestmark = pytest.mark.skipif(bool(why_no_sandbox()), reason=f"no sandbox: {why_no_sandbox()}")

E = exercise("03_bptt")
LIMITS = {"cell": 6 * SLOWNESS, "total": 40 * SLOWNESS, "grace": 1, "memory": 2**30, "file": 2**24, "disk": 2**26}
MOST_BYTES = 1_000_000  # of a graded notebook, whatever was printed


def hand_in(course: Course, case: Case) -> None:
    right = submission(course.released, {g.name: solution_source(E.name, g.name) or "" for g in E})
    folder = course.folder / "submitted" / case.name / E.name
    for name, data in case.make(right).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.replace(b"{roots}", repr(str(course.folder)).encode() + b","))
    case.after(folder)


def digests(folder: Path) -> dict[str, str]:
    """Every file that student code must leave alone."""
    kept = ("solutions", "_build", "exercises", "submitted", "grading/key")
    paths = [
        p for name in kept for p in [folder / name, *(folder / name).rglob("*")] if p.is_file() and not p.is_symlink()
    ]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The class, graded by one command."""
    course = Course.copy(E.name, tmp_path_factory.mktemp("class"))
    course.configure(f"c.RnnGrade.limits = {LIMITS}")
    for case in CASES:
        hand_in(course, case)
    (course.folder / "grading").mkdir()
    (course.folder / "grading" / "key").write_text("07" * 32)
    before = digests(course.folder)
    course.rnngrade("autograde", E.name, "-j", "2")
    assert digests(course.folder) == before
    return course


@pytest.fixture(scope="module")
def rows(course: Course) -> dict[str, Row]:
    return course.rows()


def test_every_student_has_a_row(rows: dict[str, Row]) -> None:
    assert rows.keys() == {case.name for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, course: Course, rows: dict[str, Row]) -> None:
    row, text = rows[case.name], course.text(case.name)
    wanted = {g.name: 0.0 if g.name in case.lost else g.points for g in E}
    assert course.scores(case.name) == wanted, (row, text[-3000:])
    assert (row.status, row.score) == (case.status, sum(wanted.values())), row
    for words in case.says:
        assert words in row.reason, row
    if not case.says:
        assert not row.reason, row
    for words in case.feedback:
        assert words in text, text
    assert "Traceback (most recent call last)\n  File" not in row.reason
    assert course.size(case.name) < MOST_BYTES


def test_spy_sees_nothing(course: Course) -> None:
    assert "leaks: []" in course.text("spy")


def test_no_process_is_left(rows: dict[str, Row]) -> None:
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert MARKER not in left
    assert "rnngrade/sandbox/zygote.py" not in left


def test_warning_and_stderr_cost_nothing(course: Course) -> None:
    assert "8 of 8 points" in course.text("writes-to-stderr")


def test_feedback_of_all(course: Course) -> None:
    course.nbgrader("generate_feedback", E.name)
    for case in CASES:
        page = course.folder / "feedback" / case.name / E.name / f"{E.name}.html"
        assert page.is_file(), case.name
        assert page.stat().st_size < 2 * MOST_BYTES


def test_no_program_of_a_student_is_in_a_feedback_page(course: Course) -> None:
    course.nbgrader("generate_feedback", E.name, "--student", "scripts")
    page = (course.folder / "feedback" / "scripts" / E.name / f"{E.name}.html").read_text(encoding="utf-8")
    soup = BeautifulSoup(page, "html.parser")
    assert "seen" in soup.get_text()
    for tag in soup.find_all(True):
        assert tag.name != "script" or "payload" not in tag.get_text(), tag
        assert not any("payload" in str(value) for value in tag.attrs.values()), tag


def test_doubled_answer_is_kept_as_text(course: Course) -> None:
    notebook = nbformat.read(course.graded("two-answers"), as_version=4)
    assert [c.source for c in notebook.cells if c.cell_type == "raw"] == ["def bptt(*a):\n    return None"]


def test_nothing_changes_when_it_is_done_again(course: Course, rows: dict[str, Row]) -> None:
    said = course.rnngrade("autograde", E.name, "-j", "2")
    assert course.rows() == rows
    assert not (course.folder / "grading" / E.name / "archive").exists()
    assert f"{len(CASES)}/{len(CASES)}" in said


def test_same_marks_in_any_order_with_any_number_of_workers(course: Course, rows: dict[str, Row]) -> None:
    some = [case.name for case in reversed(CASES) if case.name in ("toss-a-coin", "all-right", "dies-twice", "nan")]
    for workers in ("1", "2", "3"):
        options = [part for name in some for part in ("--student", name)]
        course.rnngrade("autograde", E.name, "-j", workers, "--force", *options)
        assert course.rows() == rows


def test_without_a_sandbox_it_refuses(course: Course, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(sys.executable)
    said = course.rnngrade("autograde", E.name, code=1, PATH=str(tmp_path))
    assert "apt install bubblewrap" in said
    assert "--unsafe" in said
