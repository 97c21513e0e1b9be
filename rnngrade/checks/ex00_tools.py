"""Exercise 00: sequences as arrays, one-hot vectors, and the check of a gradient by differences."""

from typing import Any, cast

import numpy as np

from rnncore import Elman, Embedding
from rnncore.optim import global_norm
from rnncore.testing import directional_error
from rnngrade.exercise import Draw, Exercise, Graded, Mistake, Output

EPS = (0.1, 0.4, 0.25, 0.2, 0.3, 0.15)
"""Large enough for a one-sided difference to show, and for float32 to do."""


def _time_major_arguments(draw: Draw) -> dict[str, Any]:
    if draw.case == 3:
        draw.sizes["D"] = 1  # an axis of one number is an axis
    return {"sequences": [draw("T D") for _ in range(draw.sizes["B"])]}


def _time_major_oracle(sequences: Any) -> Any:
    xs = np.empty((len(sequences[0]), len(sequences), len(sequences[0][0])))
    for n, sequence in enumerate(sequences):
        for t, x in enumerate(sequence):
            xs[t, n] = x
    return xs


def _one_hot_arguments(draw: Draw) -> dict[str, Any]:
    if draw.case == 2:
        draw.sizes["B"] = 1  # an axis of one sequence is an axis
    classes, K = draw.classes("T B"), draw.sizes["K"]
    if draw.case % 2:
        classes = np.minimum(classes, K - 2)  # the last class does not occur
    return {"classes": classes, "K": K}


def _two_arrays(draw: Draw) -> dict[str, Any]:
    """Of ordinary size, tiny, zero, very different ones, and one of them zero."""
    shape = ("T B D", "D H", "H", "T B D", "D H", "T B D")[draw.case]
    a, difference = draw(shape), draw(shape)
    if draw.case == 0:
        return {"a": 1.5 * a + 0.3 * difference, "b": a}
    if draw.case == 1:
        return {"a": 1e-9 * a, "b": 1e-9 * (a + 0.2 * difference)}
    if draw.case == 2:
        return {"a": 0 * a, "b": 0 * a}
    if draw.case == 4:
        return {"a": a, "b": 0 * a}
    if draw.case == 5:
        return {"a": 0 * a, "b": a}
    return {"a": a, "b": difference - 3 * a}


def _relative_error_oracle(a: Any, b: Any) -> float:
    longer = max(global_norm(a), global_norm(b))
    return global_norm(a - b) / longer if longer else 0.0


def _gradient_arguments(draw: Draw) -> dict[str, Any]:
    xs, W, r = draw("T B D"), draw("D H"), draw("T B H")
    array = xs[:, None]  # four axes, so that three loops do not do, and one of length 1

    def function(array: Any) -> float:
        xs = _of_shape("function", array, (r.shape[0], 1, r.shape[1], W.shape[0]))[:, 0]
        ys = np.tanh(xs @ W)
        return float(np.sum(r * ys) + np.sum(ys[1:] * ys[:-1]))

    function.__qualname__ = "function"  # what an error message calls it
    return {"function": function, "array": array, "eps": EPS[draw.case]}


def _gradient_oracle(function: Any, array: Any, eps: float) -> Any:
    steps = eps * np.eye(array.size).reshape(-1, *array.shape)
    ahead, behind = ([function(array + sign * step) for step in steps] for sign in (1, -1))
    return np.subtract(ahead, behind).reshape(array.shape) / (2 * eps)


def _direction_arguments(draw: Draw) -> dict[str, Any]:
    xs, h0, r = draw("T B D"), draw("B H"), draw("T B H")
    shapes = "D H", "H H", "H"

    def function(W: Any, U: Any, b: Any) -> float:
        H = r.shape[2]
        W, U = _of_shape("W", W, (xs.shape[2], H)), _of_shape("U", U, (H, H))
        return float(np.sum(r * Elman(W, U, _of_shape("b", b, (H,))).forward(xs, (h0,))[0]))

    function.__qualname__ = "function"
    eps, found = EPS[draw.case], (0.0,)
    while min(map(abs, found)) < 1:  # a slope of nearly nothing is nothing but rounding in float32
        parameters, gradients, directions = (tuple(map(draw, shapes)) for _ in range(3))
        found = _direction_oracle(function, parameters, gradients, directions, eps)
    return {
        "function": function,
        "parameters": parameters,
        "gradients": gradients,
        "directions": directions,
        "eps": eps,
    }


class _Given:
    """Draws what it was given, in order."""

    def __init__(self, arrays: Any) -> None:
        self._arrays = iter(arrays)

    def standard_normal(self, shape: tuple[int, ...]) -> Any:
        return next(self._arrays).reshape(shape)


def _direction_oracle(function: Any, parameters: Any, gradients: Any, directions: Any, eps: float) -> tuple[Any, ...]:
    rng = cast("np.random.Generator", _Given(directions))
    return directional_error(lambda arrays: function(*arrays), parameters, gradients, rng, eps)


def _of_shape(name: str, array: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The array in float64; ValueError where it has another shape."""
    given: np.ndarray = np.asarray(array, dtype=np.float64)
    if given.shape != shape:
        raise ValueError(f"{name} was given an array of shape {given.shape}; it takes {shape}")
    return given


TIME_MAJOR = Graded(
    name="time_major",
    arguments=_time_major_arguments,
    oracle=_time_major_oracle,
    outputs=(Output("xs", "T B D", 2),),
    mistakes=(
        Mistake(
            "batch first",
            {"axis=1": "axis=0"},
            "the sequences come first: xs[0] is the whole first sequence. It should be the first step of all of them",
        ),
        Mistake(
            "reshaped",
            {"np.stack(sequences, axis=1)": "np.reshape(sequences, (len(sequences[0]), len(sequences), -1))"},
            "the stack is brought into shape by `reshape`, which counts through the numbers in their old order and so "
            "mixes sequences and steps; an axis is moved by `transpose`, or by the axis of np.stack",
        ),
        Mistake(
            "one after the other",
            {"np.stack(sequences, axis=1)": "np.concatenate(sequences)"},
            "the sequences are joined end to end, as one long sequence; each needs a place of its own on axis 1",
        ),
        Mistake(
            "joined at the features",
            {"np.stack(sequences, axis=1)": "np.concatenate(sequences, axis=1)"},
            "the numbers of all sequences stand in one row per step, so that the axis B is missing; np.stack makes a "
            "new axis where np.concatenate lengthens an old one",
        ),
        Mistake(
            "batch last",
            {"axis=1": "axis=2"},
            "the sequences come last, (T, D, B); the new axis belongs in the middle",
        ),
        Mistake(
            "all axes turned round",
            {"np.stack(sequences, axis=1)": "np.stack(sequences).T"},
            "`.T` turns all axes round, (B, T, D) into (D, T, B); only the first two change places",
        ),
        Mistake(
            "backwards in time",
            {"axis=1)": "axis=1)[::-1]"},
            "the steps are in reverse order; xs[0] is the first step",
        ),
        Mistake(
            "last sequence first",
            {"(sequences, axis": "(sequences[::-1], axis"},
            "the sequences are in reverse order; xs[:, 0] is the first of the list",
        ),
    ),
)

ONE_HOT = Graded(
    name="one_hot",
    arguments=_one_hot_arguments,
    oracle=lambda classes, K: Embedding(np.eye(K)).forward(classes)[0],
    outputs=(Output("one_hot", "T B K", 3),),
    mistakes=(
        Mistake(
            "batch first",
            {"[classes]": "[classes.T]"},
            "batch and time have changed places: (B, T, K) instead of (T, B, K)",
        ),
        Mistake(
            "classes on the first axis",
            {"np.eye(K)[classes]": "np.moveaxis(np.eye(K)[classes], -1, 0)"},
            "the axis of the classes comes first, (K, T, B); it is the last one",
        ),
        Mistake(
            "classes in the middle",
            {"np.eye(K)[classes]": "np.swapaxes(np.eye(K)[classes], 1, 2)"},
            "the axis of the classes stands in the middle, (T, K, B); it is the last one",
        ),
        Mistake(
            "off by one",
            {"[classes]": "[classes - 1]"},
            "the 1 stands one place too far left: classes are counted from 0",
        ),
        Mistake(
            "counted from one",
            {"np.eye(K)[classes]": "(classes[..., None] == np.arange(1, K + 1)).astype(float)"},
            "the places are numbered from 1: class 0 has no place, and the others stand one too far left. Classes run "
            "from 0 to K - 1",
        ),
        Mistake(
            "classes of all places",
            {
                "return np.eye(K)[classes]": "made = np.zeros((*classes.shape, K))\n    made[:, :, classes] = 1\n"
                "    return made"
            },
            "every place has the classes of all places, as `[:, :, classes] = 1` sets them; each should have its own",
        ),
        Mistake(
            "K guessed",
            {"np.eye(K)": "np.eye(classes.max() + 1)"},
            "K is taken from the largest class that occurs; the last classes may be absent, and K is an argument",
        ),
        Mistake(
            "one place too many",
            {"np.eye(K)": "np.eye(K + 1)"},
            "there are K + 1 places; classes 0 to K - 1 need K",
        ),
        Mistake(
            "one place too few",
            {"np.eye(K)": "np.eye(K)[:, :-1]"},
            "there are K - 1 places; the last class, K - 1, needs one as well",
        ),
        Mistake(
            "last class left out",
            {"return np.eye(K)[classes]": "made = np.eye(K)[classes]\n    made[..., -1] = 0\n    return made"},
            "the last class, K - 1, has no 1: a loop over range(K - 1) ends before it",
        ),
        Mistake(
            "flat",
            {"[classes]": "[classes.ravel()]"},
            "time and batch are one axis, (T·B, K); keep them apart",
        ),
        Mistake(
            "thermometer",
            {"np.eye(K)": "np.tri(K)"},
            "all places up to the class are 1; only its own should be",
        ),
        Mistake(
            "inverted",
            {"np.eye(K)": "(1 - np.eye(K))"},
            "the 0 stands at the class and the 1 everywhere else (`!=` for `==`)",
        ),
        Mistake(
            "the class for the 1",
            {"np.eye(K)": "np.diag(np.arange(K))"},
            "the class's number stands at its place; a 1 should",
        ),
    ),
)

RELATIVE_ERROR = Graded(
    name="relative_error",
    arguments=_two_arrays,
    oracle=_relative_error_oracle,
    outputs=(Output("relative_error", "", 4),),
    mistakes=(
        Mistake(
            "absolute",
            {" / size": ""},
            "the difference is not divided by anything: an absolute error, which calls every small gradient right",
        ),
        Mistake(
            "relative to the first",
            {"max(np.sqrt(np.sum(a**2)), np.sqrt(np.sum(b**2)))": "np.sqrt(np.sum(a**2))"},
            "it is divided by the length of a alone; the longer of the two belongs there",
        ),
        Mistake(
            "relative to the second",
            {"max(np.sqrt(np.sum(a**2)), np.sqrt(np.sum(b**2)))": "np.sqrt(np.sum(b**2))"},
            "it is divided by the length of b alone; the longer of the two belongs there",
        ),
        Mistake(
            "relative to the shorter",
            {"max(": "min("},
            "it is divided by the shorter of the two; the longer one belongs there",
        ),
        Mistake(
            "relative to the sum",
            {"max(np.sqrt(np.sum(a**2)), np.sqrt(np.sum(b**2)))": "np.sqrt(np.sum(a**2)) + np.sqrt(np.sum(b**2))"},
            "it is divided by the sum of both lengths; the longer of the two belongs there",
        ),
        Mistake(
            "never below one",
            {"max(": "max(1.0, "},
            "the denominator is kept from falling below 1, so that the error of a small gradient is an absolute one",
        ),
        Mistake(
            "something small added",
            {" / size": " / (size + 1e-8)"},
            "something like 1e-8 is added to the denominator; gradients can be smaller than that. Treat zero apart",
        ),
        Mistake(
            "something tiny added",
            {" / size": " / (size + 1e-12)"},
            "1e-12 is added to the denominator; that is little, but gradients can be of size 1e-9, and then it shows. "
            "Treat zero apart",
        ),
        Mistake(
            "small called zero",
            {"size == 0": "size < 1e-8"},
            "0 is returned wherever both arrays are small; small gradients can be wrong, too. The answer is 0 by "
            "definition only where both are zero, exactly",
        ),
        Mistake(
            "zero where one is zero",
            {"size == 0": "not (a.any() and b.any())"},
            "0 is returned as soon as one of the arrays is zero; then a gradient that was forgotten agrees with "
            "everything. E(a, 0) is 1; the answer is 0 only where both are zero",
        ),
        Mistake(
            "zero where a is zero",
            {"size == 0": "not a.any()"},
            "0 is returned wherever a is zero, whatever b is; E(0, b) is 1. The answer is 0 only where both are zero",
        ),
        Mistake(
            "zero where b is zero",
            {"size == 0": "not b.any()"},
            "0 is returned wherever b is zero, whatever a is; E(a, 0) is 1. The answer is 0 only where both are zero",
        ),
        Mistake(
            "zero by zero",
            {"    if size == 0:\n        return 0.0\n": ""},
            "two arrays of zeros are compared and 0 is divided by 0; there the answer is 0",
        ),
        Mistake(
            "difference of the lengths",
            {"np.sqrt(np.sum((a - b) ** 2))": "abs(np.sqrt(np.sum(a**2)) - np.sqrt(np.sum(b**2)))"},
            "the lengths are subtracted, not the arrays; two vectors of one length may point anywhere",
        ),
        Mistake(
            "no root",
            {
                "max(np.sqrt(np.sum(a**2)), np.sqrt(np.sum(b**2)))": "max(np.sum(a**2), np.sum(b**2))",
                "np.sqrt(np.sum((a - b) ** 2))": "np.sum((a - b) ** 2)",
            },
            "the squares of the lengths are divided; the root is missing",
        ),
        Mistake(
            "largest elements",
            {
                "max(np.sqrt(np.sum(a**2)), np.sqrt(np.sum(b**2)))": "max(np.max(abs(a)), np.max(abs(b)))",
                "np.sqrt(np.sum((a - b) ** 2))": "np.max(abs(a - b))",
            },
            "the largest elements are compared; it is lengths, roots of sums of squares, that are wanted",
        ),
        Mistake(
            "sums of magnitudes",
            {
                "max(np.sqrt(np.sum(a**2)), np.sqrt(np.sum(b**2)))": "max(np.sum(abs(a)), np.sum(abs(b)))",
                "np.sqrt(np.sum((a - b) ** 2))": "np.sum(abs(a - b))",
            },
            "magnitudes are added up; a length is the root of the sum of the squares",
        ),
        Mistake(
            "element by element",
            {"return np.sqrt(np.sum((a - b) ** 2)) / size": "return np.max(abs(a - b) / np.maximum(abs(a), abs(b)))"},
            "each element is divided by itself and the worst is taken; an element near zero, which differences can't "
            "resolve, then decides. Take the lengths of the whole arrays",
        ),
        Mistake(
            "mean over the elements",
            {"return np.sqrt(np.sum((a - b) ** 2)) / size": "return np.mean(abs(a - b) / np.maximum(abs(a), abs(b)))"},
            "each element is divided by itself and the mean is taken; elements near zero count as much as the large "
            "ones. Take the lengths of the whole arrays, and divide once",
        ),
    ),
)

NUMERICAL_GRADIENT = Graded(
    name="numerical_gradient",
    arguments=_gradient_arguments,
    oracle=_gradient_oracle,
    outputs=(Output("gradient", "T layer B D", 6),),
    mistakes=(
        Mistake(
            "forward difference",
            {"moved[at] = array[at] - eps": "moved[at] = array[at]", "(2 * eps)": "eps"},
            "the difference is one-sided, (L(θ + ε e) - L(θ)) / ε; its error shrinks like ε, that of the central one "
            "like ε²",
        ),
        Mistake(
            "backward difference",
            {"moved[at] = array[at] + eps": "moved[at] = array[at]", "(2 * eps)": "eps"},
            "the difference is taken on one side only, (L(θ) - L(θ - ε e)) / ε; step to both sides",
        ),
        Mistake(
            "divided by eps",
            {"(2 * eps)": "eps"},
            "it is divided by ε; from θ - ε to θ + ε it is 2 ε",
        ),
        Mistake(
            "order of operations",
            {"(2 * eps)": "2 * eps"},
            "it is divided by 2 and multiplied by ε: `/ 2 * eps` needs parentheses, `/ (2 * eps)`",
        ),
        Mistake("not divided", {" / (2 * eps)": ""}, "the difference is not divided by 2 ε"),
        Mistake(
            "perturbs a copy",
            {
                "ahead = function(moved)": "ahead = function(array)",
                "behind = function(moved)": "behind = function(array)",
            },
            "both calls get the same numbers, so that all is zero: either the original is passed and not what was "
            "moved, or the array for the step up and the one for the step down are two names of one array",
        ),
        Mistake(
            "not put back",
            {"        moved[at] = array[at]\n": ""},
            "an element stays where it was moved to while the next ones are tried; put it back first",
        ),
        Mistake(
            "no copy",
            {"array.copy()": "array"},
            "`moved = array` makes a second name and no copy, so that array[at] moves along: the second step starts "
            "where the first one led",
        ),
        Mistake(
            "down from above",
            {"moved[at] = array[at] - eps": "moved[at] -= eps"},
            "the step down starts where the step up led, and ends at θ itself; start both from `array`",
        ),
        Mistake(
            "put back by arithmetic",
            {
                "array.copy()": "array",
                "moved[at] = array[at] + eps": "moved[at] += eps",
                "moved[at] = array[at] - eps": "moved[at] -= 2 * eps",
                "        moved[at] = array[at]\n": "        moved[at] += eps\n",
            },
            "the array itself is moved, and moved back by adding and subtracting; that rounds, and leaves it changed "
            "in the last bits. Keep the old value, or work on a copy",
        ),
        Mistake(
            "all elements at once",
            {
                "moved[at] = array[at] + eps": "moved = array + eps",
                "moved[at] = array[at] - eps": "moved = array - eps",
            },
            "all elements are moved at once, so that every place holds the same number; move one at a time",
        ),
        Mistake(
            "first axis only",
            {"np.ndindex(*array.shape)": "range(len(array))"},
            "the loop runs over the first axis alone and moves all elements of a step together; np.ndindex runs "
            "through every place",
        ),
        Mistake(
            "three axes only",
            {"*array.shape": "*array.shape[:3]"},
            "the loops run over the first three axes alone, and what lies behind them is moved together; an array may "
            "have any number of axes, and np.ndindex(*array.shape) runs through every place",
        ),
        Mistake(
            "steps add up",
            {
                "moved = array.copy()": "step = np.zeros_like(array)",
                "moved[at] = array[at] + eps": "step[at] = eps",
                "function(moved)\n        moved[at] = array[at] - eps\n": "function(array + step)\n",
                "function(moved)\n        moved[at] = array[at]\n": "function(array - step)\n",
            },
            "all elements up to the one that is tried are moved, each by ε: the array of steps is not set back to zero",
        ),
        Mistake(
            "returned too early",
            {"\n    return gradient": "\n        return gradient"},
            "the `return` stands inside the loop: the first element is tried and the others are left at zero",
        ),
        Mistake(
            "times one plus eps",
            {"array[at] + eps": "array[at] * (1 + eps)", "array[at] - eps": "array[at] * (1 - eps)"},
            "the element is multiplied by 1 + ε and 1 - ε; add and subtract ε",
        ),
        Mistake(
            "a step of its own",
            {"    moved = array.copy()\n": "    eps = 1e-6\n    moved = array.copy()\n"},
            "a small ε of the function's own is used; take the one that is given",
        ),
        Mistake(
            "half a step",
            {"array[at] + eps": "array[at] + eps / 2", "array[at] - eps": "array[at] - eps / 2", "(2 * eps)": "eps"},
            "the element is moved by ε / 2 to each side and the difference divided by ε, as for half the step that was "
            "given. Move by ε and divide by 2 ε",
        ),
        Mistake("sign", {"ahead - behind": "behind - ahead"}, "the sign is wrong: ahead minus behind"),
        Mistake(
            "magnitude",
            {"(ahead - behind)": "abs(ahead - behind)"},
            "the sign is lost: a slope may be negative, and no magnitude is taken",
        ),
        Mistake(
            "one number",
            {"gradient[at] =": "gradient ="},
            "each difference replaces the one before it and the last is returned; write it to gradient[at]",
        ),
    ),
)

DIRECTIONAL_CHECK = Graded(
    name="directional_check",
    arguments=_direction_arguments,
    oracle=_direction_oracle,
    outputs=(Output("tried", "", 3), Output("claimed", "", 2)),
    mistakes=(
        Mistake(
            "not of length 1",
            {"v / length for": "v for"},
            "the direction is used as it is given; divide it by its length first",
        ),
        Mistake(
            "each array by itself",
            {"v / length for": "v / np.sqrt(np.sum(v**2)) for"},
            "each array of the direction is brought to length 1 by itself; all of them together are one vector of "
            "length 1",
        ),
        Mistake(
            "sum of the lengths",
            {"np.sqrt(sum(np.sum(v**2) for v in directions))": "sum(np.sqrt(np.sum(v**2)) for v in directions)"},
            "the lengths of the arrays are added up; add the squares, and take the root of their sum",
        ),
        Mistake(
            "squared length",
            {"np.sqrt(sum(np.sum(v**2) for v in directions))": "sum(np.sum(v**2) for v in directions)"},
            "the direction is divided by the square of its length; the root is missing",
        ),
        Mistake(
            "forward difference",
            {"[p - eps * v for p, v in zip(parameters, unit, strict=True)]": "parameters", "(2 * eps)": "eps"},
            "`tried` is a one-sided difference; step to both sides, and divide by 2 ε",
        ),
        Mistake("divided by eps", {"(2 * eps)": "eps"}, "`tried` is divided by ε; from -ε to +ε it is 2 ε"),
        Mistake(
            "order of operations",
            {"(2 * eps)": "2 * eps"},
            "`tried` is divided by 2 and multiplied by ε: `/ 2 * eps` needs parentheses",
        ),
        Mistake(
            "no direction",
            {"p + eps * v": "p + eps", "p - eps * v": "p - eps"},
            "every element is moved by ε; it should be moved by ε times its part of the direction",
        ),
        Mistake(
            "first array only",
            {"for v in directions]": "for v in (directions[0], *(0 * v for v in directions[1:]))]"},
            "only W is moved; U and b have their part in the direction as well",
        ),
        Mistake(
            "bias not moved",
            {
                "p + eps * v for p, v in zip(parameters, unit, strict=True)]": "p + eps * v for p, v in "
                "zip(parameters[:2], unit[:2], strict=True)], parameters[2]",
                "p - eps * v for p, v in zip(parameters, unit, strict=True)]": "p - eps * v for p, v in "
                "zip(parameters[:2], unit[:2], strict=True)], parameters[2]",
            },
            "b stays where it is while W and U are moved; it has its part in the direction as well",
        ),
        Mistake(
            "one array after the other",
            {
                f"function(*[p {sign} eps * v for p, v in zip(parameters, unit, strict=True)])": "sum(function(*[p "
                f"{sign} (j == k) * eps * v for k, (p, v) in enumerate(zip(parameters, unit, strict=True))]) "
                "for j in range(3))"
                for sign in "+-"
            },
            "`tried` is a sum of three differences, with W, U and b moved one after the other; move all at once",
        ),
        Mistake(
            "a step of its own",
            {"    length = ": "    eps = 1e-5\n    length = "},
            "a small ε of the function's own is used for `tried`; take the one that is given",
        ),
        Mistake("sign", {"ahead - behind": "behind - ahead"}, "the sign of `tried` is wrong: ahead minus behind"),
        Mistake(
            "first array counted",
            {"zip(gradients, unit, strict=True)": "[(gradients[0], unit[0])]"},
            "`claimed` counts W alone; the products of all three arrays are added up",
        ),
        Mistake(
            "mean of the products",
            {"np.sum(g * v)": "np.mean(g * v)"},
            "`claimed` takes the mean of the products in each array; it is their sum",
        ),
        Mistake(
            "sum of the gradient",
            {"np.sum(g * v)": "np.sum(g)"},
            "`claimed` is the sum of the gradient's elements; multiply each by its part of the direction first",
        ),
        Mistake(
            "length of the gradient",
            {
                "np.sum(g * v)": "np.sum(g**2)",
                "return tried, claimed": "return tried, np.sqrt(claimed)",
            },
            "`claimed` is the length of the gradient, the slope along the steepest direction; the one that is given "
            "is another",
        ),
        Mistake(
            "claimed along another direction",
            {"zip(gradients, unit, strict=True)": "zip(gradients, directions, strict=True)"},
            "`claimed` uses the direction before it was divided by its length; `tried` and `claimed` must use the same",
        ),
        Mistake(
            "claimed by magnitudes",
            {"np.sum(g * v)": "np.sum(abs(g * v))"},
            "`claimed` adds up magnitudes; the products keep their signs",
        ),
        Mistake(
            "moved by the gradient",
            {
                "p + eps * v for p, v in zip(parameters, unit,": "p + eps * v for p, v in zip(parameters, gradients,",
                "p - eps * v for p, v in zip(parameters, unit,": "p - eps * v for p, v in zip(parameters, gradients,",
            },
            "the parameters are moved along the claimed gradient; move them along the direction",
        ),
    ),
)

EXERCISE = Exercise(
    "00_tools", (TIME_MAJOR, ONE_HOT, RELATIVE_ERROR, NUMERICAL_GRADIENT, DIRECTIONAL_CHECK), by_hand=2, cases=len(EPS)
)
