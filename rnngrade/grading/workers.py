"""Where submissions are graded: processes of this machine, or workers of Dask. A worker's death is tried once more."""

import asyncio
import contextlib
import itertools
import secrets
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from threading import Thread
from typing import Any, Protocol

from rnngrade.grading.job import code_digest
from rnngrade.grading.submission import grade_submission, stop
from rnngrade.sandbox.box import NoSandbox

__all__ = ["Died", "Local", "OnDask", "Unfit", "Workers", "as_graded"]


MOST_SECONDS = 60  # to wait for processes that were told to end


class Died(RuntimeError):
    """The worker's process ended while it graded."""


class Unfit(RuntimeError):
    """The cluster can't grade: nobody answers there, or a worker lacks something; no fault of a submission."""


class Workers(Protocol):
    """Grades jobs, several at a time."""

    @property
    def count(self) -> int:
        """How many jobs are graded at a time, by now."""

    def submit(self, job: str) -> "Future[str]":
        """Begin to grade one; the future's exception is Died where its worker was lost."""

    def close(self) -> None:
        """Stop all that is under way, at once."""


class Local:
    """Long-lived processes of this machine."""

    def __init__(self, count: int) -> None:
        from pebble import ProcessPool

        self.count = count
        self._pool = ProcessPool(max_workers=count, initializer=_ignore_interrupts)

    def submit(self, job: str) -> "Future[str]":
        """Begin to grade one."""
        from pebble import ProcessExpired

        return _told(self._pool.schedule(grade_submission, args=[job]), ProcessExpired)

    def close(self) -> None:
        """Stop all of them."""
        self._pool.stop()
        # On Python 3.12.1 a thread of the pool once waited for ever after an interrupt. Nothing depends on it.
        end = Thread(target=self._pool.join, daemon=True)
        end.start()
        end.join(MOST_SECONDS)


def _ignore_interrupts() -> None:
    """Ctrl-C is for the process that writes the gradebook; it stops the others."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


class OnDask:
    """Workers of a Dask scheduler, wherever they run; those that join later are used as well.

    Args:
        address: the scheduler's, such as tcp://head:8786.
        say: called with a sentence where a person should know that it takes time.

    Raises:
        ImportError: dask.distributed is not installed.
        Unfit: no scheduler answers at this address.
    """

    def __init__(self, address: str, say: Callable[[str], None] = print) -> None:
        from distributed import Client

        self._say = say
        self._run = secrets.token_hex(8)
        self._asked: set[Any] = set()
        say(f"Asking the Dask scheduler at {address}")
        try:
            who = asyncio.run(_who_is(address))  # a Client that finds nobody would not go quietly
            if who != "Scheduler":
                raise OSError(f"a {who} does")
        except (OSError, ValueError) as error:
            raise Unfit(f"no Dask scheduler answers at {address} ({error or 'it says nothing'})") from None
        self._client = Client(address, set_as_default=False)
        self._deaths = self._client.run_on_scheduler(_allow_deaths, 0)

    @property
    def count(self) -> int:
        """The threads of all workers that there are by now, or one to come."""
        try:
            count = sum(self._client.nthreads().values())
        except (OSError, RuntimeError) as error:
            raise Unfit(f"the Dask scheduler is gone ({error})") from None
        if not count:
            self._say("The cluster has no workers; waiting for one")
            with contextlib.suppress(TimeoutError):
                self._client.wait_for_workers(1, _PATIENCE)
        return count or 1

    def submit(self, job: str) -> "Future[str]":
        """Begin to grade one."""
        from distributed import KilledWorker

        asked = self._client.submit(_graded, job, self._run, code_digest(), pure=False)
        self._asked.add(asked)
        asked.add_done_callback(self._asked.discard)
        return _told(asked, KilledWorker)

    def close(self) -> None:
        """Stop what is under way, and let go of the cluster; it is not ours to stop."""
        with contextlib.suppress(OSError, RuntimeError, CancelledError):
            if self._asked:
                self._client.cancel(list(self._asked))
                self._client.run(stop, self._run, on_error="ignore")
            self._client.run_on_scheduler(_allow_deaths, self._deaths)
        self._client.close()


_PATIENCE = 10  # seconds


async def _who_is(address: str) -> str:
    """What answers there."""
    from distributed import rpc

    async with asyncio.timeout(_PATIENCE), rpc(address) as there:
        return str((await there.identity())["type"])


def _allow_deaths(count: int, dask_scheduler: Any) -> int:
    """How many of its workers a task may survive, from now on and before. Dask's own second try would be anywhere."""
    before: int = dask_scheduler.allowed_failures
    dask_scheduler.allowed_failures = count
    return before


def _graded(job: str, run: str, code: str) -> str:
    """Runs on a worker of Dask: the Result of a Job, if that worker would grade as the head does."""
    if code != code_digest():
        raise Unfit(f"the worker on {socket.gethostname()} has another version of rnngrade or rnncore")
    try:
        return grade_submission(job, run)
    except NoSandbox as error:
        raise Unfit(f"the worker on {socket.gethostname()}: {error}") from None


def _told(asked: Any, death: type[BaseException]) -> "Future[str]":
    """What a pool was asked for, as this module's own future: Died in place of the pool's word for it."""
    told: Future[str] = Future()
    told.set_running_or_notify_cancel()

    def done(asked: Any) -> None:
        try:
            told.set_result(asked.result())
        except death as error:
            told.set_exception(Died(str(error)))
        except ImportError as error:
            told.set_exception(Unfit(f"a worker lacks what is installed here: {error}"))
        except CancelledError:
            told.set_exception(Unfit("the workers are gone; when they are back, --resume goes on"))
        except BaseException as error:
            told.set_exception(error)

    asked.add_done_callback(done)
    return told


Jobs = Iterable[tuple[str, Callable[[], str]]]
"""Names, and what makes the text of each one's job."""


def as_graded(workers: Workers, jobs: Jobs) -> Iterator[tuple[str, str | BaseException]]:
    """For each named job its result or the error that it ended in, as they end; few at a time are held in memory.

    What was under way when a worker died is tried once more after all others, and alone: then nothing is blamed for
    what its neighbour did.
    """
    suspects = []
    for name, make, outcome in _ended(workers, jobs):
        if isinstance(outcome, Died):
            suspects.append((name, make))
        else:
            yield name, outcome
    for suspect in suspects:
        for name, _, outcome in _ended(workers, [suspect]):
            yield name, outcome


def _ended(workers: Workers, jobs: Jobs) -> Iterator[tuple[str, Callable[[], str], str | BaseException]]:
    waiting = iter(jobs)
    running: dict[Future[str], tuple[str, Callable[[], str]]] = {}
    while True:
        for name, make in itertools.islice(waiting, max(2 * workers.count - len(running), 0)):
            running[workers.submit(make())] = name, make
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED, timeout=_LOOK_EVERY)
        for future in done:
            yield *running.pop(future), future.exception() or future.result()


_LOOK_EVERY = 1.0  # seconds between looks for workers that have joined
