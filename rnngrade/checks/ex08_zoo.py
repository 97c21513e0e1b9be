"""Exercise 08: cells from their equations, and what a fair comparison is."""

from typing import Any

import numpy as np

from rnncore import MGU, CoupledLSTM, IndRNN
from rnngrade.checks.common import (
    DH_LAST_EVERYWHERE,
    DH_LAST_IGNORED,
    H0_IGNORED,
    LAST_BEFORE_FIRST,
    NEVER_UPDATED,
    NO_BIAS,
    NO_CARRY,
    ONE_STEP_LATE,
    OVERWRITTEN,
    U_TRANSPOSED,
    outputs_and_state,
)
from rnngrade.exercise import Draw, Exercise, Graded, Mistake, Output


def _gated(draw: Draw, gates: int, *states: str) -> dict[str, Any]:
    """Arguments of a step: input, states, and W, U and b for so many gates; U for all but those of U_n."""
    size, inputs = draw.sizes["H"], draw.sizes["D"]
    recurrent = 1 if gates == 2 else gates
    return {
        "x": draw("B D"),
        **{name: draw("B H") for name in states},
        "W": 0.7 * draw.rng.standard_normal((inputs, gates * size)),
        "U": 0.7 * draw.rng.standard_normal((size, recurrent * size)),
        "b": 0.7 * draw.rng.standard_normal(gates * size),
    }


def _indrnn(draw: Draw) -> dict[str, Any]:
    """Biases above zero and states that are not negative: some units are silent, most are not."""
    return {
        "xs": draw("T B D"),
        "h0": np.abs(draw("B H")),
        "W": draw("D H"),
        "u": draw("H"),
        "b": draw("H") + 0.5,
    }


def _backward_arguments(draw: Draw) -> dict[str, Any]:
    given = _indrnn(draw)
    cell = IndRNN(W=given["W"], b=given.pop("b"), u=given["u"])
    hs, _, _ = cell.forward(given["xs"], (given["h0"],))
    return {
        "dhs": draw("T B H"),
        "dh_last": draw("B H"),
        "xs": given["xs"],
        "hs": hs,
        "h0": given["h0"],
        "W": given["W"],
        "u": given["u"],
    }


def _backward_oracle(dhs: Any, dh_last: Any, xs: Any, hs: Any, h0: Any, W: Any, u: Any) -> tuple[Any, ...]:
    """Each step's gradient on its own, sent back through all the steps before: the bias that made `hs` is not given, so
    that there is no tape for `IndRNN.backward`."""
    slope, before = hs > 0, np.concatenate([h0[None], hs[:-1]])
    deltas = np.zeros_like(hs)
    for s in range(len(hs)):
        arrived = dhs[s] + (dh_last if s == len(hs) - 1 else 0)
        for t in range(s + 1):
            deltas[t] += arrived * np.prod(slope[t : s + 1], axis=0) * u ** (s - t)
    dW = np.einsum("tbd,tbh->dh", xs, deltas)
    return deltas @ W.T, deltas[0] * u, dW, np.sum(deltas * before, axis=(0, 1)), np.sum(deltas, axis=(0, 1))


def _fair_arguments(draw: Draw) -> dict[str, Any]:
    """The budget exactly; many units; one unit under a wide readout; three gates.

    Of the parameters that one more unit takes, a share is left over. The shares are such that the ways to count wrong
    and to round wrong differ in `hidden` itself.
    """
    fewest, most = ((2, 4), (2, 4), (1, 1), (3, 3))[draw.case]
    smallest, largest = ((6, 30), (130, 160), (1, 1), (8, 30))[draw.case]
    gates, size = (int(draw.rng.integers(a, b + 1)) for a, b in ((fewest, most), (smallest, largest)))
    inputs, outputs = (int(n) for n in draw.rng.permutation(np.arange(2, 10))[:2])  # never the same
    outputs += 14 * (draw.case == 2)
    exact, next_one = (_count(n, gates, inputs, outputs) for n in (size, size + 1))
    spare = int((0, 0.8, 0.55, 0.3)[draw.case] * (next_one - exact))
    return {"parameters": exact + spare, "gates": gates, "inputs": inputs, "outputs": outputs}


def _count(size: int, gates: int, inputs: int, outputs: int) -> int:
    shapes = [(inputs, gates * size), (size, gates * size), (gates * size,), (size, outputs), (outputs,)]
    return sum(int(np.prod(shape)) for shape in shapes)


def _fair_oracle(parameters: int, gates: int, inputs: int, outputs: int) -> tuple[int, int]:
    """By halving: `low` units fit, `high` do not."""
    low, high = 1, parameters
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _count(middle, gates, inputs, outputs) <= parameters else (low, middle)
    return low, parameters - _count(low, gates, inputs, outputs)


MGU_STEP = Graded(
    name="mgu_step",
    arguments=lambda draw: _gated(draw, 2, "h") | {"U_n": draw("H H")},
    oracle=lambda x, h, W, U, b, U_n: MGU(W=W, U=U, b=b, U_n=U_n).step(x, (h,))[0][0],
    outputs=(Output("h", "B H", 4),),
    mistakes=(
        Mistake(
            "candidate sees all of h",
            {"(f * h) @ U_n": "h @ U_n"},
            "the candidate sees the whole old state; the gate acts there as well, (f ⊙ h) U_n",
        ),
        Mistake(
            "gate after the product",
            {"(f * h) @ U_n": "f * (h @ U_n)"},
            "f multiplies the product h U_n; in the MGU it multiplies h, before the product",
        ),
        Mistake(
            "f for 1 - f",
            {"(1 - f) * h + f * n": "f * h + (1 - f) * n"},
            "f and 1 - f have changed places in the last line; here f is what is replaced, and 1 - f what is kept",
        ),
        Mistake(
            "other gate in the candidate",
            {"(f * h) @ U_n": "((1 - f) * h) @ U_n"},
            "the candidate sees (1 - f) ⊙ h; it sees f ⊙ h",
        ),
        Mistake(
            "U in the candidate",
            {"(f * h) @ U_n": "(f * h) @ U"},
            "the candidate uses the gate's matrix U; its own is U_n",
        ),
        Mistake(
            "order of the gates",
            {"wx_f, wx_n = np.split": "wx_n, wx_f = np.split"},
            "the columns of f and n have changed places; the order is f n",
        ),
        Mistake("U transposed", {"h @ U)": "h @ U.T)"}, U_TRANSPOSED),
        Mistake("U_n transposed", {"@ U_n": "@ U_n.T"}, "U_n is transposed: it is (f * h) @ U_n"),
        Mistake("no bias", {"x @ W + b": "x @ W"}, NO_BIAS),
        Mistake(
            "gate without the state",
            {"(wx_f + h @ U)": "wx_f"},
            "the gate hears the input alone; h U belongs into it as well",
        ),
        Mistake(
            "tanh gate",
            {"1 / (1 + np.exp(-(wx_f + h @ U)))": "np.tanh(wx_f + h @ U)"},
            "the gate is a tanh, which can be negative; a gate is σ, between 0 and 1",
        ),
        Mistake(
            "candidate without tanh", {"np.tanh(wx_n + (f * h) @ U_n)": "wx_n + (f * h) @ U_n"}, "n lacks its tanh"
        ),
        Mistake(
            "both transposed",
            {"h @ U)": "h @ U.T)", "@ U_n": "@ U_n.T"},
            "U and U_n are both transposed; row vectors stand on the left, h @ U and (f * h) @ U_n",
        ),
        Mistake(
            "U and U_n exchanged",
            {"h @ U)": "h @ U_n)", "(f * h) @ U_n": "(f * h) @ U"},
            "U and U_n have changed places; U belongs to the gate and U_n to the candidate",
        ),
        Mistake(
            "logistic candidate",
            {"np.tanh(wx_n + (f * h) @ U_n)": "1 / (1 + np.exp(-(wx_n + (f * h) @ U_n)))"},
            "n is a σ; it is a tanh",
        ),
        Mistake(
            "U in the candidate as well",
            {"wx_n + (f * h)": "wx_n + h @ U + (f * h)"},
            "h U is added in the candidate as well; it belongs into the gate alone",
        ),
        Mistake(
            "sign in the gate",
            {"np.exp(-(wx_f + h @ U))": "np.exp(wx_f + h @ U)"},
            "the minus sign in the exponent of σ is missing, which makes 1 - f of f",
        ),
    ),
)

COUPLED_STEP = Graded(
    name="coupled_lstm_step",
    arguments=lambda draw: _gated(draw, 3, "h", "c"),
    oracle=lambda x, h, c, W, U, b: CoupledLSTM(W, U, b).step(x, (h, c))[0],
    outputs=(Output("h", "B H", 2), Output("c", "B H", 2)),
    mistakes=(
        Mistake(
            "not coupled",
            {"(1 - f) * g": "g"},
            "g is written in full; the coupled gate writes (1 - f) ⊙ g, as much as it forgets",
        ),
        Mistake(
            "f for 1 - f",
            {"f * c + (1 - f) * g": "(1 - f) * c + f * g"},
            "f and 1 - f have changed places: f keeps the old c",
        ),
        Mistake(
            "forget gate on both",
            {"(1 - f) * g": "f * g"},
            "f multiplies g as well as c; what is written is (1 - f) ⊙ g",
        ),
        Mistake("no tanh of c", {"np.tanh(c_new)": "c_new"}, "h is o ⊙ c'; the cell state passes tanh on its way out"),
        Mistake(
            "output from the old c",
            {"np.tanh(c_new)": "np.tanh(c)"},
            "h is made from the old cell state; the output gate opens on tanh(c'), the new one",
        ),
        Mistake(
            "order of the gates",
            {"a_f, a_g, a_o =": "a_f, a_o, a_g ="},
            "the columns of g and o have changed places; the order is f g o",
        ),
        Mistake(
            "f and o swapped",
            {"a_f, a_g, a_o =": "a_o, a_g, a_f ="},
            "the columns of f and o have changed places; the order is f g o",
        ),
        Mistake("logistic candidate", {"g = np.tanh(a_g)": "g = 1 / (1 + np.exp(-a_g))"}, "g is a σ; it is a tanh"),
        Mistake("no bias", {" + b, 3": ", 3"}, NO_BIAS),
        Mistake("c for h in the gates", {"h @ U": "c @ U"}, "the gates hear the old c; they hear the old h"),
        Mistake(
            "h and c swapped",
            {"return o * np.tanh(c_new), c_new": "return c_new, o * np.tanh(c_new)"},
            "h and c have changed places in what is returned",
        ),
        Mistake(
            "gates without the state",
            {"x @ W + h @ U": "x @ W"},
            "h U is forgotten; gates and candidate hear the old state as well as the input",
        ),
        Mistake(
            "tanh forget gate",
            {"1 / (1 + np.exp(-a_f))": "np.tanh(a_f)"},
            "f is a tanh, which can be negative; a gate is σ, between 0 and 1",
        ),
        Mistake("output gate without σ", {"1 / (1 + np.exp(-a_o))": "a_o"}, "o lacks its σ"),
        Mistake(
            "tanh output gate",
            {"1 / (1 + np.exp(-a_o))": "np.tanh(a_o)"},
            "o is a tanh; a gate is σ, between 0 and 1",
        ),
    ),
)

INDRNN_FORWARD = Graded(
    name="indrnn_forward",
    arguments=_indrnn,
    oracle=lambda xs, h0, W, u, b: outputs_and_state(IndRNN(W=W, b=b, u=u).forward(xs, (h0,))),
    outputs=(Output("hs", "T B H", 3), Output("h_last", "B H", 1)),
    mistakes=(
        Mistake(
            "full matrix",
            {"u * h": "h @ np.outer(np.ones_like(u), u)"},
            "u[j] multiplies the sum of all units; it is no matrix, unit j hears u[j] h[j] alone",
        ),
        Mistake(
            "sum over the units",
            {"u * h": "(h @ u)[:, None]"},
            "h @ u sums over the units, so that all hear the same number; u * h goes unit by unit",
        ),
        Mistake("tanh", {"np.maximum(0, x @ W + u * h + b)": "np.tanh(x @ W + u * h + b)"}, "tanh stands for ReLU"),
        Mistake(
            "u on the whole sum",
            {"x @ W + u * h + b": "u * (x @ W + h) + b"},
            "u multiplies the input's part as well; it belongs to the old state alone",
        ),
        Mistake("no bias", {" + b)": ")"}, NO_BIAS),
        Mistake("h0 ignored", {"h, hs = h0, []": "h, hs = 0 * h0, []"}, H0_IGNORED),
        Mistake(
            "state never updated",
            {"u * h + b": "u * h0 + b"},
            NEVER_UPDATED,
        ),
        Mistake(
            "ReLU of the input only",
            {"np.maximum(0, x @ W + u * h + b)": "np.maximum(0, x @ W + b) + u * h"},
            "ReLU is taken of the input's part alone; it belongs around the whole sum",
        ),
        Mistake(
            "bias after ReLU",
            {"np.maximum(0, x @ W + u * h + b)": "np.maximum(0, x @ W + u * h) + b"},
            "the bias is added after ReLU, not before",
        ),
        Mistake(
            "off by one",
            {"np.stack(hs), h": "np.stack([h0, *hs[:-1]]), h"},
            ONE_STEP_LATE,
        ),
        Mistake(
            "no ReLU",
            {"np.maximum(0, x @ W + u * h + b)": "x @ W + u * h + b"},
            "ReLU is forgotten; a state is never negative",
        ),
        Mistake(
            "one array for all steps",
            {"h, hs = h0, []": "h, hs = h0.copy(), []", "h = np.maximum": "h[:] = np.maximum"},
            "all entries of hs are one and the same array, which each step fills anew; make a new array or append a "
            "copy",
        ),
        Mistake(
            "sum carried on",
            {
                "h = np.maximum(0, x @ W + u * h + b)": "h = x @ W + u * h + b",
                "hs.append(h)": "hs.append(np.maximum(0, h))",
                "np.stack(hs), h": "np.stack(hs), hs[-1]",
            },
            "the sum before ReLU is handed to the next step; it is the state, after ReLU, that u multiplies",
        ),
        Mistake(
            "first for last",
            {"np.stack(hs), h": "np.stack(hs), hs[0]"},
            "h_last is the state after the first step; it is hs[-1]",
        ),
    ),
)

INDRNN_BACKWARD = Graded(
    name="indrnn_backward",
    arguments=_backward_arguments,
    oracle=_backward_oracle,
    outputs=(
        Output("dxs", "T B D", 1),
        Output("dh0", "B H", 1),
        Output("dW", "D H", 1),
        Output("du", "H", 1),
        Output("db", "H", 1),
    ),
    mistakes=(
        Mistake(
            "no carry",
            {"dhs[t] + carry": "dhs[t] + (carry if t == len(xs) - 1 else 0)"},
            NO_CARRY,
        ),
        Mistake(
            "no slope of ReLU",
            {"(dhs[t] + carry) * (hs[t] > 0)": "dhs[t] + carry"},
            "the slope of ReLU is missing: where hs[t] is 0 nothing goes back",
        ),
        Mistake(
            "slope at the old state",
            {"(hs[t] > 0)": "(h_old > 0)"},
            "the slope of ReLU is taken where the old state is positive; it is that of the state the step made, hs[t]",
        ),
        Mistake(
            "tanh derivative",
            {"(hs[t] > 0)": "(1 - hs[t] ** 2)"},
            "the slope is that of tanh; ReLU's is 1 where hs[t] > 0 and 0 elsewhere",
        ),
        Mistake(
            "du from h_t",
            {"(delta * h_old)": "(delta * hs[t])"},
            "du is built from hs[t]; what u multiplied is the state before the step",
        ),
        Mistake(
            "last state before the first step",
            {"hs[t - 1] if t > 0 else h0": "hs[t - 1]"},
            LAST_BEFORE_FIRST,
        ),
        Mistake(
            "h0 missing in du",
            {"if t > 0 else h0": "if t > 0 else 0 * h0"},
            "step 0 contributes nothing to du; the state before it is h0, and h0 is not zero",
        ),
        Mistake(
            "carry without u",
            {"carry = delta * u": "carry = delta"},
            "what is sent to the step before lacks u, by which the old state was multiplied",
        ),
        Mistake(
            "carry without slope",
            {"carry = delta * u": "carry = (dhs[t] + carry) * u"},
            "what is carried to step t-1 has not passed the ReLU of step t; it is delta that goes back",
        ),
        Mistake(
            "dh0 one step early",
            {"return dxs, carry,": "return dxs, delta,"},
            "dh0 has not passed u; it has one more factor to go back through",
        ),
        Mistake(
            "dh_last ignored",
            {"carry = dh_last": "carry = np.zeros_like(dh_last)"},
            DH_LAST_IGNORED,
        ),
        Mistake(
            "weights of one step",
            {"dW += ": "dW = ", "du += ": "du = ", "db += ": "db = "},
            OVERWRITTEN,
        ),
        Mistake(
            "mean over the batch",
            {"db += delta.sum(axis=0)": "db += delta.mean(axis=0)"},
            "db is a mean over the sequences; the bias is added to each of them, so its gradients add up",
        ),
        Mistake(
            "slope on dhs alone",
            {"(dhs[t] + carry) * (hs[t] > 0)": "dhs[t] * (hs[t] > 0) + carry"},
            "the slope of ReLU multiplies dhs[t] alone; what comes from step t+1 arrives at h_t as well and passes it "
            "too",
        ),
        Mistake(
            "dhs ignored",
            {"(dhs[t] + carry)": "carry"},
            "dhs is ignored: only what arrived at the last state goes back",
        ),
        Mistake(
            "dh_last at every step",
            {"dhs[t] + carry": "dhs[t] + carry + (dh_last if t < len(xs) - 1 else 0)"},
            DH_LAST_EVERYWHERE,
        ),
        Mistake(
            "dh_last for the last of dhs",
            {"(dhs[t] + carry)": "((dhs[t] if t < len(xs) - 1 else 0) + carry)"},
            "dh_last takes the place of dhs[-1] at the last step; both arrive there, and add up",
        ),
        Mistake(
            "forwards",
            {"reversed(range(len(xs)))": "range(len(xs))"},
            "the loop runs forwards; step t needs what step t+1 sends back, so begin at the end",
        ),
        Mistake(
            "du as a mean",
            {"(delta * h_old).sum(axis=0)": "(delta * h_old).mean(axis=0)"},
            "du is a mean over the sequences; all of them use u, so their gradients add up",
        ),
    ),
)

FAIR_SIZE = Graded(
    name="fair_size",
    arguments=_fair_arguments,
    oracle=_fair_oracle,
    outputs=(Output("hidden", "", 2), Output("spare", "", 1)),
    mistakes=(
        Mistake(
            "readout forgotten",
            {" + outputs * (hidden + 1)": ""},
            "the readout is not counted; its V and c are parameters as well",
        ),
        Mistake(
            "cell's bias forgotten",
            {"(inputs + hidden + 1)": "(inputs + hidden)"},
            "the biases of the gates are not counted, or only once: each gate has its own",
        ),
        Mistake(
            "readout's bias forgotten",
            {"outputs * (hidden + 1)": "outputs * hidden"},
            "the readout's bias c is not counted",
        ),
        Mistake(
            "two biases",
            {"(inputs + hidden + 1)": "(inputs + hidden + 2)"},
            "each gate is given two biases, as torch does; here it has one",
        ),
        Mistake(
            "below the budget",
            {"<= parameters": "< parameters"},
            "a size that meets the budget exactly is refused; at most that many are allowed",
        ),
        Mistake(
            "one too many",
            {"return hidden, parameters - count(hidden)": "return hidden + 1, parameters - count(hidden + 1)"},
            "the first size that is too large is returned; the one before it still fits",
        ),
        Mistake(
            "U counted once",
            {"gates * hidden * (inputs + hidden + 1)": "(gates * hidden * (inputs + 1) + hidden * hidden)"},
            "U is counted once; each gate has its own H × H part of it",
        ),
        Mistake(
            "W counted once",
            {"gates * hidden * (inputs + hidden + 1)": "(gates * hidden * (hidden + 1) + hidden * inputs)"},
            "W is counted once; each gate has its own D × H part of it",
        ),
        Mistake(
            "gates forgotten",
            {"gates * hidden * (inputs": "hidden * (inputs"},
            "the number of gates is left out; W, U and b are that many times as wide",
        ),
        Mistake("W square", {"(inputs + hidden + 1)": "(hidden + hidden + 1)"}, "W is counted as H × H; it has D rows"),
        Mistake(
            "spent for spare",
            {"parameters - count(hidden)": "count(hidden)"},
            "the parameters that are used are returned; those that are left over were wanted",
        ),
        Mistake(
            "biases once",
            {"gates * hidden * (inputs + hidden + 1)": "(gates * hidden * (inputs + hidden) + hidden)"},
            "b is counted as H numbers; it has one for each unit of each gate, GH",
        ),
        Mistake(
            "V forgotten",
            {"outputs * (hidden + 1)": "outputs"},
            "the readout's matrix V is not counted, only its bias",
        ),
        Mistake(
            "rounded to the nearest",
            {"count(hidden + 1) <= parameters": "count(hidden + 0.5) <= parameters"},
            "the solution of the quadratic equation is rounded to the nearest whole number; above it the parameters "
            "do not suffice, so it is rounded down",
        ),
        Mistake(
            "rounded up",
            {"count(hidden + 1) <= parameters": "count(hidden) < parameters"},
            "the size is rounded up, to one that takes more than there is; round down",
        ),
        Mistake(
            "U square",
            {"(inputs + hidden + 1)": "(inputs + gates * hidden + 1)"},
            "U is counted as GH × GH; all gates hear the same H units, so it has H rows",
        ),
        Mistake(
            "inputs and outputs swapped",
            {"(inputs + hidden + 1) + outputs * (hidden + 1)": "(outputs + hidden + 1) + inputs * (hidden + 1)"},
            "inputs and outputs have changed places: W has D rows, V has K columns",
        ),
        Mistake(
            "gates in the readout",
            {"+ outputs * (hidden + 1)": "+ gates * outputs * (hidden + 1)"},
            "the readout is multiplied by the number of gates; it is one layer on top, V (H, K) and c (K,)",
        ),
        Mistake(
            "one too few",
            {"return hidden, parameters - count(hidden)": "return hidden - 1, parameters - count(hidden - 1)"},
            "the size is one too small: one more unit still fits",
        ),
        Mistake(
            "spare of the next size",
            {"parameters - count(hidden)": "parameters - count(hidden + 1)"},
            "spare belongs to the first size that is too large, and is negative; take that of the size you return",
        ),
        Mistake(
            "spare without the readout",
            {"parameters - count(hidden)": "parameters - count(hidden) + outputs * (hidden + 1)"},
            "spare leaves out the readout, which takes its part of the parameters",
        ),
        Mistake(
            "search too short",
            {"<= parameters": "<= parameters and hidden < 99"},
            "the search ends at 99 units; go on for as long as one more fits",
        ),
    ),
)


EXERCISE = Exercise("08_zoo", (MGU_STEP, COUPLED_STEP, INDRNN_FORWARD, INDRNN_BACKWARD, FAIR_SIZE), by_hand=2)
