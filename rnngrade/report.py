"""The mark of one graded function, and a message that helps: what is wrong, where, and which mistake does that."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnngrade.exercise import Draw, Exercise, Graded, Mistake, Output
from rnngrade.outcome import Outcome, agree, alike, call, magnitude, plain, wrong_elements
from rnngrade.solutions import wrong_function

__all__ = ["Caller", "Report", "counted", "grade", "no_function", "summary"]

Caller = Callable[[Any, dict[str, Any], Sequence[Output]], Outcome]
"""Calls a function with arguments, and says what came of it: here, or in another process."""

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


@dataclass(frozen=True)
class _Case:
    """One draw: its sizes in words, the arguments, what is right, and what came of the student's function."""

    name: str
    arguments: dict[str, Any]
    expected: tuple[np.ndarray, ...]
    outcome: Outcome

    def right(self, k: int) -> bool:
        return bool(self.outcome.outputs) and agree(self.outcome.outputs[k], self.expected[k])


@np.errstate(all="ignore")
def grade(exercise: Exercise, graded: Graded, function: Any, *, caller: Caller = call, seed: int = 0) -> Report:
    """Call `function` on every draw, compare all outputs with the oracle's, and name what is wrong.

    An output earns its points when it is right in every draw, all elements, shape included. A function that changes
    its arguments earns nothing: what it is given belongs to the caller.

    Args:
        exercise: where the function belongs.
        graded: what is asked of it.
        function: what the student wrote; whatever `caller` takes for it.
        caller: calls it.
        seed: of the draws.
    """
    if caller is call and not callable(function):
        return no_function(graded, type(function).__name__)
    cases = [_case(graded, draw, function, caller) for draw in exercise.draws(seed)]
    trouble = next((case for case in cases if case.outcome.trouble), None)
    changed = sorted({name for case in cases for name in case.outcome.changed})
    wrong = [k for k in range(len(graded.outputs)) if not all(case.right(k) for case in cases)]
    right = [output.points for k, output in enumerate(graded.outputs) if k not in wrong]
    earned = 0.0 if trouble or changed else sum(right)

    lines = []
    if trouble and trouble.outcome.kind == "NotImplementedError":
        lines.append(f"{_sentence(trouble.outcome.trouble)}.")
    elif trouble or changed or wrong:
        if trouble:
            lines.append(f"{_sentence(trouble.outcome.trouble)} ({trouble.name}).")
        elif order := _order(graded, cases):
            lines.append(f"These are the right arrays in another order: {order}.")
        else:
            shown = wrong if len(wrong) <= 2 else wrong[:1]
            lines += [_difference(graded.outputs[k], k, cases) for k in shown]
            if rest := [graded.outputs[k].name for k in wrong[len(shown) :]]:
                lines.append(f"Wrong as well: {', '.join(rest)}.")
        lines += [f"Your function changed its argument {name}; work on a copy." for name in changed]
        lines += [f"This is what comes out when {mistake.says}." for mistake in _named(exercise, graded, cases, wrong)]
        if printed := next((case.outcome.printed for case in cases if case.outcome.printed), ""):
            lines += ["It printed:", *("  " + line for line in printed.splitlines())]
    else:
        lines.append(f"All of it right, on {len(cases)} random inputs.")
    return Report(graded.name, float(earned), float(graded.points), tuple(lines))


def no_function(graded: Graded, kind: str) -> Report:
    """The report where something of another type was handed in."""
    line = f"A function was wanted, not a value of type {kind}: write check.{graded.name}({graded.name})."
    return Report(graded.name, 0.0, float(graded.points), (line,))


def summary(exercise: Exercise, points: Mapping[str, float]) -> str:
    """A table of the points earned, function by function, and their sum."""
    rows = [(graded.name, points.get(graded.name, 0.0), graded.points) for graded in exercise]
    lines = [f"{name:>20}: {earned:g} of {most:g}" for name, earned, most in rows]
    total = counted(sum(points.values()), exercise.points, exercise.by_hand)
    return "\n".join([*lines, f"{'total':>20}: {total}"])


def counted(earned: float, most: float, by_hand: float) -> str:
    """What the checks give, such as “3 of 5 points”; where a person marks too, what comes from whom."""
    if not by_hand:
        return f"{earned:g} of {most:g} points"
    return f"{earned:g} of {most:g} automatic points; {by_hand:g} more {'is' if by_hand == 1 else 'are'} marked by hand"


def _case(graded: Graded, draw: Draw, function: Any, caller: Caller) -> _Case:
    arguments = graded.arguments(draw)
    returned = graded.oracle(*arguments.values())
    expected = [plain(value) for value in (returned if len(graded.outputs) > 1 else (returned,))]
    numbers = [f"{name}={value}" for name, value in arguments.items() if isinstance(value, int | float)]
    sizes = [f"{axis}={size}" for axis, size in draw.sizes.items() if axis in draw.used]
    return _Case(
        name=", ".join(numbers + sizes),
        arguments=arguments,
        expected=tuple(e for e in expected if not isinstance(e, str)),
        outcome=caller(function, arguments, graded.outputs),
    )


def _named(exercise: Exercise, graded: Graded, cases: list[_Case], wrong: list[int]) -> list[Mistake]:
    """The mistakes that give what the student's function gives: all of it, or else one wrong output at a time."""
    bank = []
    for mistake in graded.mistakes:
        function = wrong_function(exercise.name, graded.name, mistake)
        if function is not None:
            bank.append((mistake, [call(function, case.arguments, graded.outputs) for case in cases]))

    def wrong_and_same(theirs: list[Outcome], k: int) -> bool:
        """Output k of a mistake is that of the student in every draw, and a wrong one where there are outputs."""
        pairs = [(t, case.outcome, case.expected[k]) for t, case in zip(theirs, cases, strict=True)]
        return (
            all(t.kind == o.kind for t, o, _ in pairs)
            and all(alike(o.outputs[k], t.outputs[k]) for t, o, _ in pairs if t.outputs and o.outputs)
            and any(t.outputs and not agree(t.outputs[k], right) for t, _, right in pairs)
        )

    def same(theirs: list[Outcome]) -> bool:
        pairs = [(t, case.outcome) for t, case in zip(theirs, cases, strict=True)]
        return all(
            t.kind == o.kind and t.changed == o.changed and all(map(alike, o.outputs, t.outputs)) for t, o in pairs
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


def _order(graded: Graded, cases: list[_Case]) -> str:
    """The order in which the right outputs were returned, where that is all that is wrong; else nothing."""
    if not all(case.outcome.outputs for case in cases):
        return ""
    indices = range(len(graded.outputs))
    found = [[k for k in indices if all(agree(c.outcome.outputs[i], c.expected[k]) for c in cases)] for i in indices]
    places = [k[0] for k in found if k]
    if sorted(places) != list(indices) or places == list(indices):
        return ""
    names = [output.name for output in graded.outputs]
    return f"{', '.join(names[k] for k in places)} in place of {', '.join(names)}"


def _difference(output: Output, k: int, cases: list[_Case]) -> str:
    """Where an output first differs, and by how much; never what was wanted there."""
    case = next(case for case in cases if not case.right(k))
    got, want = case.outcome.outputs[k], case.expected[k]
    if isinstance(got, str):
        return f"{output.name} {got} ({case.name})."
    if got.shape != want.shape:
        axes = output.axes.split()
        wanted = f"({', '.join(axes)}{',' * (len(axes) == 1)}) = {want.shape}" if axes else "one number"
        return f"{output.name} has shape {got.shape} where {wanted} was wanted ({case.name})."
    if not np.isfinite(got).all():
        return f"{output.name} holds nan or inf ({case.name})."
    size = float(np.abs(got - want).max()) / magnitude(want)
    if not output.axes:
        return f"{output.name} is wrong, by {_times(size, 'the right value')} ({case.name})."
    if case.outcome.whole[k]:
        return f"{output.name} holds integers, so that all decimals are cut off ({case.name})."
    wrong = wrong_elements(got, want)
    place = ", ".join(f"{axis} {index}" for axis, index in zip(_axis_names(output), np.argwhere(wrong)[0], strict=True))
    return (
        f"{output.name} is wrong in {int(wrong.sum())} of {wrong.size} elements, first at {place}, "
        f"by up to {_times(size, 'the largest right value')} ({case.name})."
    )


_AXES = {
    "T": "time step",
    "B": "batch row",
    "D": "input",
    "H": "unit",
    "K": "output",
    "steps": "step",
    "epochs": "epoch",
}


def _axis_names(output: Output) -> list[str]:
    if output.axes == "H H":
        return ["sending unit", "receiving unit"]
    return [_AXES.get(axis, axis) for axis in output.axes.split()]


def _times(ratio: float, whole: str) -> str:
    if ratio >= 10:
        return f"more than ten times {whole}"
    return f"{100 * ratio:.0f} % of {whole}" if ratio >= 0.1 else f"{100 * ratio:.2g} % of {whole}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
