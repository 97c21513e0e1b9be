"""A class graded by plain `nbgrader autograde` and by `rnngrade autograde`, one after the other on one folder.

`python benchmarks/grading.py` invents a class (`--students N`), hostile ones among it, has it graded, prints the
tables and writes them to `benchmarks/results/`. `--quick` takes ten students and writes nothing.
"""

import argparse
import contextlib
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import machine
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

import cluster
from nbgrader.api import Gradebook

from rnngrade.checks import exercise
from rnngrade.solutions import solution_source, wrong_source
from tests.course import ROOT, Answers, Course, functions

E = exercise("03_bptt")
CELL_SECONDS = 5  # the time limit of a cell, for both
LONGEST = 3600  # seconds that one of them may take
CONFIG = f"""
c = get_config()
c.CourseDirectory.course_id = "rnn"
c.CourseDirectory.source_directory = "_build/source"
c.CourseDirectory.release_directory = "exercises"
c.Execute.timeout = {CELL_SECONDS}
c.RnnGrade.limits = {{"cell": {CELL_SECONDS}}}
"""
HOSTILE = {  # what a function does; each ends by itself where nobody ends it
    "endless loop": "    while True:\n        pass",
    "os._exit": "    __import__('os')._exit(0)",
    "memory, 4 GB": "    held = [bytearray(b'x') * 10**8 for _ in range(40)]\n    return len(held)",
    "output, 60 MB": "    print('x' * 60_000_000)",
    "sys.exit": "    __import__('sys').exit()",
}
CONTENDERS = {
    "nbgrader autograde": ["nbgrader", "autograde", E.name],
    "rnngrade autograde -j 1": ["rnngrade.command", "autograde", E.name, "-j", "1"],
    "rnngrade autograde -j 2": ["rnngrade.command", "autograde", E.name, "-j", "2"],
}
Class = dict[str, tuple[str, Answers]]  # student → kind, answers


def invented(students: int) -> Class:
    """A class: three of ten wrong, one of ten hostile, all others right in one of several ways."""
    right: Answers = {g.name: solution_source(E.name, g.name) or "" for g in E}
    ways = [right]
    ways += [functions(path.read_text()) for path in sorted((ROOT / "tests" / "alternatives" / E.name).glob("*.py"))]
    made: Class = {}
    for i in range(students):
        name = f"student-{i:05}"
        if i % 10 == 9:
            kind, body = list(HOSTILE.items())[i // 10 % len(HOSTILE)]
            graded = list(E)[i // 10 // len(HOSTILE) % len(list(E))].name
            head = right[graded].splitlines()[0]
            made[name] = kind, right | {graded: f"{head}\n{body}"}
        elif i % 10 in (2, 5, 8):
            made[name] = (
                "wrong",
                {g.name: wrong_source(E.name, g.name, g.mistakes[i % len(g.mistakes)]) or "" for g in E},
            )
        else:
            made[name] = "right", ways[i % len(ways)]
    return made


def course_of(folder: Path, students: Class) -> Course:
    """A course in this folder, with what these students have handed in."""
    folder.mkdir(parents=True)
    course = Course(folder, E.name)
    (folder / "nbgrader_config.py").write_text(CONFIG)
    for student, (_, answers) in students.items():
        course.submit(student, answers)
    return course


def graded(command: list[str], folder: Path) -> dict:
    """Have the class in this folder graded: seconds, memory over time in MB, what is in the gradebook afterwards."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JUPYTER_PLATFORM_DIRS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    begin, watched = time.perf_counter(), []
    with (
        open(folder / "log", "wb") as log,
        subprocess.Popen([sys.executable, "-m", *command], cwd=folder, env=environment, stdout=log, stderr=log) as run,
    ):
        while run.poll() is None:
            watched.append(memory(run.pid))
            if time.perf_counter() - begin > LONGEST:
                run.kill()
            time.sleep(0.25)
    seconds = time.perf_counter() - begin
    with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
        scores = {
            handed_in.student.id: handed_in.score
            for handed_in in book.assignment_submissions(E.name)
            if (folder / "autograded" / handed_in.student.id / E.name / f"{E.name}.ipynb").exists()
        }
    return {"seconds": seconds, "exit": run.returncode, "scores": scores, "memory": summary(watched)}


def memory(head: int) -> tuple[float, float, float]:
    """MB: of the head; of the largest worker that it has started; of all kernels and sandboxes together."""
    sizes, kernels = [0.0], 0.0
    for process in (psutil.Process(head), *psutil.Process(head).children(recursive=True)):
        with contextlib.suppress(psutil.Error):  # it may have ended by now
            size, words = process.memory_info().rss / 1e6, " ".join(process.cmdline())
            if process.pid == head:
                of_head = size
            elif process.ppid() != head or process.name() == "bwrap" or "ipykernel" in words:
                kernels += size
            else:
                sizes.append(size)
    return of_head, max(sizes), kernels


def summary(watched: list[tuple[float, float, float]]) -> dict:
    """Medians around a third of the time and at nine tenths of it, and peaks."""
    width = max(len(watched) // 20, 1)
    found = {}
    for index, part in enumerate(("head", "worker", "student code")):
        sizes = [row[index] for row in watched]
        at = {name: int(share * len(sizes)) for name, share in (("third", 1 / 3), ("late", 0.9))}
        middle = {name: statistics.median(sizes[max(i - width, 0) : i + width + 1]) for name, i in at.items()}
        found[part] = middle | {"peak": max(sizes)}
    return found


def compared(folder: Path, students: Class) -> dict[str, dict]:
    """Every contender on a fresh copy of one course."""
    course_of(folder / "course", students)
    found = {}
    for name, command in CONTENDERS.items():
        copy = folder / name.replace(" ", "-")
        shutil.copytree(folder / "course", copy)
        found[name] = graded(command, copy)
        print(line(name, found[name], found["nbgrader autograde"], len(students)), flush=True)
    return found


HEADER = "| | seconds | submissions a minute | ratio | in the gradebook | exit code |\n|:--|--:|--:|--:|--:|--:|"


def line(name: str, found: dict, plain: dict, students: int) -> str:
    """One row of the table of times."""
    pace, theirs = (60 * len(run["scores"]) / run["seconds"] for run in (found, plain))
    known = f"{len(found['scores'])} of {students}"
    return f"| {name} | {found['seconds']:.1f} | {pace:.1f} | **{pace / theirs:.2f}** | {known} | {found['exit']} |"


def times(title: str, runs: dict[str, dict], students: int) -> str:
    """The table of times, and that of memory."""
    plain = runs["nbgrader autograde"]
    text = f"### {title}\n\n{HEADER}\n"
    text += "".join(line(name, found, plain, students) + "\n" for name, found in runs.items())
    text += "\nMB of resident memory at a third / at nine tenths of the time, and the most:\n\n"
    text += "| | head | largest worker | kernels or sandboxes |\n|:--|--:|--:|--:|\n"
    for name, found in runs.items():
        parts = (f"{m['third']:.0f} / {m['late']:.0f}, {m['peak']:.0f}" for m in found["memory"].values())
        text += f"| {name} | {' | '.join(parts)} |\n"
    return text


def outcomes(runs: dict[str, dict], students: Class) -> str:
    """By kind of student: how many have a row, and their mean score."""
    text = f"### What became of whom: graded, and their mean score of {E.points:g}\n\n"
    text += f"| | handed in | {' | '.join(runs)} |\n|:--|--:|{'--:|' * len(runs)}\n"
    for kind in dict.fromkeys(kind for kind, _ in students.values()):
        names = [name for name, (of, _) in students.items() if of == kind]
        cells = []
        for found in runs.values():
            scores = [found["scores"][name] for name in names if name in found["scores"]]
            cells.append(f"{len(scores)}, {statistics.mean(scores):.1f}" if scores else "none")
        text += f"| {kind} | {len(names)} | {' | '.join(cells)} |\n"
    return text


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--students", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="ten students, writes nothing")
    asked = parser.parse_args()
    everybody = invented(10 if asked.quick else asked.students)
    tame = {name: made for name, made in everybody.items() if made[0] not in HOSTILE}
    names = ("nbgrader", "nbclient", "numpy", "sqlalchemy", "pebble", "distributed")
    versions = ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)])
    document = machine.described() | {"versions": versions, "cell_seconds": CELL_SECONDS, "classes": {}}
    parts = [
        f"# Grading on {document['cpu']}\n\n{document['cores']} cores, {document['system']}; {document['date']}. "
        f"{versions}. One cell may take {CELL_SECONDS} s.\n"
    ]
    print(f"{parts[0]}\n{HEADER}")
    with tempfile.TemporaryDirectory(prefix="grading-") as folder:
        for title, students in {"With hostile ones": everybody, "Without": tame}.items():
            runs = compared(Path(folder) / title.replace(" ", "-"), students)
            document["classes"][title] = {"students": len(students), "runs": runs}
            parts.append(times(f"{title}: {len(students)} students", runs, len(students)))
            parts.append(outcomes(runs, students))
        measured = cluster.measured(Path(folder) / "With-hostile-ones" / "course", E.name, kinds_of(everybody))
    document["cluster"] = measured | {"simulated": cluster.simulated(measured)}
    parts.append(cluster.table(document["cluster"]))
    text = "\n".join(parts)
    print("\n" + text)
    if not asked.quick:
        print(f"written: benchmarks/results/{machine.write('grading', document, text)}.md and .json")


def kinds_of(students: Class) -> dict[str, str]:
    """Student → kind."""
    return {name: kind for name, (kind, _) in students.items()}


if __name__ == "__main__":
    main()
