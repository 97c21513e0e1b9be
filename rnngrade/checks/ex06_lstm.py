"""Exercise 06: long short-term memory."""

from typing import Any

import numpy as np

from rnncore import LSTM, CoupledLSTM, Elman, PeepholeLSTM, tree
from rnncore.cells.lstm import lstm
from rnngrade.checks.common import DH_LAST_FOR_DHS, FORWARDS
from rnngrade.exercise import Draw, Exercise, Graded, Mistake, Output

ORDER = "the columns are i, f, g, o, in this order, H of each"
ADD_DH = "dc + dh * o * (1 - tanh_c**2)"
SLOPES = {
    "g * i * (1 - i)": "g",
    "c_old * f * (1 - f)": "c_old",
    "i * (1 - g**2)": "i",
    "tanh_c * o * (1 - o)": "tanh_c",
}
TANH_SLOPES = {"g * i * (1 - i)": "g * (1 - i**2)", "f * (1 - f)": "(1 - f**2)", "o * (1 - o)": "(1 - o**2)"}
DH_DROPPED = "dh is not added to dc: c_t reaches the loss through h_t as well, by o ⊙ (1 - tanh² c_t)"
NO_TANH = "the slope of tanh is left out where dh goes to the cell: h = o ⊙ tanh(c), so dc gets dh ⊙ o ⊙ (1 - tanh² c)"
TANH_OF_C = "the slope of tanh is taken as 1 - c²; it is 1 - tanh²(c), and c has not passed tanh"
C_FOR_DF = "da_f is made with c_t; what the forget gate multiplied is the cell state before the step, c_{t-1}"
U_FORGOTTEN = "h_{t-1} U is not added: gates and candidate see the last hidden state, too"
NO_F = "dc goes back as it is; c_t = f ⊙ c_{t-1} + …, so what c_{t-1} gets is multiplied with f_t"


def _gates(draw: Draw, axes: str, count: int = 4) -> np.ndarray:
    """`count` draws side by side."""
    return np.concatenate([draw(axes) for _ in range(count)], axis=-1)


def _sometimes_one(draw: Draw) -> None:
    """In one case there is one sequence alone: an axis of length 1 is still an axis."""
    if draw.case == 3:
        draw.sizes["B"] = 1


def _step_arguments(draw: Draw) -> dict[str, Any]:
    _sometimes_one(draw)
    W, U, b = _gates(draw, "D H"), _gates(draw, "H H"), _gates(draw, "H")
    return {"x": draw("B D"), "h_old": draw("B H"), "c_old": draw("B H"), "W": W, "U": U, "b": b}


def _step_oracle(x: Any, h_old: Any, c_old: Any, W: Any, U: Any, b: Any) -> tuple[Any, ...]:
    (h, c), _ = LSTM(W, U, b).step(x, (h_old, c_old))
    _, _, (_, i, f, g, o, _) = lstm(x @ W + h_old @ U + b, c_old)
    return h, c, i, f, g, o


def _peephole_oracle(x: Any, h_old: Any, c_old: Any, W: Any, U: Any, b: Any, p: Any) -> tuple[Any, ...]:
    (h, c), _ = PeepholeLSTM(W, U, b, p).step(x, (h_old, c_old))
    return h, c


def _inside(gates: Any) -> Any:
    """What stood inside the functions that gave i, f, g, o."""
    i, f, g, o = np.split(gates, 4, axis=-1)
    return np.concatenate([np.log(i / (1 - i)), np.log(f / (1 - f)), np.arctanh(g), np.log(o / (1 - o))], axis=-1)


def _cell(U: Any) -> LSTM:
    """A cell whose inputs are what stands inside its gates, but for h U: their gradients are those of the inputs."""
    return LSTM(np.eye(U.shape[1]), U, np.zeros(U.shape[1]))


def _step_backward_arguments(draw: Draw) -> dict[str, Any]:
    _sometimes_one(draw)
    c_old = draw("B H", 1.0)
    _, c, (_, i, f, g, o, _) = lstm(_gates(draw, "B H"), c_old)
    gates = np.concatenate([i, f, g, o], axis=1)
    return {"dh": draw("B H"), "dc": draw("B H"), "c_old": c_old, "c": c, "gates": gates}


def _step_backward_oracle(dh: Any, dc: Any, c_old: Any, c: Any, gates: Any) -> tuple[Any, ...]:
    cell = _cell(np.zeros((c.shape[1], gates.shape[1])))
    _, cache = cell.step(_inside(gates), (np.zeros_like(c), c_old))
    da, (_, dc_old), _ = cell.step_backward((dh, dc), cache)
    return *np.split(da, 4, axis=1), dc_old


def _backward_arguments(draw: Draw) -> dict[str, Any]:
    _sometimes_one(draw)
    inputs, U, h, c0 = _gates(draw, "T B H"), _gates(draw, "H H"), draw("B H"), draw("B H", 1.0)
    c, cs, gates = c0, [], []
    for a in inputs:
        h, c, (_, i, f, g, o, _) = lstm(a + h @ U, c)
        cs.append(c)
        gates.append(np.concatenate([i, f, g, o], axis=1))
    return {
        "dhs": draw("T B H"),
        "dh_last": draw("B H"),
        "dc_last": draw("B H"),
        "cs": np.stack(cs),
        "gates": np.stack(gates),
        "c0": c0,
        "U": U,
    }


def _backward_oracle(dhs: Any, dh_last: Any, dc_last: Any, cs: Any, gates: Any, c0: Any, U: Any) -> tuple[Any, ...]:
    cell, before = _cell(U), np.zeros_like(cs)  # h_0 is not known, and all that it does is in the gates
    before[1:] = np.split(gates, 4, axis=2)[3][:-1] * np.tanh(cs[:-1])
    _, _, tape = cell.forward(_inside(gates) - before @ U, (before[0], c0))
    das, (dh0, dc0), _ = cell.backward(dhs, tape, (dh_last, dc_last))
    return *np.split(das, 4, axis=2), dh0, dc0


def _count_oracle(input_size: int, hidden_size: int) -> tuple[int, ...]:
    rng, cells = np.random.default_rng(0), (Elman, LSTM, CoupledLSTM, PeepholeLSTM)
    made = [cell.init(rng, input_size, hidden_size) for cell in cells]
    return tuple(sum(leaf.size for _, leaf in tree.leaves(cell)) for cell in made)


COUNT = Graded(
    name="count_parameters",
    arguments=lambda draw: {"input_size": draw.sizes["D"], "hidden_size": draw.sizes["H"]},
    oracle=_count_oracle,
    outputs=(
        Output("elman", "", 0.5),
        Output("lstm", "", 0.5),
        Output("coupled", "", 0.5),
        Output("peephole", "", 0.5),
    ),
    mistakes=(
        Mistake("no biases", {" + hidden_size\n": "\n"}, "the biases are not counted"),
        Mistake(
            "two biases",
            {" + hidden_size\n": " + 2 * hidden_size\n"},
            "each affine map is given two bias vectors, as torch does; here it has one",
        ),
        Mistake(
            "no recurrent weights",
            {" + hidden_size * hidden_size": ""},
            "U is not counted: each gate, and the candidate, sees h_{t-1} through H · H weights of its own",
        ),
        Mistake(
            "gates share a bias",
            {"4 * block": "4 * block - 3 * hidden_size", "3 * block": "3 * block - 2 * hidden_size"},
            "the gates share one bias of H numbers; b has 4H, as many for each gate and for the candidate",
        ),
        Mistake(
            "candidate forgotten",
            {"3 * block": "2 * block", "4 * block": "3 * block"},
            "the three gates are counted and the candidate g is not; it has weights of its own, like a gate",
        ),
        Mistake(
            "gates of one number",
            {
                "4 * block": "block + 3 * (input_size + hidden_size + 1)",
                "3 * block": "block + 2 * (input_size + hidden_size + 1)",
            },
            "each gate is counted as one number per sequence; it is a vector, with one gate for each of the H units",
        ),
        Mistake(
            "states counted",
            {"4 * block": "4 * block + 2 * hidden_size", "3 * block": "3 * block + 2 * hidden_size"},
            "the states h and c are counted; they are computed, not learnt",
        ),
        Mistake(
            "coupled with peepholes",
            {"3 * block": "3 * block + 2 * hidden_size"},
            "the coupled cell has 2 H numbers too many: it has no peepholes here, and states are not counted",
        ),
        Mistake(
            "coupled as an LSTM",
            {"3 * block": "lstm"},
            "the coupled cell's input gate is counted; it is 1 - f and has no weights",
        ),
        Mistake(
            "coupled has two blocks",
            {"3 * block": "2 * block"},
            "the coupled cell is given two blocks; it computes f, g and o, and saves the input gate only",
        ),
        Mistake("no peepholes", {" + 3 * hidden_size": ""}, "the peepholes are not counted"),
        Mistake(
            "peephole matrices",
            {" + 3 * hidden_size": " + 3 * hidden_size * hidden_size"},
            "the peepholes are counted as matrices; each unit sees its own cell state alone, H weights for each gate",
        ),
        Mistake(
            "peephole of the candidate",
            {" + 3 * hidden_size": " + 4 * hidden_size"},
            "the candidate is given peepholes as well; only the three gates have them",
        ),
        Mistake(
            "one peephole for each gate",
            {" + 3 * hidden_size": " + 3"},
            "one peephole is counted for each gate; it is one for each gate of each unit",
        ),
        Mistake(
            "gates share a peephole",
            {" + 3 * hidden_size": " + hidden_size"},
            "one vector of peepholes is counted for all gates together; each of the three has its own",
        ),
        Mistake(
            "peepholes alone",
            {"lstm + 3 * hidden_size": "3 * hidden_size"},
            "only the peepholes are counted; they come in addition to all that an LSTM has",
        ),
        Mistake(
            "D and H swapped",
            {"(input_size, hidden_size)": "(hidden_size, input_size)"},
            "D and H are swapped: there are H units, and each sees D inputs",
        ),
    ),
)

STEP = Graded(
    name="lstm_step",
    arguments=_step_arguments,
    oracle=_step_oracle,
    outputs=(
        Output("h", "B H", 1),
        Output("c", "B H", 1),
        Output("i", "B H", 0.5),
        Output("f", "B H", 0.5),
        Output("g", "B H", 0.5),
        Output("o", "B H", 0.5),
    ),
    mistakes=(
        Mistake(
            "columns of i and f swapped",
            {"a_i, a_f, a_g, a_o =": "a_f, a_i, a_g, a_o ="},
            f"i and f are read from each other's columns; {ORDER}",
        ),
        Mistake(
            "columns of g and o swapped",
            {"a_i, a_f, a_g, a_o =": "a_i, a_f, a_o, a_g ="},
            f"g and o are read from each other's columns; {ORDER}",
        ),
        Mistake(
            "order of ONNX",
            {"a_i, a_f, a_g, a_o =": "a_i, a_o, a_f, a_g ="},
            f"the columns are read in the order i, o, f, g, which is that of ONNX; here {ORDER}",
        ),
        Mistake(
            "columns interleaved",
            {"np.split(x @ W + h_old @ U + b, 4, axis=1)": "((x @ W + h_old @ U + b)[:, k::4] for k in range(4))"},
            f"every fourth column is taken for each gate; {ORDER}: the first H are those of i",
        ),
        Mistake(
            "i and f swapped",
            {"f * c_old + i * g": "i * c_old + f * g"},
            "i and f are swapped in the cell state: f says what stays of c_old, i what of g comes in",
        ),
        Mistake(
            "h carried in place of c",
            {"f * c_old": "f * h_old"},
            "the forget gate multiplies h_old; what is carried from step to step by the sum is the cell state, c_old",
        ),
        Mistake("no forget gate", {"f * c_old": "c_old"}, "c_old is added whole; the forget gate f must multiply it"),
        Mistake("no input gate", {"i * g": "g"}, "the candidate comes in whole; the input gate i must multiply g"),
        Mistake(
            "forget gate on the candidate",
            {"f * c_old + i * g": "f * (c_old + i * g)"},
            "the forget gate multiplies the new content too; it acts on c_old alone, before the sum",
        ),
        Mistake(
            "coupled gates",
            {"i * g": "(1 - f) * g"},
            "the candidate is let in by 1 - f, as in an LSTM with coupled gates; here the input gate is i",
        ),
        Mistake(
            "cell not carried",
            {"f * c_old + i * g": "i * g"},
            "the old cell state is not in the new one: f ⊙ c_old is missing from the sum",
        ),
        Mistake(
            "tanh of the new cell kept",
            {"c = f * c_old + i * g": "c = np.tanh(f * c_old + i * g)", "np.tanh(c)\n": "c\n"},
            "the cell state itself is squashed by tanh; c is the plain sum, and tanh is taken only for h",
        ),
        Mistake("no tanh of c", {"o * np.tanh(c)": "o * c"}, "h is o ⊙ c; the cell state passes tanh first"),
        Mistake(
            "old cell shown",
            {"np.tanh(c)\n": "np.tanh(c_old)\n"},
            "h shows the old cell state; it is o ⊙ tanh(c) of the new one",
        ),
        Mistake("no output gate", {"o * np.tanh(c)": "np.tanh(c)"}, "h is tanh(c); the output gate o must multiply it"),
        Mistake(
            "tanh of the product",
            {"o * np.tanh(c)": "np.tanh(o * c)"},
            "h is tanh(o ⊙ c); tanh is taken of c alone, and the output gate multiplies what comes out",
        ),
        Mistake(
            "input gate on the output",
            {"o * np.tanh(c)": "i * np.tanh(c)"},
            "h is i ⊙ tanh(c); it is the output gate o that says what is shown",
        ),
        Mistake(
            "o from tanh",
            {"1 / (1 + np.exp(-a_o))": "np.tanh(a_o)"},
            "the output gate is made with tanh; gates are logistic, between 0 and 1, and only the candidate is a tanh",
        ),
        Mistake(
            "g from the logistic function",
            {"np.tanh(a_g)": "1 / (1 + np.exp(-a_g))"},
            "the candidate is made with the logistic function; it is a tanh, so that it can also take away",
        ),
        Mistake("bias forgotten", {" + b,": ","}, "the bias b is not added"),
        Mistake("U forgotten", {" + h_old @ U": ""}, U_FORGOTTEN),
        Mistake(
            "sign of the logistic function",
            {"-a_i": "a_i", "-a_f": "a_f", "-a_o": "a_o"},
            "a gate is made as 1 / (1 + e^a), which is σ(-a); the minus sign in e^{-a} is missing",
        ),
        Mistake(
            "gates returned before their functions",
            {"return h, c, i, f, g, o": "return h, c, a_i, a_f, a_g, a_o"},
            "a_i, a_f, a_g, a_o are returned in place of i, f, g, o: the values after σ and tanh are wanted",
        ),
    ),
)

PEEPHOLE = Graded(
    name="peephole_step",
    arguments=lambda draw: {**_step_arguments(draw), "p": _gates(draw, "H", 3)},
    oracle=_peephole_oracle,
    outputs=(Output("h", "B H", 1), Output("c", "B H", 2)),
    mistakes=(
        Mistake(
            "o sees the old cell",
            {"p_o * c)": "p_o * c_old)"},
            "the output gate sees c_{t-1}; it is computed last and sees the new cell state, c_t",
        ),
        Mistake(
            "o sees nothing",
            {" + p_o * c)": ")"},
            "the output gate has no peephole: p_o ⊙ c_t is missing from it",
        ),
        Mistake(
            "o alone sees",
            {" + p_i * c_old": "", " + p_f * c_old": ""},
            "the input and forget gates have no peepholes: p_i ⊙ c_{t-1} and p_f ⊙ c_{t-1} are missing",
        ),
        Mistake(
            "no peepholes",
            {" + p_i * c_old": "", " + p_f * c_old": "", " + p_o * c)": ")"},
            "no gate sees the cell state: this is the LSTM without peepholes",
        ),
        Mistake(
            "i and f see the new cell",
            {
                "    o = 1": "    i = 1 / (1 + np.exp(-(a_i + p_i * c)))\n"
                "    f = 1 / (1 + np.exp(-(a_f + p_f * c)))\n    c = f * c_old + i * np.tanh(a_g)\n    o = 1"
            },
            "the input and forget gates are computed again with a new cell state; they see the one before the step",
        ),
        Mistake(
            "i sees what is left",
            {
                "    i = 1 / (1 + np.exp(-(a_i + p_i * c_old)))\n": "",
                "    c = f": "    i = 1 / (1 + np.exp(-(a_i + p_i * f * c_old)))\n    c = f",
            },
            "the input gate sees f ⊙ c_{t-1}, what the forget gate has left; it sees c_{t-1} itself",
        ),
        Mistake(
            "h in place of c",
            {"p_i * c_old": "p_i * h_old", "p_f * c_old": "p_f * h_old"},
            "the input and forget gates look at h_{t-1}, which U has shown them already; peepholes see c_{t-1}",
        ),
        Mistake(
            "the cell seen through tanh",
            {
                "p_i * c_old": "p_i * np.tanh(c_old)",
                "p_f * c_old": "p_f * np.tanh(c_old)",
                "p_o * c)": "p_o * np.tanh(c))",
            },
            "the gates see tanh of the cell state; they see it as it is",
        ),
        Mistake(
            "peephole outside the gate",
            {
                "np.exp(-(a_i + p_i * c_old)))": "np.exp(-a_i)) + p_i * c_old",
                "np.exp(-(a_f + p_f * c_old)))": "np.exp(-a_f)) + p_f * c_old",
                "np.exp(-(a_o + p_o * c)))": "np.exp(-a_o)) + p_o * c",
            },
            "p ⊙ c is added to the gates after the logistic function; it stands inside, so that a gate stays in 0 … 1",
        ),
        Mistake(
            "the candidate sees the cell",
            {"np.tanh(a_g)": "np.tanh(a_g + p_i * c_old)"},
            "the candidate has a peephole as well, p_i; only the three gates have them",
        ),
        Mistake(
            "peepholes of i and f swapped",
            {"p_i, p_f, p_o =": "p_f, p_i, p_o ="},
            "p_i and p_f are swapped; p holds p_i, p_f, p_o, in this order",
        ),
        Mistake(
            "peepholes in another order",
            {"p_i, p_f, p_o =": "p_o, p_i, p_f ="},
            "p is read as p_o, p_i, p_f; it holds p_i, p_f, p_o, in this order",
        ),
        Mistake(
            "peepholes of f and o swapped",
            {"p_i, p_f, p_o =": "p_i, p_o, p_f ="},
            "p_f and p_o are swapped; p holds p_i, p_f, p_o, in this order",
        ),
        Mistake(
            "units mixed",
            {
                "p_i * c_old": "(c_old @ p_i)[:, None]",
                "p_f * c_old": "(c_old @ p_f)[:, None]",
                "p_o * c)": "(c @ p_o)[:, None])",
            },
            "each gate sees the sum of p ⊙ c over all units; it sees the cell state of its own unit alone",
        ),
        Mistake(
            "columns of i and f swapped",
            {"a_i, a_f, a_g, a_o =": "a_f, a_i, a_g, a_o ="},
            f"i and f are read from each other's columns; {ORDER}",
        ),
        Mistake(
            "columns of g and o swapped",
            {"a_i, a_f, a_g, a_o =": "a_i, a_f, a_o, a_g ="},
            f"g and o are read from each other's columns; {ORDER}",
        ),
        Mistake(
            "g from the logistic function",
            {"np.tanh(a_g)": "1 / (1 + np.exp(-a_g))"},
            "the candidate is made with the logistic function; it is a tanh, so that it can also take away",
        ),
        Mistake("no tanh of c", {"o * np.tanh(c)": "o * c"}, "h is o ⊙ c; the cell state passes tanh first"),
        Mistake("bias forgotten", {" + b,": ","}, "the bias b is not added"),
        Mistake("U forgotten", {" + h_old @ U": ""}, U_FORGOTTEN),
    ),
)

STEP_BACKWARD = Graded(
    name="lstm_step_backward",
    arguments=_step_backward_arguments,
    oracle=_step_backward_oracle,
    outputs=(
        Output("da_i", "B H", 1),
        Output("da_f", "B H", 1),
        Output("da_g", "B H", 1),
        Output("da_o", "B H", 1),
        Output("dc_old", "B H", 2),
    ),
    mistakes=(
        Mistake("dc through h dropped", {ADD_DH: "dc"}, DH_DROPPED),
        Mistake(
            "dc from the next step dropped",
            {ADD_DH: "dh * o * (1 - tanh_c**2)"},
            "the dc that arrives is dropped: what comes through h_t is added to it, not put in its place",
        ),
        Mistake(
            "dc through h subtracted",
            {ADD_DH: ADD_DH.replace("+", "-")},
            "what comes through h_t is subtracted from dc; the two ways from c_t to the loss add up",
        ),
        Mistake("no slope of tanh", {" * (1 - tanh_c**2)": ""}, NO_TANH),
        Mistake(
            "tanh of the old cell",
            {"np.tanh(c)": "np.tanh(c_old)"},
            "tanh is taken of the old cell state; on the way forward it was taken of c, the one after the step",
        ),
        Mistake("slope of tanh at c", {"1 - tanh_c**2": "1 - c**2"}, TANH_OF_C),
        Mistake(
            "slope of tanh at h",
            {"1 - tanh_c**2": "1 - (o * tanh_c) ** 2"},
            "the slope of tanh is taken as 1 - h²; tanh was taken of c, before the output gate: it is 1 - tanh²(c)",
        ),
        Mistake(
            "output gate forgotten",
            {"dh * o * (1 - tanh": "dh * (1 - tanh"},
            "the output gate is left out where dh goes to the cell: dc gets dh ⊙ o ⊙ (1 - tanh² c)",
        ),
        Mistake("c for c_old in da_f", {"dc * c_old": "dc * c"}, C_FOR_DF),
        Mistake("dc not multiplied by f", {"dc_old = dc * f": "dc_old = dc"}, NO_F),
        Mistake(
            "dc_old without what came through h",
            {"dc_old = dc * f": f"dc_old = (dc - {ADD_DH.removeprefix('dc + ')}) * f"},
            "dc_old is the arriving dc times f; what came through h_t goes back along the cell state as well",
        ),
        Mistake(
            "dc_old multiplied by i",
            {"dc_old = dc * f": "dc_old = dc * i"},
            "dc_old is multiplied with the input gate; it was the forget gate that multiplied c_{t-1}",
        ),
        Mistake(
            "dc_old from dh",
            {"dc_old = dc * f": "dc_old = dh * f"},
            "dc_old is made with dh; what goes back along the cell state is dc, with what came through h_t added",
        ),
        Mistake(
            "factors of i and f swapped",
            {"dc * g * i": "dc * c_old * i", "dc * c_old * f": "dc * g * f"},
            "da_i is made with c_{t-1} and da_f with g; on the way forward i multiplied g, and f multiplied c_{t-1}",
        ),
        Mistake(
            "no slopes of the gates",
            SLOPES,
            "the slopes of σ and tanh are left out: a gradient of i is not yet one of a_i",
        ),
        Mistake(
            "slope of tanh for the gates",
            TANH_SLOPES,
            "the gates i, f, o are given the slope of tanh, 1 - s²; they are logistic, and their slope is s (1 - s)",
        ),
        Mistake(
            "slope of the logistic function for g",
            {"(1 - g**2)": "g * (1 - g)"},
            "the candidate is given the logistic slope g (1 - g); it is a tanh, and its slope is 1 - g²",
        ),
        Mistake(
            "square of g forgotten",
            {"1 - g**2": "1 - g"},
            "the slope of the candidate is taken as 1 - g; that of tanh is 1 - g²",
        ),
        Mistake(
            "slopes taken again",
            {
                "    tanh_c = ": "    i, f, o = (1 / (1 + np.exp(-s)) for s in (i, f, o))\n"
                "    g = np.tanh(g)\n    tanh_c = "
            },
            "σ and tanh are taken of the gates once more; `gates` holds their values after these functions",
        ),
        Mistake(
            "i forgotten in da_g",
            {"dc * i * (1 - g**2)": "dc * (1 - g**2)"},
            "da_g lacks the input gate: the candidate was multiplied with i on the way forward",
        ),
        Mistake(
            "g forgotten in da_i",
            {"dc * g * i": "dc * i"},
            "da_i lacks the candidate: the input gate was multiplied with g on the way forward",
        ),
        Mistake(
            "da_o from c",
            {"dh * tanh_c * o": "dh * c * o"},
            "da_o is made with c; what the output gate multiplied is tanh(c)",
        ),
        Mistake(
            "da_o from dc",
            {"dh * tanh_c * o": "dc * tanh_c * o"},
            "da_o is made with dc; the output gate reaches the loss through h alone: use dh",
        ),
        Mistake(
            "i and f swapped",
            {"i, f, g, o =": "f, i, g, o ="},
            f"i and f are read from each other's columns of `gates`; {ORDER}",
        ),
        Mistake(
            "g and o swapped",
            {"i, f, g, o =": "i, f, o, g ="},
            f"g and o are read from each other's columns of `gates`; {ORDER}",
        ),
    ),
)

BACKWARD = Graded(
    name="lstm_backward",
    arguments=_backward_arguments,
    oracle=_backward_oracle,
    outputs=(
        Output("das_i", "T B H", 1),
        Output("das_f", "T B H", 1),
        Output("das_g", "T B H", 1),
        Output("das_o", "T B H", 1),
        Output("dh0", "B H", 1),
        Output("dc0", "B H", 1),
    ),
    mistakes=(
        Mistake(
            "dh not carried",
            {"dhs[t] + dh_next": "dhs[t] + (dh_next if t == len(cs) - 1 else 0)"},
            "what step t+1 sends back through U is not added to dh: h_t reaches the loss through the next step's gates",
        ),
        Mistake(
            "dh set to zero",
            {"dh_next = das[t] @ U.T": "dh_next = 0 * dh"},
            "dh is set to zero after each step: what goes to h_{t-1} through U is lost, and so is dh0",
        ),
        Mistake(
            "dc not carried",
            {"dc_next + dh": "(dc_next if t == len(cs) - 1 else 0) + dh"},
            "dc is not carried from step t+1 to step t: the way along the cell state, the long one, is cut",
        ),
        Mistake(
            "dc set to zero",
            {"dc_next = dc * f": "dc_next = 0 * dc"},
            "dc is set to zero after each step: what goes to c_{t-1} along the cell state is lost, and so is dc0",
        ),
        Mistake(
            "dc_last never replaced",
            {"        dc_next = dc * f\n": ""},
            "every step starts from dc_last, which is for the last one alone; the others start from dc ⊙ f of the step "
            "after them",
        ),
        Mistake("dc not multiplied by f", {"dc_next = dc * f": "dc_next = dc"}, NO_F),
        Mistake(
            "forget gate of the wrong step",
            {"dc_next + dh": "dc_next * f + dh", "dc_next = dc * f": "dc_next = dc"},
            "dc is multiplied with the forget gate of the step where it arrives; from c_{t+1} to c_t it is f_{t+1}",
        ),
        Mistake("dc through h dropped", {"dc_next + dh * o * (1 - tanh_c**2)": "dc_next"}, DH_DROPPED),
        Mistake("no slope of tanh", {" * (1 - tanh_c**2)": ""}, NO_TANH),
        Mistake("c_t in da_f", {"cs[t - 1] if t > 0 else c0": "cs[t]"}, C_FOR_DF),
        Mistake(
            "step 0 left out",
            {"reversed(range(len(cs)))": "range(len(cs) - 1, 0, -1)"},
            "the loop ends before step 0: its gradients stay zero, and dh0 and dc0 have one more step to go back",
        ),
        Mistake(
            "c0 before every step",
            {"cs[t - 1] if t > 0 else c0": "c0"},
            "c0 is taken as the cell state before every step; it is that before step 0; before step t it is cs[t - 1]",
        ),
        Mistake(
            "last cell before the first step",
            {"cs[t - 1] if t > 0 else c0": "cs[t - 1]"},
            "cs[t - 1] is used at t = 0, where Python reads it as cs[-1], the last cell state; it must be c0",
        ),
        Mistake(
            "c0 taken as zero",
            {"else c0": "else 0 * c0"},
            "the cell state before step 0 is taken as zero; it is c0",
        ),
        Mistake(
            "the candidate alone sends back",
            {"das[t] @ U.T": "da_g @ np.split(U, 4, axis=1)[2].T"},
            "only the candidate sends a gradient back to h_{t-1}; the three gates were made from it as well",
        ),
        Mistake(
            "the gates alone send back",
            {"das[t] @ U.T": "das[t] @ U.T - da_g @ np.split(U, 4, axis=1)[2].T"},
            "only the gates send a gradient back to h_{t-1}; the candidate was made from it as well",
        ),
        Mistake(
            "the output gate alone sends back",
            {"das[t] @ U.T": "da_o @ np.split(U, 4, axis=1)[3].T"},
            "only the output gate sends a gradient back to h_{t-1}; all four were made from it, and what they send is "
            "added up",
        ),
        Mistake(
            "other order at U",
            {"das[t] @ U.T": "np.concatenate([da_i, da_f, da_o, da_g], axis=1) @ U.T"},
            f"the four gradients are laid side by side as i, f, o, g before the product with U; {ORDER}",
        ),
        Mistake(
            "old dh kept",
            {"dh_next = das[t] @ U.T": "dh_next = dh + das[t] @ U.T"},
            "dh is handed on as it is, in addition to what goes through U; h_{t-1} reaches step t through U alone",
        ),
        Mistake(
            "dhs ignored",
            {"dhs[t] + dh_next": "dh_next"},
            "dhs is ignored: no state gets what comes from its own output",
        ),
        Mistake(
            "dh_last ignored",
            {"dh_next, dc_next = dh_last,": "dh_next, dc_next = 0 * dh_last,"},
            "dh_last is ignored; it arrives at the last h in addition to dhs[-1]",
        ),
        Mistake(
            "dc_last ignored",
            {" = dh_last, dc_last": " = dh_last, 0 * dc_last"},
            "dc_last is ignored; it arrives at the last cell state in addition to what comes through h",
        ),
        Mistake(
            "dh_last in place of the last output",
            {"dhs[t] + dh_next": "(dhs[t] if t < len(cs) - 1 else 0) + dh_next"},
            DH_LAST_FOR_DHS,
        ),
        Mistake(
            "dh_last at every step",
            {"dhs[t] + dh_next": "dhs[t] + dh_next + (dh_last if t < len(cs) - 1 else 0)"},
            "dh_last is added at every step; it arrives at the last h alone",
        ),
        Mistake(
            "dh_last and dc_last swapped",
            {"= dh_last, dc_last": "= dc_last, dh_last"},
            "dh_last and dc_last are swapped: the first arrives at the last h, the second at the last cell state",
        ),
        Mistake(
            "dc_last at every step",
            {"dc_next + dh": "dc_next + (dc_last if t < len(cs) - 1 else 0) + dh"},
            "dc_last is added at every step; it arrives at the last cell state alone",
        ),
        Mistake(
            "forward in time",
            {"reversed(range(len(cs)))": "range(len(cs))"},
            FORWARDS,
        ),
        Mistake(
            "das backwards",
            {"np.split(das, 4": "np.split(das[::-1], 4"},
            "the arrays are in the order of the loop, the last step first; turn them round",
        ),
        Mistake(
            "one array for four",
            {"return das_i, das_f, das_g, das_o": "return das_o, das_o, das_o, das_o"},
            "das_i, das_f, das_g and das_o are four names of one array, which `das_i = das_f = … = np.zeros(…)` makes; "
            "make four",
        ),
        Mistake(
            "dc0 without the first forget gate",
            {"das_o, dh_next, dc_next": "das_o, dh_next, dc"},
            "dc0 is the gradient of the cell state after the first step; it has one more step to go back, through the "
            "first forget gate",
        ),
        Mistake(
            "dh0 one step early",
            {"das_o, dh_next, dc_next": "das_o, dh, dc_next"},
            "dh0 is the gradient of h after the first step; it has one more step to go back, through the first step's "
            "gates and U",
        ),
        Mistake(
            "initial states get nothing",
            {"das_o, dh_next, dc_next": "das_o, 0 * dh_next, 0 * dc_next"},
            "dh0 and dc0 are zero; they are what the first step sends back",
        ),
        Mistake(
            "slope of tanh for the gates",
            TANH_SLOPES,
            "the gates i, f, o are given the slope of tanh, 1 - s²; they are logistic, and their slope is s (1 - s)",
        ),
    ),
)

EXERCISE = Exercise("06_lstm", (COUNT, STEP, PEEPHOLE, STEP_BACKWARD, BACKWARD), by_hand=2)
