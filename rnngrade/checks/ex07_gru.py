"""Exercise 07: the gated recurrent unit, in the two forms that share its name."""

from typing import Any

import numpy as np

from rnncore.cells.gru import gru, gru_backward, gru_original
from rnncore.converters import from_keras
from rnngrade.exercise import Draw, Exercise, Graded, Mistake, Output

OTHER_CONVENTION = "z and 1 - z have changed places; here z = 1 keeps the old state, as in torch and Keras"
NOT_TRANSPOSED = "goes back as it stands; on the way back it is transposed"
NO_SIGMA_SLOPE = "the derivative of the logistic function is left out"


def _three(draw: Draw, rows: str) -> np.ndarray:
    """A matrix with the columns of three gates; without rows, a bias."""
    return np.concatenate([draw(f"{rows} H".strip()) for _ in range(3)], axis=-1)


def _step_arguments(draw: Draw) -> dict[str, Any]:
    return {
        "x": draw("B D"),
        "h": draw("B H", 1.2),
        "W": _three(draw, "D"),
        "U": _three(draw, "H"),
        "b": _three(draw, ""),
        "b_hn": draw("H"),
    }


def _step_oracle(x: Any, h: Any, W: Any, U: Any, b: Any, b_hn: Any) -> tuple[Any, ...]:
    h_new, (_, r, z, n, _) = gru(x @ W + b, h @ U, b_hn, h)
    return h_new, r, z, n


def _original_arguments(draw: Draw) -> dict[str, Any]:
    arguments = _step_arguments(draw)
    del arguments["b_hn"]
    return arguments


def _original_oracle(x: Any, h: Any, W: Any, U: Any, b: Any) -> tuple[Any, ...]:
    U_gates, U_n = np.split(U, [2 * h.shape[1]], axis=1)
    h_new, (_, _, _, n) = gru_original(x @ W + b, h @ U_gates, h, lambda rh: rh @ U_n)
    return h_new, n


def _backward_arguments(draw: Draw) -> dict[str, Any]:
    given = _step_arguments(draw)
    _, r, z, n = _step_oracle(**given)
    kept = {name: given[name] for name in ("W", "U", "b_hn")}
    return {"dh_new": draw("B H"), "x": given["x"], "h": given["h"], "r": r, "z": z, "n": n, **kept}


def _backward_oracle(dh_new: Any, x: Any, h: Any, r: Any, z: Any, n: Any, W: Any, U: Any, b_hn: Any) -> tuple[Any, ...]:
    U_n = U[:, 2 * h.shape[1] :]
    dwx, duh, dq, dh = gru_backward(dh_new, (h, r, z, n, h @ U_n + b_hn))
    dU = h.T @ duh
    return *np.split(dwx, 3, axis=1), dwx @ W.T, dh + duh @ U.T, dU[:, 2 * h.shape[1] :], dq.sum(axis=0)


def _keras_arguments(draw: Draw) -> dict[str, Any]:
    return {
        "x": draw("B D"),
        "h": draw("B H", 1.2),
        "kernel": _three(draw, "D"),
        "recurrent_kernel": _three(draw, "H"),
        "bias": np.stack([_three(draw, ""), _three(draw, "")]),
    }


def _keras_oracle(x: Any, h: Any, kernel: Any, recurrent_kernel: Any, bias: Any) -> Any:
    state, _ = from_keras([kernel, recurrent_kernel, bias], reset_after=True).step(x, (h,))
    return state[0]


GRU_STEP = Graded(
    name="gru_step",
    arguments=_step_arguments,
    oracle=_step_oracle,
    outputs=(Output("h_new", "B H", 1), Output("r", "B H", 1), Output("z", "B H", 1), Output("n", "B H", 2)),
    mistakes=(
        Mistake("z for 1 - z", {"(1 - z) * n + z * h": "z * n + (1 - z) * h"}, OTHER_CONVENTION),
        Mistake(
            "reset before the product",
            {"r * (uh[:, 2 * H :] + b_hn)": "(r * h) @ U[:, 2 * H :] + b_hn"},
            "the reset gate acts on h before the product with U_n, as in part 2; here it acts on h U_n + b_hn",
        ),
        Mistake(
            "no reset",
            {"r * (uh[:, 2 * H :] + b_hn)": "uh[:, 2 * H :] + b_hn"},
            "the reset gate is computed and not used; in the candidate it multiplies h U_n + b_hn",
        ),
        Mistake(
            "reset on the input as well",
            {"wx[:, 2 * H :] + r * (uh[:, 2 * H :] + b_hn)": "r * (wx[:, 2 * H :] + uh[:, 2 * H :] + b_hn)"},
            "the reset gate multiplies the input's part of the candidate as well; it may silence the past alone",
        ),
        Mistake(
            "reset on the input instead",
            {"wx[:, 2 * H :] + r * (uh[:, 2 * H :] + b_hn)": "r * wx[:, 2 * H :] + uh[:, 2 * H :] + b_hn"},
            "the reset gate multiplies the input's part of the candidate; it belongs to the state's part, h U_n + b_hn",
        ),
        Mistake(
            "products added before they are cut",
            {"wx[:, 2 * H :] + r * (uh[:, 2 * H :] + b_hn)": "r * (wx[:, 2 * H :] + uh[:, 2 * H :]) + b_hn"},
            "the two products are added before the reset gate comes in, and b_hn after it: r multiplies h U_n + b_hn "
            "alone",
        ),
        Mistake(
            "b_hn outside the reset",
            {"r * (uh[:, 2 * H :] + b_hn)": "r * uh[:, 2 * H :] + b_hn"},
            "b_hn is added after the reset; it belongs inside, n = tanh(… + r ⊙ (h U_n + b_hn))",
        ),
        Mistake(
            "b_hn left out", {"(uh[:, 2 * H :] + b_hn)": "uh[:, 2 * H :]"}, "b_hn is left out; it is added to h U_n"
        ),
        Mistake(
            "gates in the order z r n",
            {
                "r = 1 / (1 + np.exp(-(wx[:, :H] + uh[:, :H])))": "z = 1 / (1 + np.exp(-(wx[:, :H] + uh[:, :H])))",
                "z = 1 / (1 + np.exp(-(wx[:, H : 2 * H] +": "r = 1 / (1 + np.exp(-(wx[:, H : 2 * H] +",
            },
            "the first third of the columns is taken for z and the second for r; the order here is r z n",
        ),
        Mistake(
            "every third column",
            {
                "uh = h @ U\n": "uh = h @ U\n    order = np.arange(3 * H).reshape(H, 3).T.ravel()\n"
                "    wx, uh = wx[:, order], uh[:, order]\n"
            },
            "every third column is taken for a gate; the columns of a gate lie together, W[:, :H] are those of r",
        ),
        Mistake(
            "logistic function of -a",
            {"np.exp(-(wx[:, :H]": "np.exp((wx[:, :H]", "np.exp(-(wx[:, H : 2 * H]": "np.exp((wx[:, H : 2 * H]"},
            "the gates are 1 / (1 + exp(a)): the minus is missing, σ(a) = 1 / (1 + exp(-a))",
        ),
        Mistake(
            "gates through tanh",
            {
                "1 / (1 + np.exp(-(wx[:, :H] + uh[:, :H])))": "np.tanh(wx[:, :H] + uh[:, :H])",
                "1 / (1 + np.exp(-(wx[:, H : 2 * H] + uh[:, H : 2 * H])))": "np.tanh(wx[:, H : 2 * H] + "
                "uh[:, H : 2 * H])",
            },
            "the gates are made by tanh; a gate lies between 0 and 1, and is made by the logistic function σ",
        ),
        Mistake(
            "candidate through the logistic function",
            {
                "np.tanh(wx[:, 2 * H :] +": "1 / (1 + np.exp(-wx[:, 2 * H :] -",
                "(uh[:, 2 * H :] + b_hn))": "(uh[:, 2 * H :] + b_hn)))",
            },
            "the candidate is made by σ; it is no gate, and is made by tanh",
        ),
        Mistake(
            "candidate not weighed",
            {"(1 - z) * n + z * h": "n + z * h"},
            "the whole candidate is added to what is kept; the two weights are 1 - z and z, and add up to 1",
        ),
        Mistake(
            "mixed by r",
            {"(1 - z) * n + z * h": "(1 - r) * n + r * h"},
            "old state and candidate are mixed by the reset gate; that is the office of z",
        ),
        Mistake("b left out", {"x @ W + b": "x @ W"}, "b is left out; it is added to x W, for all three"),
        Mistake(
            "b twice",
            {"uh = h @ U\n": "uh = h @ U + b\n"},
            "b is added to h U as well; it belongs to x W, and b_hn is all that is added to h U_n",
        ),
    ),
)

GRU_ORIGINAL_STEP = Graded(
    name="gru_original_step",
    arguments=_original_arguments,
    oracle=_original_oracle,
    outputs=(Output("h_new", "B H", 1), Output("n", "B H", 2)),
    mistakes=(
        Mistake(
            "reset after the product",
            {"(r * h) @ U[:, 2 * H :]": "r * (h @ U[:, 2 * H :])"},
            "the reset gate acts on h U_n, after the product, as in part 1; here it acts on h: (r ⊙ h) U_n",
        ),
        Mistake("z for 1 - z", {"(1 - z) * n + z * h": "z * n + (1 - z) * h"}, OTHER_CONVENTION),
        Mistake("no reset", {"(r * h) @": "h @"}, "h goes into the candidate as it is; r ⊙ h belongs there"),
        Mistake(
            "reset by z",
            {"(r * h) @": "(z * h) @"},
            "the update gate resets the state as well, as in the minimal gated unit; here r does that",
        ),
        Mistake(
            "reset by 1 - r",
            {"(r * h) @": "((1 - r) * h) @"},
            "1 - r multiplies h; it is r, so that r = 0 hides the past and r = 1 lets it through",
        ),
        Mistake(
            "reset twice",
            {"(r * h) @ U[:, 2 * H :]": "r * ((r * h) @ U[:, 2 * H :])"},
            "the reset gate acts before the product and after it; here it acts before alone",
        ),
        Mistake(
            "reset state kept",
            {"+ z * h": "+ z * r * h"},
            "the state that is kept has been reset as well; r acts inside the candidate alone, and z keeps h as it was",
        ),
        Mistake(
            "gates in the order z r n",
            {"r, z = gates[:, :H], gates[:, H:]": "z, r = gates[:, :H], gates[:, H:]"},
            "the first third of the columns is taken for z and the second for r; the order here is r z n",
        ),
        Mistake(
            "gates see the reset state",
            {
                "    h_new =": "    gates = 1 / (1 + np.exp(-(wx[:, : 2 * H] + (r * h) @ U[:, : 2 * H])))\n"
                "    z = gates[:, H:]\n    h_new ="
            },
            "z is made from r ⊙ h; both gates see h itself",
        ),
        Mistake(
            "U_n transposed",
            {"(r * h) @ U[:, 2 * H :]": "(r * h) @ U[:, 2 * H :].T"},
            "U_n is transposed; with rows as vectors it is (r ⊙ h) U_n",
        ),
        Mistake(
            "columns of the reset gate",
            {"(r * h) @ U[:, 2 * H :]": "(r * h) @ U[:, :H]"},
            "the candidate uses U_r, the first third of the columns; U_n is the last",
        ),
        Mistake("b left out", {"x @ W + b": "x @ W"}, "b is left out; it is added to x W, for all three"),
    ),
)

GRU_BACKWARD = Graded(
    name="gru_backward",
    arguments=_backward_arguments,
    oracle=_backward_oracle,
    outputs=(
        Output("da_r", "B H", 1),
        Output("da_z", "B H", 1),
        Output("da_n", "B H", 1),
        Output("dx", "B D", 1),
        Output("dh", "B H", 3),
        Output("dU_n", "H H", 1),
        Output("db_hn", "H", 1),
    ),
    mistakes=(
        Mistake(
            "reset gate taken as a constant",
            {"da_n * q * r * (1 - r)": "0 * r"},
            "nothing goes back to the reset gate; r moves the candidate by q, so that da_r = da_n ⊙ q ⊙ r (1 - r)",
        ),
        Mistake(
            "no path of the old state through r",
            {" + da_r @ U_r.T": ""},
            "dh lacks the path through the reset gate, da_r U_r.T: h moves r, and r the candidate",
        ),
        Mistake(
            "no path of the old state through z",
            {" + da_z @ U_z.T": ""},
            "dh lacks the path through the update gate, da_z U_z.T",
        ),
        Mistake(
            "no path of the old state through n",
            {" + dq @ U_n.T": ""},
            "dh lacks the path through the candidate, (r ⊙ da_n) U_n.T",
        ),
        Mistake(
            "no direct path",
            {"dh_new * z + da_r": "da_r"},
            "dh lacks the direct path, dh_new ⊙ z: what is kept reaches the new state without any matrix",
        ),
        Mistake(
            "direct path through 1 - z",
            {"dh_new * z + da_r": "dh_new * (1 - z) + da_r"},
            "the direct path of dh has the factor 1 - z; the old state is kept with the factor z",
        ),
        Mistake(
            "whole gradient kept",
            {"dh_new * z + da_r": "dh_new + da_r"},
            "dh_new goes straight to the old state; the old state is kept with the factor z, so it is dh_new ⊙ z",
        ),
        Mistake(
            "path of z through 1 - z",
            {"dh_new * (h - n) * z": "dh_new * h * z"},
            "da_z lacks the path through 1 - z: z stands in h_new twice, and its derivative is h - n",
        ),
        Mistake(
            "path of z through the old state",
            {"dh_new * (h - n) * z": "-dh_new * n * z"},
            "da_z lacks the path through z ⊙ h: z stands in h_new twice, and its derivative is h - n",
        ),
        Mistake(
            "sign of da_z",
            {"(h - n)": "(n - h)"},
            "da_z has the wrong sign, that of a GRU in which z = 1 replaces; here moving z moves h_new by h - n",
        ),
        Mistake(
            "candidate not weighed",
            {"dh_new * (1 - z) * (1 - n**2)": "dh_new * (1 - n**2)"},
            "da_n lacks the factor 1 - z, with which the candidate enters the new state",
        ),
        Mistake(
            "candidate weighed by z",
            {"dh_new * (1 - z) * (1 - n**2)": "dh_new * z * (1 - n**2)"},
            "da_n has the factor z; the candidate enters the new state with 1 - z",
        ),
        Mistake(
            "no derivative of tanh",
            {" * (1 - n**2)": ""},
            "the derivative of tanh is left out: da_n has a factor 1 - n²",
        ),
        Mistake(
            "tanh of the candidate",
            {"(1 - n**2)": "(1 - np.tanh(n) ** 2)"},
            "tanh is taken of n again; n is tanh(a_n) already, and the derivative is 1 - n²",
        ),
        Mistake("no derivative of σ for z", {" * z * (1 - z)": ""}, f"{NO_SIGMA_SLOPE}: da_z has a factor z (1 - z)"),
        Mistake("no derivative of σ for r", {" * r * (1 - r)": ""}, f"{NO_SIGMA_SLOPE}: da_r has a factor r (1 - r)"),
        Mistake(
            "derivative of tanh for the gates",
            {"z * (1 - z)\n": "(1 - z**2)\n", "r * (1 - r)": "(1 - r**2)"},
            "da_r and da_z have the derivative of tanh, 1 - z²; that of σ is z (1 - z)",
        ),
        Mistake(
            "reset left out on the way back",
            {"dq = da_n * r": "dq = da_n"},
            "the reset gate is left out on the way back to q = h U_n + b_hn: its gradient is r ⊙ da_n",
        ),
        Mistake(
            "reset before the product",
            {"dq @ U_n.T": "r * (da_n @ U_n.T)"},
            "dh goes through the candidate as if r stood before the product: first times r, then through U_n.T",
        ),
        Mistake(
            "reset twice",
            {"da_n * q * r * (1 - r)": "da_n * r * q * r * (1 - r)"},
            "da_r has a factor r too many: r ⊙ q stands in a_n, and its derivative by r is q",
        ),
        Mistake(
            "dx through the reset",
            {"[da_r, da_z, da_n]": "[da_r, da_z, dq]"},
            "dx is made with r ⊙ da_n; the reset gate stands before the state's part alone, the input's gets da_n",
        ),
        Mistake(
            "direct path through the gate",
            {"dh_new * z + da_r": "dh_new * z * (1 - z) + da_r"},
            "the direct path of dh has the derivative of σ in it; what is kept is z ⊙ h, and its derivative by h is z",
        ),
        Mistake(
            "q without its bias",
            {"h @ U_n + b_hn": "h @ U_n"},
            "da_r is made with h U_n alone; what the reset gate multiplies is q = h U_n + b_hn",
        ),
        Mistake(
            "q from h",
            {"da_n * q * r": "da_n * h * r"},
            "da_r is made with h; what the reset gate multiplies is q = h U_n + b_hn",
        ),
        Mistake("U_r not transposed", {"U_r.T": "U_r"}, f"U_r {NOT_TRANSPOSED}"),
        Mistake("U_z not transposed", {"U_z.T": "U_z"}, f"U_z {NOT_TRANSPOSED}"),
        Mistake("U_n not transposed", {"U_n.T": "U_n"}, f"U_n {NOT_TRANSPOSED}"),
        Mistake(
            "nothing transposed",
            {"U_r.T": "U_r", "U_z.T": "U_z", "U_n.T": "U_n"},
            "the three parts of U go back as they stand; on the way back they are transposed",
        ),
        Mistake(
            "order z r n",
            {"[da_r, da_z, da_n]": "[da_z, da_r, da_n]"},
            "dx is made with da_z in the columns of r and da_r in those of z; the order here is r z n",
        ),
        Mistake(
            "dU_n from the reset state",
            {"h.T @ dq": "(r * h).T @ da_n"},
            "dU_n is made with r ⊙ h, as if r stood before the product; U_n multiplied h, and r ⊙ da_n came back",
        ),
        Mistake(
            "dU_n from da_n",
            {"h.T @ dq": "h.T @ da_n", "dq.sum(axis=0)": "da_n.sum(axis=0)"},
            "dU_n and db_hn are made with da_n; between it and q stands the reset gate: r ⊙ da_n",
        ),
        Mistake(
            "dU_n transposed",
            {"h.T @ dq": "dq.T @ h"},
            "dU_n is transposed: row i belongs to the unit that sent, column j to the one that received",
        ),
        Mistake(
            "mean over the batch",
            {"dq.sum(axis=0)": "dq.mean(axis=0)"},
            "db_hn is a mean over the batch; the loss has its 1/N already, so sequences are summed",
        ),
    ),
)

KERAS_STEP = Graded(
    name="keras_step",
    arguments=_keras_arguments,
    oracle=_keras_oracle,
    outputs=(Output("h_new", "B H", 3),),
    mistakes=(
        Mistake(
            "gates in the order r z n",
            {"z, r, n =": "r, z, n =", "z_h, r_h, n_h": "r_h, z_h, n_h"},
            "the columns are read in the order r z n; Keras has z r h",
        ),
        Mistake(
            "kernel alone reordered",
            {"z_h, r_h, n_h": "r_h, z_h, n_h"},
            "the kernel is read in the order z r h, and the recurrent kernel in the order r z n",
        ),
        Mistake(
            "biases left in their order",
            {
                "wx = x @ kernel": "H = h.shape[1]\n    order = [*range(H, 2 * H), *range(H), *range(2 * H, 3 * H)]\n"
                "    bias = bias[:, order]\n    wx = x @ kernel"
            },
            "the matrices are reordered and the bias is not: its thirds are in the order z r h, too",
        ),
        Mistake(
            "biases added up",
            {
                "x @ kernel + bias[0]": "x @ kernel + bias[0] + bias[1]",
                "h @ recurrent_kernel + bias[1]": "h @ recurrent_kernel",
            },
            "the two biases are added up; the candidate's second one stands inside the reset, as b_hn does",
        ),
        Mistake(
            "second bias left out",
            {"h @ recurrent_kernel + bias[1]": "h @ recurrent_kernel"},
            "bias[1] is left out; it is added to the product with the state",
        ),
        Mistake(
            "second bias for the candidate alone",
            {"(z + z_h)": "(z + z_h - np.split(bias[1], 3)[0])", "(r + r_h)": "(r + r_h - np.split(bias[1], 3)[1])"},
            "bias[1] is used for the candidate alone; the gates z and r have their thirds of it as well",
        ),
        Mistake(
            "biases swapped",
            {"kernel + bias[0]": "kernel + bias[1]", "recurrent_kernel + bias[1]": "recurrent_kernel + bias[0]"},
            "bias[0] and bias[1] have changed places: bias[0] belongs to the input",
        ),
        Mistake(
            "reset before the product",
            {"n + r * n_h": "n + (r * h) @ recurrent_kernel[:, -h.shape[1] :] + bias[1, -h.shape[1] :]"},
            "the reset gate acts before the product, Keras's reset_after=False; these weights are for reset_after=True",
        ),
        Mistake(
            "z for 1 - z",
            {"(1 - z) * n + z * h": "z * n + (1 - z) * h"},
            "z and 1 - z have changed places; in Keras, too, z = 1 keeps the old state",
        ),
        Mistake(
            "every third column",
            {
                "    z, r, n =": "    wx, uh = (a.reshape(len(a), -1, 3).transpose(0, 2, 1).reshape(a.shape) for a in "
                "(wx, uh))\n    z, r, n ="
            },
            "every third column is taken for a gate; the columns of a gate lie together",
        ),
    ),
)

EXERCISE = Exercise("07_gru", (GRU_STEP, GRU_ORIGINAL_STEP, GRU_BACKWARD, KERAS_STEP), by_hand=2)
