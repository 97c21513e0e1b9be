"""The gradebook on PostgreSQL: the same rows and points as in SQLite, and a lock is waited for."""

import csv
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from nbgrader.api import Gradebook

from rnngrade.checks import exercise
from rnngrade.sandbox.box import why_no_sandbox
from rnngrade.solutions import solution_source, wrong_source
from tests.grader.course import ROOT, Answers, Course
from tests.grader.slowness import LONG

pytestmark = pytest.mark.skipif(bool(why_no_sandbox()), reason=why_no_sandbox())

E = exercise("03_bptt")
RIGHT: Answers = {g.name: solution_source(E.name, g.name) or "" for g in E}
WRONG: Answers = {g.name: wrong_source(E.name, g.name, g.mistakes[0]) or "" for g in E}
CLASS = {"right": RIGHT, "wrong": WRONG, "some": dict(list(RIGHT.items())[:2]), "untouched": {}, 'Ann, "A" Ö': RIGHT}
HELD = 3.0  # seconds


def programs() -> str:
    """The folder of PostgreSQL's programs; the test is skipped where there is none."""
    folders = [*os.environ["PATH"].split(os.pathsep), *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))]
    found = [
        folder for folder in folders if shutil.which("initdb", path=folder) and shutil.which("pg_ctl", path=folder)
    ]
    if not found:
        pytest.skip("PostgreSQL's server is not installed (apt install postgresql)")
    return found[-1]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """SQLAlchemy's address of an empty database, of a server that lives as long as these tests."""
    bin_, user = programs(), pwd.getpwuid(os.getuid()).pw_name
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder, socket.create_server(("127.0.0.1", 0)) as free:
        prefix: list[str] = []
        if not os.getuid():  # as root it refuses to run
            user = "nobody"
            shutil.chown(folder, user)
            prefix = ["setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups"]
        port = free.getsockname()[1]
        free.close()

        def call(program: str, *arguments: str) -> None:
            command = [*prefix, f"{bin_}/{program}", "-D", f"{folder}/data", *arguments]
            run = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            assert run.returncode == 0, run.stderr

        call("initdb", "-U", "course", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
        options += " -c lock_timeout=500ms"  # as some servers have it; without one, the server waits for us
        call("pg_ctl", "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://course@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-w", "-m", "immediate", "stop")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The class, handed in."""
    course = Course(tmp_path_factory.mktemp("course"), E.name)
    for student, answers in CLASS.items():
        course.submit(student, answers)
    return course


def start(course: Course, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "rnngrade.command", "autograde", E.name, *arguments],
        cwd=course.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(run: "subprocess.Popen[str]") -> str:
    """What it printed, once it has ended."""
    said, _ = run.communicate(timeout=LONG)
    assert run.returncode == 0, said
    return said


def rows(course: Course) -> list[dict[str, str]]:
    with open(course.folder / "grading" / E.name / "status.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def points(address: str) -> dict[str, dict[str, float | None]]:
    """Student → cell → what the gradebook has."""
    with Gradebook(address) as book:
        return {
            handed_in.student.id: {grade.name: grade.auto_score for n in handed_in.notebooks for grade in n.grades}
            for handed_in in book.assignment_submissions(E.name)
        }


@pytest.fixture(scope="module")
def graded(course: Course, address: str) -> tuple[list[dict[str, str]], list[dict[str, str]], str]:
    """Rows with SQLite, rows with PostgreSQL, and what the second run said: the tables were held while it went."""
    finished(start(course, "-j", "2"))
    first = rows(course)
    shutil.move(course.folder / "grading", course.folder / "grading-sqlite")
    with open(course.folder / "nbgrader_config.py", "a", encoding="utf-8") as file:
        file.write(f"\nc.CourseDirectory.db_url = {address!r}\n")
    course.nbgrader("generate_assignment", E.name, "--force")
    with psycopg.connect(address.replace("+psycopg", "")) as other:
        other.execute("LOCK TABLE submitted_assignment IN ACCESS EXCLUSIVE MODE")
        run = start(course, "-j", "2")
        until_waiting(address)
        time.sleep(HELD)
        assert run.poll() is None
        assert not (course.folder / "grading" / E.name / "status.csv").exists()
        other.rollback()
    said = finished(run)
    return first, rows(course), said


def until_waiting(address: str) -> None:
    """Wait until somebody waits for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as third:
        for _ in range(600):
            if third.execute(query).fetchone() != (0,):
                return
            time.sleep(0.05)
    raise AssertionError("nobody waits for the lock")


def test_rows_and_points_are_those_of_sqlite(graded, course: Course, address: str) -> None:
    sqlite, postgres, said = graded
    assert postgres == sqlite
    assert "5 graded" in said
    assert said.count("The gradebook is held by another program; waiting for it") == 1
    assert {row["student_id"] for row in postgres} == set(CLASS)
    found = points(address)
    assert found == points(f"sqlite:///{course.folder}/gradebook.db")
    assert sum(filter(None, found["right"].values())) == E.points
    assert 0 < sum(filter(None, found["wrong"].values())) < E.points


def test_running_again_changes_nothing(graded, course: Course, address: str) -> None:
    before = points(address)
    assert "5 graded" in finished(start(course, "-j", "1"))
    assert rows(course) == graded[1]
    assert points(address) == before


def test_nbgrader_exports_it(graded, course: Course) -> None:
    course.nbgrader("export", "--to", "grades.csv")
    text = (course.folder / "grades.csv").read_text(encoding="utf-8")
    scores = {row["student_id"]: row["score"] for row in graded[1] if "," not in row["student_id"]}
    for student, score in scores.items():
        assert any(student in line and f",{score}," in line for line in text.splitlines()), student
