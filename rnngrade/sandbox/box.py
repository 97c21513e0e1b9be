"""The wall itself: bubblewrap, and behind it a warm Python that makes a process for each notebook.

What bubblewrap (https://github.com/containers/bubblewrap) gives: the system read-only, of this machine's files only
Python and the packages named, no network, no other processes in sight, no way to more rights.
"""

import base64
import contextlib
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from rnngrade.sandbox.limits import Limits
from rnngrade.sandbox.packages import importable
from rnngrade.wire import Wire

__all__ = ["Kernel", "NoSandbox", "Sandbox", "why_no_sandbox"]

_PACKAGES = "/packages"
_HOME = "/tmp/home"
_FIRST_USER = 1_000_000_000  # user numbers above it belong to nobody
_START_SECONDS = 120
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": _HOME,
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "MPLCONFIGDIR": "/tmp/matplotlib",
    "IPYTHONDIR": "/tmp/ipython",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}


class NoSandbox(RuntimeError):
    """Student code cannot be walled in on this machine."""


@functools.cache
def why_no_sandbox() -> str:
    """Why there is no sandbox here and how to get one; "" where there is one."""
    if sys.platform != "linux":
        return f"the sandbox needs Linux, and this is {sys.platform}; grade in a virtual machine or a container with it"
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed: apt install bubblewrap (or dnf, pacman, zypper install bubblewrap)"
    probe = subprocess.run(
        ["bwrap", *_walls(), "--ro-bind", "/", "/", "--proc", "/proc", "true"], capture_output=True, text=True
    )
    if probe.returncode:
        return (
            f"bubblewrap is installed but may not make namespaces here ({probe.stderr.strip()}); "
            "on Ubuntu: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0; in a container: run it with "
            "--security-opt seccomp=unconfined, or grade outside"
        )
    return ""


def _walls() -> list[str]:
    walls = ["--unshare-ipc", "--unshare-net", "--unshare-pid", "--unshare-uts", "--die-with-parent", "--new-session"]
    if os.getuid():
        walls += ["--unshare-user", "--cap-add", "ALL"]  # inside alone: to make the namespaces of each notebook
    return walls


class Kernel:
    """A notebook's process, seen from outside: its wire, and the means to stop it."""

    def __init__(self, sandbox: "Sandbox", connection: socket.socket) -> None:
        self._sandbox = sandbox
        self.wire = Wire(connection)

    def interrupt(self) -> None:
        """As Ctrl-C would."""
        self._sandbox.tell(interrupt=True)

    def end(self) -> str:
        """Kill it and all that it has started; which limit had killed it before that, if any."""
        why = self._sandbox.end()
        self.wire.close()
        return why


class Sandbox:
    """Runs one notebook at a time behind the wall.

    Args:
        packages: distributions that notebooks may import, with what those need.
        limits: what a notebook may use.
        unsafe: with no wall at all: a process of this user, with limits of its own memory and files only.

    Raises:
        NoSandbox: this machine cannot make the wall, and `unsafe` was not asked for.
    """

    def __init__(self, packages: tuple[str, ...], limits: Limits, unsafe: bool = False) -> None:
        if not unsafe and (why := why_no_sandbox()):
            raise NoSandbox(why)
        self.packages, self.limits, self.unsafe = packages, limits, unsafe
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._folder = ""  # of --unsafe alone; what runs in it removes it at its end
        self._running, self._heard = False, b""
        self.retired = False

    def start(self, files: Mapping[str, bytes]) -> Kernel:
        """A process for a notebook, with its files in the folder where it starts.

        Raises:
            NoSandbox: the wall stands, but nothing can be started behind it.
        """
        if self._process is None or self._process.poll() is not None:
            self._build()
        if self.retired:
            self.close()
            raise NoSandbox("it was stopped")
        ours, theirs = socket.socketpair()
        order = {
            "walled": not self.unsafe,
            "user": _FIRST_USER + threading.get_native_id(),  # its processes are counted: each thread has its own
            "home": f"{self._folder}/home" if self.unsafe else _HOME,
            "memory": self.limits.memory,
            "processes": self.limits.processes,
            "file": self.limits.file,
            "disk": self.limits.disk,
        }
        if self.unsafe:
            shutil.rmtree(f"{self._folder}/home", ignore_errors=True)
        with theirs:
            socket.send_fds(self._channel, [json.dumps({"start": order}).encode() + b"\n"], [theirs.fileno()])
        reply = self._hear("started")
        if not reply["started"]:
            self.close()
            raise NoSandbox(f"a process behind the wall could not be started: {reply['said']}")
        self._running = True
        kernel = Kernel(self, ours)
        kernel.wire.send({"files": {name: base64.b64encode(data).decode() for name, data in files.items()}})
        return kernel

    def tell(self, **message: bool) -> None:
        """Send a message; a wall that has fallen is built anew at the next start."""
        with contextlib.suppress(OSError):
            self._channel.sendall(json.dumps(message).encode() + b"\n")

    def end(self) -> str:
        """End the notebook's process; the limit that had ended it before, if any."""
        if not self._running:
            return ""
        self._running = False
        self.tell(kill=True)
        try:
            return str(self._hear("ended")["why"])
        except NoSandbox:
            self.close()
            return ""

    def retire(self) -> None:
        """Kill what runs here, and start no more. Unlike all else, this is for other threads."""
        self.retired = True
        if (process := self._process) is not None:
            process.kill()

    def close(self) -> None:
        """Take the wall down, and all behind it."""
        self._running = False
        if self._control is not None:
            self._control.close()
            self._control, self._heard = None, b""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0 if self.retired else 1)
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def _channel(self) -> socket.socket:
        if self._control is None:
            raise NoSandbox("the wall has been taken down")
        return self._control

    def _hear(self, word: str) -> dict[str, object]:
        """The next message that has this word."""
        self._channel.settimeout(_START_SECONDS)
        while True:
            while b"\n" not in self._heard:
                try:
                    packet = self._channel.recv(65536)
                except OSError as error:
                    raise NoSandbox(f"what runs behind the wall does not answer: {error}") from None
                if not packet:
                    raise NoSandbox("what runs behind the wall has ended")
                self._heard += packet
            line, _, self._heard = self._heard.partition(b"\n")
            message: dict[str, object] = json.loads(line)
            if word in message:
                return message

    def _build(self) -> None:
        self.close()
        self._folder = tempfile.mkdtemp(prefix="rnngrade-") if self.unsafe else ""
        ours, theirs = socket.socketpair()
        python = os.path.realpath(sys.executable)
        packages = f"{self._folder}/packages" if self.unsafe else _PACKAGES
        modules = ["matplotlib.pyplot"] if "matplotlib" in self.packages else []
        command = [
            python,
            "-I",
            "-S",
            f"{packages}/rnngrade/sandbox/zygote.py",
            str(theirs.fileno()),
            packages,
            *modules,
        ]
        if self.unsafe:
            self._link(Path(packages))
            folders = {name: path.replace("/tmp", self._folder) for name, path in _ENVIRONMENT.items()}
            environment = folders | {"PATH": os.environ.get("PATH", os.defpath)}
        else:
            command = [shutil.which("bwrap") or "bwrap", *self._view(), "--", *command]
            environment = _ENVIRONMENT
        with theirs, tempfile.TemporaryFile() as errors:
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
            theirs.close()
            self._control = ours
            try:
                self._hear("ready")
            except NoSandbox as error:
                self.close()
                errors.seek(0)
                said = errors.read().decode("utf-8", "replace").strip()
                raise NoSandbox(f"{error}\n{said}".strip()) from None

    def _link(self, folder: Path) -> None:
        for place, source in importable(self.packages).items():
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_symlink():
                target.symlink_to(source)

    def _view(self) -> list[str]:
        """bubblewrap's options for what there is: the system, this Python without its packages, and ours."""
        view = [*_walls(), "--ro-bind", "/usr", "/usr"]
        for name in ("bin", "sbin", "lib", "lib32", "lib64"):
            path = Path("/", name)
            if path.is_symlink():
                view += ["--symlink", os.readlink(path), str(path)]
            elif path.is_dir():
                view += ["--ro-bind", str(path), str(path)]
        for file in ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime"):
            view += ["--ro-bind-try", file, file]
        prefix = os.path.realpath(sys.base_prefix)
        if not Path(prefix).is_relative_to("/usr"):
            for above in reversed(Path(prefix).parents[:-1]):
                view += ["--perms", "0755", "--dir", str(above)]
            view += ["--ro-bind", prefix, prefix]
        for hidden in sorted(_package_folders(prefix)):
            view += ["--size", "4096", "--perms", "0755", "--tmpfs", hidden, "--remount-ro", hidden]
        view += ["--proc", "/proc", "--dev", "/dev", "--size", "4096", "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
        view += ["--size", str(64 * 2**20), "--tmpfs", "/tmp"]
        places = importable(self.packages)
        for folder in sorted({"", *(str(Path(place).parent) for place in places if "/" in place)}):
            view += ["--perms", "0755", "--dir", str(Path(_PACKAGES, folder))]
        for place, source in places.items():
            view += ["--ro-bind", str(source), f"{_PACKAGES}/{place}"]
        return [*view, "--remount-ro", "/", "--chdir", "/"]


def _package_folders(prefix: str) -> set[str]:
    """Folders with packages beside this Python and Debian's: what lies there can't be seen from behind the wall."""
    paths = sysconfig.get_paths(vars={"base": prefix, "platbase": prefix})
    folders = {paths["purelib"], paths["platlib"]}
    for root in (Path(prefix, "lib"), Path("/usr/lib"), Path("/usr/local/lib")):
        folders |= {str(path) for path in root.glob("python3*/*-packages") if path.is_dir()}
    return {os.path.realpath(folder) for folder in folders if os.path.isdir(folder)}
