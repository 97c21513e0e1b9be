"""The checks that notebooks call: `check = load("03_bptt")`, then `check.bptt(bptt)`. Needs `rnncore` alone."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from rnngrade.exercise import Exercise
from rnngrade.report import Report, grade, summary

__all__ = ["Check", "exercise", "exercise_names", "load"]

_PREFIX = "ex"


def exercise_names() -> list[str]:
    """Names of all exercises, such as "03_bptt", in order."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name.removeprefix(_PREFIX) for name in modules if name.startswith(_PREFIX))


def exercise(name: str) -> Exercise:
    """The exercise of that name; ValueError with the names there are."""
    if name not in exercise_names():
        raise ValueError(f"there is no exercise {name!r}; there are: {', '.join(exercise_names())}")
    found: Exercise = importlib.import_module(f"{__name__}.{_PREFIX}{name}").EXERCISE
    return found


def load(name: str) -> "Check":
    """The checks of one notebook."""
    return Check(exercise(name))


class Check:
    """One method per graded function: it prints a report and returns the points earned."""

    def __init__(self, exercise: Exercise) -> None:
        self._exercise = exercise
        self._reports: dict[str, Report] = {}

    def __dir__(self) -> list[str]:
        return [*(graded.name for graded in self._exercise), "summary"]

    def __getattr__(self, name: str) -> Callable[[Any], float]:
        if name.startswith("_") or name not in self._exercise:
            raise AttributeError(f"{self._exercise.name} has no graded function {name!r}; there are: {dir(self)}")

        def check(function: Any = None) -> float:
            report = grade(self._exercise, self._exercise[name], function)
            self._reports[name] = report
            print(report)
            return report.points

        return check

    def summary(self) -> None:
        """Print the points earned so far, function by function."""
        print(summary(self._exercise, {name: report.points for name, report in self._reports.items()}))
