"""A mark does not hang on the draw: over many seeds each mistake loses marks, and each right answer earns them all.

An instructor's seed is another one than that of the notebooks. `tests/grader/test_grading.py` has the same students
graded by the real commands, with one seed.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from rnngrade.checks import exercise, exercise_names
from rnngrade.exercise import Exercise, Graded
from rnngrade.outcome import agree, call, plain
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
