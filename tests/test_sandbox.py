"""What a process behind the wall can see and do."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import rnngrade.sandbox.box as box
from rnngrade.sandbox.box import Kernel, NoSandbox, Sandbox, why_no_sandbox
from rnngrade.sandbox.limits import Limits
from rnngrade.sandbox.packages import NotInstalled, closure, importable

WALLED = pytest.mark.skipif(bool(why_no_sandbox()), reason=f"no sandbox: {why_no_sandbox()}")
LIMITS = Limits(memory=2**30, disk=2**24, file=2**22)


@pytest.fixture(scope="module")
def sandbox():
    made = Sandbox(("matplotlib",), LIMITS)
    yield made
    made.close()


@pytest.fixture
def kernel(sandbox: Sandbox):
    made = sandbox.start({"data/numbers.txt": b"1 2"})
    yield made
    made.end()


def run(kernel: Kernel, source: str, number: int = 1) -> list[dict[str, Any]]:
    """What comes out of one cell."""
    kernel.wire.send({"run": source, "number": number})
    said = []
    while True:
        message = kernel.wire.receive(time.monotonic() + 20)
        if "done" in message:
            assert message["done"] == number
            return said
        said.append(message)


def value(kernel: Kernel, source: str) -> str:
    return str(run(kernel, source)[-1]["result"]["text/plain"])


@WALLED
def test_cells_run_one_after_another(kernel: Kernel) -> None:
    assert run(kernel, "x = 2\nprint('a')\nx + 1") == [
        {"stream": "stdout", "text": "a\n"},
        {"result": {"text/plain": "3"}, "count": 1},
    ]
    assert value(kernel, "x * 5") == "10"
    assert run(kernel, "1 / 0")[0]["error"] == "ZeroDivisionError"
    assert value(kernel, "open('data/numbers.txt').read()") == "'1 2'"


@WALLED
def test_next_notebook_finds_nothing_of_the_last(sandbox: Sandbox) -> None:
    first = sandbox.start({})
    run(
        first,
        "x = 1\nimport numpy as np\nnp.pi = 3\nfor d in ('/tmp', '/dev/shm', '.'): open(d + '/left', 'w').write('x')",
    )
    run(first, "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)")
    run(first, "import ctypes\nassert ctypes.CDLL(None).shmget(77, 100, 0o1666) >= 0")
    first.end()
    second = sandbox.start({})
    assert value(second, "'x' in globals(), __import__('numpy').pi > 3.1") == "(False, True)"
    assert value(second, "import glob; glob.glob('/tmp/*') + glob.glob('/dev/shm/*')") == "['/tmp/home']"
    assert value(second, "import os; sorted(map(int, filter(str.isdigit, os.listdir('/proc'))))") == "[1, 2]"
    assert value(second, "import ctypes; ctypes.CDLL(None).shmget(77, 100, 0)") == "-1"
    second.end()


@WALLED
def test_rights_and_limits(kernel: Kernel) -> None:
    assert value(kernel, "open('/proc/self/status').read().split('CapEff:')[1].split()[0]") == f"'{0:016x}'"
    assert value(kernel, "open('/proc/self/status').read().split('NoNewPrivs:')[1].split()[0]") == "'1'"
    assert value(kernel, "import os; os.getuid() == 0") == "False"
    assert value(kernel, "import socket; [name for _, name in socket.if_nameindex()]") == "['lo']"
    for place in ("/usr", "/packages", "/dev", "/", "/etc", "/packages/numpy", "/packages/rnngrade/sandbox"):
        said = run(kernel, f"open('{place}/x', 'w')")[0]["value"]
        assert "Read-only" in said or "Permission denied" in said, place
    for source in (
        "import ctypes, os\nassert ctypes.CDLL(None, use_errno=True).mount(b'x', b'/usr', b'tmpfs', 0, None) == 0",
        "import os\nos.setuid(0)",
        "import os\nos.chroot('/tmp')",
    ):
        assert "error" in run(kernel, source)[0], source
    assert "large" in run(kernel, "open('x', 'wb').write(b'x' * 2**23)")[0]["value"]
    said = run(kernel, "for i in range(9): open(f'x{i}', 'wb').write(b'x' * (2**22 - 1))")
    assert "No space" in next(m["value"] for m in said if "error" in m)  # Python 3.13 also prints what closing met
    assert run(kernel, "bytearray(2**31)")[0]["error"] == "MemoryError"


@WALLED
def test_only_what_is_named_can_be_imported(kernel: Kernel) -> None:
    for name in ("numpy", "matplotlib.pyplot", "rnngrade.checks"):
        assert run(kernel, f"import {name}") == []
    for name in ("torch", "rnncore", "nbgrader", "rnngrade.report", "rnngrade.checks.ex03_bptt", "pip"):
        assert run(kernel, f"import {name}")[0]["error"] == "ModuleNotFoundError", name


@WALLED
def test_interrupt_and_death(sandbox: Sandbox) -> None:
    kernel = sandbox.start({})
    kernel.wire.send({"run": "while True: pass", "number": 1})
    time.sleep(0.2)
    kernel.interrupt()
    assert kernel.wire.receive(time.monotonic() + 5)["error"] == "KeyboardInterrupt"
    assert kernel.wire.receive(time.monotonic() + 5) == {"done": 1}
    assert value(kernel, "1 + 1") == "2"
    kernel.end()
    again = sandbox.start({})
    assert value(again, "2 + 2") == "4"
    again.end()


@WALLED
def test_wall_that_has_fallen_is_built_anew(sandbox: Sandbox) -> None:
    sandbox.start({}).end()
    assert sandbox._process is not None
    sandbox._process.kill()
    sandbox._process.wait()
    kernel = sandbox.start({})
    assert value(kernel, "3") == "3"
    kernel.end()


@WALLED
def test_descriptors_of_programs_are_shown(kernel: Kernel) -> None:
    said = "".join(
        m["text"] for m in run(kernel, "import os, time\nos.system('echo out; echo err >&2')\ntime.sleep(0.5)")
    )
    assert said == "out\nerr\n"


def test_unsafe_leaves_no_folder_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box.tempfile, "tempdir", str(tmp_path))
    unsafe = Sandbox((), LIMITS, unsafe=True)
    kernel = unsafe.start({"a.txt": b"x"})
    assert value(kernel, "open('a.txt').read()") == "'x'"
    assert run(kernel, "import torch")[0]["error"] == "ModuleNotFoundError"
    kernel.end()
    assert [path.name[:9] for path in tmp_path.iterdir()] == ["rnngrade-"]
    unsafe.close()
    assert list(tmp_path.iterdir()) == []


ORDINARY = """
import sys
from rnngrade.sandbox.box import Sandbox
from rnngrade.sandbox.limits import Limits
from tests.test_sandbox import value
kernel = Sandbox((), Limits()).start({})
print(value(kernel, "import os; os.getuid()"))
print(value(kernel, "open('/proc/self/status').read().split('CapEff:')[1].split()[0]"))
print(value(kernel, "os.path.exists('/home')"))
kernel.end()
"""


@WALLED
def test_works_for_an_ordinary_user() -> None:
    """As root, the same again as nobody, if there is a Python like this one that nobody may run."""
    python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    command = [python, "-W", "ignore", "-c", ORDINARY]
    if os.getuid() == 0:
        nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]
        readme = Path(__file__).parents[1] / "README.md"
        if not shutil.which("setpriv") or subprocess.run([*nobody, python, "-c", f"open({str(readme)!r})"]).returncode:
            pytest.skip(f"nobody may not run {python} and read {readme}")
        command = [*nobody, *command]
    else:
        command[0] = sys.executable
    paths = [str(Path(__file__).parents[1]), *(path for path in sys.path if path.endswith("site-packages"))]
    said = subprocess.run(command, env={"PYTHONPATH": ":".join(paths)}, capture_output=True, text=True)
    uid = 65534 if os.getuid() == 0 else os.getuid()
    assert said.stdout == f"{uid}\n'{0:016x}'\nFalse\n", said.stderr


def test_refuses_where_there_is_no_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box.shutil, "which", lambda name: None)
    why_no_sandbox.cache_clear()
    try:
        with pytest.raises(NoSandbox, match="apt install bubblewrap"):
            Sandbox((), LIMITS)
    finally:
        why_no_sandbox.cache_clear()


def test_refuses_where_namespaces_are_forbidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    why_no_sandbox.cache_clear()
    try:
        assert "may not make namespaces here (No permissions to create new namespace)" in why_no_sandbox()
    finally:
        monkeypatch.undo()
        why_no_sandbox.cache_clear()


def test_closure_is_what_is_needed_and_no_more() -> None:
    names = {distribution.metadata["Name"].lower() for distribution in closure(("matplotlib",))}
    assert {"matplotlib", "numpy", "pillow"} <= names
    assert not names & {"torch", "nbgrader", "rnncore", "pytest"}
    with pytest.raises(NotInstalled, match="no-such-thing"):
        closure(("no-such-thing",))
    assert importable(()).keys() >= {"numpy", "IPython", "rnngrade/wire.py", "rnngrade/checks/__init__.py"}
