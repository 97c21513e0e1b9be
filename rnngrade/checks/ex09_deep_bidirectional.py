"""Exercise 09: deep and bidirectional networks."""

from typing import Any

import numpy as np

from rnncore import Bidirectional, Elman, Stack
from rnngrade.checks.common import INITIAL_STATES_IGNORED, U_NOT_TRANSPOSED
from rnngrade.exercise import Draw, Exercise, Graded, Mistake, Output

NO_TANH = "the derivative of tanh is left out: each gradient of a state must be multiplied by 1 - h²"
TURNED = (
    "np.take_along_axis({0}, np.where(valid, lengths[:, None] - 1 - np.arange(T)[:, None, None], "
    "np.arange(T)[:, None, None]), axis=0)"
)


def _lengths(draw: Draw) -> np.ndarray:
    """Whole numbers 1 … T, the first batch full; in the others one sequence is full and one is shorter."""
    T, B = draw.sizes["T"], draw.sizes["B"]
    draw.used |= {"T", "B"}
    if draw.case == 0:
        return np.full(B, T)
    lengths = draw.rng.integers(1, T + 1, B)
    full, shorter = draw.rng.permutation(B)[:2]
    lengths[full], lengths[shorter] = T, draw.rng.integers(2, T)
    return lengths


def _outputs(draw: Draw, times: int) -> None:
    """Let K, the number of outputs, be a multiple of H."""
    draw.sizes["K"] = times * draw.sizes["H"]
    draw.used |= {"H", "K"}


def _stack_arguments(draw: Draw) -> dict[str, Any]:
    depth, width = (2, 3, 4, 3)[draw.case], "H" if draw.case == 1 else "D"  # inputs as wide as the states, once
    _outputs(draw, depth)
    layers = [(draw(f"{below} H"), draw("H H"), draw("H")) for below in (width, *"H" * (depth - 1))]
    return {"xs": draw(f"T B {width}"), "h0s": [draw("B H") for _ in layers], "layers": layers}


def _stack_oracle(xs: Any, h0s: Any, layers: Any) -> tuple[Any, Any]:
    ys, finals, _ = Stack(tuple(Elman(*layer) for layer in layers)).forward(xs, tuple((h0,) for h0 in h0s))
    return ys, np.concatenate([h for (h,) in finals], axis=1)


def _direction(draw: Draw) -> tuple[Any, ...]:
    return draw("D H"), draw("H H"), draw("H"), draw("B H")


def _both(ahead: Any, back: Any) -> tuple[Bidirectional, Any]:
    """The layer, and its initial state."""
    return Bidirectional(Elman(*ahead[:3]), Elman(*back[:3])), ((ahead[3],), (back[3],))


def _bidirectional_arguments(draw: Draw) -> dict[str, Any]:
    _outputs(draw, 2)
    return {"xs": draw("T B D"), "lengths": _lengths(draw), "ahead": _direction(draw), "back": _direction(draw)}


def _bidirectional_oracle(xs: Any, lengths: Any, ahead: Any, back: Any) -> tuple[Any, Any]:
    layer, state = _both(ahead, back)
    ys, state, _ = layer.forward(xs, state, lengths=lengths)
    return ys, layer.final(state)


def _backward_arguments(draw: Draw) -> dict[str, Any]:
    given = _bidirectional_arguments(draw)
    ys, _ = _bidirectional_oracle(**given)
    H = draw.sizes["H"]
    dys = draw("T B K")
    return {
        "dys": dys,
        "lengths": given["lengths"],
        "hs_ahead": ys[..., :H].copy(),
        "hs_back": ys[..., H:].copy(),
        "ahead": given["ahead"],
        "back": given["back"],
    }


def _backward_oracle(dys: Any, lengths: Any, hs_ahead: Any, hs_back: Any, ahead: Any, back: Any) -> tuple[Any, ...]:
    """The inputs are not among the arguments: what each direction's input added is found from its states."""
    H, dxs, dh0s = hs_ahead.shape[-1], 0.0, []
    for (W, U, _, h0), hs, dhs, reverse in (
        (ahead, hs_ahead, dys[..., :H], False),
        (back, hs_back, dys[..., H:], True),
    ):
        old = np.empty_like(hs)
        for n, length in enumerate(lengths):
            order = range(length)[::-1] if reverse else range(length)
            for before, t in zip((None, *order), order, strict=False):
                old[t, n] = h0[n] if before is None else hs[before, n]
            old[length:, n] = 0
        cell = Elman(np.eye(H), U, np.zeros(H))
        _, _, tape = cell.forward(np.arctanh(hs) - old @ U, (h0,), lengths=lengths, reverse=reverse)
        das, (dh0,), _ = cell.backward(dhs, tape)
        dxs = dxs + das @ W.T
        dh0s.append(dh0)
    return dxs, *dh0s


TURN_ROUND = Graded(
    name="turn_round",
    arguments=lambda draw: {"xs": draw("T B D"), "lengths": _lengths(draw)},
    oracle=lambda xs, lengths: np.stack(
        [[xs[n - 1 - t if t < n else t, i] for i, n in enumerate(lengths)] for t in range(len(xs))]
    ),
    outputs=(Output("turned", "T B D", 3),),
    mistakes=(
        Mistake(
            "the whole array",
            {"turned[:length, n] = xs[:length, n][::-1]": "turned[:, n] = xs[::-1, n]"},
            "the whole array is turned round; that puts the padding first, and each sequence has an end of its own",
        ),
        Mistake(
            "the batch",
            {"turned[:length, n] = xs[:length, n][::-1]": "turned[:, n] = xs[:, -1 - n]"},
            "the order of the sequences in the batch is turned round; it is the first axis, time, that is to be turned",
        ),
        Mistake(
            "the inputs",
            {"xs[:length, n][::-1]": "xs[:length, n, ::-1]"},
            "the numbers within each step are turned round (the last axis); the steps stay in their order",
        ),
        Mistake("not turned", {"[::-1]": ""}, "nothing is turned round"),
        Mistake(
            "one step short",
            {"turned[:length, n] = xs[:length, n]": "turned[: length - 1, n] = xs[: length - 1, n]"},
            "the last step of each sequence stays where it was; the slice [:length] holds all of its steps",
        ),
        Mistake(
            "one step too far",
            {"turned[:length, n] = xs[:length, n]": "turned[: length + 1, n] = xs[: length + 1, n]"},
            "one step of padding is turned round with each sequence; the slice [:length] holds its steps and no more",
        ),
        Mistake(
            "padding lost",
            {"xs.copy()": "np.zeros_like(xs)"},
            "the padding is set to zero; it shall stay as it was",
        ),
        Mistake(
            "the shortest for all",
            {"enumerate(lengths)": "enumerate(np.full_like(lengths, lengths.min()))"},
            "every sequence is turned round within the length of the shortest; each has its own",
        ),
        Mistake("in place", {"xs.copy()": "xs"}, "the given array is itself turned round; begin with a copy"),
    ),
)

STACK = Graded(
    name="stack",
    arguments=_stack_arguments,
    oracle=_stack_oracle,
    outputs=(Output("ys", "T B H", 3), Output("lasts", "B K", 1)),
    mistakes=(
        Mistake(
            "x into every layer",
            {"for x in below": "for x in xs"},
            "every layer reads the inputs xs; only the first does, each other one reads the states of the layer below. "
            "(Where inputs and states are equally wide, the shapes do not tell)",
        ),
        Mistake(
            "first layer only",
            {"zip(layers, h0s, strict=True)": "zip(layers[:1], h0s[:1], strict=True)"},
            "only the first layer is run",
        ),
        Mistake(
            "top layer missing",
            {"zip(layers, h0s, strict=True)": "zip(layers[:-1], h0s[:-1], strict=True)"},
            "the top layer is left out",
        ),
        Mistake(
            "state handed up",
            {
                "below, lasts = xs, []": "below, lasts, h = xs, [], h0s[0]",
                "(W, U, b), h in zip(layers, h0s, strict=True)": "W, U, b in layers",
            },
            "each layer starts from the final state of the one below; it starts from its own initial state",
        ),
        Mistake(
            "one initial state",
            {"zip(layers, h0s, strict=True)": "zip(layers, [h0s[0]] * len(layers), strict=True)"},
            "all layers start from h0s[0]; each has an initial state of its own",
        ),
        Mistake(
            "initial states ignored",
            {"hs = []": "hs, h = [], 0 * h"},
            INITIAL_STATES_IGNORED,
        ),
        Mistake(
            "one set of weights",
            {"(W, U, b), h in zip(layers, h0s, strict=True):": "h in h0s:\n        W, U, b = layers[0]"},
            "the weights of the first layer are used in all of them; weights are shared over time, not over layers",
        ),
        Mistake(
            "a step late",
            {"for x in below": "for x in (below if not lasts else [0 * below[0], *below[:-1]])"},
            "each layer reads the state that the one below had a step before; it reads that of the same step",
        ),
        Mistake(
            "states mixed",
            {"h @ U": "(lasts[-1] if lasts else h) @ U"},
            "U multiplies the state of the layer below; it multiplies the layer's own state of the step before",
        ),
        Mistake("bias forgotten", {" + b": ""}, "the biases are left out"),
        Mistake(
            "top layer first",
            {"np.concatenate(lasts": "np.concatenate(lasts[::-1]"},
            "lasts begins with the top layer; the lowest comes first",
        ),
        Mistake(
            "initial states for final ones",
            {"np.concatenate(lasts": "np.concatenate(h0s"},
            "lasts holds the initial states; the final ones are those after the last step",
        ),
        Mistake(
            "last step only",
            {"return below": "return below[-1]"},
            "ys holds the last step alone; the states of the top layer at all steps are wanted",
        ),
    ),
)

BIDIRECTIONAL = Graded(
    name="bidirectional",
    arguments=_bidirectional_arguments,
    oracle=_bidirectional_oracle,
    outputs=(Output("ys", "T B K", 4), Output("final", "B K", 2)),
    mistakes=(
        Mistake(
            "not turned back",
            {"turn(hs) if from_end else hs": "hs"},
            "the states of `back` are not turned back; they stand in the order of its reading, the first beside x_1",
        ),
        Mistake(
            "both ahead",
            {"turn(xs) if from_end else xs": "xs", "turn(hs) if from_end else hs": "hs"},
            "both layers read from the first step to the last; `back` reads from the last to the first",
        ),
        Mistake(
            "states turned, inputs not",
            {"turn(xs) if from_end else xs": "xs"},
            "the states of `back` are turned round and its inputs were not: it reads from the first step",
        ),
        Mistake(
            "padding first",
            {
                "np.where(steps < lengths, lengths - 1 - steps, steps)": "(T - 1 - steps)",
                "np.where(valid[t], new, h)": "np.where(valid[t] | from_end, new, h)",
            },
            "`back` begins at the end of the array and reads the padding before the sequence; it begins at each "
            "sequence's own last step",
        ),
        Mistake(
            "lengths ignored",
            {
                "np.where(steps < lengths, lengths - 1 - steps, steps)": "(T - 1 - steps)",
                "h = np.where(valid[t], new, h)": "h = new",
                " * valid\n": "\n",
            },
            "lengths is not used: every sequence is read as if it were T steps long, padding and all",
        ),
        Mistake(
            "added",
            {"np.concatenate(halves, axis=-1)": "sum(halves)", "np.concatenate(lasts, axis=-1)": "sum(lasts)"},
            "the states of the two directions are added; here they stand side by side",
        ),
        Mistake(
            "back first",
            {
                "np.concatenate(halves": "np.concatenate(halves[::-1]",
                "np.concatenate(lasts": "np.concatenate(lasts[::-1]",
            },
            "the two directions stand in the wrong order; that of `ahead` comes first",
        ),
        Mistake(
            "one set of weights",
            {"(back, True)": "((*ahead[:3], back[3]), True)"},
            "both directions use the weights of `ahead`; each has its own",
        ),
        Mistake(
            "back goes on from ahead",
            {"hs = []": "hs, h = [], lasts[0] if lasts else h"},
            "`back` starts from the final state of `ahead`; it starts from its own h0",
        ),
        Mistake(
            "initial states ignored",
            {"hs = []": "hs, h = [], 0 * h"},
            INITIAL_STATES_IGNORED,
        ),
        Mistake(
            "padding not zero",
            {" * valid\n": "\n"},
            "the last state goes on into the padding; there ys is zero",
        ),
        Mistake(
            "final after the padding",
            {"h = np.where(valid[t], new, h)": "h = new"},
            "the state runs on through the padding, and final has read it; it is the state after the last valid step",
        ),
        Mistake(
            "final at the last step",
            {"np.concatenate(lasts, axis=-1)": "np.concatenate(halves, axis=-1)[lengths - 1, np.arange(B)]"},
            "final is ys at the last valid step. There `back` has read one input only; it has read all at step 0",
        ),
        Mistake(
            "final at the end of the array",
            {"np.concatenate(lasts, axis=-1)": "ys[-1]"},
            "final is ys[-1]: padding for a short sequence, and for a full one a state of `back` after a single input",
        ),
        Mistake(
            "final at the first step",
            {"np.concatenate(lasts, axis=-1)": "ys[0]"},
            "final is ys[0]. That is right for `back`; `ahead` has read one input only there, and all of them at its "
            "last valid step",
        ),
    ),
)

BIDIRECTIONAL_BACKWARD = Graded(
    name="bidirectional_backward",
    arguments=_backward_arguments,
    oracle=_backward_oracle,
    outputs=(Output("dxs", "T B D", 3), Output("dh0_ahead", "B H", 1), Output("dh0_back", "B H", 1)),
    mistakes=(
        Mistake(
            "ahead only",
            {"dxs + das @ W.T": "dxs if carries else das @ W.T"},
            "dxs holds what `ahead` sends alone; `back` has read the inputs too, and the two gradients add up",
        ),
        Mistake(
            "back only",
            {"dxs + das @ W.T": "das @ W.T"},
            "dxs holds what `back` sends alone: it has overwritten that of `ahead`, and the two add up",
        ),
        Mistake(
            "mean of the directions",
            {"return dxs": "return dxs / 2"},
            "dxs is the mean of what the two directions send; it is their sum",
        ),
        Mistake(
            "not turned back",
            {"dxs + das @ W.T": f"dxs + ({TURNED.format('das')} if carries else das) @ W.T"},
            "what `back` sends is added in the order of its reading, that of x_T to x_1; turn it back first",
        ),
        Mistake(
            "dys not turned",
            {"(back, hs_back, dys[..., H:]": f"(back, hs_back, {TURNED.format('dys[..., H:]')}"},
            "the gradient from above meets `back` in the wrong order: dys[t] belongs to hs_back[t], of the same step",
        ),
        Mistake(
            "both from the last step",
            {"dys[..., H:], from_first": "dys[..., H:], from_last"},
            "both directions are walked through from the last step to the first; `back` read from the last, so its "
            "gradient is carried from the first step to the last",
        ),
        Mistake(
            "both from the first step",
            {"dys[..., :H], from_last": "dys[..., :H], from_first"},
            "both directions are walked through from the first step to the last; `ahead` read from the first, so its "
            "gradient is carried from the last step to the first",
        ),
        Mistake(
            "halves swapped",
            {"dys[..., :H]": "dys[..., H:] + 0", "hs_back, dys[..., H:]": "hs_back, dys[..., :H]"},
            "the halves of dys are swapped; the first H columns belong to `ahead`",
        ),
        Mistake(
            "one W",
            {"(back, hs_back": "((ahead[0], *back[1:]), hs_back"},
            "what `back` sends to the inputs goes through the W of `ahead`; each direction has its own",
        ),
        Mistake(
            "gradient from the padding",
            {" * valid[t]": "", "np.where(valid[t], das[t] @ U.T, carry)": "das[t] @ U.T"},
            "dys in the padding flows into dxs; no output stands there, so nothing may come from it",
        ),
        Mistake(
            "carried through the padding",
            {
                "(dhs[t] + carry)": "(dhs[t] * valid[t] + carry)",
                "(1 - hs[t] ** 2) * valid[t]": "(1 - hs[t] ** 2)",
                "np.where(valid[t], das[t] @ U.T, carry)": "das[t] @ U.T",
            },
            "what `back` carries goes on through the padding, into dxs there and through U once more at each step; no "
            "step was taken there",
        ),
        Mistake(
            "lost in the padding",
            {"np.where(valid[t], das[t] @ U.T, carry)": "das[t] @ U.T"},
            "dh0_back is zero for the sequences that are followed by padding: what is carried must stay as it is there",
        ),
        Mistake("no tanh derivative", {" * (1 - hs[t] ** 2)": ""}, NO_TANH),
        Mistake(
            "U not transposed",
            {"das[t] @ U.T": "das[t] @ U"},
            U_NOT_TRANSPOSED,
        ),
        Mistake(
            "no carry",
            {"dhs[t] + carry": "dhs[t]"},
            "nothing is carried from step to step: each state gets what comes from its own output alone",
        ),
    ),
)

EXERCISE = Exercise("09_deep_bidirectional", (TURN_ROUND, STACK, BIDIRECTIONAL, BIDIRECTIONAL_BACKWARD), by_hand=2)
