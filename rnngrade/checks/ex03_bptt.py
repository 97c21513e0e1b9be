"""Exercise 03: backpropagation through time."""

from typing import Any

import numpy as np

from rnncore import Dense, Elman
from rnncore.losses import mean_squared_error, softmax_cross_entropy
from rnncore.optim import SGD
from rnngrade.checks.common import (
    DH_LAST_EVERYWHERE,
    DH_LAST_FOR_DHS,
    DH_LAST_IGNORED,
    DHS_THROUGH_TANH,
    FORWARDS,
    LAST_BEFORE_FIRST,
    MOVED_IN_PLACE,
    NO_CARRY,
    OVERWRITTEN,
    U_NOT_TRANSPOSED,
    made_by,
)
from rnngrade.exercise import Draw, Exercise, Graded, Mistake, Output

LOG_P = "shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))"
NEEDS_OLD_STATE = "dU is built from h_t; what U multiplied in step t is the state before it, h_{t-1}"
NO_TANH = "the derivative of tanh is left out: dh must be multiplied by 1 - h²"
TANH_OF_OLD = "the derivative of tanh is taken at the old state; it is 1 - h_t², of the state that the step produced"
NO_BATCH_SUM = "is a mean over the batch; the loss has its 1/N already, so sequences are summed"


def _step_arguments(draw: Draw) -> dict[str, Any]:
    x, h_old, W, U, b = draw("B D"), draw("B H"), draw("D H"), draw("H H"), draw("H")
    return {"dh": draw("B H"), "x": x, "h_old": h_old, "h": np.tanh(x @ W + h_old @ U + b), "W": W, "U": U}


def _step_oracle(dh: Any, x: Any, h_old: Any, h: Any, W: Any, U: Any) -> tuple[Any, ...]:
    cell = made_by(x, h_old, h, W, U)
    _, cache = cell.step(x, (h_old,))
    dx, (dh_old,), grads = cell.step_backward((dh,), cache)
    return dx, dh_old, grads.W, grads.U, grads.b


def _bptt_arguments(draw: Draw) -> dict[str, Any]:
    xs, h0, W, U, b = draw("T B D"), draw("B H"), draw("D H"), draw("H H"), draw("H")
    hs, _, _ = Elman(W, U, b).forward(xs, (h0,))
    return {"dhs": draw("T B H"), "dh_last": draw("B H"), "xs": xs, "hs": hs, "h0": h0, "W": W, "U": U}


def _bptt_oracle(dhs: Any, dh_last: Any, xs: Any, hs: Any, h0: Any, W: Any, U: Any) -> tuple[Any, ...]:
    cell = made_by(xs[0], h0, hs[0], W, U)
    _, _, tape = cell.forward(xs, (h0,))
    dxs, (dh0,), grads = cell.backward(dhs, tape, (dh_last,))
    return dxs, dh0, grads.W, grads.U, grads.b


def _readout_oracle(dos: Any, hs: Any, V: Any) -> tuple[Any, ...]:
    dhs, grads = Dense(V, np.zeros_like(V[0])).backward(dos, hs)
    return dhs, grads.V, grads.c


def _descent_arguments(draw: Draw) -> dict[str, Any]:
    xs, targets = draw("B D"), draw("B H")

    def loss_and_gradients(W: Any, b: Any) -> tuple[Any, Any, Any]:
        layer = Dense(W, b)
        ys, cache = layer.forward(xs)
        loss, dys = mean_squared_error(ys, targets)
        grads = layer.backward(dys, cache)[1]
        return loss, grads.V, grads.c

    loss_and_gradients.__qualname__ = "loss_and_gradients"  # what an error message calls it
    return {
        "W": draw("D H"),
        "b": draw("H"),
        "loss_and_gradients": loss_and_gradients,
        "learning_rate": 0.1 * (draw.case + 1),
        "epochs": draw.sizes["T"],
    }


def _descent_oracle(W: Any, b: Any, loss_and_gradients: Any, learning_rate: float, epochs: int) -> tuple[Any, ...]:
    optimizer, parameters, losses = SGD(learning_rate), (W, b), []
    for _ in range(epochs):
        loss, *gradients = loss_and_gradients(*parameters)
        losses.append(loss)
        parameters, _ = optimizer.update(parameters, tuple(gradients), ())
    return *parameters, losses


CROSS_ENTROPY = Graded(
    name="cross_entropy",
    arguments=lambda draw: {
        "os": draw("T B K", 2000.0 if draw.case == 1 else 1.0),
        "targets": draw.classes("T B"),
    },
    oracle=softmax_cross_entropy,
    outputs=(Output("loss", "", 1), Output("dos", "T B K", 2)),
    mistakes=(
        Mistake(
            "sum",
            {"-log_p[right].sum() / targets.size": "-log_p[right].sum()", "- right) / targets.size": "- right)"},
            "the loss is summed; it is the mean over all N = T·B positions",
        ),
        Mistake(
            "mean over the batch only",
            {
                "-log_p[right].sum() / targets.size": "-log_p[right].sum() / len(targets[0])",
                "- right) / targets.size": "- right) / len(targets[0])",
            },
            "it is divided by B alone; the mean runs over all N = T·B positions",
        ),
        Mistake(
            "mean over time only",
            {
                "-log_p[right].sum() / targets.size": "-log_p[right].sum() / len(targets)",
                "- right) / targets.size": "- right) / len(targets)",
            },
            "it is divided by T alone; the mean runs over all N = T·B positions",
        ),
        Mistake(
            "gradient of the sum",
            {"- right) / targets.size": "- right)"},
            "the loss is a mean and its gradient that of a sum: divide the gradient by N as well",
        ),
        Mistake(
            "no target",
            {"(np.exp(log_p) - right)": "np.exp(log_p)"},
            "the gradient is p / N; at the right class 1 must be subtracted from p first",
        ),
        Mistake(
            "sign",
            {"(np.exp(log_p) - right)": "(right - np.exp(log_p))"},
            "the gradient has the wrong sign: it is p minus the one-hot target",
        ),
        Mistake(
            "overflow",
            {"os - os.max(axis=-1, keepdims=True)": "os"},
            "exp overflows on large scores: subtract the largest score first",
        ),
        Mistake(
            "softmax overflows",
            {LOG_P: "np.log(np.exp(os) / np.exp(os).sum(axis=-1, keepdims=True))"},
            "exp overflows in the softmax: inf / inf is nan. Subtract the largest score first",
        ),
        Mistake(
            "log of zero",
            {LOG_P: "np.log(np.exp(shifted) / np.exp(shifted).sum(axis=-1, keepdims=True))"},
            "p has rounded to 0, and log 0 is -inf: never form log(p), compute log p as z - log Σ exp(z), where z is "
            "os with its largest score subtracted",
        ),
        Mistake(
            "zero times log of zero",
            {"-log_p[right].sum()": "-(right * np.log(np.exp(log_p))).sum()"},
            "p has rounded to 0, and 0 · log 0 is nan: compute log p as z - log Σ exp(z), where z is os with its "
            "largest score subtracted",
        ),
        Mistake(
            "bits",
            {"-log_p[right].sum()": "-log_p[right].sum() / np.log(2)"},
            "the loss is in bits, with logarithms of base 2; it is wanted in nats, with the natural logarithm",
        ),
    ),
)

STEP_BACKWARD = Graded(
    name="step_backward",
    arguments=_step_arguments,
    oracle=_step_oracle,
    outputs=(
        Output("dx", "B D", 1),
        Output("dh_old", "B H", 1),
        Output("dW", "D H", 0.5),
        Output("dU", "H H", 0.5),
        Output("db", "H", 1),
    ),
    mistakes=(
        Mistake("no tanh derivative", {" * (1 - h**2)": ""}, NO_TANH),
        Mistake(
            "tanh derivative at the old state",
            {"h**2": "h_old**2"},
            "the derivative of tanh is taken at h_old; it is 1 - h², of the state that the step produced",
        ),
        Mistake(
            "logistic derivative",
            {"(1 - h**2)": "h * (1 - h)"},
            "the derivative is h (1 - h), that of the logistic function; that of tanh is 1 - h²",
        ),
        Mistake("square forgotten", {"h**2": "h"}, "the derivative of tanh is taken as 1 - h; it is 1 - h²"),
        Mistake("tanh derivative at a", {"h**2": "np.tanh(h) ** 2"}, "tanh is taken of h again; h is tanh(a) already"),
        Mistake(
            "dU from h",
            {"h_old.T @ da": "h.T @ da"},
            "dU is built from h; what U multiplied is the state before the step, h_old",
        ),
        Mistake(
            "dU transposed",
            {"h_old.T @ da": "da.T @ h_old"},
            "dU is transposed: row i belongs to the unit that sent, column j to the one that received",
        ),
        Mistake("U not transposed", {"da @ U.T": "da @ U"}, U_NOT_TRANSPOSED),
        Mistake("mean over the batch", {"da.sum(axis=0)": "da.mean(axis=0)"}, f"db {NO_BATCH_SUM}"),
        Mistake("dh sent on", {"da @ U.T": "dh @ U.T"}, "dh goes back through U before it has passed tanh; use da"),
    ),
)

BPTT = Graded(
    name="bptt",
    arguments=_bptt_arguments,
    oracle=_bptt_oracle,
    outputs=(
        Output("dxs", "T B D", 2),
        Output("dh0", "B H", 1),
        Output("dW", "D H", 2),
        Output("dU", "H H", 2),
        Output("db", "H", 1),
    ),
    mistakes=(
        Mistake(
            "no carry",
            {"dhs[t] + carry": "dhs[t] + (carry if t == len(xs) - 1 else 0)"},
            NO_CARRY,
        ),
        Mistake(
            "forward in time",
            {"reversed(range(len(xs)))": "range(len(xs))"},
            FORWARDS,
        ),
        Mistake("dU from h_t", {"h_old.T @ da": "hs[t].T @ da"}, NEEDS_OLD_STATE),
        Mistake(
            "h0 missing in dU",
            {"if t > 0 else h0": "if t > 0 else 0 * h0"},
            "step 0 contributes nothing to dU; the state before it is h0, and h0 is not zero",
        ),
        Mistake(
            "last state before the first step",
            {"hs[t - 1] if t > 0 else h0": "hs[t - 1]"},
            LAST_BEFORE_FIRST,
        ),
        Mistake(
            "dh0 dropped",
            {"dh0 = carry": "dh0 = np.zeros_like(h0)"},
            "dh0 is zero; it is what the first step sends back, since h0 reaches the loss through h_1",
        ),
        Mistake(
            "dh0 one step early",
            {"carry = da @ U.T\n    dh0 = carry": "carry = da @ U.T\n    dh0 = dh"},
            "dh0 is the gradient of h_1; it has one more step to go back, through tanh and U",
        ),
        Mistake("tanh derivative at the old state", {"hs[t] ** 2": "h_old**2"}, TANH_OF_OLD),
        Mistake("no tanh derivative", {" * (1 - hs[t] ** 2)": ""}, NO_TANH),
        Mistake("U not transposed", {"da @ U.T": "da @ U"}, U_NOT_TRANSPOSED),
        Mistake(
            "dh_last ignored",
            {"carry = dh_last": "carry = np.zeros_like(dh_last)"},
            DH_LAST_IGNORED,
        ),
        Mistake(
            "dhs ignored",
            {"dhs[t] + carry": "carry"},
            "dhs is ignored: only dh_last is sent back, and no state gets what comes from its own output",
        ),
        Mistake(
            "dh_last in place of the last output",
            {"dhs[t] + carry": "(dhs[t] if t < len(xs) - 1 else 0) + carry"},
            DH_LAST_FOR_DHS,
        ),
        Mistake(
            "dh_last at every step",
            {"dhs[t] + carry": "dhs[t] + carry + (dh_last if t < len(xs) - 1 else 0)"},
            DH_LAST_EVERYWHERE,
        ),
        Mistake(
            "first step left out",
            {"reversed(range(len(xs)))": "reversed(range(1, len(xs)))"},
            "the loop stops before step 0; range(T - 1, -1, -1) goes down to it",
        ),
        Mistake(
            "dxs backwards",
            {"return dxs, dh0": "return dxs[::-1], dh0"},
            "dxs is in the order of the loop, the last step first; turn it round",
        ),
        Mistake(
            "weights of one step",
            {"dW += ": "dW = ", "dU += ": "dU = ", "db += ": "db = "},
            OVERWRITTEN,
        ),
        Mistake(
            "dxs overwritten",
            {"dxs[t] = da @ W.T": "dxs[0] = da @ W.T"},
            "every step writes its gradient to the same row of dxs, so that only one step is left",
        ),
        Mistake(
            "carry without tanh",
            {"carry = da @ U.T": "carry = dh @ U.T"},
            "what is carried to step t-1 has not passed the tanh of step t; it is da that goes back through U",
        ),
    ),
)

READOUT_BACKWARD = Graded(
    name="readout_backward",
    arguments=lambda draw: {"dos": draw("T B K"), "hs": draw("T B H"), "V": draw("H K")},
    oracle=_readout_oracle,
    outputs=(Output("dhs", "T B H", 1), Output("dV", "H K", 1), Output("dc", "K", 1)),
    mistakes=(
        Mistake(
            "last step only",
            {"dV += ": "dV = ", "dc += ": "dc = "},
            "dV and dc are overwritten at each step; V and c are shared by all steps, so their gradients add up",
        ),
        Mistake("mean over the batch", {"dos[t].sum(axis=0)": "dos[t].mean(axis=0)"}, f"dc {NO_BATCH_SUM}"),
        Mistake(
            "mean over all",
            {"return dhs, dV, dc": "return dhs, dV / dos[..., 0].size, dc / dos[..., 0].size"},
            "dV and dc are divided by N once more; dos carries the 1/N of the loss already",
        ),
        Mistake(
            "mean over time",
            {"return dhs, dV, dc": "return dhs, dV / len(hs), dc / len(hs)"},
            "dV and dc are divided by T; nothing is left to divide by",
        ),
        Mistake(
            "loss at the last step",
            {"dhs[t] = dos[t] @ V.T": "dhs[t] = dos[t] @ V.T * (t == len(hs) - 1)"},
            "only the last state receives a gradient; here every step has an output of its own",
        ),
        Mistake(
            "first step left out",
            {"range(len(hs))": "range(1, len(hs))"},
            "the loop begins at step 1; the first step is number 0",
        ),
        Mistake(
            "states late by one",
            {"hs[t].T @ dos[t]": "hs[t - 1].T @ dos[t]"},
            "dV pairs each output with the state before it; o_t is made of h_t",
        ),
        Mistake(
            "tanh of the state",
            {"dos[t] @ V.T": "dos[t] @ V.T * (1 - hs[t] ** 2)"},
            DHS_THROUGH_TANH,
        ),
    ),
)

DESCENT = Graded(
    name="gradient_descent",
    arguments=_descent_arguments,
    oracle=_descent_oracle,
    outputs=(Output("W", "D H", 1.5), Output("b", "H", 1.5), Output("losses", "epochs", 1)),
    mistakes=(
        Mistake(
            "gradients not reset",
            {
                "losses = []": "losses = []\n    sum_W, sum_b = 0 * W, 0 * b",
                "losses.append(loss)": "losses.append(loss)\n        sum_W, sum_b = sum_W + dW, sum_b + db",
                "learning_rate * dW": "learning_rate * sum_W",
                "learning_rate * db": "learning_rate * sum_b",
            },
            "the gradients of earlier epochs are added to the new one; begin each epoch from zero",
        ),
        Mistake(
            "uphill",
            {"W - learning_rate": "W + learning_rate", "b - learning_rate": "b + learning_rate"},
            "the parameters move along the gradient, uphill; the loss falls against it",
        ),
        Mistake(
            "loss after the update",
            {
                "        losses.append(loss)\n": "",
                "learning_rate * db": "learning_rate * db\n        losses.append(loss_and_gradients(W, b)[0])",
            },
            "the losses are taken after each update; losses[0] belongs to the parameters you were given",
        ),
        Mistake(
            "always the first gradient",
            {
                "losses = []": "losses = []\n    W0, b0 = W, b",
                "loss_and_gradients(W, b)\n": "loss_and_gradients(W0, b0)\n",
            },
            "every epoch takes the gradient at the initial parameters; it must be taken where the last update led",
        ),
        Mistake(
            "bias forgotten",
            {"        b = b - learning_rate * db\n": ""},
            "b is never moved; each parameter has its own gradient",
        ),
        Mistake(
            "two points",
            {
                "b = b - learning_rate * db": "db = loss_and_gradients(W, b)[2]\n        b = b - learning_rate * db",
            },
            "b's gradient is taken after W has moved; all parameters of an epoch move from the same point",
        ),
        Mistake(
            "in place",
            {
                "W = W - learning_rate * dW": "W -= learning_rate * dW",
                "b = b - learning_rate * db": "b -= learning_rate * db",
            },
            MOVED_IN_PLACE,
        ),
        Mistake(
            "no learning rate",
            {"W - learning_rate * dW": "W - dW", "b - learning_rate * db": "b - db"},
            "the learning rate is forgotten: the whole gradient is subtracted",
        ),
        Mistake(
            "return inside the loop",
            {"    return W, b, np": "        return W, b, np"},
            "the return stands inside the loop, so that it ends after one epoch",
        ),
        Mistake("one epoch too many", {"range(epochs)": "range(epochs + 1)"}, "one epoch too many is run"),
        Mistake(
            "one epoch too few",
            {"range(epochs)": "range(epochs - 1)"},
            "one epoch too few is run",
        ),
    ),
)

EXERCISE = Exercise("03_bptt", (CROSS_ENTROPY, STEP_BACKWARD, BPTT, READOUT_BACKWARD, DESCENT), by_hand=2)
