"""Exercise 12: regularisation: dropout and zoneout in time, the two normalisations, tied weights, early stopping."""

from typing import Any

import numpy as np

from rnncore import BatchNorm, Dense, Dropout, Elman, Embedding, LayerNorm, Zoneout
from rnncore.normalisation import layer_norm_backward
from rnngrade.exercise import Draw, Exercise, Graded, Mistake, Output

KEPT = "uniform[0] >= rate"
NEITHER_SEEN = "the other part is missing: E is used twice, and its gradient is the sum over both uses"


class _Drawn(np.random.Generator):
    """A generator whose next numbers are known."""

    def __init__(self, numbers: np.ndarray) -> None:
        super().__init__(np.random.PCG64(0))
        self.numbers = numbers

    def random(self, *_: Any, **__: Any) -> Any:
        return self.numbers


def _uniform(draw: Draw, axes: str) -> np.ndarray:
    draw(axes)  # so that the sizes are known to have been used
    return draw.rng.random([draw.sizes[axis] for axis in axes.split()])


def _dropout_oracle(xs: Any, dys: Any, uniform: Any, rate: float, training: bool) -> tuple[Any, ...]:
    layer = Dropout(rate, variational=True)
    ys, cache = layer.forward(xs, _Drawn(uniform[0]) if training else None)
    return ys, layer.backward(dys, cache)[0]


class _Written(Elman):
    """A cell whose new state is its input."""

    def advance(self, projected: Any, state: Any) -> tuple[Any, Any]:
        return (projected,), None


def _zoneout_oracle(h_old: Any, h_new: Any, uniform: Any, rate: float, training: bool) -> Any:
    H = h_new.shape[1]
    layer = Zoneout(_Written(np.eye(H), np.zeros((H, H)), np.zeros(H)), rate)
    hs, _, _ = layer.forward(h_new[None], (h_old,), rng=_Drawn(uniform[None]) if training else None)
    return hs[0]


def _layer_norm_oracle(a: Any, gain: Any, bias: Any, epsilon: float, dy: Any) -> tuple[Any, ...]:
    layer = LayerNorm(gain, bias, epsilon)
    y, (_, cache) = layer.forward(a)
    da, dgain, dbias = layer_norm_backward(dy, gain, cache)
    return y, da, dgain.sum(axis=0), dbias.sum(axis=0)


def _batch_norm_arguments(draw: Draw) -> dict[str, Any]:
    return {
        "xs": draw("T D")[:, None] + draw("T B D"),
        "gain": draw("D"),
        "bias": draw("D"),
        "mean": draw("T D"),
        "variance": 0.2 + _uniform(draw, "T D"),
        "momentum": (0.1, 0.3, 0.1, 0.2)[draw.case],
        "epsilon": (1e-3, 1e-5, 1e-2, 1e-5)[draw.case],
        "training": draw.case != 2,
    }


def _batch_norm_oracle(
    xs: Any, gain: Any, bias: Any, mean: Any, variance: Any, momentum: float, epsilon: float, training: bool
) -> tuple[Any, ...]:
    layer = BatchNorm(gain, bias, mean, variance, momentum, epsilon)
    ys, cache = layer.forward(xs, rng=np.random.default_rng(0) if training else None)
    moved = layer.backward(np.zeros_like(ys), cache)[1]
    return ys, moved.mean, moved.variance


def _tied_arguments(draw: Draw) -> dict[str, Any]:
    ks, E, W, U, b = draw.classes("T B"), draw("K D"), draw("D D"), draw("D D"), draw("D")
    cell = Elman(W, U, b)
    hs, _, tape = cell.forward(E[ks])

    def back(dhs: Any) -> Any:
        return cell.backward(np.asarray(dhs, np.float64), tape)[0]

    back.__qualname__ = "back"  # what an error message calls it
    return {"ks": ks, "hs": hs, "dys": draw("T B K"), "E": E, "back": back}


def _tied_oracle(ks: Any, hs: Any, dys: Any, E: Any, back: Any) -> tuple[Any, ...]:
    dhs, readout = Dense(E.T, np.zeros(len(E))).backward(dys, hs)
    embedding = Embedding(E)
    _, grads = embedding.backward(back(dhs), embedding.forward(ks)[1])
    return readout.V.T + grads.E, readout.c


def _early_arguments(draw: Draw) -> dict[str, Any]:
    fall, rise, patience = ((4, 6, 3), (7, 2, 4), (5, 7, 2), (3, 5, 3))[draw.case]
    first = 2.0 - 0.2 * np.arange(fall)
    bump = [first[-1] + 0.1, first[-1] + 0.05, first[-1] - 0.1]  # worse twice, then better than ever
    tie = [first[-1] - 0.1]
    wait = first[-1] + np.resize([0.25, 0.05], rise) + 0.1 * draw.rng.random(rise)  # up and down, no new best
    after = [] if draw.case == 1 else [0.3, 0.2]  # in one draw the losses end before patience does
    if draw.case == 2:
        bump = bump[1:]
    return {"losses": np.concatenate([first, bump, tie, wait, after]), "patience": patience}


def _early_oracle(losses: Any, patience: int) -> tuple[int, int]:
    """Everything at once: how long each epoch's best has been standing, and the first epoch that has waited enough."""
    lowest = np.minimum.accumulate(losses)
    since = np.array([epoch - int(np.argmax(losses == lowest[epoch])) for epoch in range(len(losses))])
    stops = np.flatnonzero(since >= patience)
    last = int(stops[0]) if len(stops) else len(losses) - 1
    return int(np.argmin(losses[: last + 1])), last


DROPOUT = Graded(
    name="variational_dropout",
    arguments=lambda draw: {
        "xs": draw("T B D"),
        "dys": draw("T B D"),
        "uniform": _uniform(draw, "T B D"),
        "rate": (0.3, 0.6, 0.4, 0.2)[draw.case],
        "training": draw.case != 2,
    },
    oracle=_dropout_oracle,
    outputs=(Output("ys", "T B D", 2), Output("dxs", "T B D", 1)),
    mistakes=(
        Mistake(
            "new mask each step",
            {KEPT: "uniform >= rate"},
            "every step has a mask of its own; one mask is drawn for each sequence and serves all of its steps",
        ),
        Mistake(
            "on at evaluation",
            {"if training": "if True"},
            "units are dropped in evaluation too; there nothing is dropped",
        ),
        Mistake(
            "never on",
            {"if training": "if not training"},
            "units are dropped in evaluation and not in training; it is the other way round",
        ),
        Mistake(
            "not rescaled",
            {" / (1 - rate)": ""},
            "what is kept is not scaled up: divide by 1 - p, so that the mean stays what it is without dropout",
        ),
        Mistake(
            "divided by p",
            {" / (1 - rate)": " / rate"},
            "what is kept is divided by p; it is kept with probability 1 - p, so divide by that",
        ),
        Mistake(
            "multiplied by 1 - p",
            {" / (1 - rate)": " * (1 - rate)"},
            "what is kept is multiplied by 1 - p; that makes it smaller still. Divide",
        ),
        Mistake(
            "mask inverted",
            {KEPT: "uniform[0] < rate"},
            "units are kept with probability p; p is the probability of being dropped: kept where uniform >= p",
        ),
        Mistake(
            "scaled in evaluation",
            {" / (1 - rate)": "", "else 1.0": "else 1 - rate"},
            "training is left unscaled and evaluation multiplied by 1 - p. That fits together as well; here the "
            "scaling belongs to training, and evaluation changes nothing",
        ),
        Mistake(
            "one mask for the batch",
            {KEPT: "uniform[0, 0] >= rate"},
            "all sequences share one mask; each has its own",
        ),
        Mistake(
            "gradient of the plain layer",
            {"dys * mask": "dys"},
            "dxs is dys; what a dropped unit was has no part in the loss, and what is kept was scaled",
        ),
        Mistake(
            "gradient from the inputs",
            {"dys * mask": "xs * mask"},
            "dxs is made of xs; the gradient that arrives is dys, and it goes through the mask",
        ),
        Mistake(
            "gradient not rescaled",
            {"dys * mask": "dys * (mask > 0)"},
            "dxs is zero where it must be, and not scaled elsewhere; y = x / (1 - p) there, and so is its slope",
        ),
    ),
)

ZONEOUT = Graded(
    name="zoneout",
    arguments=lambda draw: {
        "h_old": draw("B H"),
        "h_new": draw("B H"),
        "uniform": _uniform(draw, "B H"),
        "rate": (0.3, 0.2, 0.6, 0.4)[draw.case],
        "training": draw.case not in (1, 2),
    },
    oracle=_zoneout_oracle,
    outputs=(Output("h", "B H", 3),),
    mistakes=(
        Mistake(
            "zero in place of the old",
            {"np.where(uniform < rate, h_old, h_new)": "np.where(uniform < rate, 0.0, h_new)"},
            "units that zone out are zero; they keep their old value. Zero is dropout",
        ),
        Mistake(
            "old and new swapped",
            {"np.where(uniform < rate, h_old, h_new)": "np.where(uniform < rate, h_new, h_old)"},
            "units are *renewed* with probability p; p is the probability of staying as they are",
        ),
        Mistake(
            "new in evaluation",
            {"rate * h_old + (1 - rate) * h_new": "h_new"},
            "evaluation takes the new state alone; it takes the mean of what training does, p h_old + (1 - p) h_new",
        ),
        Mistake(
            "weights swapped in evaluation",
            {"rate * h_old + (1 - rate) * h_new": "(1 - rate) * h_old + rate * h_new"},
            "the weights are swapped in evaluation; the old value stays with probability p",
        ),
        Mistake(
            "random in evaluation",
            {"if training": "if True"},
            "evaluation draws as training does; it takes the mean, p h_old + (1 - p) h_new",
        ),
        Mistake(
            "mean in training",
            {"if training": "if False"},
            "training takes the mean as evaluation does; it draws, unit by unit",
        ),
        Mistake(
            "rescaled",
            {"np.where(uniform < rate, h_old, h_new)": "np.where(uniform < rate, h_old, h_new / (1 - rate))"},
            "the new values are divided by 1 - p; nothing goes missing here, so there is nothing to make up for",
        ),
        Mistake(
            "one mask for the batch",
            {"np.where(uniform < rate": "np.where(uniform[0] < rate"},
            "all sequences share the numbers of the first; each unit of each sequence has its own",
        ),
    ),
)

LAYER_NORM = Graded(
    name="layer_norm",
    arguments=lambda draw: {
        "a": 0.8 + draw("B H", 0.5),
        "gain": draw("H"),
        "bias": draw("H"),
        "epsilon": (1e-2, 1e-5, 0.3, 1e-3)[draw.case],
        "dy": draw("B H"),
    },
    oracle=_layer_norm_oracle,
    outputs=(Output("y", "B H", 2), Output("da", "B H", 2), Output("dgain", "H", 0.5), Output("dbias", "H", 0.5)),
    mistakes=(
        Mistake(
            "over the batch",
            {
                "a.mean(axis=-1, keepdims=True)": "a.mean(axis=0)",
                "(centred**2).mean(axis=-1, keepdims=True)": "(centred**2).mean(axis=0)",
                "shift = dn.mean(axis=-1, keepdims=True)": "shift = dn.mean(axis=0)",
                "(dn * n).mean(axis=-1, keepdims=True)": "(dn * n).mean(axis=0)",
            },
            "mean and variance are those of each unit over the batch: that is batch normalisation. Here they are those "
            "of each row over its own units",
        ),
        Mistake(
            "over everything",
            {
                "a.mean(axis=-1, keepdims=True)": "a.mean()",
                "(centred**2).mean(axis=-1, keepdims=True)": "(centred**2).mean()",
                "shift = dn.mean(axis=-1, keepdims=True)": "shift = dn.mean()",
                "(dn * n).mean(axis=-1, keepdims=True)": "(dn * n).mean()",
            },
            "one mean and one variance are taken of the whole array; each row has its own",
        ),
        Mistake(
            "variance over H - 1",
            {
                "(centred**2).mean(axis=-1, keepdims=True)": "a.var(axis=-1, ddof=1, keepdims=True)",
            },
            "the variance is divided by H - 1; it is the mean of the squares, divided by H",
        ),
        Mistake(
            "epsilon outside the root",
            {"1 / np.sqrt(variance + epsilon)": "1 / (np.sqrt(variance) + epsilon)"},
            "ε is added to the root; it stands under it, beside the variance",
        ),
        Mistake(
            "epsilon forgotten",
            {"np.sqrt(variance + epsilon)": "np.sqrt(variance)"},
            "ε is left out",
        ),
        Mistake(
            "mean not subtracted",
            {"n = centred * scale": "n = a * scale"},
            "the mean is not subtracted from a; it enters the variance only",
        ),
        Mistake(
            "no root",
            {"1 / np.sqrt(variance + epsilon)": "1 / (variance + epsilon)"},
            "a is divided by the variance; divide by its root",
        ),
        Mistake(
            "gain on the bias",
            {"gain * n + bias": "gain * (n + bias)"},
            "the bias is multiplied by the gain; it is added last",
        ),
        Mistake(
            "statistics held fixed",
            {"(dn - shift - n * stretch) * scale": "dn * scale"},
            "da treats mean and variance as constants; they are made of a, and move with it",
        ),
        Mistake(
            "mean held fixed",
            {"(dn - shift - n * stretch) * scale": "(dn - n * stretch) * scale"},
            "da treats the mean as a constant; a shift of the whole row changes nothing, so da must sum to zero over a "
            "row",
        ),
        Mistake(
            "variance held fixed",
            {"(dn - shift - n * stretch) * scale": "(dn - shift) * scale"},
            "da treats the variance as a constant; the part of dn along n must be taken out as well",
        ),
        Mistake(
            "gain left out of da",
            {"dn = gain * dy": "dn = dy"},
            "the gain is left out on the way back: dn is gain · dy",
        ),
        Mistake(
            "dgain from a",
            {"(dy * n).sum(axis=0)": "(dy * a).sum(axis=0)"},
            "dgain is built from a; what the gain multiplied is n, the normalised a",
        ),
        Mistake(
            "mean over the batch",
            {"(dy * n).sum(axis=0)": "(dy * n).mean(axis=0)", "dy.sum(axis=0)": "dy.mean(axis=0)"},
            "dgain and dbias are means over the batch; the loss has its 1/N already, so rows are summed",
        ),
    ),
)

BATCH_NORM = Graded(
    name="batch_norm",
    arguments=_batch_norm_arguments,
    oracle=_batch_norm_oracle,
    outputs=(Output("ys", "T B D", 2), Output("new_mean", "T D", 1), Output("new_variance", "T D", 1)),
    mistakes=(
        Mistake(
            "shared over time",
            {
                "m = xs.mean(axis=1)": "m = xs.mean(axis=(0, 1)) + np.zeros_like(mean)",
                "v = xs.var(axis=1)": "v = xs.var(axis=(0, 1)) + np.zeros_like(mean)",
            },
            "one mean and one variance serve all steps; each step has its own, over the batch",
        ),
        Mistake(
            "over the units",
            {
                "m = xs.mean(axis=1)": "m = xs.mean(axis=(1, 2))[:, None] + np.zeros_like(mean)",
                "v = xs.var(axis=1)": "v = xs.var(axis=(1, 2))[:, None] + np.zeros_like(mean)",
            },
            "mean and variance are taken over batch and units together; each unit has its own, over the batch",
        ),
        Mistake(
            "running averages in training",
            {"(xs - m[:, None]) / np.sqrt(v[:, None]": "(xs - mean[:, None]) / np.sqrt(variance[:, None]"},
            "the running averages normalise in training; there it is the batch's own mean and variance",
        ),
        Mistake(
            "batch statistics in evaluation",
            {"m, v = mean, variance": "pass"},
            "the batch's own statistics normalise in evaluation, so that an answer depends on who else is in the "
            "batch; there it is the running averages",
        ),
        Mistake(
            "moved in evaluation",
            {"if training:": "if True:"},
            "the running averages move in evaluation; they move in training alone",
        ),
        Mistake(
            "momentum the other way",
            {
                "(1 - momentum) * mean + momentum * m": "momentum * mean + (1 - momentum) * m",
                "(1 - momentum) * variance + momentum * v": "momentum * variance + (1 - momentum) * v",
            },
            "the running averages keep the fraction momentum and take the rest from the batch; it is the other way "
            "round",
        ),
        Mistake(
            "running variance biased",
            {" * B / (B - 1)": ""},
            "the running variance takes the batch's variance over B; it takes the unbiased one, B / (B - 1) times that",
        ),
        Mistake(
            "normalised by the unbiased variance",
            {"np.sqrt(v[:, None]": "np.sqrt((v * B / (B - 1) if training else v)[:, None]"},
            "the batch is normalised by the unbiased variance, over B - 1; that is for the running average. Here "
            "divide by B",
        ),
        Mistake(
            "epsilon outside the root",
            {"np.sqrt(v[:, None] + epsilon)": "(np.sqrt(v[:, None]) + epsilon)"},
            "ε is added to the root; it stands under it, beside the variance",
        ),
    ),
)

TIED = Graded(
    name="tied_gradient",
    arguments=_tied_arguments,
    oracle=_tied_oracle,
    outputs=(Output("dE", "K D", 3), Output("dc", "K", 1)),
    mistakes=(
        Mistake(
            "output use only",
            {"    np.add.at(dE, ks, back(dys @ E))\n": ""},
            f"dE counts the use at the output alone; {NEITHER_SEEN}",
        ),
        Mistake(
            "input use only",
            {'np.einsum("tbk,tbd->kd", dys, hs)': "np.zeros_like(E)"},
            f"dE counts the use at the input alone; {NEITHER_SEEN}",
        ),
        Mistake(
            "repeated symbols lost",
            {"np.add.at(dE, ks, back(dys @ E))": "dE[ks] += back(dys @ E)"},
            "dE[ks] += … is used: where a symbol stands in ks more than once, NumPy adds one of its gradients and "
            "forgets the others. np.add.at adds them all",
        ),
        Mistake(
            "repeats within a step lost",
            {"np.add.at(dE, ks, back(dys @ E))": "for k, dx in zip(ks, back(dys @ E)):\n        dE[k] += dx"},
            "dE[k] += … is used step by step: where two sequences read the same symbol at one step, one of the two is "
            "forgotten. np.add.at adds them all",
        ),
        Mistake(
            "row overwritten",
            {"np.add.at(dE, ks, back(dys @ E))": "dE[ks] = back(dys @ E)"},
            "the rows of the symbols that were read are overwritten, and what came from the output is lost; add to it",
        ),
        Mistake(
            "not through the layer",
            {"back(dys @ E)": "dys @ E"},
            "the input's part is dhs, the gradient above the recurrent layer; it must go back through it first",
        ),
        Mistake(
            "mean of both",
            {"return dE, ": "return dE / 2, "},
            "dE is halved, as if it were the mean over two matrices; it is one matrix, and the sum of its two uses",
        ),
        Mistake(
            "inputs at the output",
            {"dys, hs)": "dys, E[ks])"},
            "the output's part is built from the embedded inputs; what was multiplied by E there is hs",
        ),
        Mistake(
            "mean over the batch",
            {"dys.sum(axis=(0, 1))": "dys.sum(axis=0).mean(axis=0)"},
            "dc is a mean over the batch; the loss has its 1/N already, so all positions are summed",
        ),
        Mistake(
            "last step of c",
            {"dys.sum(axis=(0, 1))": "dys[-1].sum(axis=0)"},
            "dc has the last step only; c is added at every step",
        ),
    ),
)

EARLY = Graded(
    name="early_stopping",
    arguments=_early_arguments,
    oracle=_early_oracle,
    outputs=(Output("best", "", 2), Output("last", "", 1)),
    mistakes=(
        Mistake(
            "last epoch",
            {"return best, epoch": "return epoch, epoch"},
            "best is the epoch at which training stopped; it is the one with the lowest loss, some epochs before",
        ),
        Mistake(
            "looks ahead",
            {"return best, epoch": "return int(np.argmin(losses)), epoch"},
            "best is the lowest of *all* losses; those after the stop have never been computed",
        ),
        Mistake(
            "against the last epoch",
            {"losses[epoch] < losses[best]": "losses[epoch] < losses[epoch - 1]"},
            "each loss is compared with the one before it; compare it with the best so far",
        ),
        Mistake(
            "ties count",
            {"losses[epoch] < losses[best]": "losses[epoch] <= losses[best]"},
            "an equal loss counts as better; only a lower one does",
        ),
        Mistake(
            "one too early",
            {">= patience": ">= patience - 1"},
            "it stops one epoch too early: `patience` epochs in a row without a new best are waited for",
        ),
        Mistake(
            "one too late",
            {">= patience": "> patience"},
            "it stops one epoch too late: the `patience`-th epoch in a row without a new best is the last",
        ),
        Mistake(
            "patience not renewed",
            {
                "best = 0\n": "best = waited = 0\n",
                "            best = epoch\n": "            best = epoch\n        else:\n            waited += 1\n",
                "epoch - best >= patience": "waited >= patience",
            },
            "epochs without a new best are counted all together; a new best starts the count afresh",
        ),
        Mistake(
            "highest",
            {"losses[epoch] < losses[best]": "losses[epoch] > losses[best]"},
            "the highest loss is taken for the best; the lowest is",
        ),
        Mistake(
            "counted from one",
            {"return best, epoch": "return best + 1, epoch + 1"},
            "epochs are counted from 1; the first is number 0",
        ),
    ),
)

EXERCISE = Exercise("12_regularisation", (DROPOUT, ZONEOUT, LAYER_NORM, BATCH_NORM, TIED, EARLY), by_hand=2)
