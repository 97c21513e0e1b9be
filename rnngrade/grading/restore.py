"""The notebook as it was released, with the student's answers in it, and nothing else of what was handed in changed."""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nbformat import NotebookNode
from nbformat.v4 import new_notebook, new_raw_cell

from rnngrade.grading.cells import grade_id, is_by_hand, is_locked, is_solution

__all__ = ["Restored", "restore"]


@dataclass
class Restored:
    """The notebook to run.

    Attributes:
        notebook: all cells of the release in its order; answers, and cells that the student added, in their places.
        untouched: answers that are still the released stub, or empty.
        notes: what had to be mended.
        doubts: what a person should look at, since an answer may have been missed.
    """

    notebook: NotebookNode
    untouched: set[str]
    notes: list[str]
    doubts: list[str]


def restore(submitted: NotebookNode, released: NotebookNode, tests: Mapping[str, Sequence[str]]) -> Restored:
    """Put a student's answers and additions into the released notebook.

    Args:
        submitted: as `intake.notebook` reads it.
        released: as students got it.
        tests: grade_id → source and checksum of the cells that the gradebook knows, hidden tests included.
    """
    wanted = {grade_id(cell): cell for cell in released.cells if grade_id(cell)}
    names = _names(submitted, wanted)
    notes: list[str] = []
    doubts: list[str] = []
    given: dict[str, NotebookNode] = {}
    free: dict[str, list[NotebookNode]] = {}
    order = [name for name in names if name]
    anchor = ""
    for cell, name in zip(submitted.cells, names, strict=True):
        if not name:
            free.setdefault(anchor, []).append(_stripped(cell))
        elif name not in given:
            given[name] = cell
            anchor = name
        elif cell.source == given[name].source or is_locked(wanted[name]):
            notes.append(f"{name} was there twice")
        else:
            doubts.append(f"{name} was there twice: the first is graded, the other kept as text")
            free.setdefault(anchor, []).append(new_raw_cell(cell.source))
    if list(dict.fromkeys(order)) != [name for name in wanted if name in given]:
        notes.append("the order of the cells was restored")

    cells = list(free.get("", []))
    untouched: set[str] = set()
    before = ""
    for name, original in wanted.items():
        cell = copy.deepcopy(original)
        source, checksum = tests.get(name, (original.source, ""))
        if checksum:
            cell.metadata.nbgrader["checksum"] = checksum
        if not is_solution(original):
            cell.source = source
        answer = given.get(name)
        if answer is None:
            (doubts if is_solution(original) else notes).append(f"{name} was deleted and put back")
        else:
            changed = _changed(answer, original)
            if is_solution(original):
                cell.source = answer.source if answer.source.strip() else original.source
                changed = [what for what in changed if what != "text"]
            if changed:
                notes.append(f"{name} was restored (its {' and '.join(changed)} had been changed)")
        if is_solution(original) and cell.source.strip() == original.source.strip():
            cell.source = original.source  # nbgrader, too, is to see that nothing was written
            untouched.add(name)
            beside = [*free.get(before, []), *free.get(name, [])]
            if is_by_hand(original) and any(own.source.strip() for own in beside):
                doubts.append(f"{name} is empty, and there are cells of the student's own beside it")
        cells += [cell, *free.get(name, [])]
        before = name
    _number(cells)
    made = new_notebook(cells=cells, metadata=copy.deepcopy(released.metadata))
    return Restored(made, untouched, notes, doubts)


def _names(submitted: NotebookNode, wanted: Mapping[str, NotebookNode]) -> list[str]:
    """For each submitted cell the released cell that it is, or ""; by its metadata, or its id, or its text."""
    names = [name if (name := grade_id(cell)) in wanted else "" for cell in submitted.cells]
    for told in (_by_id, _by_text):
        for index, cell in enumerate(submitted.cells):
            if not names[index]:
                name = told(cell, {name: cell for name, cell in wanted.items() if name not in names})
                names[index] = name
    return names


def _by_id(cell: NotebookNode, missing: Mapping[str, NotebookNode]) -> str:
    return next((name for name, original in missing.items() if cell.get("id") in (name, original.get("id"))), "")


def _by_text(cell: NotebookNode, missing: Mapping[str, NotebookNode]) -> str:
    for name, original in missing.items():
        if cell.source.strip() and cell.source.strip() == original.source.strip():
            return name
        head = re.match(r"def \w+\(", original.source)
        if head and is_solution(original) and re.search(rf"^{re.escape(head[0])}", cell.source, re.MULTILINE):
            return name
    return ""


def _changed(cell: NotebookNode, original: NotebookNode) -> list[str]:
    """What of a cell is not as it was released."""
    marks, wanted = cell.metadata.get("nbgrader", {}), original.metadata["nbgrader"]
    keys = ("grade", "grade_id", "locked", "points", "solution", "task")
    return [
        what
        for what, same in (
            ("text", cell.source == original.source),
            ("type", cell.cell_type == original.cell_type),
            ("metadata", all(marks.get(key) == wanted.get(key) for key in keys)),
        )
        if not same
    ]


def _stripped(cell: NotebookNode) -> NotebookNode:
    """A cell that the student added, without marks that it should not have."""
    cell = copy.deepcopy(cell)
    cell.metadata.clear()
    return cell


def _number(cells: list[NotebookNode]) -> None:
    """Ids: the released ones as they are, and others that are not theirs."""
    taken = {cell.id for cell in cells if grade_id(cell)}
    for number, cell in enumerate(cells):
        if not grade_id(cell):
            cell.id = next(name for name in (f"added-{number}", f"added-{number}-x") if name not in taken)
