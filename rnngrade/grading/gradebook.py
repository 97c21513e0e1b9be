"""The one writer: what was released is read from nbgrader's gradebook, and each result written in one transaction."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.utils import determine_grade
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from rnngrade.grading.cells import grade_id, is_graded
from rnngrade.grading.job import Assignment, Released, Result

__all__ = ["Book", "NotReleased", "patiently"]

_T = TypeVar("_T")


class NotReleased(LookupError):
    """The gradebook or the release does not know the assignment."""


def patiently(action: Callable[[], _T], say: Callable[[str], None], seconds: float = 600) -> _T:
    """Do what needs the database; while another program holds it, wait and try again.

    Raises:
        OperationalError: it was held for longer than `seconds`, or something else is wrong with it.
    """
    end, told = time.monotonic() + seconds, False
    while True:
        try:
            return action()
        except OperationalError as error:
            held = "locked" in str(error) or "lock timeout" in str(error)
            if not held or time.monotonic() > end:
                raise
            if not told:
                say("The gradebook is held by another program; waiting for it")
                told = True
            time.sleep(0.2)


class Book:
    """nbgrader's gradebook, written to by one process.

    Args:
        db_url: SQLAlchemy's address of it: SQLite or PostgreSQL.
        course_id: nbgrader's name of the course.
        say: called with a sentence where a person should know that it takes time.
    """

    def __init__(self, db_url: str, course_id: str, say: Callable[[str], None] = print) -> None:
        self._say = say
        self._gradebook = patiently(lambda: Gradebook(db_url, course_id), say)

    def close(self) -> None:
        """Close the connection."""
        self._gradebook.close()

    def assignment(self, name: str, folder: Path) -> Assignment:
        """What was released: the notebooks in `folder` with the tests that the gradebook keeps.

        Raises:
            NotReleased: `nbgrader generate_assignment` has not been run, or its notebooks are gone.
        """
        return patiently(lambda: self._assignment(name, folder), self._say)

    def _assignment(self, name: str, folder: Path) -> Assignment:
        try:
            known = self._gradebook.find_assignment(name)
        except MissingEntry:
            known = None
        if known is None or not known.notebooks:
            raise NotReleased(f"the gradebook knows no assignment {name!r}: run nbgrader generate_assignment {name}")
        notebooks = {}
        for notebook in known.notebooks:
            path = folder / f"{notebook.name}.ipynb"
            if not path.is_file():
                raise NotReleased(f"there is no {path}: run nbgrader generate_assignment {name} --force")
            tests = {cell.name: [cell.source, cell.checksum] for cell in notebook.source_cells}
            notebooks[notebook.name] = Released(nbformat.read(path, as_version=4), dict(sorted(tests.items())))
        return Assignment(name, dict(sorted(notebooks.items())))

    def record(self, assignment: str, result: Result, timestamp: Any, penalties: AssignLatePenalties) -> "Score":
        """Write one student's result, all of it or nothing; what it comes to."""

        def write() -> Score:
            with self._transaction():
                return self._record(assignment, result, timestamp, penalties)

        return patiently(write, self._say)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """nbgrader commits after each statement; here, at the end of all. Who else holds the book is met at once."""
        session = self._gradebook.db()
        session.rollback()
        if session.get_bind().dialect.name == "sqlite":
            session.execute(text("BEGIN IMMEDIATE"))
        commit, session.commit = session.commit, session.flush
        try:
            yield
            commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.commit = commit

    def _record(self, assignment: str, result: Result, timestamp: Any, penalties: AssignLatePenalties) -> "Score":
        book = self._gradebook
        book.update_or_create_student(result.student)
        with book.db.no_autoflush:  # nbgrader links a submission before it adds it; SQLAlchemy would warn of that
            submission = book.update_or_create_submission(assignment, result.student, timestamp=timestamp)
        kept = []
        for notebook in submission.notebooks:
            cells = {}
            if notebook.name in result.notebooks:
                made = nbformat.from_dict(result.notebooks[notebook.name])
                cells = {grade_id(cell): cell for cell in made.cells if grade_id(cell)}
            for grade in notebook.grades:
                grade.auto_score = self._auto_score(cells.get(grade.name), result)
                manual = grade.manual_score is not None
                grade.needs_manual_grade = manual or grade.auto_score is None
                kept += [f"{grade.name}: the manual mark of {grade.manual_score:g} was kept"] if manual else []
            for comment in notebook.comments:
                untouched = comment.name in result.untouched.get(notebook.name, [])
                comment.auto_comment = "No response." if untouched or not cells else None
        book.db.flush()
        book.db.expire_all()
        for notebook in submission.notebooks:
            notebook.late_submission_penalty = _penalty(submission, notebook, penalties)
        for reason in kept:
            result.lower_to("needs review", reason)
        if any(notebook.needs_manual_grade for notebook in submission.notebooks) and not kept:
            result.lower_to("needs review", "to be marked by hand")
        book.db.flush()
        book.db.expire_all()
        return submission.score - (submission.late_submission_penalty or 0.0), submission.max_score

    @staticmethod
    def _auto_score(cell: nbformat.NotebookNode | None, result: Result) -> float | None:
        """What nbgrader reads from a graded cell; 0 for a missing one, unless nobody could tell what it is worth."""
        if cell is None or not is_graded(cell):
            return None if cell is not None or result.died else 0.0
        score: float | None = determine_grade(cell)[0]
        return score


Score = tuple[float, float]
"""The points of a submission, late penalty taken off, and the most that there are."""


def _penalty(submission: Any, notebook: Any, penalties: AssignLatePenalties) -> float | None:
    if not submission.total_seconds_late > 0:
        return None
    penalties.init_plugin()
    late = submission.total_seconds_late
    penalty = penalties.plugin_inst.late_submission_penalty(submission.student.id, notebook.score, late)
    checked: float | None = None if penalty is None else penalties._check_late_penalty(notebook, penalty)
    return checked
