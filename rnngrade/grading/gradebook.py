"""The one writer: what was released is read from nbgrader's gradebook, and each result written in one transaction."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import nbformat
from nbgrader.api import Assignment as Assigned
from nbgrader.api import BaseCell, Grade, Gradebook, MissingEntry, SubmittedAssignment, SubmittedNotebook
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.utils import determine_grade
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from rnngrade.grading.cells import grade_id, is_graded
from rnngrade.grading.job import Assignment, Released, Result

__all__ = ["Book", "Marks", "NotReleased", "marks_of", "patiently"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Marks:
    """What a submission has by now, from the checks and by hand.

    Attributes:
        score: points, late penalty taken off.
        most: the most that there are.
        unmarked: those of them that are still to be given by hand.
        kept: marks by hand that were given to an earlier answer.
    """

    score: float = 0.0
    most: float = 0.0
    unmarked: float = 0.0
    kept: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """One of STATUSES."""
        return "needs review" if self.kept else "needs marking" if self.unmarked else "graded"

    @property
    def reasons(self) -> list[str]:
        """Why it is that."""
        return [*self.kept, *([f"{self.unmarked:g} points to be marked by hand"] if self.unmarked else [])]


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

    def marks(self, assignment: str) -> dict[str, Marks]:
        """What each student has in this assignment; marks given by hand since it was graded are among them."""

        def read() -> dict[str, Marks]:
            self._gradebook.db.rollback()  # PostgreSQL answers nothing after it has waited for a lock in vain
            return marks_of(self._gradebook, assignment)

        return patiently(read, self._say)

    def record(
        self,
        assignment: str,
        result: Result,
        timestamp: Any,
        penalties: AssignLatePenalties,
        same: Mapping[str, Set[str]],
    ) -> Marks:
        """Write one student's result, all of it or nothing; what it comes to.

        Marks given by hand stay. They are kept under review, unless `same`, notebook by notebook, names the cell as
        an answer that has not changed.
        """

        def write() -> Marks:
            with self._transaction():
                return self._record(assignment, result, timestamp, penalties, same)

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

    def _record(
        self,
        assignment: str,
        result: Result,
        timestamp: Any,
        penalties: AssignLatePenalties,
        same: Mapping[str, Set[str]],
    ) -> Marks:
        book = self._gradebook
        book.update_or_create_student(result.student)
        with book.db.no_autoflush:  # nbgrader links a submission before it adds it; SQLAlchemy would warn of that
            submission = book.update_or_create_submission(assignment, result.student, timestamp=timestamp)
        for notebook in submission.notebooks:
            cells = {}
            if notebook.name in result.notebooks:
                made = nbformat.from_dict(result.notebooks[notebook.name])
                cells = {grade_id(cell): cell for cell in made.cells if grade_id(cell)}
            for grade in notebook.grades:
                grade.auto_score = self._auto_score(cells.get(grade.name), result)
                if grade.manual_score is None:
                    grade.needs_manual_grade = grade.auto_score is None
                elif grade.name not in same.get(notebook.name, ()):
                    grade.needs_manual_grade = True
            for comment in notebook.comments:
                untouched = comment.name in result.untouched.get(notebook.name, [])
                comment.auto_comment = "No response." if untouched or not cells else None
        book.db.flush()
        book.db.expire_all()
        for notebook in submission.notebooks:
            notebook.late_submission_penalty = _penalty(submission, notebook, penalties)
        book.db.flush()
        book.db.expire_all()
        return marks_of(book, assignment, result.student).get(result.student, Marks())

    @staticmethod
    def _auto_score(cell: nbformat.NotebookNode | None, result: Result) -> float | None:
        """What nbgrader reads from a graded cell; 0 for a missing one, unless nobody could tell what it is worth."""
        if cell is None or not is_graded(cell):
            return None if cell is not None or result.died else 0.0
        score: float | None = determine_grade(cell)[0]
        return score


def marks_of(gradebook: Gradebook, assignment: str, student: str | None = None) -> dict[str, Marks]:
    """What each student, or this one, has in an assignment, by one query for all of them."""
    about = (SubmittedAssignment.student_id, SubmittedNotebook.id, SubmittedNotebook.late_submission_penalty)
    mark = (BaseCell.name, Grade.score, Grade.max_score, Grade.auto_score, Grade.manual_score, Grade.needs_manual_grade)
    wanted = (
        gradebook.db.query(*about, *mark)
        .select_from(Grade)
        .join(BaseCell, Grade.cell_id == BaseCell.id)
        .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assigned, SubmittedAssignment.assignment_id == Assigned.id)
        .filter(Assigned.name == assignment, Assigned.course_id == gradebook.course_id)
    )
    if student is not None:
        wanted = wanted.filter(SubmittedAssignment.student_id == student)
    found: dict[str, Marks] = {}
    penalties: set[str] = set()
    for who, notebook, penalty, cell, score, most, auto, manual, waits in wanted:
        old = found.get(who, Marks())
        late = 0.0 if notebook in penalties else penalty or 0.0
        penalties.add(notebook)
        kept = (f"{cell}: the manual mark of {manual:g} was kept",) if waits and manual is not None else ()
        unmarked = most if auto is None and manual is None else 0.0
        found[who] = Marks(old.score + score - late, old.most + most, old.unmarked + unmarked, (*old.kept, *kept))
    return found


def _penalty(submission: Any, notebook: Any, penalties: AssignLatePenalties) -> float | None:
    if not submission.total_seconds_late > 0:
        return None
    penalties.init_plugin()
    late = submission.total_seconds_late
    penalty = penalties.plugin_inst.late_submission_penalty(submission.student.id, notebook.score, late)
    checked: float | None = None if penalty is None else penalties._check_late_penalty(notebook, penalty)
    return checked
