"""`rnngrade autograde` and `rnngrade status`: a class of an nbgrader course."""

import argparse
import contextlib
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from nbgrader.apps.baseapp import NbGrader
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm
from traitlets import Dict, List, Unicode
from traitlets.config import LoggingConfigurable

from rnngrade.grading.batch import Batch, Busy, Row, progress, rows_of
from rnngrade.grading.gradebook import Book, NotReleased
from rnngrade.grading.job import STATUSES, Settings
from rnngrade.grading.workers import Local, OnDask, Unfit, Workers
from rnngrade.sandbox.box import NoSandbox, why_no_sandbox
from rnngrade.sandbox.limits import Limits
from rnngrade.shown import printable

__all__ = ["RnnGrade", "autograde", "here", "status"]


class RnnGrade(LoggingConfigurable):
    """What nbgrader_config.py says of the grader: `c.RnnGrade.limits` and `c.RnnGrade.packages`."""

    limits = Dict(help="Limits of one submission by name, such as {'cell': 60, 'memory': 2 * 2**30}.").tag(config=True)
    packages = List(
        Unicode(),
        default_value=None,
        allow_none=True,
        help="Distributions that notebooks may import where they are graded, with what those need. None: what the "
        "exercises of rnngrade say, and all that is installed where a notebook has none of them.",
    ).tag(config=True)

    def settings(self, unsafe: bool) -> Settings:
        """How submissions are graded; ValueError for a limit that there is not."""
        try:
            limits = replace(Limits(), **self.limits)
        except TypeError:
            known = ", ".join(Limits.__dataclass_fields__)
            raise ValueError(f"c.RnnGrade.limits is {self.limits}; the limits are {known}") from None
        return Settings(limits, None if self.packages is None else tuple(self.packages), unsafe)


class _App(NbGrader):
    """Reads nbgrader_config.py as nbgrader's own commands do."""

    name = "rnngrade"
    classes = List([CourseDirectory, RnnGrade])


def here() -> tuple[NbGrader, CourseDirectory]:
    """nbgrader's configuration in this folder, and the course that it describes."""
    app = _App()
    app.initialize([])
    return app, CourseDirectory(parent=app)


def autograde(asked: argparse.Namespace) -> int:
    """Grade a class, with a progress bar, and print the rows that a person should look at."""
    app, course = here()
    if not asked.unsafe and not asked.dask and (why := why_no_sandbox()):
        return _stop(f"student code can't be walled in on this machine: {why}.\n--unsafe grades without a sandbox.")
    book = workers = None
    try:
        book = Book(course.db_url, course.course_id, say=tqdm.write)
        settings = RnnGrade(parent=app).settings(asked.unsafe)
        batch = Batch(course, asked.assignment, book, AssignLatePenalties(parent=app), settings)
        batch.alone()
        students = batch.students()
        if unknown := sorted(set(asked.student or []) - set(students)):
            return _stop(f"nothing was handed in by {', '.join(unknown)}")
        students = asked.student or students
        if not students:
            return _stop(f"nothing was handed in for {asked.assignment}")
        if asked.resume and not batch.journal.interrupted:
            print("The last run came to its end; looking for what has changed since.")
        workers = OnDask(asked.dask, tqdm.write) if asked.dask else Local(max(1, min(asked.j, len(students))))
        return _graded(batch, workers, students, asked)
    except (Busy, NotReleased, NoSandbox, Unfit, ValueError) as error:
        return _stop(str(error))
    except ImportError as error:
        return _stop(f"{error}; grading on a cluster needs dask.distributed: pip install 'rnncore[cluster]'")
    except (OSError, SQLAlchemyError) as error:
        return _stop(f"{type(error).__name__}: {error}")
    finally:
        if workers is not None:
            workers.close()
        if book is not None:
            book.close()


def _graded(batch: Batch, workers: Workers, students: list[str], asked: argparse.Namespace) -> int:
    rows: list[Row] = []
    try:
        for row in progress(batch.run(workers, students, force=asked.force, resume=asked.resume), len(students)):
            rows.append(row)
            if row.is_odd:
                tqdm.write(_line(row), file=sys.stdout)
    except KeyboardInterrupt:
        done = {row.student for row in rows} | batch.journal.written().intersection(students)
        print(f"\nInterrupted: {len(done)} of {len(students)} are done, and saved. To go on: {asked.again}")
        return 130
    finally:
        table = batch.write_status()
    print(f"{_counted(rows)}. All rows: {table}")
    return 0


def status(assignment: str) -> int:
    """Print the row of each student, as it was last graded, with the marks that were given by hand since."""
    _, course = here()
    rows = rows_of(course, assignment)
    if not rows:
        return _stop(f"nothing of {assignment} has been graded by rnngrade")
    try:
        with contextlib.closing(Book(course.db_url, course.course_id)) as book:
            marks = book.marks(assignment)
    except SQLAlchemyError as error:
        return _stop(f"{type(error).__name__}: {error}")
    rows = [row.now(marks.get(row.student)) for row in rows]
    for row in rows:
        print(_line(row))
    print(_counted(rows))
    return 0


def _line(row: Row) -> str:
    points = f"{row.score:g}/{row.most:g}"
    return f"{printable(row.student):<20} {row.status:<14} {points:>9}  {row.reason}".rstrip()


def _counted(rows: Iterable[Row]) -> str:
    counts: Any = Counter(row.status for row in rows)
    return ", ".join(f"{counts[name]} {name}" for name in STATUSES if counts[name])


def _stop(why: str) -> int:
    print(f"rnngrade: {why}", file=sys.stderr)
    return 1
