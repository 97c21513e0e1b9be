"""What a student handed in, read with suspicion: files of a folder, and a notebook of bytes."""

import functools
import json
import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

__all__ = ["Folder", "Matched", "Unreadable", "beside", "matched", "notebook", "read_folder"]

_MOST_BYTES, _MOST_FILES, _DEEPEST = 50 * 2**20, 1000, 10
_MOST_CELLS = 2000
_LEFT_OUT = (".ipynb_checkpoints", "__pycache__", "timestamp.txt")
_NEW_CELL = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}
_TAUGHT = ("rnncore", "rnngrade", "torch")  # never taken from a student's folder


class Unreadable(ValueError):
    """A file that is no notebook; the message says why, in plain words."""


@dataclass
class Folder:
    """Files of one submission, by their path in it, and what was noticed on the way."""

    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_folder(folder: Path) -> Folder:
    """All regular files of a folder. What is a link, a pipe or a device, or too large, is left out and named."""
    found, size = Folder(), 0
    if folder.is_symlink():
        found.notes.append("the whole folder is a link: refused")
        return found
    for path in _walk(folder, found.notes):
        name = path.relative_to(folder).as_posix()
        kind = path.lstat().st_mode
        if stat.S_ISLNK(kind) or not stat.S_ISREG(kind):
            what = "a link" if stat.S_ISLNK(kind) else "no regular file"
            found.notes.append(f"{_shown(name)} is {what}: refused")
        elif size + path.stat().st_size > _MOST_BYTES or len(found.files) >= _MOST_FILES:
            found.notes.append(f"{_shown(name)} left out: more than {_MOST_BYTES // 2**20} MB or {_MOST_FILES} files")
        else:
            try:
                found.files[name] = path.read_bytes()
            except OSError as error:
                found.notes.append(f"{_shown(name)} can't be read: {error.strerror}")
                continue
            size += len(found.files[name])
    return found


def _walk(folder: Path, notes: list[str], depth: int = 0) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in _LEFT_OUT:
            continue
        if path.is_dir() and not path.is_symlink():
            if depth < _DEEPEST:
                yield from _walk(path, notes, depth + 1)
            else:
                notes.append(f"{_shown(path.name)} lies too deep: left out")
        else:
            yield path


@dataclass
class Matched:
    """Which file is which wanted notebook; why the others have none; and what else to say."""

    files: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def matched(names: list[str], wanted: list[str]) -> Matched:
    """Find the wanted notebooks among the files.

    A file is taken for a notebook when it has its name, up to case and what browsers and Jupyter add ("p1 (1)",
    "p1-Copy1"), and no other has; or when it is the only file, and one notebook is wanted.
    """
    notebooks = [name for name in names if name.lower().endswith(".ipynb")]
    found = Matched({name: f"{name}.ipynb" for name in wanted if f"{name}.ipynb" in notebooks})
    for name in wanted:
        if name in found.files:
            continue
        rest = [file for file in notebooks if file not in found.files.values()]
        alike = [file for file in rest if _plain(file) == _plain(f"{name}.ipynb")]
        if not alike and len(wanted) == 1:
            alike = rest
        if len(alike) == 1:
            found.files[name] = alike[0]
            found.notes.append(f"{_shown(alike[0])} taken for {name}.ipynb")
        elif alike:
            found.missing[name] = f"{name}.ipynb is missing, and which of these it is can't be told: {_list(alike)}"
        else:
            found.missing[name] = f"{name}.ipynb is missing{f'; there are {_list(notebooks)}' if notebooks else ''}"
    extra = [file for file in notebooks if file not in found.files.values()]
    if extra and not found.missing:
        found.notes.append(f"not looked at: {_list(extra)}")
    return found


def _plain(file: str) -> str:
    stem = Path(file).name.lower().removesuffix(".ipynb")
    return re.sub(r"([ _-]*\(\d+\)|[ _-]*copy[ _-]*\d*|\.ipynb|\s)+$", "", stem).strip()


def _shown(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode() if len(name) < 100 else f"{name[:100]}…"


def _list(names: list[str]) -> str:
    shown = ", ".join(_shown(name) for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def beside(files: dict[str, bytes], notebooks: list[str]) -> tuple[dict[str, bytes], list[str]]:
    """The files that lie beside the notebooks while they run; those that would hide a module are left out and named."""
    kept, notes = {}, []
    for name, data in files.items():
        top = name.split("/")[0]
        if name in notebooks or name.lower().endswith(".ipynb"):
            continue
        if top.removesuffix(".py") in _modules():
            note = f"{_shown(top)} has the name of a module: left out, the real one is used"
            notes += [note] if note not in notes else []
        else:
            kept[name] = data
    return kept, notes


@functools.cache
def _modules() -> frozenset[str]:
    """Names of modules that are not a student's to give."""
    return frozenset(sys.stdlib_module_names) | frozenset(metadata.packages_distributions()) | frozenset(_TAUGHT)


def notebook(data: bytes) -> tuple[nbformat.NotebookNode, list[str]]:
    """The notebook that these bytes are meant to be, with well-formed cells only, and what had to be mended.

    Raises:
        Unreadable: they are none.
    """
    if not data.strip():
        raise Unreadable("the file is empty")
    text, notes = _decoded(data)
    try:
        tree = json.loads(text)
    except RecursionError:
        raise Unreadable("it is nested too deep for a notebook") from None
    except ValueError as error:
        place = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "a number"
        raise Unreadable(f"it is no whole notebook: its JSON breaks off or is wrong at {place}") from None
    if isinstance(tree, dict) and isinstance(tree.get("worksheets"), list):
        tree = _upgraded(tree)
        notes.append("a notebook of format 3 was converted")
    if not isinstance(tree, dict) or not isinstance(tree.get("cells"), list):
        raise Unreadable("it is JSON, but no notebook: it has no list of cells")
    cells = [cell for cell in map(_cell, tree["cells"][:_MOST_CELLS]) if cell is not None]
    if len(cells) < len(tree["cells"]):
        notes.append(f"{len(tree['cells']) - len(cells)} of its cells were malformed and left out")
    return new_notebook(cells=cells), notes


def _decoded(data: bytes) -> tuple[str, list[str]]:
    for mark, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(name, "replace"), [f"the file was saved as {name}"]
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        return data.decode("latin-1"), ["the file was not UTF-8; read as Latin-1"]


def _upgraded(tree: dict[str, Any]) -> Any:
    try:
        return nbformat.reads(json.dumps(tree), as_version=4)
    except Exception as error:  # of many kinds, for the old format was never strict
        raise Unreadable(
            f"it is a notebook of an old format that can't be converted ({type(error).__name__})"
        ) from None


def _cell(value: Any) -> nbformat.NotebookNode | None:
    """A cell of a known type with its text, metadata and id; None where it is none."""
    if not isinstance(value, dict) or value.get("cell_type") not in _NEW_CELL:
        return None
    source = value.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    source = source.encode("utf-8", "replace").decode()
    cell = _NEW_CELL[value["cell_type"]](source)
    metadata_, name = value.get("metadata"), value.get("id")
    marks = metadata_.get("nbgrader") if isinstance(metadata_, dict) else None
    if isinstance(marks, dict):
        cell.metadata["nbgrader"] = nbformat.from_dict(marks)
    if isinstance(name, str) and re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
        cell.id = name
    return cell
