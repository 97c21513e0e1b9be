"""The mark of one graded function, and a message that helps: what is wrong, where, and which mistake does that."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnngrade.exercise import Draw, Exercise, Graded, Mistake, Output
from rnngrade.outcome import Outcome, agree, alike, call, magnitude, plain, wrong_elements
from rnngrade.solutions import wrong_function

__all__ = ["Report", "grade"]

_WIDTH = 92  # what a feedback page shows without scrolling


@dataclass(frozen=True)
class Report:
    """Points earned, and the lines that say why."""

    function: str
    points: float
    most: float
    lines: tuple[str, ...]

    def __str__(self) -> str:
        head = f"{self.function}: {self.points:g} of {self.most:g} points"
        wrapper = textwrap.TextWrapper(_WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
        return "\n".join([head, *map(wrapper.fill, self.lines)])


@np.errstate(all="ignore")
def grade(exercise: Exercise, graded: Graded, function: Any) -> Report:
    """Call `function` on every draw, compare all outputs with the oracle's, and name what is wrong.

    An output earns its points when it is right in every draw, all elements, shape included. A function that changes
    its arguments earns nothing: what it is given belongs to the caller.
    """
    if not callable(function):
        line = f"{graded.name} is a {type(function).__name__}; a function was wanted"
        return Report(graded.name, 0.0, graded.points, (line,))
    draws = exercise.draws()
    arguments = [graded.arguments(draw) for draw in draws]
    expected = [_expected(graded, given) for given in arguments]
    outcomes = [call(function, given, graded.outputs) for given in arguments]

    trouble = next((o for o in outcomes if o.trouble), None)
    changed = sorted({name for o in outcomes for name in o.changed})
    wrong = [k for k in range(len(graded.outputs)) if not _right(outcomes, expected, k)]
    right = [output.points for k, output in enumerate(graded.outputs) if k not in wrong]
    earned = 0.0 if trouble or changed else sum(right)

    lines = []
    if trouble and trouble.kind == "NotImplementedError":
        lines.append("Not written yet: replace the line `raise NotImplementedError()` by your code.")
    elif trouble or changed or wrong:
        named = _named(exercise, graded, arguments, expected, outcomes, wrong)
        if trouble:
            i = outcomes.index(trouble)
            lines.append(f"Trouble at {_shapes(draws[i])}: {trouble.trouble}.")
        else:
            lines += [_difference(graded.outputs[k], k, draws, outcomes, expected) for k in wrong]
        lines += [f"Your function changed its argument {name}; work on a copy." for name in changed]
        lines += [f"This is what comes out when {mistake.says}." for mistake in named]
        if printed := next((o.printed for o in outcomes if o.printed), ""):
            lines += ["It printed:", *("  " + line for line in printed.splitlines())]
    else:
        lines.append(f"All of it right, on {len(draws)} random inputs of different shapes.")
    return Report(graded.name, float(earned), float(graded.points), tuple(lines))


def _expected(graded: Graded, arguments: dict[str, Any]) -> tuple[np.ndarray, ...]:
    returned = graded.oracle(*arguments.values())
    arrays = [plain(value) for value in (returned if len(graded.outputs) > 1 else (returned,))]
    return tuple(a for a in arrays if not isinstance(a, str))


def _right(outcomes: Sequence[Outcome], expected: Sequence[tuple[np.ndarray, ...]], k: int) -> bool:
    return all(o.outputs and agree(o.outputs[k], e[k]) for o, e in zip(outcomes, expected, strict=True))


def _named(
    exercise: Exercise,
    graded: Graded,
    arguments: list[dict[str, Any]],
    expected: list[tuple[np.ndarray, ...]],
    outcomes: list[Outcome],
    wrong: list[int],
) -> list[Mistake]:
    """The mistakes that give what the student's function gives: all of it, or else one wrong output at a time."""
    bank = []
    for mistake in graded.mistakes:
        function = wrong_function(exercise.name, graded.name, mistake)
        if function is not None:
            bank.append((mistake, [call(function, given, graded.outputs) for given in arguments]))

    def wrong_and_same(theirs: list[Outcome], k: int) -> bool:
        """Output k of a mistake is that of the student in every draw, and a wrong one where there are outputs."""
        pairs = list(zip(theirs, outcomes, strict=True))
        if any(t.kind != o.kind for t, o in pairs):
            return False
        same = all(alike(o.outputs[k], t.outputs[k]) for t, o in pairs if t.outputs and o.outputs)
        return same and any(t.outputs and not agree(t.outputs[k], e[k]) for t, e in zip(theirs, expected, strict=True))

    def same(theirs: list[Outcome]) -> bool:
        pairs = list(zip(theirs, outcomes, strict=True))
        return all(
            t.kind == o.kind
            and t.changed == o.changed
            and all(alike(a, b) for a, b in zip(t.outputs, o.outputs, strict=True))
            for t, o in pairs
        ) and any(t.outputs for t in theirs)

    for mistake, theirs in bank:
        if same(theirs):
            return [mistake]
    found: list[Mistake] = []
    for k in wrong:
        match = next((mistake for mistake, theirs in bank if wrong_and_same(theirs, k)), None)
        if match is not None and match not in found:
            found.append(match)
    return found


def _difference(
    output: Output,
    k: int,
    draws: list[Draw],
    outcomes: list[Outcome],
    expected: list[tuple[np.ndarray, ...]],
) -> str:
    """Where an output first differs, and by how much; never what was wanted there."""
    i = next(i for i, o in enumerate(outcomes) if not agree(o.outputs[k], expected[i][k]))
    got, want = outcomes[i].outputs[k], expected[i][k]
    at = _shapes(draws[i])
    if got.shape != want.shape:
        axes = f"({output.axes.replace(' ', ', ')}) = " if output.axes else ""
        return f"{output.name} has shape {got.shape} where {axes}{want.shape} was wanted ({at})."
    if not np.isfinite(got).all():
        return f"{output.name} holds nan or inf ({at})."
    wrong = wrong_elements(got, want)
    size = float(np.abs(got - want).max()) / magnitude(want)
    if not output.axes:
        return f"{output.name} is wrong, by {_percent(size)} of the right value ({at})."
    place = ", ".join(f"{axis} {index}" for axis, index in zip(_axis_names(output), np.argwhere(wrong)[0], strict=True))
    return (
        f"{output.name} is wrong in {int(wrong.sum())} of {wrong.size} elements, first at {place}, "
        f"by up to {_percent(size)} of its largest value ({at})."
    )


_AXES = {"T": "time step", "B": "batch row", "D": "input", "H": "unit", "K": "output"}


def _axis_names(output: Output) -> list[str]:
    if output.axes == "H H":
        return ["sending unit", "receiving unit"]
    return [_AXES[axis] for axis in output.axes.split()]


def _percent(ratio: float) -> str:
    if ratio >= 10:
        return "more than ten times"
    return f"{100 * ratio:.0f} %" if ratio >= 1 else f"{100 * ratio:.2g} %"


def _shapes(draw: Draw) -> str:
    return ", ".join(f"{name}={size}" for name, size in draw.sizes.items())
