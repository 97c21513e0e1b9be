"""Grades a class: whatever is handed in, each student gets one row, and nothing that is done is lost."""

import contextlib
import csv
import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from tqdm import tqdm

from rnngrade.grading import intake
from rnngrade.grading.cells import grade_id, is_by_hand
from rnngrade.grading.gradebook import Book, Marks
from rnngrade.grading.job import STATUSES, Assignment, Job, Result, Settings
from rnngrade.grading.workers import Died, Unfit, Workers, as_graded
from rnngrade.sandbox.box import NoSandbox
from rnngrade.shown import printable, safe

__all__ = ["Batch", "Busy", "Row", "course_key", "progress", "rows_of"]


class Busy(RuntimeError):
    """Another process is at it."""


@dataclass
class Row:
    """What the instructor is told of one student."""

    student: str
    status: str
    score: float
    most: float
    reason: str
    fingerprint: str = ""
    run: str = ""
    unmarked: float = 0.0

    @property
    def is_odd(self) -> bool:
        """Something happened that a person should look at; an answer that waits for its mark is no such thing."""
        return self.status not in ("graded", "needs marking")

    def now(self, marks: Marks | None) -> "Row":
        """The row with what the gradebook says by now: marks given by hand, and those that are still to be given."""
        if marks is None:
            return self
        worse = STATUSES.index(marks.status) > STATUSES.index(self.status)
        reasons = [*marks.reasons, self.reason] if worse else [self.reason, *marks.reasons]
        return replace(
            self,
            status=marks.status if worse else self.status,
            score=marks.score,
            most=marks.most,
            reason="; ".join(filter(None, reasons)),
            unmarked=marks.unmarked,
        )


class Batch:
    """One assignment's submissions, graded.

    Args:
        course: nbgrader's course directory.
        assignment: its name.
        book: the gradebook.
        penalties: nbgrader's preprocessor that knows the plugin for late submissions.
        settings: limits and the wall.
    """

    def __init__(
        self, course: CourseDirectory, assignment: str, book: Book, penalties: AssignLatePenalties, settings: Settings
    ) -> None:
        self.course, self.name, self.book, self.penalties = course, assignment, book, penalties
        self.settings = settings
        self.folder = Path(course.root) / "grading" / assignment
        self.assignment: Assignment = book.assignment(assignment, self._path(course.release_directory, "."))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.journal = _Journal(self.folder / "journal.jsonl")
        self.marks: dict[str, Marks] = book.marks(assignment)
        self.key = course_key(course)

    def students(self) -> list[str]:
        """All who handed something in."""
        marker = "\0student\0"
        before, _, after = str(self._path(self.course.submitted_directory, marker)).partition(marker)
        parent, prefix = Path(before).parent if not before.endswith(os.sep) else Path(before), ""
        if not before.endswith(os.sep):
            prefix = Path(before).name
        found = [path.name for path in parent.iterdir()] if parent.is_dir() else []
        names = [name.removeprefix(prefix) for name in found if name.startswith(prefix) and not name.startswith(".")]
        return sorted(name for name in names if Path(f"{before}{name}{after}").is_dir())

    def alone(self) -> None:
        """See to it that no other process grades this assignment as long as this one lives; Busy where one does."""
        self._lock = open(self.folder / "lock", "w")  # noqa: SIM115 (held until the process ends)
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unlike flock, no worker inherits it
        except OSError:
            self._lock.close()
            raise Busy(f"{self.name} is being graded by another rnngrade autograde; wait for its end") from None

    def run(self, workers: Workers, students: list[str], *, force: bool, resume: bool) -> Iterator[Row]:
        """Grade these students; a row for each as it is done, those that need no work first.

        Submissions that are as they were when they were graded are left alone, unless `force`; with `resume` those
        that the interrupted run had finished are; all others are graded again if that run was forced to.
        """
        run, force = self.journal.begin(resume, force)
        pending: dict[str, Job] = {}

        def jobs() -> Iterable[tuple[str, Any]]:
            for student in students:
                job = self.job(student)
                row = self.journal.rows.get(student)
                same = row is not None and row.fingerprint == job.fingerprint
                if row is not None and same and (row.run == run or not force):
                    left.append(self._now(row))
                    continue
                pending[student] = job
                yield student, job.to_json

        left: list[Row] = []
        for student, outcome in as_graded(workers, jobs()):
            yield from _drained(left)
            job = pending.pop(student)
            result = self._result(student, outcome)
            try:
                row = self._finish(job, result)
            except OperationalError:
                raise  # the gradebook can't be written to: what is left waits for --resume
            except (OSError, UnicodeError, ValueError, SQLAlchemyError) as error:
                why = f"graded, but not written down: {type(error).__name__}: {error}"
                row = Row(student, "needs review", 0.0, 0.0, printable(why)[:300])
                result.died = True
            row.fingerprint, row.run = "" if result.died else job.fingerprint, run
            self.journal.add(row)
            yield self._now(row)
        yield from _drained(left)
        self.journal.end()

    def write_status(self) -> Path:
        """The table of all rows, for a spreadsheet."""
        path = self.folder / "status.csv"
        with open(path.with_suffix(".new"), "w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["student_id", "status", "score", "max_score", "needs_marking", "reason"])
            for row in map(self._now, sorted(self.journal.rows.values(), key=lambda row: row.student)):
                table.writerow([safe(row.student), row.status, row.score, row.most, row.unmarked, safe(row.reason)])
        path.with_suffix(".new").replace(path)
        return path

    def _now(self, row: Row) -> Row:
        return row.now(self.marks.get(row.student))

    def _path(self, step: str, student: str) -> Path:
        return Path(self.course.format_path(step, student, self.name))

    def job(self, student: str) -> Job:
        """What is to be graded of this student."""
        folder = intake.read_folder(self._path(self.course.submitted_directory, student))
        job = Job(self.assignment, student, folder.files, folder.notes, settings=self.settings)
        return job.with_seeds(self.key)

    def _result(self, student: str, outcome: str | BaseException) -> Result:
        if isinstance(outcome, str):
            return Result.from_json(outcome)
        if isinstance(outcome, NoSandbox | Unfit):
            raise outcome
        result = Result(student, died=True)
        if isinstance(outcome, Died):
            result.lower_to("needs review", "whoever graded this died of it twice")
        else:
            result.lower_to("needs review", f"the grader failed: {type(outcome).__name__}: {outcome}"[:300])
        return result

    def _finish(self, job: Job, result: Result) -> Row:
        """Files, gradebook, row: in an order in which a power cut leaves nothing half done that is not done again."""
        made = self.folder / "new"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        if result.notebooks:
            for name, data in job.files.items():
                if not name.endswith(".ipynb"):
                    _write(made / name, data)
            for name, notebook in result.notebooks.items():
                text = nbformat.writes(nbformat.from_dict(notebook))
                _write(made / f"{name}.ipynb", text.encode("utf-8", "replace"))
        source = self._path(self.course.submitted_directory, job.student)
        if (source / "timestamp.txt").is_file():
            _write(made / "timestamp.txt", (source / "timestamp.txt").read_bytes())
        same = self._same_answers(job.student, result)
        marks = self.book.record(self.name, result, self._timestamp(source, result), self.penalties, same)
        self.marks[job.student] = marks
        self._replace(job.student, made)
        reason = "; ".join(dict.fromkeys(map(printable, result.reasons)))
        return Row(job.student, result.status, marks.score, marks.most, reason)

    def _same_answers(self, student: str, result: Result) -> dict[str, set[str]]:
        """For each notebook, the answers to be marked by hand that are what they were when it was graded last."""
        folder, same = self._path(self.course.autograded_directory, student), {}
        for name, notebook in result.notebooks.items():
            with contextlib.suppress(OSError, ValueError):
                old = _by_hand(nbformat.read(folder / f"{name}.ipynb", as_version=4))
                new = _by_hand(nbformat.from_dict(notebook))
                same[name] = {cell for cell, source in new.items() if old.get(cell) == source}
        return same

    def _timestamp(self, source: Path, result: Result) -> Any:
        try:
            return self.course.get_existing_timestamp(str(source))
        except (ValueError, OverflowError, OSError):
            result.reasons.append("its timestamp.txt can't be read: not counted as late")
            return None

    def _replace(self, student: str, made: Path) -> None:
        """Put the new files in place; those that were there, if they differ, go to the archive, with their feedback."""
        place = self._path(self.course.autograded_directory, student)
        if place.is_dir() and not _same(place, made):
            stamp = f"{time.strftime('%Y-%m-%d_%H-%M-%S')}-{secrets.token_hex(2)}"
            archive = self.folder / "archive" / student / stamp
            archive.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(place, archive)
            feedback = self._path(self.course.feedback_directory, student)
            if feedback.is_dir():
                shutil.move(feedback, archive / "feedback")
        elif place.is_dir():
            shutil.rmtree(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        if any(made.glob("*.ipynb")):
            made.rename(place)
        else:
            shutil.rmtree(made)


def _by_hand(notebook: nbformat.NotebookNode) -> dict[str, str]:
    return {grade_id(cell): cell.source for cell in notebook.cells if is_by_hand(cell)}


def _drained(rows: list[Row]) -> Iterator[Row]:
    while rows:
        yield rows.pop(0)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o644)


def _same(one: Path, other: Path) -> bool:
    files = [
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (one, other)
    ]
    return files[0] == files[1]


def course_key(course: CourseDirectory) -> str:
    """The secret from which inputs are drawn: made once for a course, and for its owner alone to read."""
    path = Path(course.root) / "grading" / "key"
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        contextlib.suppress(FileExistsError),
        open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file,
    ):
        file.write(secrets.token_hex(32))
    return path.read_text(encoding="ascii").strip()


class _Journal:
    """The rows, one line each as they are done; the last one of a student counts. A torn last line is passed over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: dict[str, Row] = {}
        self._open_run, self._forced = "", False
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        self._torn = bool(text) and not text.endswith("\n")
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if "row" in entry:
                self.rows[entry["row"]["student"]] = Row(**entry["row"])
            elif "begin" in entry:
                self._open_run, self._forced = entry["begin"], entry.get("force", False)
            elif "end" in entry:
                self._open_run = ""

    @property
    def interrupted(self) -> bool:
        """The last run did not come to its end."""
        return bool(self._open_run)

    def begin(self, resume: bool, force: bool) -> tuple[str, bool]:
        """The name of the run that begins, or of the one that is taken up again; whether it grades all of them."""
        if resume and self._open_run:
            return self._open_run, force or self._forced
        self._open_run, self._forced = secrets.token_hex(8), force
        self._append({"begin": self._open_run, "force": force})
        return self._open_run, force

    def add(self, row: Row) -> None:
        """Write down one row."""
        self.rows[row.student] = row
        self._append({"row": asdict(row)})

    def written(self) -> set[str]:
        """The students whose rows this run has written down."""
        return {student for student, row in self.rows.items() if row.run == self._open_run}

    def end(self) -> None:
        """The run has come to its end."""
        self._append({"end": self._open_run})
        self._open_run = ""

    def _append(self, entry: dict[str, Any]) -> None:
        with open(self._path, "a", encoding="utf-8") as file:
            file.write("\n" * self._torn + json.dumps(entry) + "\n")
            self._torn = False
            file.flush()
            os.fsync(file.fileno())


def rows_of(course: CourseDirectory, assignment: str) -> list[Row]:
    """The last row of each student."""
    journal = _Journal(Path(course.root) / "grading" / assignment / "journal.jsonl")
    return sorted(journal.rows.values(), key=lambda row: row.student)


def progress(rows: Iterator[Row], total: int) -> Iterator[Row]:
    """The same rows, with a bar: how many are done, how many of those are to be looked at, and the time left."""
    troubled = 0
    with tqdm(total=total, unit="student", dynamic_ncols=True) as bar:
        for row in rows:
            troubled += row.is_odd
            bar.set_postfix_str(f"{troubled} to look at", refresh=False)
            bar.update()
            yield row
