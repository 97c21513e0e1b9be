"""Exercise 02: Elman's and Jordan's networks, forward."""

from typing import Any

import numpy as np

from rnncore import Dense, Elman, Jordan, tree
from rnncore.backend import softmax
from rnngrade.checks.common import H0_IGNORED, NEVER_UPDATED, NO_BIAS, ONE_STEP_LATE, U_TRANSPOSED, outputs_and_state
from rnngrade.exercise import Draw, Exercise, Graded, Mistake, Output

IGNORES_STATE = "the old state is left out, so that nothing is remembered"


def _cell(draw: Draw) -> dict[str, Any]:
    return {"W": draw("D H"), "U": draw("H H"), "b": draw("H")}


def _generate_oracle(x: Any, h0: Any, W: Any, U: Any, b: Any, V: Any, c: Any, steps: int) -> Any:
    cell, readout = Elman(W, U, b), Dense(V, c)
    state, ys = (h0,), []
    for _ in range(steps):
        state, _ = cell.step(x, state)
        x, _ = readout.forward(state[0])
        ys.append(x)
    return np.stack(ys)


def _jordan_arguments(draw: Draw) -> dict[str, Any]:
    if draw.case < 3:
        draw.sizes["K"] = draw.sizes["H"]  # so that a state fits where an output belongs
    return {
        "xs": draw("T B D"),
        "y0": draw("B K"),
        "W": draw("D H"),
        "U": draw("K H"),
        "b": draw("H"),
        "V": draw("H K"),
        "c": draw("K"),
    }


def _parameter_count(input_size: int, hidden_size: int, output_size: int, steps: int) -> int:
    rng = np.random.default_rng(0)
    model = (Elman.init(rng, input_size, hidden_size), Dense.init(rng, hidden_size, output_size))
    return sum(leaf.size for _, leaf in tree.leaves(model))


STEP = Graded(
    name="elman_step",
    arguments=lambda draw: {"x": draw("B D"), "h": draw("B H")} | _cell(draw),
    oracle=lambda x, h, W, U, b: Elman(W, U, b).step(x, (h,))[0][0],
    outputs=(Output("h", "B H", 3),),
    mistakes=(
        Mistake("U transposed", {"h @ U": "h @ U.T"}, U_TRANSPOSED),
        Mistake("no bias", {" + b": ""}, NO_BIAS),
        Mistake("no tanh", {"np.tanh(a)": "a"}, "the activation is missing: a_t is returned in place of tanh(a_t)"),
        Mistake("no state", {" + h @ U": ""}, IGNORES_STATE),
        Mistake(
            "tanh of the input only",
            {"x @ W + h @ U + b": "np.tanh(x @ W + b) + h @ U", "np.tanh(a)": "a"},
            "tanh is taken of the input's part alone; it belongs around the whole sum",
        ),
        Mistake("logistic", {"np.tanh(a)": "1 / (1 + np.exp(-a))"}, "the logistic function stands in place of tanh"),
        Mistake(
            "bias after tanh", {" + b": "", "np.tanh(a)": "np.tanh(a) + b"}, "the bias is added after tanh, not before"
        ),
        Mistake("tanh twice", {"a = x": "a = np.tanh(x", "U + b": "U + b)"}, "tanh is taken twice"),
    ),
)

FORWARD = Graded(
    name="elman_forward",
    arguments=lambda draw: {"xs": draw("T B D"), "h0": draw("B H")} | _cell(draw),
    oracle=lambda xs, h0, W, U, b: outputs_and_state(Elman(W, U, b).forward(xs, (h0,))),
    outputs=(Output("hs", "T B H", 3), Output("h_last", "B H", 1)),
    mistakes=(
        Mistake("h0 ignored", {"h = h0": "h = np.zeros_like(h0)"}, H0_IGNORED),
        Mistake(
            "state never updated",
            {"        h = np.tanh(x @ W + h @ U + b)": "        h = np.tanh(x @ W + h0 @ U + b)"},
            NEVER_UPDATED,
        ),
        Mistake(
            "one buffer",
            {"h = h0": "h = h0.copy()", "h = np.tanh(x @ W + h @ U + b)": "h[:] = np.tanh(x @ W + h @ U + b)"},
            "one array is updated in place and kept T times, so that every hs[t] shows the last state",
        ),
        Mistake(
            "h0 overwritten",
            {
                "h = np.tanh(x @ W + h @ U + b)": "h[:] = np.tanh(x @ W + h @ U + b)",
                "hs.append(h)": "hs.append(h.copy())",
            },
            "the state is updated in place and h0 is the same array; start from h0.copy(), or make a new array",
        ),
        Mistake(
            "off by one",
            {"np.stack(hs), h": "np.stack([h0, *hs[:-1]]), h"},
            ONE_STEP_LATE,
        ),
        Mistake("backwards", {"for x in xs:": "for x in xs[::-1]:"}, "the sequence is read from its end to its start"),
        Mistake("U transposed", {"h @ U": "h @ U.T"}, U_TRANSPOSED),
        Mistake("no bias", {" + b": ""}, NO_BIAS),
        Mistake(
            "first input skipped",
            {"hs = []": "hs = [h0]", "for x in xs:": "for x in xs[1:]:"},
            "hs[0] is h0 and xs[0] is never read; hs[0] must be the state after xs[0]",
        ),
        Mistake(
            "return inside the loop",
            {"    return np.stack(hs), h": "        return np.stack(hs), h"},
            "the return stands inside the loop, so that it ends after one step",
        ),
        Mistake(
            "h0 returned as the last state",
            {"np.stack(hs), h": "np.stack(hs), h0"},
            "h0 is returned where the state after the last step belongs",
        ),
    ),
)


READOUT = Graded(
    name="readout",
    arguments=lambda draw: {"hs": draw("T B H"), "V": draw("H K", 2000.0 if draw.case == 1 else 0.7), "c": draw("K")},
    oracle=lambda hs, V, c: softmax(Dense(V, c).forward(hs)[0]),
    outputs=(Output("p", "T B K", 3),),
    mistakes=(
        Mistake(
            "over time",
            {"o.max(axis=-1, keepdims=True)": "o.max(axis=0)", "e.sum(axis=-1, keepdims=True)": "e.sum(axis=0)"},
            "the softmax runs over the time steps; it belongs over the K outputs, the last axis",
        ),
        Mistake(
            "over the batch",
            {
                "o.max(axis=-1, keepdims=True)": "o.max(axis=1, keepdims=True)",
                "e.sum(axis=-1, keepdims=True)": "e.sum(axis=1, keepdims=True)",
            },
            "the softmax runs over the batch; it belongs over the K outputs, the last axis",
        ),
        Mistake(
            "over everything",
            {"o.max(axis=-1, keepdims=True)": "o.max()", "e.sum(axis=-1, keepdims=True)": "e.sum()"},
            "one softmax runs over the whole array; each step of each sequence has its own",
        ),
        Mistake("no bias", {" + c": ""}, "the bias c is forgotten"),
        Mistake(
            "one largest score for all",
            {"o.max(axis=-1, keepdims=True)": "o.max()"},
            "one largest score is subtracted everywhere: where all scores of a step lie far below it, every exp is 0, "
            "and 0 / 0 is nan. Each step of each sequence has a largest score of its own",
        ),
        Mistake(
            "overflow",
            {"o - o.max(axis=-1, keepdims=True)": "o"},
            "exp overflows on large scores: inf / inf is nan. Subtract the largest score first",
        ),
        Mistake(
            "scores",
            {"e / e.sum(axis=-1, keepdims=True)": "o"},
            "the scores o_t are returned; the softmax is missing",
        ),
        Mistake(
            "logistic",
            {"e / e.sum(axis=-1, keepdims=True)": "0.5 + 0.5 * np.tanh(o / 2)"},
            "the logistic function of each score is returned; such numbers do not sum to 1",
        ),
    ),
)

JORDAN = Graded(
    name="jordan_forward",
    arguments=_jordan_arguments,
    oracle=lambda xs, y0, W, U, b, V, c: Jordan(W, U, b, V, c).forward(xs, (y0,))[0],
    outputs=(Output("ys", "T B K", 4),),
    mistakes=(
        Mistake(
            "h fed back",
            {"y = y0": "y = h = y0", "y @ U": "h @ U"},
            "the hidden layer is fed back; in Jordan's network it is the output y",
        ),
        Mistake("y0 ignored", {"y = y0": "y = np.zeros_like(y0)"}, "y0 is ignored and the network starts from zeros"),
        Mistake(
            "y never updated", {"y @ U": "y0 @ U"}, "every step is fed y0; the output of one step goes to the next"
        ),
        Mistake("no output bias", {"h @ V + c": "h @ V"}, "the bias c of the readout is forgotten"),
        Mistake("no hidden bias", {"y @ U + b": "y @ U"}, "the bias b of the hidden layer is forgotten"),
        Mistake(
            "tanh output", {"h @ V + c": "np.tanh(h @ V + c)"}, "tanh is taken of the output; this readout is linear"
        ),
        Mistake(
            "softmax output",
            {"y = h @ V + c": "e = np.exp(h @ V + c)\n        y = e / e.sum(axis=-1, keepdims=True)"},
            "a softmax is taken of the output; this readout is linear",
        ),
        Mistake(
            "off by one",
            {"np.stack(ys)": "np.stack([y0, *ys[:-1]])"},
            "ys is one step late: ys[0] must be the output after xs[0], not y0",
        ),
        Mistake(
            "hs returned", {"ys.append(y)": "ys.append(h)"}, "the hidden layer is returned in place of the outputs"
        ),
        Mistake("no feedback", {" + y @ U": ""}, "the fed-back output is left out, so that nothing is remembered"),
    ),
)

COUNT = Graded(
    name="count_parameters",
    arguments=lambda draw: {
        "input_size": draw.sizes["D"],
        "hidden_size": draw.sizes["H"],
        "output_size": draw.sizes["K"],
        "steps": 10 ** (draw.case + 1),
    },
    oracle=_parameter_count,
    outputs=(Output("the number", "", 2),),
    mistakes=(
        Mistake(
            "times steps",
            {"return cell + output": "return (cell + output) * steps"},
            "the weights are counted once for every step; all steps share one set",
        ),
        Mistake(
            "cell times steps",
            {"return cell + output": "return cell * steps + output"},
            "the cell's weights are counted once for every step; all steps share one set",
        ),
        Mistake(
            "no biases",
            {" + hidden_size\n": "\n", "hidden_size * output_size + output_size": "hidden_size * output_size"},
            "the biases b and c are not counted",
        ),
        Mistake("no U", {" + hidden_size * hidden_size": ""}, "the recurrent weights U are not counted"),
        Mistake("no readout", {"return cell + output": "return cell"}, "the readout's V and c are not counted"),
        Mistake(
            "two biases",
            {" + hidden_size\n": " + 2 * hidden_size\n"},
            "the hidden layer is given two biases, or h0 is counted; it has one bias, and h0 is not learnt",
        ),
    ),
)

GENERATE = Graded(
    name="generate",
    arguments=lambda draw: (
        {"x": draw("B D"), "h0": draw("B H")}
        | _cell(draw)
        | {"V": draw("H D"), "c": draw("D"), "steps": draw.sizes["T"]}
    ),
    oracle=_generate_oracle,
    outputs=(Output("ys", "steps B D", 4),),
    mistakes=(
        Mistake(
            "same input",
            {"        x = y\n": ""},
            "every step reads the first x again; from the second step on the input is the last prediction",
        ),
        Mistake(
            "state reset",
            {"h = np.tanh(x @ W + h @ U + b)": "h = np.tanh(x @ W + h0 @ U + b)"},
            "every step starts from h0; the state must be handed on as well as the prediction",
        ),
        Mistake(
            "inputs returned",
            {"ys.append(y)": "ys.append(x)"},
            "the inputs are returned: x_1 comes first where the first prediction y_1 belongs",
        ),
        Mistake("no output bias", {"h @ V + c": "h @ V"}, "the bias c of the readout is forgotten"),
        Mistake("no bias", {"h @ U + b": "h @ U"}, NO_BIAS),
        Mistake(
            "tanh output",
            {"h @ V + c": "np.tanh(h @ V + c)"},
            "tanh is taken of the prediction; this readout is linear",
        ),
        Mistake(
            "tanh fed back",
            {"x = y": "x = np.tanh(y)"},
            "tanh of the prediction is fed back; the next input is the prediction itself",
        ),
        Mistake("h0 ignored", {"h = h0": "h = np.zeros_like(h0)"}, H0_IGNORED),
    ),
)

EXERCISE = Exercise("02_elman", (STEP, FORWARD, READOUT, JORDAN, COUNT, GENERATE), by_hand=2)
