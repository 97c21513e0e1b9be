"""The solutions' source, and the wrong answers made from it."""

import ast
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rnngrade.exercise import Mistake
from rnngrade.source import parse

__all__ = ["solution_source", "wrong_function", "wrong_source"]

_PLACES = (Path(__file__).parent / "_solutions", Path(__file__).parents[1] / "solutions")  # a wheel, a checkout


@functools.cache
def _functions(exercise: str) -> dict[str, str]:
    for place in _PLACES:
        path = place / f"{exercise}.py"
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            nodes = [node for node in parse(text).body if isinstance(node, ast.FunctionDef)]
            return {node.name: ast.get_source_segment(text, node) or "" for node in nodes}
    return {}


def solution_source(exercise: str, function: str) -> str | None:
    """The source of one function of solutions/<exercise>.py; None where the solutions are not at hand."""
    return _functions(exercise).get(function)


def wrong_source(exercise: str, function: str, mistake: Mistake) -> str | None:
    """The solution's source with the mistake in it; None where the solutions are not at hand.

    Raises:
        ValueError: a text to be replaced does not stand in the solution exactly once.
    """
    source = solution_source(exercise, function)
    if source is None:
        return None
    for old, new in mistake.edits.items():
        if source.count(old) != 1:
            raise ValueError(
                f"{exercise}, {function}, {mistake.name}: {old!r} stands {source.count(old)} times, not once"
            )
        source = source.replace(old, new)
    return source


@functools.cache
def _compile(source: str, function: str) -> Callable[..., Any]:
    namespace: dict[str, Any] = {"np": np}
    exec(compile(source, f"<{function} with a mistake>", "exec"), namespace)
    made: Callable[..., Any] = namespace[function]
    return made


def wrong_function(exercise: str, function: str, mistake: Mistake) -> Callable[..., Any] | None:
    """The solution with the mistake in it, as a function; None where the solutions are not at hand."""
    source = wrong_source(exercise, function, mistake)
    return None if source is None else _compile(source, function)
