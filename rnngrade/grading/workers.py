"""Where submissions are graded: processes of this machine, or workers of Dask. A worker's death is tried once more."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Protocol

from rnngrade.grading.submission import grade_submission

__all__ = ["Died", "Local", "OnDask", "Workers", "as_graded"]


class Died(RuntimeError):
    """The worker's process ended while it graded."""


class Workers(Protocol):
    """Grades jobs, several at a time."""

    count: int
    tries: int

    def submit(self, job: str) -> "Future[str]":
        """Begin to grade one; the future's exception is Died where its worker was lost."""

    def close(self) -> None:
        """Stop all of them, at once."""


class Local:
    """Long-lived processes of this machine."""

    tries = 2

    def __init__(self, count: int) -> None:
        from pebble import ProcessPool

        self.count = count
        self._pool = ProcessPool(max_workers=count, initializer=_ignore_interrupts)

    def submit(self, job: str) -> "Future[str]":
        """Begin to grade one."""
        future: Future[str] = self._pool.schedule(grade_submission, args=[job])
        return _translated(future)

    def close(self) -> None:
        """Stop all of them."""
        self._pool.stop()
        self._pool.join()


def _ignore_interrupts() -> None:
    """Ctrl-C is for the process that writes the gradebook; it stops the others."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


class OnDask:
    """Workers of a Dask scheduler, wherever they run.

    Raises:
        ImportError: dask.distributed is not installed.
        OSError: no scheduler answers at this address.
    """

    tries = 1  # the scheduler itself tries a second time

    def __init__(self, address: str) -> None:
        from distributed import Client

        self._client = Client(address, timeout=30)
        self._client.run_on_scheduler(_allow_one_death)
        self.count = max(sum(self._client.nthreads().values()), 1)

    def submit(self, job: str) -> "Future[str]":
        """Begin to grade one."""
        asked = self._client.submit(grade_submission, job, pure=False)
        future: Future[str] = Future()
        future.set_running_or_notify_cancel()

        def done(asked: Any) -> None:
            try:
                future.set_result(asked.result())
            except BaseException as error:
                future.set_exception(error)

        asked.add_done_callback(done)
        return _translated(future)

    def close(self) -> None:
        """Let go of the cluster; it is not ours to stop."""
        self._client.close()


def _allow_one_death(dask_scheduler: Any) -> None:
    dask_scheduler.allowed_failures = 1


_DEATHS = ("ProcessExpired", "KilledWorker")


def _translated(future: "Future[str]") -> "Future[str]":
    """The same future; Died in place of a pool's own word for it."""
    told: Future[str] = Future()
    told.set_running_or_notify_cancel()

    def done(asked: "Future[str]") -> None:
        error = asked.exception() if not asked.cancelled() else Died("stopped")
        if error is None:
            told.set_result(asked.result())
        elif type(error).__name__ in _DEATHS:
            told.set_exception(Died(str(error)))
        else:
            told.set_exception(error)

    future.add_done_callback(done)
    return told


def as_graded(
    workers: Workers, jobs: Iterable[tuple[str, Callable[[], str]]]
) -> Iterator[tuple[str, str | BaseException]]:
    """For each named job its result or the error that it ended in, as they end; few at a time are held in memory."""
    waiting = iter(jobs)
    running: dict[Future[str], tuple[str, str, int]] = {}
    exhausted = False
    while running or not exhausted:
        while not exhausted and len(running) < 2 * workers.count:
            try:
                name, make = next(waiting)
            except StopIteration:
                exhausted = True
                break
            job = make()
            running[workers.submit(job)] = name, job, 1
        done, _ = wait(running, return_when=FIRST_COMPLETED, timeout=0.5) if running else (set(), set())
        for future in done:
            name, job, tried = running.pop(future)
            error = future.exception()
            if error is None:
                yield name, future.result()
            elif isinstance(error, Died) and tried < workers.tries:
                running[workers.submit(job)] = name, job, tried + 1
            else:
                yield name, error
