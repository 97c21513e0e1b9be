"""Exercise 10: sequences of different lengths."""

from typing import Any

import numpy as np

from rnncore import Elman
from rnncore.losses import softmax_cross_entropy, valid
from rnncore.recurrence import Packing
from rnngrade.checks.common import INITIAL_STATES_IGNORED
from rnngrade.exercise import Draw, Exercise, Graded, Mistake, Output


def _lengths(draw: Draw, least: int = 1) -> np.ndarray:
    """Whole numbers `least` … T, the first batch full; in the others some are full, some shorter, and not sorted."""
    T, B = draw.sizes["T"], draw.sizes["B"]
    draw.used |= {"T", "B"}
    if draw.case == 0:
        return np.full(B, T)
    lengths = draw.rng.integers(max(least, 1), T + 1, B)
    lengths[:3] = draw.rng.integers(max(least, 1), T), T, least  # of the three, the second is the longest
    return lengths


def _last_arguments(draw: Draw) -> dict[str, Any]:
    return {"hs": draw("T B H"), "lengths": _lengths(draw, least=0), "h0": draw("B H")}


def _last_oracle(hs: Any, lengths: Any, h0: Any) -> Any:
    """Step by step: each state is taken over as long as its sequence runs."""
    for t, h in enumerate(hs):
        h0 = np.where((t < lengths)[:, None], h, h0)
    return h0


def _shuffled(draw: Draw) -> np.ndarray:
    """Lengths; in case 1 such that sorting by their order twice changes something: it differs from its inverse."""
    lengths = _lengths(draw)
    if draw.case == 1:
        order = np.argsort(-lengths, kind="stable")
        while (order[order] == np.arange(len(order))).all():
            lengths = draw.rng.permutation(lengths)
            order = np.argsort(-lengths, kind="stable")
    return lengths


def _packed_arguments(draw: Draw) -> dict[str, Any]:
    packing = Packing.of("pack", draw.sizes["T"], draw.sizes["B"], _shuffled(draw), reverse=False)
    order = np.arange(draw.sizes["B"]) if packing.order is None else packing.order
    packed = packing.pack(draw("T B D"))
    weights = {"W": draw("D H"), "U": draw("H H"), "b": draw("H")}
    return {"packed": packed, "sizes": np.array(packing.sizes), "order": order, "h0": draw("B H"), **weights}


def _packed_oracle(packed: Any, sizes: Any, order: Any, h0: Any, W: Any, U: Any, b: Any) -> tuple[Any, Any]:
    lengths = np.empty(len(order), int)
    lengths[order] = [(sizes > place).sum() for place in range(len(order))]
    xs = Packing.of("unpack", len(sizes), len(order), lengths, reverse=False).unpack(packed)
    hs, (last,), _ = Elman(W, U, b).forward(xs, (h0,), lengths=lengths)
    return hs, last


def _pack_oracle(xs: Any, lengths: Any) -> tuple[Any, ...]:
    packing = Packing.of("pack", xs.shape[0], xs.shape[1], lengths, reverse=False)
    return packing.pack(xs), np.array(packing.sizes), packing.order


LAST_VALID = Graded(
    name="last_valid",
    arguments=_last_arguments,
    oracle=_last_oracle,
    outputs=(Output("last", "B H", 3),),
    mistakes=(
        Mistake(
            "hs[-1]",
            {"hs[lengths - 1, np.arange(len(lengths))]": "hs[-1]"},
            "the last row of the array is taken for all; for a short sequence that is a state after padding",
        ),
        Mistake(
            "everywhere hs[-1]",
            {
                "last = hs[lengths - 1, np.arange(len(lengths))]\n    ": "",
                "np.where((lengths > 0)[:, None], last, h0)": "hs[-1]",
            },
            "hs[-1] is returned; that is the state after the padding, and of a sequence of length 0 as well",
        ),
        Mistake(
            "one step late",
            {"hs[lengths - 1,": "hs[np.minimum(lengths, len(hs) - 1),"},
            "the state is taken one step too late, after a step of padding: the last valid step is number length - 1",
        ),
        Mistake(
            "one step early",
            {"hs[lengths - 1,": "hs[np.maximum(lengths - 2, 0),"},
            "the state is taken one step too early: the last valid step is number length - 1",
        ),
        Mistake(
            "length 0",
            {"np.where((lengths > 0)[:, None], last, h0)": "last"},
            "a sequence of length 0 gets hs[-1], which is where the index -1 leads; it must get h0",
        ),
        Mistake(
            "zeros for length 0",
            {"last, h0)": "last, 0)"},
            "a sequence of length 0 gets zeros; nothing has changed its state, so it is that of h0",
        ),
        Mistake(
            "step 0 for length 0",
            {"hs[lengths - 1,": "hs[np.maximum(lengths - 1, 0),", "np.where((lengths > 0)[:, None], last, h0)": "last"},
            "a sequence of length 0 gets hs[0], a state after padding; it must get h0",
        ),
        Mistake(
            "first sequence",
            {"np.arange(len(lengths))": "0"},
            "all states are those of sequence 0, at the right steps; each sequence has its own column",
        ),
        Mistake(
            "all pairs",
            {
                "hs[lengths - 1, np.arange(len(lengths))]": "hs[lengths - 1]",
                "np.where((lengths > 0)[:, None], last, h0)": "last",
            },
            "hs[lengths - 1] gives a whole batch for each length; a second index, np.arange(B), picks each sequence's "
            "own state",
        ),
        Mistake(
            "mean over the valid",
            {
                "hs[lengths - 1, np.arange(len(lengths))]": "(hs * (np.arange(len(hs))[:, None] < lengths)[..., None])"
                ".sum(0)"
                " / np.maximum(lengths, 1)[:, None]"
            },
            "the mean over the valid states is returned; the last of them is wanted",
        ),
    ),
)

MASKED_LOSS = Graded(
    name="masked_loss",
    arguments=lambda draw: {"os": draw("T B K"), "targets": draw.classes("T B"), "lengths": _lengths(draw)},
    oracle=lambda os, targets, lengths: softmax_cross_entropy(os, targets, mask=valid(lengths, len(os), os)),
    outputs=(Output("loss", "", 2), Output("dos", "T B K", 3)),
    mistakes=(
        Mistake(
            "padding counted",
            {"(np.arange(T)[:, None] < lengths)[..., None]": "np.ones((T, len(lengths), 1))"},
            "the padding is counted like any other position: there is no mask",
        ),
        Mistake(
            "mean over the padding",
            {"mask.sum()": "mask.size"},
            "the padding is left out of the sum, and the sum divided by all T·B positions; divide by the valid ones",
        ),
        Mistake(
            "mean of means",
            {
                "(log_p * right * mask).sum() / N": "((log_p * right * mask).sum((0, 2)) / lengths).mean()",
                "* mask / N": "* mask / (len(lengths) * lengths[:, None])",
            },
            "a mean is taken over each sequence and then over the sequences; a step of a short one counts more so, and "
            "all valid positions shall count the same",
        ),
        Mistake(
            "gradient not masked",
            {" * mask / N": " / N"},
            "the loss is masked and its gradient is not: dos must be zero in the padding",
        ),
        Mistake(
            "loss not masked",
            {"(log_p * right * mask).sum()": "(log_p * right).sum()"},
            "the gradient is masked and the loss is not",
        ),
        Mistake(
            "two counts",
            {"* mask / N": "* mask / mask.size"},
            "the loss is divided by the number of valid positions and its gradient by T·B; both by the same N",
        ),
        Mistake(
            "mask inverted",
            {"[:, None] < lengths": "[:, None] >= lengths"},
            "the mask is the wrong way round: it is true in the padding",
        ),
        Mistake(
            "one step too many",
            {"[:, None] < lengths": "[:, None] <= lengths"},
            "one step of padding is counted with each sequence: valid are the steps 0 … length - 1, t < length",
        ),
        Mistake(
            "one step too few",
            {"[:, None] < lengths": "[:, None] < lengths - 1"},
            "the last valid step of each sequence is left out: valid are the steps 0 … length - 1",
        ),
        Mistake("sum", {"mask.sum()": "1"}, "loss and gradient are sums; they are means over the N valid positions"),
        Mistake(
            "mean over the sequences",
            {"mask.sum()": "len(lengths)"},
            "loss and gradient are divided by B alone; the mean runs over all valid positions",
        ),
        Mistake(
            "scores masked",
            {
                "# (T, B, 1)": "\n    os = os * mask\n    mask = np.ones((T, len(lengths), 1))",
            },
            "the scores are set to zero in the padding and then counted; zero scores cost log K each. Mask the loss",
        ),
    ),
)

PACK = Graded(
    name="pack",
    arguments=lambda draw: {"xs": draw("T B D"), "lengths": _shuffled(draw)},
    oracle=_pack_oracle,
    outputs=(Output("packed", "steps D", 2.5), Output("sizes", "T", 1), Output("order", "B", 1)),
    mistakes=(
        Mistake(
            "not sorted",
            {'np.argsort(-lengths, kind="stable")': "np.arange(len(lengths))"},
            "the batch is not sorted; the longest sequence comes first",
        ),
        Mistake(
            "shortest first",
            {"argsort(-lengths": "argsort(lengths"},
            "the shortest sequence comes first; then those that still run are not the first ones",
        ),
        Mistake(
            "ties turned round",
            {'np.argsort(-lengths, kind="stable")': 'np.argsort(lengths, kind="stable")[::-1]'},
            "sequences of the same length are in the wrong order (that comes of turning a sorted list round); the "
            "earlier one comes first",
        ),
        Mistake(
            "sequence after sequence",
            {"np.concatenate(rows)": "np.concatenate([xs[: lengths[n], n] for n in order])"},
            "packed holds one whole sequence after another; it goes step by step, all that are running at each",
        ),
        Mistake(
            "padding kept",
            {"order[lengths[order] > t]": "order"},
            "the padding is packed as well; at step t only the sequences longer than t have something to give",
        ),
        Mistake(
            "one step too many",
            {"lengths[order] > t": "lengths[order] >= t"},
            "each sequence is given one step of padding: it runs at step t while its length is greater than t",
        ),
        Mistake(
            "one step too few",
            {"lengths[order] > t": "lengths[order] > t + 1"},
            "the last step of each sequence is missing: it runs at step t while its length is greater than t",
        ),
        Mistake(
            "places",
            {"np.array(sizes), order": "np.array(sizes), np.argsort(order)"},
            "order holds the place that each sequence was given; it shall hold the number of the sequence at each "
            "place, the inverse of that",
        ),
        Mistake(
            "order lost",
            {"np.array(sizes), order": "np.array(sizes), np.arange(len(order))"},
            "order is 0, 1, 2, … though the batch has been sorted: nobody can bring the results back",
        ),
        Mistake(
            "lengths for sizes",
            {"np.array(sizes)": "lengths[order]"},
            "sizes holds the lengths of the sequences; it holds for each step how many are running",
        ),
        Mistake(
            "sums for sizes",
            {"np.array(sizes)": "np.cumsum(sizes)"},
            "sizes holds running sums; it holds for each step how many sequences are running",
        ),
    ),
)

RUN_PACKED = Graded(
    name="run_packed",
    arguments=_packed_arguments,
    oracle=_packed_oracle,
    outputs=(Output("hs", "T B H", 4), Output("last", "B H", 2.5)),
    mistakes=(
        Mistake(
            "h0 not sorted",
            {"state = h0[order]": "state = h0"},
            "the initial states are not sorted: h0 is in the batch's own order, packed is not",
        ),
        Mistake(
            "hs left sorted",
            {"hs[t, order[:size]]": "hs[t, :size]"},
            "hs is left in the sorted order; each state belongs in the column of its own sequence",
        ),
        Mistake(
            "last left sorted",
            {"last[order] = state": "last = state"},
            "last is left in the sorted order; each state belongs in the row of its own sequence",
        ),
        Mistake(
            "sorted twice",
            {"last[order] = state": "last = state[order]"},
            "last is sorted once more in place of being put back: state[order] sorts, last[order] = state puts back",
        ),
        Mistake(
            "all left sorted",
            {
                "state = h0[order]": "state = h0",
                "hs[t, order[:size]]": "hs[t, :size]",
                "last[order] = state": "last = state",
            },
            "order is not used at all: initial states and results must be taken from one order into the other",
        ),
        Mistake(
            "always the first rows",
            {"        start += size\n": ""},
            "every step reads the first rows of packed; go on by sizes[t] rows at each step",
        ),
        Mistake(
            "steps of equal size",
            {"start += size": "start += sizes[0]"},
            "the rows of a step are looked for as if every step had all sequences; go on by sizes[t] rows at each step",
        ),
        Mistake(
            "last at the last step",
            {"return hs, last": "return hs, hs[-1]"},
            "last is zero for the sequences that end early (it is hs[-1], or ended states were set to zero); each "
            "keeps the state after its own last step",
        ),
        Mistake(
            "padding filled",
            {"hs[t, order[:size]] = new": "hs[t, order] = state"},
            "the last state goes on into the padding of hs; there it is zero",
        ),
        Mistake(
            "no memory",
            {"state[:size] @ U": "h0[order][:size] @ U"},
            "every step starts from the initial state; it goes on from the state of the step before",
        ),
        Mistake(
            "h0 ignored",
            {"state = h0[order]": "state = 0 * h0"},
            INITIAL_STATES_IGNORED,
        ),
        Mistake("bias forgotten", {" + b)": ")"}, "the bias is left out"),
    ),
)

EXERCISE = Exercise("10_lengths", (LAST_VALID, MASKED_LOSS, PACK, RUN_PACKED), by_hand=2)
