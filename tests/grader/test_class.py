"""What happens to a class over time: interruptions, resubmissions, marks by hand, a gradebook that others hold."""

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from rnngrade.sandbox.box import why_no_sandbox
from tests.grader.course import Course
from tests.grader.slowness import LONG, SLOWNESS
from tests.grader.submissions import CASES, Case
from tests.grader.test_hostile import LIMITS, E, hand_in

pytestmark = pytest.mark.skipif(bool(why_no_sandbox()), reason=f"no sandbox: {why_no_sandbox()}")

SLOW = ("time limit", "died: the limit")
MIXED = [case for case in CASES if not any(word in says for says in case.says for word in SLOW)]
HARMLESS = [case for case in MIXED if not case.lost and not case.says]
BY_NAME = {case.name: case for case in CASES}


def new_course(folder: Path, *names: str) -> Course:
    course = Course.copy(E.name, folder)
    course.configure(f"c.RnnGrade.limits = {LIMITS}")
    for name in names:
        hand_in(course, BY_NAME[name])
    return course


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return new_course(tmp_path, "all-right", "negative")


def hand_in_again(course: Course, student: str, as_in: str) -> None:
    """Replace what a student handed in by another case's files."""
    case = BY_NAME[as_in]
    hand_in(course, Case(student, case.make))


def started(course: Course, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "rnngrade.command", "autograde", E.name, *arguments],
        cwd=course.folder,
        env=course.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def journalled(course: Course) -> list[str]:
    path = course.folder / "grading" / E.name / "journal.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["row"]["student"] for line in lines if line.startswith('{"row"') and line.endswith("}}")]


def wait_for_rows(course: Course, count: int, run: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + LONG
    while len(journalled(course)) < count:
        assert run.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)


def ours(course: Course) -> list[str]:
    """Processes that work in this course's folder."""
    found = []
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{number}/cwd") == str(course.folder):
                found.append(Path(f"/proc/{number}/cmdline").read_text())
        except OSError:
            continue
    return found


def test_class_of_forty_interrupted_and_taken_up_again(tmp_path: Path) -> None:
    """A third of it is broken or hostile. Ctrl-C, a power cut, then to the end: each row right, none done twice."""
    broken = [case for case in MIXED if case.lost or case.status != "graded"][:14]
    assert len(broken) * 3 >= 40
    fine = [case for case in MIXED if case not in broken and not case.lost][:26]
    cases = broken + fine
    course = new_course(tmp_path)
    for case in cases:
        hand_in(course, case)
    assert len(cases) == 40

    run = started(course, "-j", "2")
    wait_for_rows(course, 8, run)
    os.killpg(run.pid, signal.SIGINT)
    said, _ = run.communicate(timeout=LONG)
    assert run.returncode == 130, said
    first = journalled(course)
    assert f"Interrupted: {len(first)} of 40 are done, and saved." in said
    assert f"To go on: rnngrade autograde {E.name} -j 2 --resume" in said
    assert "Traceback" not in said

    with started(course, "-j", "2", "--resume") as run:
        wait_for_rows(course, len(first) + 8, run)
        run.kill()
    second = journalled(course)
    with open(course.folder / "grading" / E.name / "journal.jsonl", "a") as file:
        file.write('{"row": {"student": "torn')

    course.rnngrade("autograde", E.name, "-j", "2", "--resume")
    done = journalled(course)
    assert done[: len(second)] == second
    assert len(done) == len(set(done)) == 40
    for case in cases:
        row = course.rows()[case.name]
        lost = sum(E[name].points for name in case.lost)
        assert (row.status, row.score) == (case.status, E.points - lost), (case.name, row)
    end = time.monotonic() + 10 * SLOWNESS
    while ours(course) and time.monotonic() < end:
        time.sleep(0.1)
    assert ours(course) == []


def test_two_at_a_time_are_one_too_many(course: Course) -> None:
    hand_in(course, BY_NAME["endless"])
    with started(course) as run:
        wait_for_rows(course, 1, run)
        assert "03_bptt is being graded by another rnngrade autograde" in course.rnngrade("autograde", E.name, code=1)
        run.communicate(timeout=LONG)
    assert run.returncode == 0
    assert course.rows().keys() == {"all-right", "negative", "endless"}


def test_forced_run_taken_up_again_does_the_rest_only(course: Course) -> None:
    course.rnngrade("autograde", E.name)
    journal = course.folder / "grading" / E.name / "journal.jsonl"
    course.rnngrade("autograde", E.name, "--force")
    lines = journal.read_text().splitlines()
    assert [next(iter(json.loads(line))) for line in lines[-4:]] == ["begin", "row", "row", "end"]
    journal.write_text("\n".join(lines[:-2]) + "\n")  # as if it had been cut off after the first of the two
    course.rnngrade("autograde", E.name, "--force", "--resume")
    assert len(journal.read_text().splitlines()) == len(lines)


def test_worse_resubmission_counts_and_the_better_one_is_kept(course: Course) -> None:
    course.rnngrade("autograde", E.name)
    assert course.rows()["all-right"].score == E.points
    better = course.graded("all-right").read_bytes()
    course.nbgrader("generate_feedback", E.name)
    page = course.folder / "feedback" / "all-right" / E.name / f"{E.name}.html"
    told = page.read_bytes()
    for as_in in ("all-tests-deleted", "dies-in-function", "cut-off"):
        hand_in_again(course, "all-right", as_in)
        course.rnngrade("autograde", E.name)
        expected = {g.name: 0 if g.name in BY_NAME[as_in].lost else g.points for g in E}
        assert course.scores("all-right") == expected
    archived = sorted((course.folder / "grading" / E.name / "archive" / "all-right").glob("*/*.ipynb"))
    assert len(archived) == 3
    assert better in [path.read_bytes() for path in archived]
    assert not page.exists()  # it would be given out as if it were of the last one
    assert [path.read_bytes() for path in archived[0].parent.glob("feedback/*.html")] == [told]


def test_only_what_changed_is_graded_again(course: Course) -> None:
    course.rnngrade("autograde", E.name)
    hand_in_again(course, "negative", "nan")
    course.rnngrade("autograde", E.name)
    assert sorted(journalled(course)) == ["all-right", "negative", "negative"]


def test_manual_mark_is_kept_and_flagged(course: Course) -> None:
    course.rnngrade("autograde", E.name)
    with Gradebook(f"sqlite:///{course.folder}/gradebook.db") as gradebook:
        gradebook.find_grade("check-bptt", E.name, E.name, "negative").manual_score = 5.0
        gradebook.db.commit()
    course.rnngrade("autograde", E.name)
    assert course.rows()["negative"].status == "graded"  # unchanged, so left alone
    hand_in_again(course, "negative", "nan")
    course.rnngrade("autograde", E.name)
    row = course.rows()["negative"]
    assert (row.status, row.score) == ("needs review", E.points - 8 + 5)
    assert "check-bptt: the manual mark of 5 was kept" in row.reason
    with Gradebook(f"sqlite:///{course.folder}/gradebook.db") as gradebook:
        grade = gradebook.find_grade("check-bptt", E.name, E.name, "negative")
        assert (grade.auto_score, grade.manual_score, grade.needs_manual_grade) == (0.0, 5.0, True)


def test_gradebook_that_another_program_holds_is_waited_for(course: Course) -> None:
    held = sqlite3.connect(course.folder / "gradebook.db", isolation_level=None, check_same_thread=False)
    held.execute("BEGIN IMMEDIATE")
    threading.Timer(31, lambda: held.execute("COMMIT")).start()
    began = time.monotonic()
    said = course.rnngrade("autograde", E.name)
    assert time.monotonic() - began > 30
    assert "The gradebook is held by another program; waiting for it" in said
    assert {name: row.score for name, row in course.rows().items()} == {"all-right": 22.0, "negative": 14.0}


def test_late_penalty(course: Course) -> None:
    (course.folder / "late.py").write_text(
        "from nbgrader.plugins import BasePlugin\n"
        "class Half(BasePlugin):\n"
        "    def late_submission_penalty(self, student_id, score, total_seconds_late):\n"
        "        return score / 2\n"
    )
    course.configure("c.AssignLatePenalties.plugin_class = 'late.Half'")
    with Gradebook(f"sqlite:///{course.folder}/gradebook.db") as gradebook:
        gradebook.update_or_create_assignment(E.name, duedate="2026-01-01 00:00:00")
    (course.folder / "submitted" / "all-right" / E.name / "timestamp.txt").write_text("2026-01-02 00:00:00 UTC")
    course.rnngrade("autograde", E.name, PYTHONPATH=f"{course.environment['PYTHONPATH']}:{course.folder}")
    assert {name: row.score for name, row in course.rows().items()} == {"all-right": 11.0, "negative": 14.0}


def test_names_in_tables_are_data(course: Course) -> None:
    hand_in(course, Case("=cmd()", BY_NAME["all-right"].make))
    course.rnngrade("autograde", E.name)
    with Gradebook(f"sqlite:///{course.folder}/gradebook.db") as gradebook:
        gradebook.update_or_create_student("all-right", last_name='Ann, "A"', first_name="=1+1", email="@x\ny")
    course.nbgrader("export")
    with open(course.folder / "grades.csv", encoding="utf-8", newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {"all-right", "negative", "'=cmd()"}
    ann = rows["all-right"]
    assert (ann["last_name"], ann["first_name"], ann["email"]) == ('Ann, "A"', "'=1+1", "'@x y")
    assert (float(ann["score"]), float(ann["max_score"])) == (22.0, 24.0)
    with open(course.folder / "grading" / E.name / "status.csv", encoding="utf-8", newline="") as file:
        assert "'=cmd()" in [row["student_id"] for row in csv.DictReader(file)]


def test_formgrader_reads_the_result(course: Course) -> None:
    """By the calls that its pages are made of."""
    hand_in(course, BY_NAME["dies-in-function"])
    hand_in(course, BY_NAME["cut-off"])
    course.rnngrade("autograde", E.name)
    config = Config()
    config.CourseDirectory.root = str(course.folder)
    api = NbGraderAPI(CourseDirectory(config=config))
    shown = {row["student"]: row for row in api.get_submissions(E.name)}
    assert {name: (row["autograded"], row["score"], row["needs_manual_grade"]) for name, row in shown.items()} == {
        "all-right": (True, 22.0, False),
        "negative": (True, 14.0, False),
        "dies-in-function": (True, 14.0, False),
        "cut-off": (True, 0.0, False),
    }
    failed = {row["student"]: row["failed_tests"] for row in api.get_notebook_submissions(E.name, E.name)}
    assert failed == {"all-right": False, "negative": True, "dies-in-function": True, "cut-off": True}


def test_messages_for_what_is_not_there(course: Course) -> None:
    assert "the gradebook knows no assignment 'none'" in course.rnngrade("autograde", "none", code=1)
    assert "nothing was handed in by nobody" in course.rnngrade("autograde", E.name, "--student", "nobody", code=1)
    assert "nothing of 03_bptt has been graded" in course.rnngrade("status", E.name, code=1)
    course.configure("c.RnnGrade.limits = {'seconds': 3}")
    assert "the limits are cell, total, grace" in course.rnngrade("autograde", E.name, code=1)


def test_status_prints_the_rows(course: Course) -> None:
    course.rnngrade("autograde", E.name)
    said = course.rnngrade("status", E.name)
    assert "all-right            graded             22/24" in said
    assert "2 graded" in said


def test_unsafe_goes_on_loudly(course: Course) -> None:
    hand_in(course, BY_NAME["dies-in-function"])
    hand_in(course, BY_NAME["imports-reference"])
    hand_in(course, BY_NAME["endless"])
    said = course.rnngrade("autograde", E.name, "--unsafe", PATH="/nowhere")
    assert "*** --unsafe: student code runs with all rights of this user" in said
    rows = course.rows()
    for name in ("all-right", "dies-in-function", "imports-reference", "endless"):
        lost = sum(E[function].points for function in BY_NAME[name].lost)
        assert (rows[name].status, rows[name].score) == (BY_NAME[name].status, E.points - lost)
