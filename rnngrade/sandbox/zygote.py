"""Runs behind the wall, as a script: a Python that has imported what notebooks need and forks one process for each.

Each process gets its own process numbers, mounts, network and message queues, empty temporary folders, another user or
no capabilities, and limits; when it ends, the kernel ends every process that it has left. This one never runs student
code, and student code cannot see it.

It listens on a socket for lines of JSON: `start` (with a descriptor, the process's wire), `interrupt`, `kill`; it
answers `ready`, `started`, and `ended` with the exit status and the limit that was met, if any.
"""

import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import time
from typing import Any

_NEW_MOUNTS, _NEW_MESSAGES, _NEW_PIDS, _NEW_NETWORK = 0x00020000, 0x08000000, 0x20000000, 0x40000000
_PRIVATE = 0x4000 | 0x80000  # MS_REC | MS_PRIVATE
_NO_SETUID_NO_DEVICES = 0x2 | 0x4
_CAPABILITY_VERSION = 0x20080522
_WATCH_EVERY = 0.05  # seconds between looks at a process's memory

_libc = ctypes.CDLL(None, use_errno=True)


def _must(result: int, what: str) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _mount(kind: bytes | None, place: bytes, flags: int, options: bytes | None = None) -> None:
    _must(_libc.mount(kind, place, kind, ctypes.c_ulong(flags), options), f"mount {place.decode()}")


def _drop_capabilities() -> None:
    header, none = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    _must(_libc.capset(header, none), "capset")


def _wall(order: dict[str, Any]) -> None:
    """In the new process: its own mounts, then no rights."""
    _mount(None, b"/", _PRIVATE)
    _mount(b"proc", b"/proc", _NO_SETUID_NO_DEVICES | 0x8)
    for place in (b"/tmp", b"/dev/shm"):
        _mount(b"tmpfs", place, _NO_SETUID_NO_DEVICES, b"mode=1777,size=%d" % order["disk"])
    if os.getuid() == 0 and order["user"]:
        os.setgroups([])
        os.setresgid(*[order["user"]] * 3)
        os.setresuid(*[order["user"]] * 3)
    _drop_capabilities()


def _limit(order: dict[str, Any]) -> None:
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, order["memory"]),
        (resource.RLIMIT_FSIZE, order["file"]),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_NPROC, order["processes"] if order["walled"] else 0),
    ):
        if most or kind == resource.RLIMIT_CORE:
            with contextlib.suppress(*() if order["walled"] else (ValueError, OSError)):
                resource.setrlimit(kind, (most, most))


def _watch_over_child(connection: int, report: int) -> None:
    """Go on in a child. The first process of its namespace stays to bury orphans, and ends as the child ends."""
    child = os.fork()
    if child == 0:
        return
    signal.signal(signal.SIGINT, lambda *_: os.kill(child, signal.SIGINT))
    os.close(connection)
    os.close(report)
    while True:
        number, status = os.wait()
        if number == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _become_kernel(order: dict[str, Any], connection: int, report: int) -> None:
    """The rest of this process's life is a notebook's."""
    try:
        if order["walled"]:
            _wall(order)
            _watch_over_child(connection, report)
        else:
            os.setsid()
        _limit(order)
        os.write(report, b"started")
        os.close(report)
        from rnngrade.sandbox import kernel

        kernel.main(socket.socket(fileno=connection), order["home"])
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(report, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(0)


def _resident(number: str) -> int:
    """Bytes of a process that no file backs; what it shares with its parent since it was forked is in both."""
    with contextlib.suppress(OSError), open(f"/proc/{number}/statm", "rb") as file:
        _, resident, shared, *_ = map(int, file.read().split())
        return (resident - shared) * resource.getpagesize()
    return 0


def _proportional(number: str) -> int:
    """The same, but of what several processes share each has its part; slower to find out."""
    with contextlib.suppress(OSError), open(f"/proc/{number}/smaps_rollup", "rb") as file:
        lines = dict(line.split(b":", 1) for line in file.read().splitlines()[1:])
        return 1024 * int(lines.get(b"Pss_Anon", b"0 kB").split()[0])
    return 0


class _Zygote:
    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.waiter = self.child = 0
        self.order: dict[str, Any] = {}
        self.why = ""

    def say(self, **message: Any) -> None:
        self.control.sendall(json.dumps(message).encode() + b"\n")

    def serve(self) -> None:
        while True:
            ready, _, _ = select.select([self.control], [], [], _WATCH_EVERY if self.child else None)
            if ready:
                packet: bytes = b""
                descriptors: list[int] = []
                with contextlib.suppress(ConnectionResetError):
                    packet, descriptors, _, _ = socket.recv_fds(self.control, 65536, 1)
                if not packet:
                    self.kill("")
                    return
                for line in packet.splitlines():
                    self.obey(json.loads(line), descriptors)
            if self.child:
                self.watch()

    def obey(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if "start" in message:
            self.start(message["start"], descriptors[0])
        elif "interrupt" in message and self.child:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.child, signal.SIGINT)
        elif "kill" in message and self.child:
            self.kill("")

    def start(self, order: dict[str, Any], connection: int) -> None:
        self.order, self.why = order, ""
        reader, writer = os.pipe()
        self.waiter = os.fork()
        if self.waiter == 0:
            self.control.close()
            os.close(reader)
            self._wait_for_kernel(connection, writer)
        os.close(writer)
        os.close(connection)
        self.child = int(os.read(reader, 16) or 0)
        said = os.read(reader, 4096).decode()
        os.close(reader)
        self.say(started=said == "started", said=said)

    def _wait_for_kernel(self, connection: int, report: int) -> None:
        """In a process between: make the namespaces, fork the notebook's process into them, end as it ends."""
        status = 0
        try:
            if self.order["walled"]:
                _must(_libc.unshare(_NEW_MOUNTS | _NEW_MESSAGES | _NEW_PIDS | _NEW_NETWORK), "unshare")
            hold, release = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(release)
                os.read(hold, 1)  # until the number of this process has been told
                os.close(hold)
                _become_kernel(self.order, connection, report)
            os.close(connection)
            os.write(report, b"%-16d" % child)
            os.close(report)
            os.close(release)
            _, status = os.waitpid(child, 0)
        except OSError as error:
            os.write(report, b"%-16d" % 0 + str(error).encode())
        finally:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)

    def watch(self) -> None:
        self.reap()
        if not self.child or not self.order["walled"]:
            return
        numbers = self.notebooks()
        if len(numbers) > 2 * self.order["processes"]:
            self.kill("processes")
        elif (
            sum(map(_resident, numbers)) > self.order["memory"]
            and sum(map(_proportional, numbers)) > self.order["memory"]
        ):
            self.kill("memory")

    def reap(self) -> None:
        done, status = os.waitpid(self.waiter, os.WNOHANG)
        if done:
            self.child = 0
            self.say(ended=os.waitstatus_to_exitcode(status), why=self.why)

    def notebooks(self) -> list[str]:
        """Numbers of the notebook's process and of all that it has started."""
        mine = {"1", str(os.getpid()), str(self.waiter), str(self.child)}
        return [name for name in os.listdir("/proc") if name.isdigit() and name not in mine]

    def kill(self, why: str) -> None:
        """End the notebook's process, and with it all that it has started."""
        self.why = self.why or why
        while self.child:
            for number in (self.child,) if self.order["walled"] else (-self.child, self.child):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(number, signal.SIGKILL)
            time.sleep(0.005)
            self.reap()


def main() -> None:
    """`zygote.py DESCRIPTOR PATH MODULE…`: the control socket, where packages lie, what to import beforehand."""
    control = socket.socket(fileno=int(sys.argv[1]))
    sys.path.insert(0, sys.argv[2])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from rnngrade.sandbox import kernel

    kernel.prepare(sys.argv[3:])
    gc.collect()
    gc.freeze()
    zygote = _Zygote(control)
    zygote.say(ready=True)
    try:
        zygote.serve()
    finally:
        if not zygote.order.get("walled", True):
            shutil.rmtree(os.path.dirname(sys.argv[2]), ignore_errors=True)


if __name__ == "__main__":
    main()
