"""The check that notebooks call: whatever a student's function does, one finite mark and a message that helps."""

import functools
import math
import re
import sys
import warnings

import numpy as np
import pytest

from rnngrade.checks import exercise, exercise_names, load
from rnngrade.exercise import Exercise, Graded, Output
from rnngrade.outcome import alike, call, plain
from rnngrade.report import Report, grade
from rnngrade.solutions import solution_source

ALL = [pytest.param(e, g, id=f"{e.name}-{g.name}") for e in map(exercise, exercise_names()) for g in e]
ELMAN, BPTT = exercise("02_elman"), exercise("03_bptt")
STEP = ELMAN["elman_step"]


def made(source: str, name: str):
    namespace = {"np": np}
    exec(source, namespace)
    return namespace[name]


def changed(e: Exercise, g: Graded, *edits: tuple[str, str]):
    """The solution with some of its text replaced."""
    source = solution_source(e.name, g.name)
    for old, new in edits:
        assert source.count(old) == 1
        source = source.replace(old, new)
    return made(source, g.name)


def text_of(report: Report) -> str:
    """What it says, without its line breaks; its mark is as it must be."""
    assert type(report.points) is float
    assert 0 <= report.points <= report.most
    return " ".join(str(report).split())


class Everything(np.ndarray):
    """Equal to all that there is."""

    def __eq__(self, other):
        return np.True_

    __hash__ = None


class Spoof:
    """Says that it is a number of NumPy's, and equal to all that there is."""

    __class__ = np.float64

    def __eq__(self, other):
        return True

    __hash__ = None


def raises(*_):
    raise ValueError("operands do not fit")


def leaves(*_):
    sys.exit(3)


def recurs(*arguments):
    return recurs(*arguments)


def forgets(*_):
    pass


def fails_without_words(*_):
    raise AssertionError


def right_step(x, h, W, U, b):
    return np.tanh(x @ W + h @ U + b)


WRONG = {
    "raises": (raises, "raised ValueError in line 2 of raises: operands do not fit (B=7, D=6, H=3)."),
    "raises without words": (fails_without_words, "raised AssertionError in line 2 of fails_without_words (B="),
    "exits": (leaves, "raised SystemExit in line 2 of leaves: 3 (B="),
    "never ends its recursion": (recurs, "raised RecursionError in line 2 of recurs: maximum recursion depth"),
    "returns None": (forgets, "Your function returned None; is the `return` missing?"),
    "takes other arguments": (lambda x: x, "raised TypeError: "),
    "is a generator": (lambda *a: (x for x in a), "h is a generator; a NumPy array or a number was wanted"),
    "returns text": (lambda *_: "tanh", "h is a str; a NumPy array or a number was wanted"),
    "returns a dictionary": (lambda *_: {"h": 1.0}, "h is a dict; a"),
    "returns objects": (
        lambda *a: right_step(*a).astype(object),
        "h has dtype object; numbers (float64, float32) were wanted",
    ),
    "returns complex": (lambda *a: right_step(*a) + 0j, "h has dtype complex128"),
    "returns booleans": (lambda *a: right_step(*a) > 0, "h has dtype bool"),
    "returns float16": (lambda *a: right_step(*a).astype(np.float16), "h has dtype float16"),
    "returns a matrix": (lambda *a: right_step(*a).view(np.matrix), "a NumPy array or a number was wanted"),
    "returns a masked array": (lambda *a: np.ma.array(right_step(*a)), "a NumPy array or a number was wanted"),
    "equals everything": (lambda *a: right_step(*a).view(Everything), "Everything; a NumPy array or a number was"),
    "claims to be a number": (lambda *_: Spoof(), "Spoof; a NumPy array or a number was wanted"),
    "returns a ragged list": (lambda *_: [[1.0, 2.0], [3.0]], "h is a list that does not form an array"),
    "returns a list of objects": (lambda *_: [Spoof()], "h has dtype object"),
    "returns nan": (lambda *a: right_step(*a) * np.nan, "h holds nan or inf"),
    "returns one nan": (lambda *a: np.where(np.arange(a[1].shape[1]) == 0, np.nan, right_step(*a)), "h holds nan"),
    "returns huge numbers": (lambda *a: right_step(*a) * 1e308, "by up to more than ten times the largest right value"),
    "returns another shape": (lambda *a: right_step(*a)[..., None], "1) where (B, H) = ("),
    "returns a number": (lambda *_: 0.5, "h has shape () where (B, H) = ("),
    "returns a tuple of one": (lambda *a: (right_step(*a),), "h has shape (1, "),
    "returns nothing but an empty list": (lambda *_: [], "h has shape (0,) where"),
}


@pytest.mark.parametrize("name", WRONG)
def test_function_that(name: str) -> None:
    function, message = WRONG[name]
    report = grade(ELMAN, STEP, function)
    assert report.points == 0
    assert message in text_of(report)


@pytest.mark.parametrize("thing", [None, 3, "elman_step", np.zeros(3), ...])
def test_what_is_no_function_earns_nothing(thing) -> None:
    report = grade(ELMAN, STEP, thing)
    assert report.points == 0
    assert f"not a value of type {type(thing).__name__}: write check.elman_step(elman_step)." in text_of(report)


@pytest.mark.parametrize(
    ("returned", "received"),
    [(0.0, "one float"), (np.zeros((3, 3)), "one ndarray"), ((1.0,), "1"), ([1.0] * 3, "3")],
)
def test_wrong_count_is_named(returned, received: str) -> None:
    def elman_forward(*_):
        print("here I am")
        return returned

    text = text_of(grade(ELMAN, ELMAN["elman_forward"], elman_forward))
    assert f"2 values (hs, h_last) were wanted, your function returned {received} (" in text
    assert "here I am" in text


@pytest.mark.parametrize("kind", [tuple, list])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_right_answer_may_be_a_list_or_float32(kind, dtype) -> None:
    solution = made(solution_source("03_bptt", "step_backward"), "step_backward")

    def step_backward(*arguments):
        return kind(gradient.astype(dtype) for gradient in solution(*arguments))

    assert grade(BPTT, BPTT["step_backward"], step_backward).points == 4


def test_integers_are_numbers() -> None:
    graded = ELMAN["count_parameters"]
    for kind in (int, float, np.int32, np.int64, np.float32, np.array):
        right = made(solution_source("02_elman", "count_parameters"), "count_parameters")
        assert grade(ELMAN, graded, lambda *a, right=right, kind=kind: kind(right(*a))).points == 2


@pytest.mark.parametrize(("e", "g"), ALL)
@pytest.mark.parametrize(
    "function",
    [raises, forgets, recurs, lambda *_: math.nan, lambda *_: -math.inf, lambda *_: [0.0] * 5, lambda *_: (0.0, 1.0)],
)
def test_mark_is_one_finite_number_within_the_points(e: Exercise, g: Graded, function) -> None:
    report = grade(e, g, function)
    assert report.points == 0
    assert report.most == g.points
    assert text_of(report).startswith(f"{g.name}: 0 of {g.points:g} points ")


@pytest.mark.parametrize(("e", "g"), ALL)
def test_solution_earns_all_whatever_the_global_state(e: Exercise, g: Graded) -> None:
    function = made(solution_source(e.name, g.name), g.name)
    reports = []
    for seed in (0, 1):
        np.random.seed(seed)  # noqa: NPY002
        with np.errstate(all="raise"):
            reports.append(grade(e, g, function))
    assert reports[0] == reports[1]
    assert reports[0].points == g.points
    assert text_of(reports[0]).endswith(f"All of it right, on {e.cases} random inputs.")


def test_function_may_use_the_global_generator_and_change_numpys_error_state() -> None:
    def elman_step(x, h, W, U, b):
        np.random.seed(0)  # noqa: NPY002
        np.seterr(all="raise")
        return right_step(x, h, W, U, b) + 0 * np.random.rand()  # noqa: NPY002

    before = np.geterr()
    assert grade(ELMAN, STEP, elman_step).points == 3
    assert np.geterr() == before


@pytest.mark.parametrize("name", ["x", "h", "W", "U", "b"])
def test_changed_argument_is_named_and_costs_all(name: str) -> None:
    def elman_step(x, h, W, U, b):
        result = right_step(x, h, W, U, b)
        locals()[name][...] += 1
        return result

    report = grade(ELMAN, STEP, elman_step)
    assert report.points == 0
    assert report.lines == (f"Your function changed its argument {name}; work on a copy.",)


def test_what_a_function_keeps_or_changes_does_not_reach_the_next_call() -> None:
    kept: list[np.ndarray] = []

    def elman_step(x, h, W, U, b):
        for array in kept:
            array[...] = 0
        result = right_step(x, h, W, U, b)
        kept.extend([result, x, h, W, U, b])
        return result

    assert grade(ELMAN, STEP, elman_step).points == 3


def test_prints_and_warnings_stay_off_the_screen(capfd) -> None:
    def noisy(x, h, W, U, b):
        print("to the screen")
        print("to the error stream", file=sys.stderr)
        warnings.warn("a warning", stacklevel=1)
        np.log(np.zeros(1))
        return right_step(x, h, W, U, b)

    assert grade(ELMAN, STEP, noisy).points == 3
    wrong = text_of(grade(ELMAN, STEP, lambda *a: noisy(*a) + 1))
    assert "It printed:" in wrong
    assert "to the screen" in wrong
    assert "to the error stream" in wrong
    assert capfd.readouterr() == ("", "")


def test_long_output_is_cut() -> None:
    def chatty(*_):
        print("x" * 10**6)
        raise ValueError("y" * 10**6)

    assert len(text_of(grade(ELMAN, STEP, chatty))) < 2000


def test_interrupt_is_not_swallowed() -> None:
    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grade(ELMAN, STEP, interrupted)


def test_callable_object_and_partial_are_functions() -> None:
    class Step:
        def __call__(self, *arguments):
            return right_step(*arguments)

    assert grade(ELMAN, STEP, Step()).points == 3
    assert grade(ELMAN, STEP, functools.partial(right_step)).points == 3


def test_two_mistakes_in_two_outputs_are_both_named() -> None:
    graded = BPTT["step_backward"]
    function = changed(BPTT, graded, ("da @ U.T", "da @ U"), ("da.sum(axis=0)", "da.mean(axis=0)"))
    report = grade(BPTT, graded, function)
    assert report.points == 2
    named = [line for line in report.lines if "what comes out when" in line]
    assert len(named) == 2
    assert sum("wrong in" in line for line in report.lines) == 2


def test_output_that_is_missing_costs_its_own_points_only() -> None:
    right = made(solution_source("03_bptt", "bptt"), "bptt")

    def bptt(*arguments):
        dxs, _, dW, _, _ = right(*arguments)
        return dxs, None, dW, "later", None

    report = grade(BPTT, BPTT["bptt"], bptt)
    assert report.points == 4
    assert "dh0 is None" in text_of(report)
    assert "Wrong as well: dU, db." in text_of(report)


def test_other_order_of_outputs_is_named() -> None:
    right = made(solution_source("03_bptt", "step_backward"), "step_backward")

    def step_backward(*arguments):
        dx, dh_old, dW, dU, db = right(*arguments)
        return dW, dU, db, dx, dh_old

    text = text_of(grade(BPTT, BPTT["step_backward"], step_backward))
    assert "right arrays in another order: dW, dU, db, dx, dh_old in place of dx, dh_old, dW, dU, db." in text
    assert "shape" not in text


def test_integers_in_place_of_decimals_are_named() -> None:
    text = text_of(grade(ELMAN, STEP, lambda *a: np.round(10 * right_step(*a)).astype(int)))
    assert "h holds integers, so that all decimals are cut off" in text


def test_stub_that_is_called_is_named() -> None:
    def elman_step(x, h, W, U, b):
        raise NotImplementedError

    def elman_forward(xs, h0, W, U, b):
        return [elman_step(x, h0, W, U, b) for x in xs], h0

    text = text_of(grade(ELMAN, ELMAN["elman_forward"], elman_forward))
    assert "Not written yet: elman_step, which your function calls." in text


def test_line_named_is_the_innermost_of_the_students() -> None:
    def helper(x):
        return x + missing  # noqa: F821

    def elman_step(x, h, W, U, b):
        return helper(x)

    assert "NameError in line 2 of helper: name 'missing'" in text_of(grade(ELMAN, STEP, elman_step))


def test_line_in_a_comprehension_is_that_of_its_function() -> None:
    def elman_forward(xs, h0, W, U, b):
        zeros = [0 * x for x in xs]
        return [x + missing for x in zeros], h0  # noqa: F821

    text = text_of(grade(ELMAN, ELMAN["elman_forward"], elman_forward))
    assert "NameError in line 3 of elman_forward: name 'missing'" in text


def test_outputs_stacked_in_one_array_are_taken_apart() -> None:
    coupled = exercise("08_zoo")
    right = made(solution_source("08_zoo", "coupled_lstm_step"), "coupled_lstm_step")
    assert grade(coupled, coupled["coupled_lstm_step"], lambda *a: np.array(right(*a))).points == 4
    report = grade(coupled, coupled["coupled_lstm_step"], lambda *a: np.array([*right(*a), a[1]]))
    assert "2 values (h, c) were wanted, your function returned one ndarray" in text_of(report)


def test_sizes_named_are_those_that_were_used() -> None:
    graded = ELMAN["count_parameters"]
    text = text_of(grade(ELMAN, graded, lambda *sizes: 1))
    assert "(input_size=6, hidden_size=3, output_size=4, steps=10)" in text
    assert "T=" not in text


def test_unknown_mistake_says_where_and_how_much() -> None:
    def elman_step(x, h, W, U, b):
        result = right_step(x, h, W, U, b)
        result[2, 1] += 0.3 * np.abs(result).max()
        return result

    lines = grade(ELMAN, STEP, elman_step).lines
    assert len(lines) == 1
    assert re.match(r"h is wrong in 1 of \d+ elements, first at batch row 2, unit 1, by up to 30 % of the", lines[0])


@pytest.mark.parametrize(("e", "g"), ALL)
def test_report_never_shows_what_was_expected(e: Exercise, g: Graded) -> None:
    right = made(solution_source(e.name, g.name), g.name)

    def shifted(*arguments):
        returned = right(*arguments)
        return tuple(a + 1 for a in returned) if len(g.outputs) > 1 else returned + 1

    def zeros(*arguments):
        returned = right(*arguments)
        return tuple(0 * a for a in returned) if len(g.outputs) > 1 else 0 * returned

    expected = set()
    for draw in e.draws():
        outcome = call(right, g.arguments(draw), g.outputs)
        for array in outcome.outputs:
            values = np.abs(array[(array != 0) & (np.abs(array) != 1)]).ravel()
            expected |= {f"{v:.0f}" if v == round(v) else f"{v:.6f}"[:5] for v in values.tolist()}
    for function in (shifted, zeros):
        text = text_of(grade(e, g, function))
        said = {n[:5] for n in re.findall(r"\d+\.?\d*", re.sub(r"\([^)]*\)", "", text))}
        assert "is wrong" in text
        assert not expected & said


def test_check_prints_the_report_and_returns_the_points(capsys) -> None:
    check = load("02_elman")
    assert check.elman_step(right_step) == 3.0
    assert check.elman_forward(None) == 0.0
    assert capsys.readouterr().out.startswith("elman_step: 3 of 3 points\n")
    check.elman_step(lambda *_: 0)
    check.elman_step(right_step)
    capsys.readouterr()
    check.summary()
    lines = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in lines[:2]] == ["elman_step: 3 of 3", "elman_forward: 0 of 4"]
    assert lines[-1].strip() == "total: 3 of 20 automatic points; 2 more are marked by hand"


def test_unknown_exercise_is_named_beside_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"there is no exercise '99_no'; there are: .*02_elman, 03_bptt"):
        load("99_no")


def test_unknown_check_is_named_beside_those_there_are() -> None:
    with pytest.raises(AttributeError, match=r"02_elman has no graded function 'bptt'; there are: .*elman_step"):
        load("02_elman").bptt(None)


def test_check_completes_its_names() -> None:
    assert dir(load("03_bptt")) == sorted([*(g.name for g in BPTT), "summary"])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([1.0, np.nan], [1.0, np.nan], True),
        ([1.0, np.inf], [1.0, np.inf], True),
        ([1.0, np.inf], [1.0, -np.inf], False),
        ([1.0, np.nan], [np.nan, 1.0], False),
        ([1.0, 2.0], [1.0, 2.1], False),
        ([1.0], [1.0, 1.0], False),
        ([], [], True),
    ],
)
def test_alike_takes_nan_and_inf_as_they_are(one, other, same) -> None:
    assert alike(np.array(one), np.array(other)) is same


def test_plain_copies() -> None:
    array = np.zeros(2)
    copied = plain(array)
    array[0] = 1
    assert copied[0] == 0


def test_element_that_raises_is_no_array() -> None:
    class Element:
        def __array__(self, *_, **__):
            raise RuntimeError("no")

    outcome = call(lambda: [Element()], {}, [Output("h", "B", 1)])
    assert outcome.outputs == ("is a list that does not form an array",)
