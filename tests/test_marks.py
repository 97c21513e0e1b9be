"""A mark does not hang on the draw: over many seeds each mistake loses marks, and each right answer earns them all.

An instructor's seed is another one than that of the notebooks. `tests/grader/test_grading.py` has a sample of the
same answers graded by the real commands.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from rnngrade.checks import exercise, exercise_names
from rnngrade.exercise import Exercise, Graded
from rnngrade.outcome import agree, call, plain
from rnngrade.report import grade
from rnngrade.solutions import wrong_function
from tests.grader.course import ROOT

SEEDS = range(1, 16)
GRADED = [pytest.param(e, g, id=f"{e.name}-{g.name}") for e in map(exercise, exercise_names()) for g in e]


def cases(e: Exercise, g: Graded, seed: int) -> list[tuple[dict[str, Any], list[Any]]]:
    """Arguments, and what is right for them."""
    found = []
    for draw in e.draws(seed):
        arguments = g.arguments(draw)
        right = g.oracle(*arguments.values())
        found.append((arguments, [plain(value) for value in (right if len(g.outputs) > 1 else (right,))]))
    return found


def is_right(function: Any, g: Graded, drawn: list[tuple[dict[str, Any], list[Any]]]) -> bool:
    for arguments, right in drawn:
        outcome = call(function, arguments, g.outputs)
        if outcome.trouble or outcome.changed or not all(map(agree, outcome.outputs, right)):
            return False
    return True


def alternatives(e: Exercise, g: Graded) -> Iterator[tuple[str, Any]]:
    for path in sorted((ROOT / "tests" / "alternatives" / e.name).glob("*.py")):
        names: dict[str, Any] = {}
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
        yield path.name, names[g.name]


@pytest.mark.parametrize(("e", "g"), GRADED)
def test_marks_are_the_same_whatever_is_drawn(e: Exercise, g: Graded) -> None:
    right = dict(alternatives(e, g))
    wrong = {mistake.name: wrong_function(e.name, g.name, mistake) for mistake in g.mistakes}
    for seed in SEEDS:
        drawn = cases(e, g, seed)
        assert [name for name, function in right.items() if not is_right(function, g, drawn)] == [], seed
        assert [name for name, function in wrong.items() if is_right(function, g, drawn)] == [], seed


def lost(g: Graded, function: Any, drawn: list[tuple[dict[str, Any], list[Any]]]) -> float:
    """The points of the outputs that are wrong, compared element by element with plain NumPy."""
    wrong: set[str] = set()
    for arguments, right in drawn:
        outcome = call(function, arguments, g.outputs)
        if outcome.trouble or outcome.changed:
            return g.points
        for output, a, b in zip(g.outputs, outcome.outputs, right, strict=True):
            if a.shape != b.shape or not np.allclose(a, b, rtol=1e-9, atol=1e-9):
                wrong.add(output.name)
    return sum(output.points for output in g.outputs if output.name in wrong)


@pytest.mark.parametrize(("e", "g"), GRADED)
def test_mistake_loses_its_marks_and_is_named(e: Exercise, g: Graded) -> None:
    drawn = cases(e, g, seed=1)
    for mistake in g.mistakes:
        function = wrong_function(e.name, g.name, mistake)
        report = grade(e, g, function, seed=1)
        text = " ".join(str(report).split())
        assert report.points == pytest.approx(g.points - lost(g, function, drawn), abs=1e-12), mistake.name
        assert text.count("what comes out when") == 1, mistake.name
        assert f"This is what comes out when {mistake.says}." in text
