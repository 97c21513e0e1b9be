"""What nbgrader says of a cell in its metadata."""

from nbformat import NotebookNode

__all__ = ["grade_id", "is_by_hand", "is_examined", "is_graded", "is_locked", "is_solution"]


def _says(cell: NotebookNode, key: str) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get(key))


def grade_id(cell: NotebookNode) -> str:
    """The cell's name; "" where it has none."""
    name = cell.metadata.get("nbgrader", {})
    return str(name.get("grade_id", "")) if isinstance(name, dict) else ""


def is_graded(cell: NotebookNode) -> bool:
    """Points are given for it."""
    return _says(cell, "grade")


def is_solution(cell: NotebookNode) -> bool:
    """Students write in it."""
    return _says(cell, "solution")


def is_locked(cell: NotebookNode) -> bool:
    """Students should leave it as it is."""
    return _says(cell, "locked")


def is_examined(cell: NotebookNode) -> bool:
    """Its points are given by what it does when it runs."""
    return is_graded(cell) and not is_solution(cell) and cell.cell_type == "code"


def is_by_hand(cell: NotebookNode) -> bool:
    """Its points are given by a person who reads it."""
    return is_graded(cell) and not is_examined(cell)
