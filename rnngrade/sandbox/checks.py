"""Stands behind the wall in the place of `rnngrade.checks`: the same calls, but the questions come from outside.

`check.bptt(bptt)` asks for inputs, calls the function on them, and sends out what comes. What is right, and what it
earns, is decided where this process cannot look; in a graded cell it is not even told.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from rnngrade.exercise import Output
from rnngrade.outcome import MOST_ELEMENTS, Answer, call
from rnngrade.sandbox.kernel import wire

__all__ = ["Check", "load"]


def load(name: str) -> "Check":
    """The checks of one notebook."""
    wire().send({"load": str(name)})
    reply = wire().receive()
    if "refused" in reply:
        raise ValueError(reply["refused"])
    return Check(str(name), reply["functions"])


class Check:
    """One method per graded function: it has the function called, prints the report, and returns the points."""

    def __init__(self, exercise: str, functions: list[str]) -> None:
        self._exercise, self._functions = exercise, functions

    def __dir__(self) -> list[str]:
        return [*self._functions, "summary"]

    def __getattr__(self, name: str) -> Callable[..., float]:
        if name.startswith("_") or name not in self._functions:
            raise AttributeError(f"{self._exercise} has no graded function {name!r}; there are: {dir(self)}")

        def check(function: Any = None) -> float:
            wire().send(
                {
                    "check": name,
                    "exercise": self._exercise,
                    "callable": callable(function),
                    "type": type(function).__name__,
                }
            )
            return _answer(function)

        return check

    def summary(self) -> None:
        """Print the points earned so far, function by function."""
        wire().send({"summary": self._exercise})
        _answer(None)


def _answer(function: Any) -> float:
    """Call the function as often as is asked for; then print the report, and return the points."""
    while True:
        question = wire().receive()
        if "report" in question:
            if question["report"]:
                print(question["report"])
            return float(question["points"])
        arguments = {name: _argument(value) for name, value in question["arguments"].items()}
        outputs = [Output(name, "", 0) for name in question["outputs"]]
        outcome = call(function, arguments, outputs)
        small = tuple(map(_small, outcome.outputs))
        wire().send({"outcome": dataclasses.asdict(dataclasses.replace(outcome, outputs=small))})


def _small(answer: Answer) -> Answer:
    if isinstance(answer, str) or answer.size <= MOST_ELEMENTS:
        return answer
    return f"has {answer.size} elements, many more than were wanted"


def _argument(value: Any) -> Any:
    """A function that is given to the student's is called outside."""
    if not isinstance(value, dict) or "function" not in value:
        return value
    name = value["function"]

    def given(*arguments: Any) -> Any:
        wire().send({"given": name, "arguments": list(arguments)})
        reply = wire().receive()
        if "raised" in reply:
            raise ValueError(reply["raised"])
        return reply["returned"]

    given.__name__ = given.__qualname__ = name
    return given
