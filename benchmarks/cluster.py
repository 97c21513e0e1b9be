"""What 10,000 submissions cost on a cluster: simulated from figures that are measured on this machine.

Workers grade, each one submission at a time; one head hands out jobs, at most two per worker, and writes each result
into the gradebook: a queue with one server. What Dask itself takes for a task (about a millisecond, in other processes)
and the time on the wire are left out.
"""

import heapq
import os
import statistics
import subprocess
import sys
import time
from collections import deque
from concurrent.futures import Future
from itertools import islice
from pathlib import Path

from nbgrader.preprocessors import AssignLatePenalties

from rnngrade.course import RnnGrade, here
from rnngrade.grading.batch import Batch
from rnngrade.grading.gradebook import Book
from rnngrade.grading.submission import grade_submission

SUBMISSIONS = 10_000
WORKERS = (1, 8, 64, 256)


class Known:
    """Workers that know all results beforehand: what is left is what the head does."""

    count = 1

    def __init__(self, results: dict[str, str]) -> None:
        self.results = results

    def submit(self, job: str) -> "Future[str]":
        future: Future[str] = Future()
        future.set_result(self.results[job])
        return future

    def close(self) -> None:
        pass


def measured(folder: Path, assignment: str, kinds: dict[str, str]) -> dict:
    """Seconds and bytes of each part of the work, on the class in this folder; its gradebook is written to."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        app, course = here()
        book = Book(course.db_url, course.course_id)
        try:
            batch = Batch(
                course, assignment, book, AssignLatePenalties(parent=app), RnnGrade(parent=app).settings(unsafe=False)
            )
            return _measured(batch, folder, assignment, kinds)
        finally:
            book.close()
    finally:
        os.chdir(before)


def _measured(batch: Batch, folder: Path, assignment: str, kinds: dict[str, str]) -> dict:
    results, seconds = {}, {}
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import rnngrade.grading.workers, distributed"], check=True)
    start = time.perf_counter() - begin
    for student in (next(iter(kinds)), *kinds):  # the first one twice: with the start of its sandbox, and without
        job = batch.job(student).to_json()
        begin = time.perf_counter()
        results[job] = grade_submission(job)
        taken = time.perf_counter() - begin
        if not seconds:
            start += taken
        seconds[student] = taken
    begin = time.perf_counter()
    for _ in batch.run(Known(results), list(kinds), force=True, resume=False):
        pass
    head = (time.perf_counter() - begin) / len(kinds)
    by_kind = {
        kind: {
            "share": list(kinds.values()).count(kind) / len(kinds),
            "seconds": statistics.mean(seconds[student] for student in kinds if kinds[student] == kind),
        }
        for kind in dict.fromkeys(kinds.values())
    }
    return {
        "start": start - seconds[next(iter(kinds))],
        "head": head,
        "kinds": by_kind,
        "all": list(seconds.values()),
        "job": statistics.mean(map(len, results)),
        "result": statistics.mean(map(len, results.values())),
    }


def simulated(figures: dict) -> list[dict]:
    """A row for each number of workers."""
    taken = figures["all"]
    work = [taken[i % len(taken)] for i in range(SUBMISSIONS)]
    rows = []
    for workers in WORKERS:
        seconds = simulate(work, workers, figures["start"], figures["head"])
        rows.append(
            {
                "workers": workers,
                "hours": seconds / 3600,
                "of_workers": sum(work) / seconds / workers,
                "of_head": SUBMISSIONS * figures["head"] / seconds,
            }
        )
    return rows


def simulate(work: list[float], workers: int, start: float, head: float) -> float:
    """Seconds until all results are written down.

    Args:
        work: seconds of each submission on a worker, in the order in which they are handed out.
        workers: how many there are.
        start: seconds until each of them is ready.
        head: seconds that the one writer needs for a result, and for the next job that it hands out then.
    """
    jobs = iter(work)
    queued = deque(islice(jobs, 2 * workers))  # handed out and not begun
    events = [(start, "free")] * workers  # a worker is free; the head has written a result
    idle = results = written = 0
    writing, now = False, start
    while written < len(work):
        now, what = heapq.heappop(events)
        if what == "written":
            writing, written = False, written + 1
            queued.extend(islice(jobs, 1))
        else:
            idle += 1
            results += what == "graded"
        while idle and queued:
            idle -= 1
            heapq.heappush(events, (now + queued.popleft(), "graded"))
        if results and not writing:
            results, writing = results - 1, True
            heapq.heappush(events, (now + head, "written"))
    return now


def table(found: dict) -> str:
    """The figures, the formula, and the rows."""
    mean = sum(kind["share"] * kind["seconds"] for kind in found["kinds"].values())
    traffic = 2 * SUBMISSIONS * (found["job"] + found["result"]) / 1e6
    text = f"## {SUBMISSIONS:,} submissions on a cluster, simulated\n\nMeasured here, one at a time:\n\n"
    text += "| submissions | share | seconds on a worker |\n|:--|--:|--:|\n"
    for kind, row in found["kinds"].items():
        text += f"| {kind} | {row['share']:.0%} | {row['seconds']:.2f} |\n"
    text += f"| all | 100% | d = {mean:.2f} |\n\n"
    text += (
        f"A worker is ready after s = {found['start']:.1f} s. The head needs h = {1e3 * found['head']:.0f} ms for a "
        f"result (reading what was handed in, gradebook, files). A job has {found['job'] / 1e3:.0f} kB, a result "
        f"{found['result'] / 1e3:.0f} kB.\n\n"
        "| workers | hours | workers busy | head busy | MB through the scheduler |\n|--:|--:|--:|--:|--:|\n"
    )
    for row in found["simulated"]:
        text += f"| {row['workers']} | {row['hours']:.2f} | {row['of_workers']:.0%} | {row['of_head']:.0%} "
        text += f"| {traffic:,.0f} |\n"
    text += (
        "\nOn paper: W workers take N d / W seconds, the head N h; hours = (s + N max(d / W, h)) / 3600, and the head "
        f"is what limits from W = d / h = {mean / found['head']:.0f} workers on. Each job and each result passes the "
        "scheduler, in and out: 2 N (job + result) bytes.\n"
    )
    return text
