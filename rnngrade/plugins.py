"""What plugs into nbgrader's own commands and its formgrader: see nbgrader_config.py for how they are named there.

`Restore` and `Execute` put the wall and the restored notebook into `nbgrader autograde` and the formgrader's button;
`HideTests` keeps hidden tests out of feedback, `markdown` keeps out what would run in a reader's browser, and
`NeedsMarking` says there what is still to be marked by hand;
`CsvExport` writes tables that are valid and safe to open; `Extractor` refuses archives that would write elsewhere.
"""

import contextlib
import csv
import re
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import bleach
import nbformat
from nbconvert.filters import markdown2html
from nbformat.v4 import new_markdown_cell
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import ExportPlugin, ExtractorPlugin
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool

from rnngrade.course import RnnGrade
from rnngrade.grading import intake
from rnngrade.grading.batch import course_key
from rnngrade.grading.cells import grade_id, is_by_hand, is_examined
from rnngrade.grading.gradebook import Book, marks_of
from rnngrade.grading.job import Assignment, Job
from rnngrade.grading.restore import restore
from rnngrade.grading.submission import run_notebook
from rnngrade.report import counted
from rnngrade.shown import safe

__all__ = ["CsvExport", "Execute", "Extractor", "HideTests", "NeedsMarking", "Restore", "markdown"]

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_TABLE = ("table", "thead", "tbody", "tr", "th", "td")
_TAGS = {
    *bleach.ALLOWED_TAGS,
    *_HEADINGS,
    *_TABLE,
    "p",
    "br",
    "hr",
    "div",
    "span",
    "pre",
    "del",
    "s",
    "sub",
    "sup",
    "img",
}


class _OfAssignment(NbGraderPreprocessor):
    """A preprocessor that knows what was released."""

    def _assignment(self, resources: Any) -> Assignment:
        about, course = resources["nbgrader"], CourseDirectory(parent=self)
        book = Book(about["db_url"], course.course_id, say=self.log.warning)
        try:
            folder = Path(course.format_path(course.release_directory, ".", about["assignment"]))
            return book.assignment(about["assignment"], folder)
        finally:
            book.close()


class Restore(_OfAssignment):
    """In place of nbgrader's sanitize_preprocessors: the released notebook with the student's answers in it."""

    def preprocess(self, nb: nbformat.NotebookNode, resources: Any) -> tuple[nbformat.NotebookNode, Any]:
        """Restore, and log what had to be mended."""
        released = self._assignment(resources).notebooks[resources["nbgrader"]["notebook"]]
        cleaned, _ = intake.notebook(nbformat.writes(nb).encode("utf-8", "replace"))
        restored = restore(cleaned, nbformat.from_dict(released.notebook), released.tests)
        for note in (*restored.notes, *restored.doubts):
            self.log.warning("%s: %s", resources["nbgrader"]["student"], note)
        return restored.notebook, resources


class Execute(_OfAssignment):
    """In place of nbgrader's Execute: the notebook runs behind the wall, and marks are given outside it."""

    unsafe = Bool(False, help="Run student code without a sandbox.").tag(config=True)

    def preprocess(self, nb: nbformat.NotebookNode, resources: Any) -> tuple[nbformat.NotebookNode, Any]:
        """Run it, and log what did not run to its end; NoSandbox where there is none."""
        folder = Path(resources.get("metadata", {}).get("path", "."))
        name = resources["nbgrader"]["notebook"]
        files = intake.read_folder(folder).files | {f"{name}.ipynb": nbformat.writes(nb).encode("utf-8", "replace")}
        settings, key = RnnGrade(parent=self).settings(self.unsafe), course_key(CourseDirectory(parent=self))
        student = resources["nbgrader"]["student"]
        job = Job(self._assignment(resources), student, files, settings=settings).with_seeds(key)
        beside, notes = intake.beside(files, [f"{name}.ipynb"])
        ran = run_notebook(job, name, nb, beside)
        for note in (*notes, *(f"{trouble.cell}: {trouble.says}" for trouble in ran.troubles), *ran.notes):
            self.log.warning("%s: %s", student, note)
        return nb, resources


class HideTests(NbGraderPreprocessor):
    """For feedback: takes hidden tests out of cells, out of what those say when they fail, and out of all outputs."""

    _REGION = re.compile(r"(?ms)^[^\n]*BEGIN HIDDEN TESTS.*?(END HIDDEN TESTS[^\n]*\n?|\Z)")
    _SHORTEST = 8  # characters of a line that is looked for in outputs

    def preprocess(self, nb: nbformat.NotebookNode, resources: Any) -> tuple[nbformat.NotebookNode, Any]:
        """The notebook without its hidden tests."""
        hidden: set[str] = set()
        for cell in filter(is_examined, nb.cells):
            lines = [line.strip() for match in self._REGION.finditer(cell.source) for line in match[0].splitlines()]
            if lines:
                hidden |= {line for line in lines if len(line) >= self._SHORTEST}
                cell.source = self._REGION.sub("", cell.source)
                for output in cell.outputs:
                    if output.output_type == "error":
                        output.traceback = [f"{output.ename}: {output.evalue}".rstrip(": ")]
        for cell in nb.cells:
            for output in cell.get("outputs", []) if hidden else []:
                self._blank(output, hidden)
        return nb, resources

    @staticmethod
    def _blank(output: nbformat.NotebookNode, hidden: set[str]) -> None:
        """Put dots in the place of hidden lines that a student has printed, as they are or as Python quotes them."""
        words = sorted(hidden | {repr(line)[1:-1] for line in hidden}, key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, words)))
        for holder in (output, output.get("data", {})):
            for key, value in holder.items():
                if isinstance(value, str):
                    holder[key] = pattern.sub("…", value)
                elif key == "traceback":
                    holder[key] = [pattern.sub("…", line) for line in value]


class NeedsMarking(NbGraderPreprocessor):
    """For feedback, after GetGrades: which points the checks have given, and which are to be given by hand."""

    def preprocess(self, nb: nbformat.NotebookNode, resources: Any) -> tuple[nbformat.NotebookNode, Any]:
        """The notebook with a sentence at its top, and a comment at each answer that waits for its mark."""
        by_hand = [cell for cell in nb.cells if is_by_hand(cell)]
        if not by_hand:
            return nb, resources
        about = resources["nbgrader"]
        with Gradebook(about["db_url"]) as book:
            notebook = book.find_submission_notebook(about["notebook"], about["assignment"], about["student"])
            waiting = {g.name for g in notebook.grades if g.auto_score is None and g.manual_score is None}
        for cell in by_hand:
            marks = cell.metadata.nbgrader
            if grade_id(cell) in waiting and not marks.get("comment"):
                marks["comment"] = f"Needs marking: {marks['points']:g} points are given by hand."
        earned, most = self._points([cell for cell in nb.cells if is_examined(cell)])
        given, of = self._points(by_hand)
        if waiting & set(map(grade_id, by_hand)):
            says = f"{counted(earned, most, of)} (needs marking)"
        else:
            says = f"{earned:g} of {most:g} automatic points; {given:g} of {of:g} by hand"
        nb.cells.insert(0, new_markdown_cell(f"**{says}**", id="points-by-hand"))
        return nb, resources

    @staticmethod
    def _points(cells: list[nbformat.NotebookNode]) -> tuple[float, float]:
        """What these cells have earned, as GetGrades has it, and the most that they could."""
        marks = [cell.metadata.nbgrader for cell in cells]
        return sum(mark["score"] for mark in marks), sum(mark["points"] for mark in marks)


def markdown(source: str) -> str:
    """For the pages of feedback and of the formgrader: HTML that runs nothing and fetches nothing.

    nbgrader's templates show a student's markdown as it stands, scripts included, also where `sanitize_html` is set.
    """
    protocols = {*bleach.ALLOWED_PROTOCOLS, "data"}
    made: str = bleach.clean(markdown2html(source), tags=_TAGS, attributes=_harmless, protocols=protocols)
    return made


def _harmless(tag: str, name: str, value: str) -> bool:
    if name == "src":
        return value.startswith("data:image/")
    if name == "href":
        return not value.startswith("data:")
    return name in ("class", "id", "title", "alt")


class CsvExport(ExportPlugin):
    """nbgrader's table of grades, as CSV that any program reads rightly and no spreadsheet takes for a formula.

    It has one column more: the points that are still to be given by hand.
    """

    COLUMNS = (
        "assignment",
        "duedate",
        "timestamp",
        "student_id",
        "last_name",
        "first_name",
        "email",
        "raw_score",
        "late_submission_penalty",
        "score",
        "max_score",
        "needs_marking",
    )

    def export(self, gradebook: Gradebook) -> None:
        """Write the table to `self.to`, or grades.csv."""
        path = self.to or "grades.csv"
        self.log.info("Exporting grades to %s", path)
        with open(path, "w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(self.COLUMNS)
            for assignment in gradebook.assignments:
                marks = marks_of(gradebook, assignment.name)
                for student in sorted(gradebook.students, key=self._name):
                    if self._wanted(self.assignment, assignment.name) and self._wanted(self.student, student.id):
                        unmarked = marks[student.id].unmarked if student.id in marks else 0.0
                        table.writerow([*self._row(gradebook, assignment, student), unmarked])

    @staticmethod
    def _name(student: Any) -> tuple[str, str, str]:
        return student.last_name or "", student.first_name or "", student.id

    @staticmethod
    def _wanted(names: list[Any], name: str) -> bool:
        return not names or name in map(str, names)

    @staticmethod
    def _row(gradebook: Gradebook, assignment: Any, student: Any) -> list[Any]:
        timestamp, score, penalty = "", 0.0, 0.0
        with contextlib.suppress(MissingEntry):
            submission = gradebook.find_submission(assignment.name, student.id)
            timestamp = submission.timestamp or ""
            score, penalty = submission.score, submission.late_submission_penalty or 0.0
        who = [safe(value) for value in (student.id, student.last_name, student.first_name, student.email)]
        points = [score, penalty, max(0.0, score - penalty), assignment.max_score]
        return [safe(assignment.name), assignment.duedate or "", timestamp, *who, *points]


class Extractor(ExtractorPlugin):
    """nbgrader's, but an archive with a member that lies outside it, is a link, or is huge, is left alone and named."""

    MOST_BYTES = 500 * 2**20

    def extract(self, archive_path: str, extracted_path: str) -> None:
        """Extract what is well; move the rest aside to <archive folder>/../refused."""
        archives = Path(archive_path)
        for path in sorted(archives.rglob("*")):
            if path.is_file() and (why := self._why_not(path)):
                self.log.error("%s is refused: %s", path.relative_to(archives), why)
                refused = archives.parent / "refused" / path.relative_to(archives)
                refused.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(path, refused)
        super().extract(archive_path, extracted_path)

    def _why_not(self, path: Path) -> str:
        try:
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    members = [
                        (info.filename, stat.S_ISLNK(info.external_attr >> 16), info.file_size)
                        for info in archive.infolist()
                    ]
            elif tarfile.is_tarfile(path):
                with tarfile.open(path) as tar:
                    members = [(info.name, not (info.isfile() or info.isdir()), info.size) for info in tar.getmembers()]
            else:
                return f"it is no {path.suffix} archive" if path.suffix in self.zip_ext else ""
        except (OSError, ValueError, zipfile.BadZipFile, tarfile.TarError) as error:
            return f"it can't be read: {error}"
        for name, special, _ in members:
            if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name):
                return f"its member {name} would be written elsewhere"
            if special:
                return f"its member {name} is a link or no regular file"
        size = sum(size for _, _, size in members)
        return f"it holds {size / 2**20:.0f} MB" if size > self.MOST_BYTES else ""
