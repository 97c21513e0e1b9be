"""Runs a notebook behind the wall, cell by cell, to its end, whatever its cells do."""

import ast
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from rnngrade.grading.cells import grade_id, is_examined
from rnngrade.grading.examiner import Examiner
from rnngrade.sandbox.box import Kernel, Sandbox
from rnngrade.source import parse
from rnngrade.wire import Closed, Garbled, TimedOut

__all__ = ["Run", "Trouble", "error_output", "examined", "run"]

_NOT_HERE = "is not there while a notebook is graded"
_CELLS_SHOWN = 20  # a notebook keeps as much output as so many cells may have
_SHOWN = ("text/plain", "text/html", "text/latex", "text/markdown", "image/png", "image/jpeg")  # none of them runs


@dataclass(frozen=True)
class Trouble:
    """Why a cell did not run to its end."""

    cell: str  # its grade_id, or its number
    says: str


@dataclass
class Run:
    """What came of running a notebook; the outputs are in its cells.

    Attributes:
        troubles: cells that did not run to their end, in order; those that raised an exception of their own are none.
        notes: what an instructor should know of it.
    """

    troubles: list[Trouble] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def examined(notebook: NotebookNode) -> dict[str, tuple[str, str]]:
    """Graded cells of the release that are one call of `check`: grade_id → exercise and function."""
    loaded: dict[str, str] = {}
    found: dict[str, tuple[str, str]] = {}
    for cell in notebook.cells:
        if cell.cell_type != "code" or not (tree := _parsed(cell.source)):
            continue
        for statement in tree:
            match statement:
                case ast.Assign(
                    targets=[ast.Name(id=name)],
                    value=ast.Call(func=ast.Name(id="load"), args=[ast.Constant(value=str(exercise))]),
                ):
                    loaded[name] = exercise
        match tree:
            case [ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=function)))] if (
                name in loaded and is_examined(cell)
            ):
                found[grade_id(cell)] = loaded[name], function
    return found


def _parsed(source: str) -> list[ast.stmt]:
    try:
        return parse(source).body
    except (SyntaxError, ValueError):
        return []


def run(
    notebook: NotebookNode,
    sandbox: Sandbox,
    files: Mapping[str, bytes],
    seed: int,
    marked: Mapping[str, tuple[str, str]],
) -> Run:
    """Run all code cells; their outputs are written into the notebook.

    A cell that kills the process, or must be killed, loses what it would have earned. The rest goes on in a new
    process, in which the cells before it are run again, without it.
    """
    return _Runner(notebook, sandbox, files, seed, marked).run()


class _Runner:
    def __init__(
        self,
        notebook: NotebookNode,
        sandbox: Sandbox,
        files: Mapping[str, bytes],
        seed: int,
        marked: Mapping[str, tuple[str, str]],
    ) -> None:
        self.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        self.sandbox, self.limits, self.files, self.marked = sandbox, sandbox.limits, files, marked
        self.examiner = Examiner(seed, self.limits)
        self.kernel: Kernel | None = None
        self.result = Run()
        self.deadly: set[int] = set()
        self.deaths = self.number = 0
        self.left = _CELLS_SHOWN * self.limits.output
        self.end = time.monotonic() + self.limits.total

    def run(self) -> Run:
        try:
            for index, cell in enumerate(self.cells):
                cell.outputs, cell.execution_count = [], None
                if cell.source.strip():
                    self._run_cell(index, cell)
        finally:
            self._bury()
        self.result.notes += self.examiner.notes
        return self.result

    def _run_cell(self, index: int, cell: NotebookNode) -> None:
        outputs = _Outputs(min(self.limits.output, self.left))
        says = self._why_not() or self._revived(index)
        if not says:
            cell.execution_count = self.number + 1
            says = self._execute(index, outputs, time.monotonic() + self.limits.cell)
        cell.outputs = outputs.cells()
        self.left -= outputs.size
        if says:
            self.result.troubles.append(Trouble(grade_id(cell) or f"code cell {index + 1}", says))
            cell.outputs.append(error_output("NotGraded" if grade_id(cell) in self.marked else "Stopped", says))
        self.result.notes += [note for note in outputs.notes(self.limits) if note not in self.result.notes]
        if grade_id(cell) in self.marked:
            self._mark(cell)
        elif is_examined(cell):
            self.result.notes += _settle(cell)

    def _mark(self, cell: NotebookNode) -> None:
        """In place of what the process said: the report, and the points as nbgrader reads them."""
        report = self.examiner.reports.get(self.marked[grade_id(cell)][1])
        if report is not None:
            points = new_output(
                "execute_result", {"text/plain": repr(report.points)}, execution_count=cell.execution_count
            )
            cell.outputs = [new_output("stream", name="stdout", text=f"{report}\n"), points]
            return
        cell.outputs = [output for output in cell.outputs if output.output_type in ("stream", "error")]
        if not any(output.output_type == "error" for output in cell.outputs):
            says = "ended before your function was asked anything"
            cell.outputs.append(error_output("NotGraded", f"this cell {says}"))
            self.result.notes.append(f"{grade_id(cell)} {says}")

    def _why_not(self) -> str:
        if time.monotonic() > self.end:
            return f"not run: {self.limits.of_total}"
        if self.deaths > self.limits.deaths:
            return f"not run: the notebook's process had died {self.deaths} times before"
        return ""

    def _revived(self, index: int) -> str:
        """See to it that there is a process in which the cells before this one have run; else say why there is none."""
        while self.kernel is None:
            self.kernel = self.sandbox.start(self.files)
            for earlier in range(index):
                cell = self.cells[earlier]
                if earlier in self.deadly or grade_id(cell) in self.marked or not cell.source.strip():
                    continue
                if self._execute(earlier, _Outputs(0), min(self.end, time.monotonic() + self.limits.cell)):
                    if why := self._why_not():
                        return why
                    if self.kernel is None:
                        break
        return ""

    def _execute(self, index: int, outputs: "_Outputs", deadline: float) -> str:
        """Run one cell; what kept it from its end, if anything did."""
        kernel = self.kernel
        assert kernel is not None
        self.number += 1
        cell = self.cells[index]
        source, marked = cell.source, self.marked.get(grade_id(cell))
        if marked:
            source = _asking(source, marked)
        deadline = min(deadline, self.end)
        in_time = True
        try:
            kernel.wire.send({"run": source, "number": self.number}, deadline)
            try:
                self._listen(kernel, outputs, marked, deadline)
            except TimedOut:
                in_time = False
                kernel.interrupt()
                self._listen(kernel, outputs, None, deadline + self.limits.grace, patient=True)
        except (TimedOut, Closed, Garbled) as error:
            self.deadly.add(index)
            self.deaths += 1
            why = self._bury()
            if isinstance(error, Garbled):
                return "the notebook's process sent what no notebook sends, and was stopped"
            if in_time and not isinstance(error, TimedOut):
                says = {"memory": self.limits.of_memory, "processes": self.limits.of_processes}.get(why)
                return f"the kernel died{f': {says}' if says else ''}"
        if in_time:
            return ""
        return self.limits.of_cell if time.monotonic() < self.end else self.limits.of_total

    def _listen(
        self,
        kernel: Kernel,
        outputs: "_Outputs",
        marked: tuple[str, str] | None,
        deadline: float,
        patient: bool = False,
    ) -> None:
        """Take what the process says, and answer what it asks, until the cell is done."""

        def send(message: dict[str, Any]) -> None:
            kernel.wire.send(message, deadline)

        def receive() -> dict[str, Any]:
            while True:
                message = kernel.wire.receive(deadline)
                if "done" in message:
                    raise _Done(message["done"])
                if not outputs.take(message):
                    return message

        try:
            while True:
                message = receive()
                if not patient and not self.examiner.answer(message, (send, receive), marked):
                    raise Garbled("neither an output nor a question")
        except _Done as done:
            if done.args[0] != self.number:
                raise Garbled("the end of a cell that was not running") from None

    def _bury(self) -> str:
        if self.kernel is None:
            return ""
        why = self.kernel.end()
        self.kernel = None
        return why


class _Done(Exception):
    """The cell that was running is done."""


def _asking(source: str, marked: tuple[str, str]) -> str:
    """The same check, by the real `load`, whatever the names `check` and `load` mean by now."""
    exercise, function = marked
    call = next(node for node in ast.walk(parse(source)) if isinstance(node, ast.Call))
    arguments = ", ".join(ast.unparse(argument) for argument in call.args)
    return f"__import__('rnngrade.checks').checks.load({exercise!r}).{function}({arguments})"


def error_output(name: str, says: str) -> NotebookNode:
    """An error that the grader itself reports; nbgrader gives nothing for a cell that has one."""
    return new_output("error", ename=name, evalue=says, traceback=[f"{name}: {says}"])


def _settle(cell: NotebookNode) -> list[str]:
    """See to it that nbgrader reads a test cell rightly: a warning costs nothing, a false score earns nothing."""
    for index, output in enumerate(cell.outputs):
        if output.output_type == "stream":
            output.name = "stdout"
        elif output.output_type == "execute_result":
            points = float(cell.metadata.nbgrader.get("points", 0))
            try:
                score = float(output.data.get("text/plain", ""))
            except ValueError:
                continue
            if not 0 <= score <= points:
                says = f"{grade_id(cell)}: a score of {score:g} is none of 0 to {points:g}"
                cell.outputs[index] = error_output("NotGraded", says)
                return [says]
    return []


class _Outputs:
    """A cell's outputs as they arrive, cut to a number of bytes in all."""

    def __init__(self, most: int) -> None:
        self.left = self.most = most
        self.lost = 0
        self.outputs: list[NotebookNode] = []

    def take(self, message: dict[str, Any]) -> bool:
        """Keep it, if it is an output; Garbled where it is one that no notebook sends."""
        try:
            return self._take(message)
        except (KeyError, TypeError, ValueError) as error:
            raise Garbled(f"{type(error).__name__}: {error}") from None

    def _take(self, message: dict[str, Any]) -> bool:
        if "stream" in message:
            name = "stderr" if message["stream"] == "stderr" else "stdout"
            self._stream(name, _text(message["text"]))
        elif "display" in message:
            self._shown("display_data", message["display"])
        elif "result" in message:
            self._shown("execute_result", message["result"])
        elif "error" in message:
            lines = [_text(line) for line in list(message["traceback"])[:200]]
            if self._fits(sum(map(len, lines))):
                name, value = _text(message["error"])[:200], _text(message["value"])[:2000]
                self.outputs.append(new_output("error", ename=name, evalue=value, traceback=lines))
            else:
                name = _text(message["error"])[:200]
                self.outputs.append(error_output(name, "(the traceback is too long to be shown)"))
        elif "clear" in message:
            self.outputs.clear()
        else:
            return False
        return True

    @property
    def size(self) -> int:
        """Bytes that were kept."""
        return self.most - self.left

    def _fits(self, size: int) -> bool:
        if size > self.left:
            self.lost += size
            return False
        self.left -= size
        return True

    def _stream(self, name: str, text: str) -> None:
        data = text.encode()
        shown = data[: self.left].decode(errors="ignore")
        self.left -= min(len(data), self.left)
        self.lost += len(data) - len(shown.encode())
        if not shown:
            return
        last = self.outputs[-1] if self.outputs else None
        if last is not None and last.output_type == "stream" and last.name == name:
            last.text += shown
        else:
            self.outputs.append(new_output("stream", name=name, text=shown))

    def _shown(self, kind: str, data: Any) -> None:
        bundle = {key: _text(value) for key, value in dict(data).items() if key in _SHOWN}
        most = sum(map(len, bundle.values()))
        if self._fits(most):
            more = {"execution_count": None} if kind == "execute_result" else {}
            self.outputs.append(new_output(kind, bundle, **more))

    def cells(self) -> list[NotebookNode]:
        """The outputs as a notebook has them."""
        if self.lost:
            says = f"… output cut here: {self.lost:,} bytes more\n"
            self.outputs.append(new_output("stream", name="stdout", text=says))
        return self.outputs

    def notes(self, limits: Any) -> Iterator[str]:
        """What the outputs tell about limits that were met, and about what was looked for in vain."""
        for output in self.outputs:
            if output.output_type != "error":
                continue
            if says := limits.named(output.ename, output.evalue):
                yield says
            if output.ename == "ModuleNotFoundError" and "'" in output.evalue:
                yield f"{output.evalue.split(chr(39))[1][:60]} {_NOT_HERE}"


def _text(value: Any) -> str:
    """A text that every encoding of Unicode can write."""
    if not isinstance(value, str):
        raise Garbled("an output that is no text")
    return value.encode("utf-8", "replace").decode()
