"""Runs behind the wall: a notebook's cells, one after another, as Jupyter would. What comes out goes over a wire.

Cells arrive as `run`; outputs go out as `stream`, `display`, `result`, `error` and `clear`, and at the end `done`.
"""

import base64
import contextlib
import importlib
import io
import os
import random
import select
import site
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from rnngrade.wire import Closed, Wire

__all__ = ["main", "prepare", "wire"]

_MOST_PRINTED = 2**20  # bytes in one cell; the rest goes nowhere
_FLUSH_EVERY = 0.2  # seconds; what was printed before a process died is worth knowing

_wire: Wire | None = None


def wire() -> Wire:
    """This process's connection to whoever runs the notebook."""
    if _wire is None:
        raise Closed("a process forked from the notebook's has no connection")
    return _wire


def _forget_wire() -> None:
    global _wire
    if _wire is not None:
        _wire.close()
        _wire = None


class _Stream(io.RawIOBase):
    """What is written to sys.stdout or sys.stderr goes over the wire."""

    def __init__(self, name: str) -> None:
        self.stream, self.left = name, _MOST_PRINTED

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.tell_outside(bytes(data))
        return len(data)

    def tell_outside(self, data: bytes) -> None:
        shown, self.left = data[: self.left], max(self.left - len(data), 0)
        if shown:
            wire().send({"stream": self.stream, "text": shown.decode("utf-8", "replace")})


def _mime(data: Any) -> dict[str, str]:
    """What can be shown: texts as they are, bytes in base64."""
    encoded = {kind: base64.b64encode(v).decode("ascii") if isinstance(v, bytes) else v for kind, v in data.items()}
    return {str(kind): value for kind, value in encoded.items() if isinstance(value, str)}


class _Results(DisplayHook):
    """The value of a cell's last expression goes over the wire."""

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        _flush()
        wire().send({"result": _mime(format_dict), "count": self.prompt_count})


class _Displays(DisplayPublisher):
    """What is displayed goes over the wire."""

    def publish(self, data: Any, metadata: Any = None, source: Any = None, **more: Any) -> None:
        _flush()
        wire().send({"display": _mime(data)})

    def clear_output(self, wait: bool = False) -> None:
        wire().send({"clear": True})


class _Shell(InteractiveShell):
    displayhook_class = _Results
    display_pub_class = _Displays

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        _flush()
        try:
            value = str(evalue)
        except Exception:  # the exception is the student's own, and so is its text
            value = ""
        wire().send({"error": str(etype.__name__), "value": value, "traceback": [str(line) for line in stb]})

    def ask_exit(self) -> None:
        raise SystemExit("the notebook goes on")

    def system(self, cmd: str) -> Any:
        return self.system_piped(cmd)

    def enable_gui(self, gui: Any = None) -> None:
        pass


def prepare(modules: list[str]) -> None:
    """Import what notebooks are likely to need, and make the shell: once, before any notebook is known."""
    for name in modules:
        importlib.import_module(name)
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.cache_size = 100
    _Shell.instance(config=config)
    site.sethelper()


def main(connection: socket.socket, home: str) -> None:
    """Serve one notebook until the other side hangs up."""
    global _wire
    _wire = Wire(connection, most=2**30)
    os.register_at_fork(after_in_child=_forget_wire)
    home_folder = Path(home)
    home_folder.mkdir(parents=True, exist_ok=True)
    for name, data in wire().receive()["files"].items():
        path = home_folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(data))
    os.chdir(home_folder)
    os.environ["HOME"] = os.environ["PWD"] = str(home_folder)
    sys.path.append(str(home_folder))  # last, so that a student's numpy.py is not NumPy
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 (what students draw without a seed shall be the same in each run)
    shell = _Shell.instance()
    _watch_descriptors()
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            order = wire().receive()
            _run(shell, order["run"], order["number"])


def _run(shell: _Shell, source: str, number: int) -> None:
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.BufferedWriter(_Stream(name)), "utf-8", "replace", line_buffering=False)
        for name in ("stdout", "stderr")
    )
    try:
        shell.run_cell(source, store_history=True)
    except KeyboardInterrupt:
        wire().send({"error": "KeyboardInterrupt", "value": "", "traceback": ["KeyboardInterrupt"]})
    _flush()
    wire().send({"done": number})


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a student may have put anything there
            stream.flush()


def _watch_descriptors() -> None:
    """What programs write to descriptors 1 and 2 is shown as well; and what was printed is sent on in time."""
    reader, writer = os.pipe()
    os.dup2(writer, 1)
    os.dup2(writer, 2)
    os.close(writer)

    def watch() -> None:
        stream = _Stream("stdout")
        while _wire is not None:
            ready, _, _ = select.select([reader], [], [], _FLUSH_EVERY)
            if ready:
                stream.tell_outside(os.read(reader, 65536))
            _flush()

    threading.Thread(target=watch, daemon=True).start()
