"""Asks a notebook's process for answers, and gives the marks: the half of a check that student code cannot reach."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rnngrade.checks import exercise, exercise_names
from rnngrade.exercise import Exercise, Output
from rnngrade.outcome import MOST_ELEMENTS, Outcome
from rnngrade.report import Report, grade, no_function, summary
from rnngrade.sandbox.limits import Limits
from rnngrade.wire import Garbled

__all__ = ["Examiner", "Talk"]

Talk = tuple[Callable[[dict[str, Any]], None], Callable[[], dict[str, Any]]]
"""Send a message; wait for the next one that is no output."""

_LONGEST = 5_000  # characters of any text in an answer


class Examiner:
    """Answers what a notebook's process asks of `check`.

    Args:
        seed: of the inputs by which marks are given; student code must have no way to know it.
        limits: what the notebook may use; where one was met, the report says so.

    Attributes:
        reports: what the functions earned, by name.
        notes: limits that they met.
    """

    def __init__(self, seed: int, limits: Limits) -> None:
        self._seed, self._limits = seed, limits
        self.reports: dict[str, Report] = {}
        self.notes: list[str] = []

    def answer(self, message: dict[str, Any], talk: Talk, marked: tuple[str, str] | None) -> bool:
        """Answer one question; whether there was one.

        `marked` names the exercise and function whose cell is running. Its first check there gives the marks, by
        inputs of the secret seed, and is told nothing; any other is practice, as at home.
        """
        send, _ = talk
        if "load" in message:
            name = str(message["load"])
            if name in exercise_names():
                send({"functions": [graded.name for graded in exercise(name)]})
            else:
                send({"refused": f"there is no exercise {name!r}"[:_LONGEST]})
        elif "summary" in message:
            name = str(message["summary"])
            if name not in exercise_names():
                raise Garbled("a summary of an exercise that there is not")
            points = {function: report.points for function, report in self.reports.items()}
            send({"report": summary(exercise(name), points), "points": 0.0})
        elif "check" in message:
            asked = str(message.get("exercise")), str(message["check"])
            if asked[0] not in exercise_names() or asked[1] not in exercise(asked[0]):
                raise Garbled("a check of a function that there is not")
            secret = asked == marked and asked[1] not in self.reports
            report = self._report(exercise(asked[0]), asked[1], message, talk, self._seed if secret else 0)
            if secret:
                self.reports[asked[1]] = report
                send({"report": "", "points": 0.0})
            else:
                send({"report": str(report), "points": report.points})
        else:
            return False
        return True

    def _report(self, of: Exercise, name: str, message: dict[str, Any], talk: Talk, seed: int) -> Report:
        graded = of[name]
        if not message.get("callable"):
            return no_function(graded, str(message.get("type"))[:100])
        caller = _Elsewhere(talk)
        report = grade(of, graded, None, caller=caller, seed=seed)
        met = sorted({says for kind, trouble in caller.troubles if (says := self._limits.named(kind, trouble))})
        self.notes += [f"{name}: {says}" for says in met]
        return dataclasses.replace(report, lines=(*report.lines, *(f"{says[0].upper()}{says[1:]}." for says in met)))


class _Elsewhere:
    """Has a student's function called in its own process; believes nothing that comes back."""

    def __init__(self, talk: Talk) -> None:
        self._send, self._receive = talk
        self.troubles: set[tuple[str, str]] = set()

    def __call__(self, function: None, arguments: dict[str, Any], outputs: Sequence[Output]) -> Outcome:
        given = {name: value for name, value in arguments.items() if callable(value)}
        plain = {name: {"function": name} if name in given else value for name, value in arguments.items()}
        self._send({"arguments": plain, "outputs": [output.name for output in outputs]})
        while True:
            message = self._receive()
            if "outcome" in message:
                outcome = _believed(message["outcome"], list(arguments), len(outputs))
                self.troubles.add((outcome.kind, outcome.trouble))
                return outcome
            name, values = message.get("given"), message.get("arguments")
            if not isinstance(name, str) or name not in given or not isinstance(values, list):
                raise Garbled("neither an outcome nor a question")
            self._send(_called(given[name], values))


def _called(function: Callable[..., Any], arguments: list[Any]) -> dict[str, Any]:
    """The value of a given function for what a student's function gives it."""
    try:
        with np.errstate(all="ignore"):
            return {"returned": function(*arguments)}
    except Exception as error:  # whatever a wrong argument leads to is the student's to hear of
        return {"raised": f"{type(error).__name__}: {error}"[:_LONGEST]}


def _believed(outcome: Any, names: list[str], count: int) -> Outcome:
    """An outcome whose parts have the types that they should have; Garbled where they have not."""
    if not isinstance(outcome, dict):
        raise Garbled("an outcome that is none")
    outputs, whole, changed = (_tuple(outcome, key) for key in ("outputs", "whole", "changed"))
    trouble, kind, printed = (_text(outcome, key) for key in ("trouble", "kind", "printed"))
    if len(outputs) not in (0, count) or len(whole) != len(outputs) or not all(name in names for name in changed):
        raise Garbled("an outcome with other outputs than were asked for")
    if not outputs and not trouble:
        raise Garbled("an outcome without outputs and without a reason")
    answers = tuple(_answer(output) for output in outputs)
    return Outcome(answers, tuple(map(bool, whole)), trouble, kind, changed, printed)


def _tuple(outcome: dict[str, Any], key: str) -> tuple[Any, ...]:
    value = outcome.get(key)
    if not isinstance(value, tuple):
        raise Garbled(f"an outcome whose {key} are of another type")
    return value


def _text(outcome: dict[str, Any], key: str) -> str:
    value = outcome.get(key)
    if not isinstance(value, str):
        raise Garbled(f"an outcome whose {key} is of another type")
    return value[:_LONGEST]


def _answer(value: Any) -> np.ndarray | str:
    if isinstance(value, str):
        return value[:_LONGEST]
    if not isinstance(value, np.ndarray) or value.dtype != np.float64:
        raise Garbled("an answer that is no array")
    if value.size > MOST_ELEMENTS:
        raise Garbled(f"an answer of {value.size} elements")
    return value
