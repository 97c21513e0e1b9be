"""Grading on Dask: the same marks as without it, whoever of the workers dies, and a plain word where there is none."""

import contextlib
import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from distributed import Client, LocalCluster, WorkerPlugin
from nbgrader.api import Gradebook

from rnngrade.checks import exercise
from rnngrade.grading.workers import Unfit, _graded
from rnngrade.sandbox.box import why_no_sandbox
from rnngrade.solutions import solution_source, wrong_source
from tests.grader.course import ROOT, Answers, Course
from tests.grader.slowness import LONG

pytestmark = pytest.mark.skipif(bool(why_no_sandbox()), reason=why_no_sandbox())

E = exercise("03_bptt")
RIGHT: Answers = {g.name: solution_source(E.name, g.name) or "" for g in E}
WRONG: Answers = {g.name: wrong_source(E.name, g.name, g.mistakes[0]) or "" for g in E}
FATAL = "whoever graded this died of it twice; 24 points to be marked by hand"

Rows = dict[str, tuple[str, str, str]]  # student → status, score, reason
Points = dict[str, dict[str, float | None]]  # student → cell → points


def slow(student: str) -> Answers:
    """Right, but its process takes a name, by which it can be found, and two seconds."""
    (first, source), *_ = RIGHT.items()
    named = f"__import__('ctypes').CDLL(None).prctl(15, b'{process_name(student)}', 0, 0, 0)"
    return RIGHT | {first: f"{named}\n__import__('time').sleep(2)\n{source}"}


def process_name(student: str) -> str:
    """Of the process in which this student's slow answer runs, in these tests alone."""
    return f"{student}-{os.getpid()}"[:15]


class Watch(WorkerPlugin):
    """Writes into a file whatever a worker opens in the course's folder."""

    def __init__(self, course: Path, log: Path) -> None:
        self.course, self.log = str(course), str(log)

    def setup(self, worker: object) -> None:
        course, log = self.course, os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(log, b"watching\n")

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            if event in ("open", "sqlite3.connect") and course in str(arguments[0]):
                os.write(log, f"{event} {arguments[0]}\n".encode())

        sys.addaudithook(hook)


@dataclass
class Class:
    """A course with a class that has handed in, and the cluster to grade it on."""

    course: Course
    cluster: LocalCluster
    log: Path

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "rnngrade.command", "autograde", E.name, *arguments]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "2s"}
        return subprocess.Popen(
            command,
            cwd=self.course.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def on_cluster(self, *arguments: str) -> "subprocess.Popen[str]":
        return self.start("--dask", self.cluster.scheduler_address, *arguments)

    def rows(self) -> Rows:
        with open(self.course.folder / "grading" / E.name / "status.csv", encoding="utf-8", newline="") as file:
            return {row["student_id"]: (row["status"], row["score"], row["reason"]) for row in csv.DictReader(file)}

    def points(self) -> Points:
        """Student → cell → what the gradebook has."""
        with Gradebook(f"sqlite:///{self.course.folder}/gradebook.db") as book:
            return {
                submission.student.id: {
                    grade.name: grade.auto_score for n in submission.notebooks for grade in n.grades
                }
                for submission in book.assignment_submissions(E.name)
            }


@pytest.fixture(scope="module")
def graded(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Class, Rows, Points]]:
    """The class, and its rows and points when it is graded on this machine."""
    course = Course(tmp_path_factory.mktemp("course"), E.name)
    for name, answers in {
        "right": RIGHT,
        "wrong": WRONG,
        "untouched": {},
        "some": dict(list(RIGHT.items())[:2]),
    }.items():
        course.submit(name, answers)
    for name in ("unlucky", "fatal"):
        course.submit(name, slow(name))
    log = tmp_path_factory.mktemp("log") / "opened"
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50)
    with cluster, Client(cluster) as client:
        client.register_plugin(Watch(course.folder, log))
        here = Class(course, cluster, log)
        finished(here.start("-j", "2"))
        yield here, here.rows(), here.points()


def finished(run: "subprocess.Popen[str]", code: int = 0) -> str:
    """What it printed, once it has ended."""
    said, _ = run.communicate(timeout=LONG)
    assert run.returncode == code, said
    assert "Traceback" not in said
    return said


def processes(*students: str) -> list[int]:
    """The numbers of the processes in which these students' slow answers run."""
    found, names = [], [process_name(student) for student in students]
    for path in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            found += [int(path.parent.name)] if path.read_text().strip() in names else []
    return found


def worker_above(process: int, workers: set[int]) -> int:
    """Which of the workers has started what started this process."""
    while process not in workers:
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        assert process > 1
    return process


def until(condition: Callable[[], object], seconds: float = LONG) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def kill_worker_of(student: str, client: Client) -> int:
    """Wait until a worker grades this student; end it, as a lack of memory or of current would."""
    until(lambda: processes(student))
    worker = worker_above(processes(student)[0], set(client.run(os.getpid, on_error="ignore").values()))
    os.kill(worker, signal.SIGKILL)
    until(lambda: not processes(student))
    return worker


def test_the_class_is_what_it_is_meant_to_be(graded) -> None:
    _, rows, _ = graded
    assert rows["right"][:2] == rows["unlucky"][:2] == rows["fatal"][:2] == ("graded", str(E.points))
    assert rows["untouched"] == ("graded", "0.0", "no response")
    assert 0 < float(rows["wrong"][1]) < E.points


def test_a_dead_worker_costs_nothing_and_two_a_review(graded) -> None:
    here, rows, points = graded
    with Client(here.cluster) as client:
        run = here.on_cluster("--force")
        killed = {kill_worker_of("unlucky", client), kill_worker_of("fatal", client), kill_worker_of("fatal", client)}
        assert len(killed) == 3
        assert "5 graded, 1 needs review" in finished(run)
    assert here.rows() == rows | {"fatal": ("needs review", "0.0", FATAL)}
    assert here.points() == points | {"fatal": dict.fromkeys(points["fatal"])}


def test_marks_are_those_of_a_run_without_it_though_it_was_interrupted(graded) -> None:
    here, rows, points = graded
    run = here.on_cluster("--force")
    until(lambda: processes("unlucky", "fatal"))
    run.send_signal(signal.SIGINT)
    assert "--resume" in finished(run, 130)
    until(lambda: not processes("unlucky", "fatal"), 1)
    with Client(here.cluster) as client:
        until(lambda: not any(client.processing().values()), 2)
        assert client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.allowed_failures) == 3
    assert "6 graded" in finished(here.on_cluster("--resume"))
    assert here.rows() == rows
    assert here.points() == points


def test_workers_open_nothing_of_the_course(graded) -> None:
    here, *_ = graded
    assert set(here.log.read_text().splitlines()) == {"watching"}
    with Client(here.cluster) as client:
        client.submit(os.listdir, here.course.folder).result()
        client.submit(Path.read_bytes, here.course.folder / "gradebook.db").result()
    assert here.log.read_text().splitlines()[-1] == f"open {here.course.folder}/gradebook.db"


def test_nobody_at_the_address(graded) -> None:
    here, *_ = graded
    said = finished(here.start("--dask", "tcp://127.0.0.1:1"), 1)
    assert "no Dask scheduler answers at tcp://127.0.0.1:1" in said


def test_worker_with_other_code_is_not_trusted() -> None:
    with pytest.raises(Unfit, match="another version of rnngrade"):
        _graded("a job", "a run", "what the head has")
