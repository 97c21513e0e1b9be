"""What came of calling a function: its outputs as plain arrays, or why there are none."""

import contextlib
import copy
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnngrade.exercise import Output

__all__ = ["RELATIVE_TOLERANCE", "Outcome", "agree", "alike", "call", "magnitude", "plain", "wrong_elements"]

RELATIVE_TOLERANCE = 2e-5
"""Of the largest magnitude in the right answer: what float32 rounding can do over a few steps, and no mistake does."""

_MOST_PRINTED = 1000


@dataclass(frozen=True)
class Outcome:
    """One call: its outputs, or the trouble that left none; which arguments it changed; what it printed."""

    outputs: tuple[np.ndarray, ...] = ()
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
        except NotImplementedError:
            return Outcome(trouble="not written yet", kind="NotImplementedError")
        except (Exception, SystemExit) as error:
            said = ": " + _cut(str(error), 300) if str(error) else ""
            return Outcome(
                trouble=f"your function raised {type(error).__name__}{_line_of(function, error)}{said}",
                kind=type(error).__name__,
                printed=_cut(text.getvalue(), _MOST_PRINTED),
            )
    changed = tuple(name for name, value in arguments.items() if not _unchanged(value, given[name]))
    printed = _cut(text.getvalue(), _MOST_PRINTED)
    several = isinstance(returned, tuple | list)
    values = list(returned) if several and len(outputs) > 1 else [returned]
    if len(values) != len(outputs):
        names = ", ".join(output.name for output in outputs)
        received = f"{len(values)} values" if several else f"one {type(returned).__name__}"
        trouble = f"it should return {len(outputs)} values ({names}), it returned {received}"
        return Outcome(trouble=trouble, kind="return", changed=changed, printed=printed)
    plains = []
    for output, value in zip(outputs, values, strict=True):
        array = plain(value)
        if isinstance(array, str):
            return Outcome(trouble=f"{output.name} {array}", kind="return", changed=changed, printed=printed)
        plains.append(array)
    return Outcome(tuple(plains), changed=changed, printed=printed)


def plain(value: Any) -> np.ndarray | str:
    """`value` as a plain array of float64, or what is wrong with it. Trusts no method of the value's own class."""
    if value is None:
        return "is None; does your function return it?"
    if isinstance(value, list | tuple):
        try:
            value = np.array(value)
        except Exception:  # its elements are the student's objects, and may raise what they like
            return "is a list that does not form an array"
    if type(value) not in (np.ndarray, bool, int, float) and not issubclass(type(value), np.generic):
        return f"is a {type(value).__module__}.{type(value).__qualname__}; a NumPy array or a number was wanted"
    array = np.asarray(value)
    if array.dtype not in (np.float64, np.float32) and array.dtype.kind not in "iu":
        return f"has dtype {array.dtype}; float64 or float32 was wanted"
    return array.astype(np.float64)


def agree(actual: np.ndarray, expected: np.ndarray) -> bool:
    """Same shape, and every element the same within rounding; nan agrees with nothing."""
    return actual.shape == expected.shape and not wrong_elements(actual, expected).any()


def wrong_elements(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Where two arrays of one shape differ by more than rounding."""
    with np.errstate(invalid="ignore"):
        close: np.ndarray = np.abs(actual - expected) <= RELATIVE_TOLERANCE * magnitude(expected)
    return ~close


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Two answers are the same, wrong or right: as `agree`, but nan and inf agree with themselves."""
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


def _line_of(function: Callable[..., Any], error: BaseException) -> str:
    """` in line 7` of the function, counted from its `def`; empty where the error came from elsewhere."""
    code = getattr(function, "__code__", None)
    found, trace = "", error.__traceback__
    while trace is not None and code is not None:
        if trace.tb_frame.f_code is code:
            found = f" in line {trace.tb_lineno - code.co_firstlineno + 1} of {code.co_name}"
        trace = trace.tb_next
    return found


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + f" … ({len(text) - most} characters more)"
