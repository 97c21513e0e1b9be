"""What came of calling a function: its outputs as plain arrays, or why there are none."""

import contextlib
import copy
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnngrade.exercise import Output

__all__ = [
    "MOST_ELEMENTS",
    "RELATIVE_TOLERANCE",
    "Answer",
    "Outcome",
    "agree",
    "alike",
    "call",
    "magnitude",
    "plain",
    "wrong_elements",
]

RELATIVE_TOLERANCE = 2e-5
"""Of the largest magnitude in the right answer: what float32 rounding can do over a few steps, and no mistake does."""

MOST_ELEMENTS = 20_000
"""Of one answer, where it must leave the notebook's process."""

_MOST_LINES, _MOST_CHARACTERS = 15, 200  # of what a function prints


Answer = np.ndarray | str
"""What a function returned for one output, as a plain array; or what is wrong with it, in words."""


@dataclass(frozen=True)
class Outcome:
    """One call: its outputs, or the trouble that left none; which arguments it changed; what it printed."""

    outputs: tuple[Answer, ...] = ()
    whole: tuple[bool, ...] = ()  # for each output: it came as integers
    trouble: str = ""
    kind: str = ""  # the exception's class, or "" where the call returned
    changed: tuple[str, ...] = ()
    printed: str = ""


def call(function: Callable[..., Any], arguments: dict[str, Any], outputs: Sequence[Output]) -> Outcome:
    """Call `function` on a copy of `arguments`. Whatever it raises, prints or warns of ends up in the outcome."""
    given = copy.deepcopy(arguments)
    with _captured() as text:
        try:
            returned = function(*given.values())
        except (Exception, SystemExit) as error:
            return Outcome(trouble=_story(function, error), kind=type(error).__name__, printed=_shown(text.getvalue()))
    changed = tuple(name for name, value in arguments.items() if not _unchanged(value, given[name]))
    printed = _shown(text.getvalue())
    stacked = type(returned) is np.ndarray and returned.ndim > 0 and len(returned) == len(outputs)
    several = isinstance(returned, tuple | list) or stacked
    values = list(returned) if several and len(outputs) > 1 else [returned]
    if returned is None or len(values) != len(outputs):
        wanted = f"{len(outputs)} values ({', '.join(output.name for output in outputs)}) were wanted"
        if returned is None:
            trouble = "your function returned None; is the `return` missing?"
        elif several:
            trouble = f"{wanted}, your function returned {len(values)}"
        else:
            trouble = f"{wanted}, your function returned one {type(returned).__name__}"
        return Outcome(trouble=trouble, kind="return", changed=changed, printed=printed)
    whole = tuple(getattr(np.asarray(v).dtype, "kind", "") in "iu" if _is_plain(v) else False for v in values)
    return Outcome(tuple(map(plain, values)), whole, changed=changed, printed=printed)


def plain(value: Any) -> Answer:
    """`value` as a plain array of float64, or what is wrong with it. Trusts no method of the value's own class."""
    if value is None:
        return "is None"
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, list | tuple):
        try:
            value = np.array(value)
        except Exception:  # its elements are the student's objects, and may raise what they like
            return f"is a {name} that does not form an array"
    if not _is_plain(value):
        return f"is a {name}; a NumPy array or a number was wanted"
    array = np.asarray(value)
    if array.dtype not in (np.float64, np.float32) and array.dtype.kind not in "iu":
        return f"has dtype {array.dtype}; numbers (float64, float32) were wanted"
    return array.astype(np.float64)


def _is_plain(value: Any) -> bool:
    return type(value) in (np.ndarray, bool, int, float) or issubclass(type(value), np.generic)


def agree(actual: Answer, expected: np.ndarray) -> bool:
    """Same shape, and every element the same within rounding; nan agrees with nothing."""
    if isinstance(actual, str):
        return False
    return actual.shape == expected.shape and not wrong_elements(actual, expected).any()


def wrong_elements(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Where two arrays of one shape differ by more than rounding."""
    with np.errstate(invalid="ignore"):
        close: np.ndarray = np.abs(actual - expected) <= RELATIVE_TOLERANCE * magnitude(expected)
    return ~close


def alike(one: Answer, other: Answer) -> bool:
    """Two answers are the same by the measure of `other`, wrong or right: as `agree`, but nan is nan and inf is inf."""
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str) and one == other
    if one.shape != other.shape:
        return False
    finite = np.isfinite(other)
    return np.array_equal(one[~finite], other[~finite], equal_nan=True) and (
        np.array_equal(finite, np.isfinite(one)) and agree(one[finite], other[finite])
    )


def magnitude(array: np.ndarray) -> float:
    """The largest magnitude in an array; 1 where all is zero or there is nothing."""
    return float(np.abs(array).max(initial=0.0)) or 1.0


@contextlib.contextmanager
def _captured() -> Iterator[io.StringIO]:
    """Keep what is printed or warned of: a line on stderr would cost the marks in nbgrader. Undo `np.seterr`."""
    text = io.StringIO()
    output, errors = contextlib.redirect_stdout(text), contextlib.redirect_stderr(text)
    with warnings.catch_warnings(), np.errstate(), output, errors:
        warnings.simplefilter("ignore")
        yield text


def _unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(map(_unchanged, before, after))
    return not isinstance(before, np.ndarray) or (before.shape == after.shape and bool((before == after).all()))


def _story(function: Callable[..., Any], error: BaseException) -> str:
    """What was raised, and in which line of which of the student's functions, counted from its `def`."""
    code = getattr(function, "__code__", None)
    place, owner, trace = None, None, error.__traceback__
    while trace is not None and code is not None:
        inner = trace.tb_frame.f_code
        if Path(inner.co_filename).parent == Path(code.co_filename).parent:  # cells of a notebook share a folder
            owner = (
                owner if owner and inner.co_name.startswith("<") else inner
            )  # a comprehension is part of its function
            place = owner.co_name, trace.tb_lineno - owner.co_firstlineno + 1
        trace = trace.tb_next
    if isinstance(error, NotImplementedError):
        if place and code and place[0] != code.co_name:
            return f"not written yet: {place[0]}, which your function calls"
        return "not written yet: replace the line `raise NotImplementedError()` with your code"
    said = f": {_cut(str(error), 300)}".rstrip(": .")
    where = f" in line {place[1]} of {place[0]}" if place else ""
    return f"your function raised {type(error).__name__}{where}{said}"


def _shown(text: str) -> str:
    """The beginning of what was printed."""
    lines = text.splitlines()
    more = [f"… ({len(lines) - _MOST_LINES} lines more)"] if len(lines) > _MOST_LINES else []
    return "\n".join([_cut(line, _MOST_CHARACTERS) for line in lines[:_MOST_LINES]] + more)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + f" … ({len(text) - most} characters more)"
