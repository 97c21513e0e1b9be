"""The marks of `tests/test_marks.py` are those of the real `rnngrade autograde`, and of `nbgrader autograde` for some.

One class of students per exercise: one who is right and one who has written nothing; in every third exercise also one
per alternative right answer, and a few who make one mistake of the bank in every function. Plain nbgrader, feedback and
export are commands of their own, of two seconds each, and run on three exercises.
"""

import csv
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from rnngrade.checks import exercise, exercise_names
from rnngrade.exercise import Exercise, Graded, Mistake
from rnngrade.grading.cells import is_examined
from rnngrade.outcome import call
from rnngrade.sandbox.box import why_no_sandbox
from rnngrade.solutions import solution_source, wrong_function, wrong_source
from tests.grader.course import ROOT, Answers, Course, Verdict, functions

EXERCISES = [exercise(name) for name in exercise_names()]
LARGE = EXERCISES[::3]  # with large classes
TOGETHER = {e.name: pytest.mark.xdist_group(e.name) for e in EXERCISES}  # one process grades a class, once


def params(cases: list[tuple[Any, ...]]) -> list[Any]:
    """Cases that begin with an exercise, each with a name."""
    names = [[case[0].name, *(getattr(part, "name", getattr(part, "stem", "")) for part in case[1:])] for case in cases]
    ids = ["-".join(name).replace(" ", "_") for name in names]
    return [pytest.param(*case, id=i, marks=TOGETHER[case[0].name]) for case, i in zip(cases, ids, strict=True)]


def alternatives(e: Exercise) -> list[Path]:
    """Files with right answers in other words."""
    return sorted((ROOT / "tests" / "alternatives" / e.name).glob("*.py"))


def handed_in(e: Exercise) -> list[Path]:
    """Those of them that the class has: the others train slowly."""
    return alternatives(e)[:2] if e in LARGE else []


def tried(e: Exercise) -> tuple[int, ...]:
    """These of each function's mistakes are handed in."""
    return (0, 2, 5, 9) if e in LARGE else ()


EACH = params([(e,) for e in EXERCISES])
SOME = params([(e,) for e in LARGE[1::2]])
GRADED = params([(e, g) for e in EXERCISES for g in e])
MISTAKES = params([(e, g, g.mistakes[i]) for e in EXERCISES for g in e for i in tried(e) if i < len(g.mistakes)])
ALTERNATIVES = params([(e, path) for e in EXERCISES for path in alternatives(e)])
HANDED_IN = params([(e, path) for e in EXERCISES for path in handed_in(e)])

Verdicts = dict[str, dict[str, Verdict]]


def solution(e: Exercise) -> Answers:
    return {g.name: solution_source(e.name, g.name) or "" for g in e}


def lost(e: Exercise, g: Graded, m: Mistake) -> float:
    """The points of the outputs that the mistake gets wrong, compared element by element with plain NumPy."""
    wrong: set[str] = set()
    for draw in e.draws():
        arguments = g.arguments(draw)
        expected = call(g.oracle, arguments, g.outputs)
        actual = call(wrong_function(e.name, g.name, m), arguments, g.outputs)
        if actual.trouble or actual.changed:
            return g.points
        for output, a, b in zip(g.outputs, actual.outputs, expected.outputs, strict=True):
            if a.shape != b.shape or not np.allclose(a, b, rtol=1e-9, atol=1e-9):
                wrong.add(output.name)
    return sum(output.points for output in g.outputs if output.name in wrong)


@pytest.fixture(scope="session")
def graded(tmp_path_factory: pytest.TempPathFactory):
    """Exercise → what nbgrader says of its class; each class is graded once."""
    classes: dict[str, tuple[Course, Verdicts]] = {}

    def of(e: Exercise) -> tuple[Course, Verdicts]:
        if e.name not in classes:
            classes[e.name] = grade_class(Course.copy(e.name, tmp_path_factory.mktemp(e.name)), e)
        return classes[e.name]

    return of


def grade_class(course: Course, e: Exercise) -> tuple[Course, Verdicts]:
    course.submit("right", solution(e))
    course.submit("untouched", {})
    for path in handed_in(e):
        course.submit(f"alternative-{path.stem}", functions(path.read_text(encoding="utf-8")))
    for i in tried(e):
        course.submit(
            f"mistake-{i}", {g.name: wrong_source(e.name, g.name, g.mistakes[i]) for g in e if i < len(g.mistakes)}
        )
    course.rnngrade("autograde", e.name, *([] if not why_no_sandbox() else ["--unsafe"]))
    return course, course.verdicts()


@pytest.mark.parametrize("e", EACH)
def test_solution_gets_full_marks(e: Exercise, graded) -> None:
    right = graded(e)[1]["right"]
    assert {name: verdict.score for name, verdict in right.items()} == {g.name: g.points for g in e}


@pytest.mark.parametrize("e", EACH)
def test_untouched_release_gets_nothing(e: Exercise, graded) -> None:
    untouched = graded(e)[1]["untouched"]
    assert {name: verdict.score for name, verdict in untouched.items()} == {g.name: 0 for g in e}
    assert all("Not written yet" in verdict.text for verdict in untouched.values())


@pytest.mark.parametrize(("e", "path"), HANDED_IN)
def test_alternative_gets_full_marks(e: Exercise, path, graded) -> None:
    verdicts = graded(e)[1][f"alternative-{path.stem}"]
    assert {name: (v.score, v.text) for name, v in verdicts.items() if v.score != e[name].points} == {}


@pytest.mark.parametrize(("e", "g", "m"), MISTAKES)
def test_mistake_loses_its_marks_and_is_named(e: Exercise, g: Graded, m: Mistake, graded) -> None:
    verdict = graded(e)[1][f"mistake-{g.mistakes.index(m)}"][g.name]
    loss = lost(e, g, m)
    assert loss > 0
    assert verdict.score == pytest.approx(g.points - loss, abs=1e-12)
    text = " ".join(verdict.text.split())
    assert text.count("what comes out when") == 1
    assert f"This is what comes out when {m.says}." in text


@pytest.mark.parametrize("e", SOME)
def test_plain_nbgrader_gives_the_same_marks(e: Exercise, graded, tmp_path) -> None:
    plain = Course.copy(e.name, tmp_path)
    plain.configure("del c.Autograde, c.GenerateFeedback")
    first = {g.name: wrong_source(e.name, g.name, g.mistakes[0]) for g in e}
    for student, answers in {"right": solution(e), "untouched": {}, "mistake-0": first}.items():
        plain.submit(student, answers)
    plain.nbgrader("autograde", e.name)
    for student, verdicts in plain.verdicts().items():
        theirs = graded(e)[1][student]
        assert {name: verdict.score for name, verdict in verdicts.items()} == {
            name: verdict.score for name, verdict in theirs.items()
        }


@pytest.mark.parametrize(("e", "g"), GRADED)
def test_bank_is_large_enough(e: Exercise, g: Graded) -> None:
    assert len(g.mistakes) >= 5
    assert len({m.name for m in g.mistakes}) == len({m.says for m in g.mistakes}) == len(g.mistakes)
    assert len(alternatives(e)) >= 2


@pytest.mark.parametrize(("e", "path"), ALTERNATIVES)
def test_alternative_covers_every_function(e: Exercise, path) -> None:
    assert functions(path.read_text(encoding="utf-8")).keys() == {g.name for g in e}


@pytest.mark.parametrize("e", EACH)
def test_points_of_the_notebook_are_those_of_the_checks(e: Exercise) -> None:
    notebook = nbformat.read(ROOT / "exercises" / e.name / f"{e.name}.ipynb", as_version=4)
    cells = {c.source: c.metadata.nbgrader.points for c in notebook.cells if is_examined(c)}
    assert cells == {f"check.{g.name}({g.name})": g.points for g in e}
    text = "\n".join(c.source for c in notebook.cells)
    assert f"{e.points:g} points" in text
    assert all(solution_source(e.name, g.name).split("### BEGIN SOLUTION")[0].rstrip() in text for g in e)


@pytest.mark.parametrize("e", SOME)
def test_feedback_shows_the_hint(e: Exercise, graded) -> None:
    course, _ = graded(e)
    course.nbgrader("generate_feedback", e.name, "--student", "mistake-0")
    page = (course.folder / "feedback" / "mistake-0" / e.name / f"{e.name}.html").read_text(encoding="utf-8")
    for g in e:
        assert g.mistakes[0].says.split(";")[0].split(":")[0] in page.replace("&#39;", "'")


@pytest.mark.parametrize("e", SOME)
def test_export_lists_every_student(e: Exercise, graded) -> None:
    course, verdicts = graded(e)
    course.nbgrader("export", "--to", "grades.csv")
    with (course.folder / "grades.csv").open(encoding="utf-8", newline="") as file:
        scores = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert scores == {student: sum(v.score for v in verdict.values()) for student, verdict in verdicts.items()}
