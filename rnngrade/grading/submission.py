"""Grades one submission: read, restored, run behind the wall. Runs anywhere, and touches no gradebook."""

import atexit
import threading

import nbformat
from nbformat.v4 import new_markdown_cell

from rnngrade.checks import exercise, exercise_names
from rnngrade.grading import intake
from rnngrade.grading.cells import grade_id, is_examined, is_graded, is_solution
from rnngrade.grading.job import Job, Released, Result, Settings
from rnngrade.grading.restore import restore
from rnngrade.grading.run import Run, error_output, examined, run
from rnngrade.sandbox.box import Sandbox
from rnngrade.sandbox.packages import everything_installed

__all__ = ["grade_submission", "run_notebook", "stop"]

_NO_MARKUP = {ord(character): f"&#{ord(character)};" for character in "&<>*_`[]$\\!#|"}


class _Here(threading.local):
    """A sandbox runs one notebook at a time: each thread has its own, and works for one run."""

    sandbox: Sandbox | None = None
    run = ""


_here = _Here()
_used_by: dict[Sandbox, str] = {}  # the run for which each works, or has worked last
_stopped: set[str] = set()


def grade_submission(job: str, run: str = "") -> str:
    """The Result of a Job, both as JSON text; `run` is the name under which it can be stopped.

    Raises:
        NoSandbox: there is none on this machine, or the run was stopped.
    """
    _here.run = run
    return _grade(Job.from_json(job)).to_json()


def stop(run: str) -> None:
    """End what this process grades for that run, in whatever thread, and begin no more of it."""
    _stopped.add(run)
    for sandbox, used_by in list(_used_by.items()):
        if used_by == run:
            sandbox.retire()


def _grade(job: Job) -> Result:
    result = Result(job.student)
    wanted = list(job.assignment.notebooks)
    found = intake.matched(list(job.files), wanted)
    files, said = intake.beside(job.files, list(found.files.values()))
    said = [*job.notes, *said, *found.notes]
    lost = dict(found.missing)
    for name, file in found.files.items():
        try:
            submitted, mended = intake.notebook(job.files[file])
        except intake.Unreadable as error:
            lost[name] = f"{file}: {error}"
            continue
        said += mended
        _grade_notebook(job, name, submitted, files, result, said)
    for name, why in lost.items():
        result.lower_to("ungradable" if len(lost) == len(wanted) else "partly graded", why)
        result.notebooks[name] = _explained(job, name, why)
    if result.untouched and all(
        len(ids) == len(_answers(job.assignment.notebooks[name])) > 0 for name, ids in result.untouched.items()
    ):
        result.reasons.append("no response")
    result.reasons += said
    if result.reasons:
        for name, made in result.notebooks.items():
            result.notebooks[name] = _with_reasons(made, result.reasons)
    return result


def _with_reasons(made: nbformat.NotebookNode, reasons: list[str]) -> nbformat.NotebookNode:
    """The notebook with what was noticed in a cell at its top, where the student sees it."""
    lines = [f"- {reason.translate(_NO_MARKUP)}" for reason in reasons]
    cell = new_markdown_cell("\n".join(["**Noticed while grading**", "", *lines]), id="noticed-while-grading")
    return nbformat.NotebookNode(made | {"cells": [cell, *made.cells]})


def _explained(job: Job, name: str, why: str) -> nbformat.NotebookNode:
    """What a student gets back in place of a notebook that could not be read: the release, worth nothing, and why."""
    made = nbformat.from_dict(job.assignment.notebooks[name].notebook)
    for cell in made.cells:
        if is_examined(cell):
            cell.outputs = [error_output("NotGraded", why)]
    return made


def _answers(released: Released) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.from_dict(released.notebook).cells if is_solution(cell)]


def _grade_notebook(
    job: Job,
    name: str,
    submitted: nbformat.NotebookNode,
    files: dict[str, bytes],
    result: Result,
    said: list[str],
) -> None:
    released = job.assignment.notebooks[name]
    restored = restore(submitted, nbformat.from_dict(released.notebook), released.tests)
    ran = run_notebook(job, name, restored.notebook, files)
    for doubt in restored.doubts:
        result.lower_to("needs review", doubt)
    matter = {grade_id(cell) for cell in restored.notebook.cells if is_graded(cell) or is_solution(cell)}
    for trouble in ran.troubles:
        result.lower_to("partly graded" if trouble.cell in matter else "graded", f"{trouble.cell}: {trouble.says}")
    said += [*restored.notes, *ran.notes]
    result.notebooks[name] = restored.notebook
    result.untouched[name] = sorted(restored.untouched)


def run_notebook(job: Job, name: str, notebook: nbformat.NotebookNode, files: dict[str, bytes]) -> Run:
    """Run a restored notebook behind the wall, with what its exercises let it import; see `run.run`."""
    released = nbformat.from_dict(job.assignment.notebooks[name].notebook)
    marked = {cell: asked for cell, asked in examined(released).items() if asked[0] in exercise_names()}
    packages = job.settings.packages
    if packages is None:
        packages = tuple(sorted({package for of, _ in marked.values() for package in exercise(of).packages}))
        packages = packages if marked else everything_installed()
    return run(notebook, _sandbox(packages, job.settings), files, job.seeds[name], marked)


def _sandbox(packages: tuple[str, ...], settings: Settings) -> Sandbox:
    """The sandbox of this thread; another one where something else is asked for."""
    wanted = packages, settings.limits, settings.unsafe
    standing = _here.sandbox
    if standing is None or standing.retired or (standing.packages, standing.limits, standing.unsafe) != wanted:
        if standing is not None:
            standing.close()
            del _used_by[standing]
        standing = _here.sandbox = Sandbox(*wanted)
        atexit.register(standing.close)
    _used_by[standing] = _here.run
    if _here.run in _stopped:
        standing.retire()
    return standing
