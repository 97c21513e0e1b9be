"""`rnngrade check FILE`: a student's own notebook, graded as the instructor's grader would, and a report to read."""

import secrets
import sys
from pathlib import Path

import nbformat

from rnngrade.grading import intake
from rnngrade.grading.cells import grade_id, is_examined, is_graded
from rnngrade.grading.job import Assignment, Job, Released, Result, Settings
from rnngrade.grading.run import examined
from rnngrade.grading.submission import grade_submission
from rnngrade.report import counted
from rnngrade.sandbox.box import NoSandbox, why_no_sandbox

__all__ = ["check", "checked"]

_PLACES = (Path(__file__).parent / "_exercises", Path(__file__).parents[1] / "exercises")  # a wheel, a checkout


def check(file: Path, unsafe: bool = False) -> int:
    """Print the report of one notebook; 0 when it could be graded."""
    if not unsafe and (why := why_no_sandbox()):
        print(f"Without a sandbox, since {why}.\n")
        unsafe = True
    try:
        print(checked(file, Settings(unsafe=unsafe)))
    except (OSError, intake.Unreadable, NoSandbox) as error:
        print(f"rnngrade: {file}: {error.strerror if isinstance(error, OSError) else error}", file=sys.stderr)
        return 1
    return 0


def checked(file: Path, settings: Settings) -> str:
    """The report of one notebook: marks by function, hints, what ran out of time.

    Raises:
        OSError: the file can't be read.
        Unreadable: it is no notebook.
        NoSandbox: the settings ask for one, and there is none.
    """
    data = file.read_bytes()
    submitted, _ = intake.notebook(data)
    name, released = _released(file, submitted)
    folder = intake.read_folder(file.parent)
    beside = {path: text for path, text in folder.files.items() if not path.endswith(".ipynb")}
    assignment = Assignment(name, {name: Released(released, {})})
    job = Job(assignment, "", beside | {f"{name}.ipynb": data}, settings=settings).with_seeds(secrets.token_hex(32))
    result = Result.from_json(grade_submission(job.to_json()))
    untouched = result.untouched.get(name, [])
    return _report(name, nbformat.from_dict(result.notebooks[name]), untouched, result.reasons)


def _released(file: Path, submitted: nbformat.NotebookNode) -> tuple[str, nbformat.NotebookNode]:
    """The exercise that this notebook is, as it was released; the notebook itself where the release is not at hand."""
    asked = {exercise for exercise, _ in examined(submitted).values()}
    for name in sorted(asked) or [file.stem]:
        for place in _PLACES:
            path = place / name / f"{name}.ipynb"
            if path.is_file():
                return name, nbformat.read(path, as_version=4)
    return file.stem, submitted


def _report(name: str, made: nbformat.NotebookNode, untouched: list[str], reasons: list[str]) -> str:
    lines, earned, most, by_hand = [], 0.0, 0.0, 0.0
    for cell in made.cells:
        if not is_graded(cell):
            continue
        points = float(cell.metadata.nbgrader.get("points", 0))
        if is_examined(cell):
            most += points
            score = _score(cell, points)
            earned += score
            said = _said(cell)
            lines += ["", *(said or [f"{grade_id(cell)}: {score:g} of {points:g} points"])]
        else:
            by_hand += points
            stands = "still empty" if grade_id(cell) in untouched else "needs marking"
            lines += ["", f"{grade_id(cell)}: {stands}; {points:g} points are given by hand"]
    noticed = ["", "Noticed:", *(f"  {reason}" for reason in reasons)] if reasons else []
    return "\n".join([f"{name}: {counted(earned, most, by_hand)}", *lines, *noticed])


def _score(cell: nbformat.NotebookNode, points: float) -> float:
    """As nbgrader reads it: an error earns nothing, a number is the score, anything else earns all."""
    for output in cell.outputs:
        if output.output_type == "error":
            return 0.0
        if output.output_type == "execute_result":
            try:
                return float(output.data.get("text/plain", ""))
            except ValueError:
                return points
    return points


def _said(cell: nbformat.NotebookNode) -> list[str]:
    texts = [output.text.rstrip() for output in cell.outputs if output.output_type == "stream"]
    errors = [output for output in cell.outputs if output.output_type == "error"]
    head = [f"{grade_id(cell)}: 0 of {cell.metadata.nbgrader.get('points', 0):g} points"] if errors else []
    tell = [f"  {error.ename}: {error.evalue}".rstrip(": ") for error in errors]
    return [*head, *texts, *tell] if texts or errors else []
