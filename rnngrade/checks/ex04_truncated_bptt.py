"""Exercise 04: streams and truncated backpropagation through time."""

from typing import Any

import numpy as np

from rnncore import Dense, Elman
from rnncore.losses import mean_squared_error
from rnncore.optim import SGD
from rnngrade.checks.common import LAST_BEFORE_FIRST, MOVED_IN_PLACE
from rnngrade.exercise import Draw, Exercise, Graded, Mistake, Output

STATE_RESET = "the gradient is cut there, the state is handed on"


def _streams_arguments(draw: Draw) -> dict[str, Any]:
    B, k, N, D = (draw.sizes[axis] for axis in "BKTD")
    # Nothing left over, then as much as there can be: one step more and there would be another chunk.
    rest = {0: 0, 1: B * k - 1}.get(draw.case, B * k // 2 + draw.case)
    draw.used.add("D")
    return {"series": draw.rng.standard_normal((N * B * k + 1 + rest, D)), "B": B, "k": k}


def _streams_oracle(series: Any, B: int, k: int) -> tuple[Any, ...]:
    """By the place of each number in the series: stream b, chunk n, step t stands at (b N + n) k + t."""
    N = (len(series) - 1) // (B * k)
    n, t, b = np.ogrid[:N, :k, :B]
    places = (b * N + n) * k + t
    return series[places], series[places + 1]


def _long(draw: Draw) -> int:
    """Make T longer than all other sizes, so that several chunks fit in; returns it."""
    draw.sizes["T"] += 7
    return draw.sizes["T"]


def _tbptt_arguments(draw: Draw) -> dict[str, Any]:
    T = _long(draw)
    arguments = {
        "xs": draw("T B D"),
        "h0": draw("B H"),
        "W": draw("D H"),
        "U": draw("H H", 0.4),  # larger ones amplify what float32 rounds
        "b": draw("H"),
        "dhs": draw("T B H"),
        "dh_last": draw("B H"),
    }
    k = 3 + draw.case % 2  # a whole number of chunks in some cases, a shorter one at the end in the first
    if draw.case == 0:
        k = next(k for k in (3, 4, 5) if T % k)
    if draw.case == 1:
        k = T + 2
    return arguments | {"k": k}


def _tbptt_oracle(xs: Any, h0: Any, W: Any, U: Any, b: Any, dhs: Any, dh_last: Any, k: int) -> tuple[Any, ...]:
    cell = Elman(W, U, b)
    hs, _, tape = cell.forward(xs, (h0,))
    dxs, _, grads = cell.backward(dhs, tape, (dh_last,), window=k)
    return hs, dxs, grads.W, grads.U, grads.b


def _sliding_arguments(draw: Draw) -> dict[str, Any]:
    T = _long(draw)
    xs, h0, W, U, b = draw("T B D"), draw("B H"), draw("D H"), draw("H H"), draw("H")
    hs, _, _ = Elman(W, U, b).forward(xs, (h0,))
    k1 = next(k for k in (2, 3, 4, 5) if T % k) if draw.case == 0 else draw.case + 1
    k2 = k1 if draw.case == 3 else k1 + 2 + draw.case
    return {"dhs": draw("T B H"), "xs": xs, "hs": hs, "h0": h0, "W": W, "U": U, "k1": k1, "k2": k2}


def _sliding_oracle(dhs: Any, xs: Any, hs: Any, h0: Any, W: Any, U: Any, k1: int, k2: int) -> tuple[Any, ...]:
    """Each way back is a whole BPTT of a run of its own, which begins in the state that was there."""
    cell = Elman(W, U, (np.arctanh(hs[0]) - xs[0] @ W - h0 @ U)[0])
    dW, dU, db, visits = 0.0, 0.0, 0.0, 0
    for end in {*range(k1, len(xs), k1), len(xs)}:
        begin, fresh = max(0, end - k2), (end - 1) // k1 * k1
        own = np.where(np.arange(begin, end)[:, None, None] < fresh, 0.0, dhs[begin:end])
        _, _, tape = cell.forward(xs[begin:end], (hs[begin - 1] if begin else h0,))
        _, _, grads = cell.backward(own, tape)
        dW, dU, db, visits = dW + grads.W, dU + grads.U, db + grads.b, visits + end - begin
    return dW, dU, db, visits / len(xs)


def _train_arguments(draw: Draw) -> dict[str, Any]:
    b, readout = draw("H"), Dense(draw("H K"), draw("K"))
    k = 2 + draw.case

    def chunk_gradients(W: Any, U: Any, h: Any, xs_n: Any, targets_n: Any) -> tuple[Any, ...]:
        cell = Elman(W, U, b)
        hs, (h_new,), tape = cell.forward(xs_n, (h,))
        ys, cache = readout.forward(hs)
        loss, dys = mean_squared_error(ys, targets_n)
        dhs, _ = readout.backward(dys, cache)
        _, _, grads = cell.backward(dhs, tape)
        return loss, grads.W, grads.U, h_new

    chunk_gradients.__qualname__ = "chunk_gradients"  # what an error message calls it
    N, B, D, K = (draw.sizes[axis] for axis in "TBDK")
    return {
        "W": draw("D H"),
        "U": draw("H H", 0.4),
        "h0": draw("B H"),
        "xs": draw.rng.standard_normal((N, k, B, D)),
        "targets": draw.rng.standard_normal((N, k, B, K)),
        "chunk_gradients": chunk_gradients,
        "learning_rate": (draw.case + 1) / 40,  # at larger ones training amplifies what float32 rounds
        "epochs": 2 + draw.case % 2,
    }


def _train_oracle(
    W: Any, U: Any, h0: Any, xs: Any, targets: Any, chunk_gradients: Any, learning_rate: float, epochs: int
) -> tuple[Any, ...]:
    optimizer, parameters, losses, h = SGD(learning_rate), (W, U), [], h0
    for i in range(epochs * len(xs)):
        n = i % len(xs)
        loss, *gradients, h = chunk_gradients(*parameters, h if n else h0, xs[n], targets[n])
        parameters, _ = optimizer.update(parameters, tuple(gradients), ())
        losses.append(loss)
    return *parameters, h, np.reshape(losses, (epochs, len(xs)))


CUT = "part[:used].reshape(B, N, k, -1).transpose(1, 2, 0, 3)"

STREAMS = Graded(
    name="streams",
    arguments=_streams_arguments,
    oracle=_streams_oracle,
    outputs=(Output("xs", "steps T B D", 2), Output("targets", "steps T B D", 2)),
    mistakes=(
        Mistake(
            "neighbours side by side",
            {CUT: "part[:used].reshape(N, k, B, -1)"},
            "the series is dealt out like cards: neighbouring steps lie side by side in the batch, and each stream "
            "jumps B steps at a time; a stream is an unbroken piece of the series",
        ),
        Mistake(
            "chunks side by side",
            {CUT: "part[:used].reshape(N, B, k, -1).transpose(0, 2, 1, 3)"},
            "B neighbouring chunks lie side by side in one batch, so that a row of the next batch does not go on where "
            "that row ended; first cut the series into B streams, then each stream into chunks",
        ),
        Mistake(
            "time jumps within a chunk",
            {CUT: "part[:used].reshape(B, k, N, -1).transpose(2, 1, 0, 3)"},
            "the steps of a chunk are N places apart; reshape a stream to (N, k), chunk first and step second",
        ),
        Mistake(
            "batch first",
            {CUT: "part[:used].reshape(B, N, k, -1).transpose(1, 0, 2, 3)"},
            "the axes are (N, B, k, D); time comes before the batch: (N, k, B, D)",
        ),
        Mistake(
            "streams first",
            {CUT: "part[:used].reshape(B, N, k, -1).transpose(0, 2, 1, 3)"},
            "the axes are (B, k, N, D); the chunk comes first and the stream third: (N, k, B, D)",
        ),
        Mistake(
            "targets are inputs",
            {"cut(series[1:])": "cut(series)"},
            "the targets are the inputs themselves; the target of a step is what stands one place further on",
        ),
        Mistake(
            "targets two steps on",
            {"cut(series[1:])": "cut(np.roll(series, -2, axis=0))"},
            "the targets stand two places further on; it is one",
        ),
        Mistake(
            "targets one step back",
            {"cut(series[1:])": "cut(np.roll(series, 1, axis=0))"},
            "the targets are the values before the inputs; the network has to say what comes next",
        ),
        Mistake(
            "targets wrap in their stream",
            {"cut(series[1:])": "cut(np.roll(series[:used].reshape(B, N * k, -1), -1, axis=1).reshape(used, -1))"},
            "the last target of each stream is that stream's first value; the series goes on behind the stream",
        ),
        Mistake(
            "targets wrap in their chunk",
            {"cut(series[1:])": "np.roll(xs, -1, axis=1)"},
            "the last target of each chunk is that chunk's first value; it is the first value of the next chunk",
        ),
        Mistake(
            "the last input has no target",
            {"(len(series) - 1) // (B * k)": "len(series) // (B * k)"},
            "N is S // (B k); the last input needs a target too, so only S - 1 steps can be inputs",
        ),
        Mistake(
            "left over at the beginning",
            {"cut(series)": "cut(series[-used - 1 :])", "cut(series[1:])": "cut(series[-used:])"},
            "the steps that are left over are dropped at the beginning; stream 0 begins at place 0",
        ),
        Mistake(
            "pieces longer than their chunks",
            {
                CUT: "part[: len(series) // B * B].reshape(B, len(series) // B, -1)[:, : N * k]"
                ".reshape(B, N, k, -1).transpose(1, 2, 0, 3)",
                "cut(series[1:])": "cut(np.roll(series, -1, axis=0))",
            },
            "stream b begins at place b (S // B), so that something is left over between the streams; each begins "
            "where the one before ends, at b N k",
        ),
        Mistake(
            "pieces longer than their chunks, the last target kept",
            {
                CUT: "part[: (len(series) - 1) // B * B].reshape(B, (len(series) - 1) // B, -1)[:, : N * k]"
                ".reshape(B, N, k, -1).transpose(1, 2, 0, 3)",
                "cut(series[1:])": "cut(np.roll(series, -1, axis=0))",
            },
            "stream b begins at place b ((S - 1) // B), so that steps between the streams are left over; each "
            "begins at b N k, where the one before ends",
        ),
    ),
)

STARTS = "range(0, len(xs), k)"
CARRY = "np.zeros_like(h0) if stop < len(xs) else dh_last"

TBPTT = Graded(
    name="tbptt",
    arguments=_tbptt_arguments,
    oracle=_tbptt_oracle,
    outputs=(
        Output("hs", "T B H", 1),
        Output("dxs", "T B D", 2),
        Output("dW", "D H", 1),
        Output("dU", "H H", 2),
        Output("db", "H", 1),
    ),
    mistakes=(
        Mistake(
            "state reset",
            {"before = h\n": "before = h = h if start == 0 else np.zeros_like(h0)\n"},
            f"each chunk begins with a state of zeros; {STATE_RESET}",
        ),
        Mistake(
            "state reset to h0",
            {"before = h\n": "before = h = h0\n"},
            f"each chunk begins with h0; {STATE_RESET}",
        ),
        Mistake(
            "no truncation",
            {STARTS: "[0]", "min(start + k, len(xs))": "len(xs)"},
            "nothing is cut: this is the gradient of the whole sequence. Between step k - 1 and step k, and so on, "
            "nothing flows back",
        ),
        Mistake(
            "one step at a time",
            {"(dhs[t] + carry)": "(dhs[t] + (carry if t == len(xs) - 1 else 0))"},
            "nothing is sent back at all, from no step to the one before; within a chunk the gradient flows",
        ),
        Mistake(
            "every loss k steps back",
            {
                STARTS: "range(len(xs))",
                "min(start + k, len(xs))": "start + 1",
                "reversed(range(start, stop))": "reversed(range(max(0, stop - k), stop))",
                "hs[t - 1] if t > start else before": "hs[t - 1] if t > 0 else h0",
                "(dhs[t] + carry)": "(dhs[t] + carry if t == start else carry)",
                "dxs[t] = ": "dxs[t] += ",
            },
            "every loss goes back k steps; the chunks have fixed borders, and the loss at the first step of a chunk "
            "goes back through that step alone",
        ),
        Mistake(
            "chunks one step too long",
            {STARTS: "range(0, len(xs), k + 1)", "start + k, ": "start + k + 1, "},
            "the chunks have k + 1 steps: the first is 0 … k - 1, and the cut lies between k - 1 and k",
        ),
        Mistake(
            "chunks one step too short",
            {STARTS: "range(0, len(xs), k - 1)", "start + k, ": "start + k - 1, "},
            "the chunks have k - 1 steps: the first is 0 … k - 1, and the cut lies between k - 1 and k",
        ),
        Mistake(
            "counted from the end",
            {
                STARTS: "[0, *range(len(xs) % k or k, len(xs), k)]",
                "min(start + k, len(xs))": "start + k if start else min(len(xs) % k or k, len(xs))",
            },
            "the chunks are counted from the end of the sequence, so that the first one is the shorter; they are "
            "counted from step 0",
        ),
        Mistake(
            "last chunk only",
            {"before = h\n": "before = h\n        dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)\n"},
            "the gradients of the weights are set to zero at each chunk, so that the last chunk alone is left",
        ),
        Mistake(
            "short chunk left out",
            {STARTS: "range(0, len(xs) - k + 1, k)"},
            "the last chunk is left out where it is shorter than k",
        ),
        Mistake(
            "dh_last dropped",
            {CARRY: "np.zeros_like(h0)"},
            "dh_last is dropped; it arrives at the last state of all, in addition to dhs[-1]",
        ),
        Mistake(
            "dh_last at every chunk",
            {CARRY: "dh_last"},
            "dh_last is added at the end of every chunk; it arrives at the last state of all, and nowhere else",
        ),
        Mistake(
            "carry from the chunk before",
            {
                "h = h0\n": "h, carry = h0, np.zeros_like(h0)\n",
                CARRY: "carry + (dh_last if stop == len(xs) else 0)",
            },
            "what is left to carry at the first step of a chunk is added at the last step of the next one; a way back "
            "begins with nothing",
        ),
        Mistake(
            "state cut out of dU",
            {"else before": "else np.zeros_like(h0) if start > 0 else before"},
            "the first step of a chunk adds nothing to dU; the state that was handed on is what U multiplied there, "
            "though nothing flows back into it",
        ),
        Mistake(
            "h0 missing in dU",
            {"hs[t - 1] if t > start else before": "hs[t - 1] if t > 0 else np.zeros_like(h0)"},
            "step 0 adds nothing to dU; the state before it is h0, and h0 is not zero",
        ),
        Mistake(
            "h0 before every chunk",
            {"else before": "else h0"},
            "dU takes h0 for the state before each chunk; it is the state in which the last chunk ended",
        ),
        Mistake(
            "mean over the chunks",
            {"return hs, dxs, dW, dU, db": "n = -(-len(xs) // k)\n    return hs, dxs, dW / n, dU / n, db / n"},
            "the gradients of the weights are divided by the number of chunks; they are sums",
        ),
    ),
)

BACK = "reversed(range(max(0, stop - k2), stop))"
OWN = "dhs[t] + carry if t >= start else carry"

SLIDING = Graded(
    name="sliding",
    arguments=_sliding_arguments,
    oracle=_sliding_oracle,
    outputs=(Output("dW", "D H", 1), Output("dU", "H H", 2), Output("db", "H", 1), Output("cost", "", 1)),
    mistakes=(
        Mistake(
            "losses counted again",
            {OWN: "dhs[t] + carry"},
            "losses of earlier steps are counted again; of the steps in the window only those since the last way back "
            "bring a loss with them",
        ),
        Mistake(
            "one loss each time",
            {OWN: "dhs[t] + carry if t == stop - 1 else carry"},
            "only the loss of the last step enters on each way back; those of all steps since the last time do",
        ),
        Mistake(
            "k2 steps before the piece",
            {BACK: "reversed(range(max(0, start - k2), stop))"},
            "the way back goes k2 steps beyond the first new loss; from the present step on it is k2 steps long in all",
        ),
        Mistake(
            "only the new steps",
            {BACK: "reversed(range(start, stop))"},
            "the way back ends where the new losses end, after k1 steps; it goes on, k2 steps in all",
        ),
        Mistake(
            "all the way",
            {BACK: "reversed(range(stop))"},
            "each way back goes to step 0; it ends after k2 steps",
        ),
        Mistake(
            "one step too far",
            {BACK: "reversed(range(max(0, stop - k2 - 1), stop))"},
            "the way back has k2 + 1 steps; it has k2",
        ),
        Mistake(
            "one step short",
            {BACK: "reversed(range(max(0, stop - k2 + 1), stop))"},
            "the way back has k2 - 1 steps; it has k2",
        ),
        Mistake(
            "short windows left out",
            {
                "        carry = np.zeros_like(h0)\n": "        carry = np.zeros_like(h0)\n"
                "        if stop < k2:\n            continue\n"
            },
            "nothing is done until k2 steps have passed; until then the way back goes to step 0",
        ),
        Mistake(
            "the end left out",
            {"range(0, len(xs), k1)": "range(0, len(xs) - k1 + 1, k1)"},
            "the losses at the end are left out where k1 does not divide T; there is one more way back, from the last "
            "step",
        ),
        Mistake(
            "k1 and k2 exchanged",
            {"range(0, len(xs), k1)": "range(0, len(xs), k2)", "start + k1": "start + k2", "stop - k2": "stop - k1"},
            "k1 and k2 change places: k1 is the time between two ways back, k2 how far they go",
        ),
        Mistake(
            "carry not emptied",
            {
                "visits = 0\n": "visits = 0\n    carry = np.zeros_like(h0)\n",
                "        carry = np.zeros_like(h0)\n": "",
            },
            "what is left to carry at the end of one way back is added at the beginning of the next; each begins with "
            "nothing",
        ),
        Mistake(
            "window begins with h0",
            {"hs[t - 1] if t > 0 else h0": "hs[t - 1] if t > max(0, stop - k2) else h0"},
            "dU takes h0 for the state before each window; it is the state that was there, hs[t - 1]",
        ),
        Mistake(
            "last state before the first step",
            {"hs[t - 1] if t > 0 else h0": "hs[t - 1]"},
            LAST_BEFORE_FIRST,
        ),
        Mistake(
            "cost not divided",
            {"cost = visits / len(xs)": "cost = visits"},
            "cost is the number of steps back; it is wanted per step, divided by T",
        ),
        Mistake(
            "cost in the long run",
            {"cost = visits / len(xs)": "cost = k2 / k1 + 0 * visits"},
            "cost is k2 / k1, which holds in the long run; the first ways back may end at step 0 before, and the last "
            "piece may be shorter",
        ),
        Mistake(
            "every way back taken for k2 steps",
            {"cost = visits / len(xs)": "cost = k2 * -(-len(xs) // k1) / len(xs)"},
            "cost takes every way back for k2 steps; the first ones may end at step 0 before",
        ),
    ),
)

CALL = "loss, dW, dU, h = chunk_gradients(W, U, h, xs[n], targets[n])"

TRAIN = Graded(
    name="train_stream",
    arguments=_train_arguments,
    oracle=_train_oracle,
    outputs=(
        Output("W", "D H", 1),
        Output("U", "H H", 1),
        Output("h", "B H", 1),
        Output("losses", "epochs steps", 1),
    ),
    mistakes=(
        Mistake(
            "state reset",
            {"(W, U, h, xs[n]": "(W, U, np.zeros_like(h0) if n else h0, xs[n]"},
            "each chunk begins with a state of zeros; the state is handed on from chunk to chunk",
        ),
        Mistake(
            "state reset to h0",
            {"(W, U, h, xs[n]": "(W, U, h0, xs[n]"},
            "each chunk begins with h0; the state is handed on from chunk to chunk",
        ),
        Mistake(
            "state kept between epochs",
            {"losses = np": "h = h0\n    losses = np", "        h = h0\n": ""},
            "the state at the end of the streams is handed on to their beginning; each epoch begins with h0",
        ),
        Mistake(
            "state of the stream beside",
            {"(W, U, h, xs[n]": "(W, U, np.roll(h, 1, axis=0) if n else h, xs[n]"},
            "each stream goes on with the state of the stream beside it; row b belongs to stream b throughout",
        ),
        Mistake(
            "state of stream 0 for all",
            {"(W, U, h, xs[n]": "(W, U, np.broadcast_to(h[0], h.shape) if n else h, xs[n]"},
            "all streams go on with the state of stream 0; each has a state of its own",
        ),
        Mistake(
            "streams averaged",
            {"(W, U, h, xs[n]": "(W, U, np.broadcast_to(h.mean(axis=0), h.shape) if n else h, xs[n]"},
            "all streams go on with the mean of their states; each has a state of its own",
        ),
        Mistake(
            "streams backwards",
            {"range(len(xs))": "reversed(range(len(xs)))"},
            "the chunks are taken from the last to the first; a stream runs forward",
        ),
        Mistake(
            "chunks shuffled",
            {"in range(len(xs))": "in np.random.default_rng(0).permutation(len(xs))"},
            "the chunks are taken in a shuffled order, so that a state goes on with a chunk that is not the next",
        ),
        Mistake(
            "epochs inside",
            {
                "    for epoch in range(epochs):\n        h = h0\n        for n in range(len(xs)):": "    h = h0\n"
                "    for n in range(len(xs)):\n        for epoch in range(epochs):"
            },
            "each chunk is taken several times before the next; an epoch is one round over all chunks, in their order",
        ),
        Mistake(
            "state after the update",
            {
                "loss, dW, dU, h =": "loss, dW, dU, _ =",
                "losses[epoch, n] = loss": "losses[epoch, n] = loss\n"
                "            h = chunk_gradients(W, U, h, xs[n], targets[n])[3]",
            },
            "the chunk is run again with the moved weights, and that state is handed on; it is h_new of the one call",
        ),
        Mistake(
            "loss after the update",
            {
                CALL: f"{CALL.replace('loss, dW, dU, h', '_, dW, dU, h_new')}",
                "losses[epoch, n] = loss": "losses[epoch, n] = chunk_gradients(W, U, h, xs[n], targets[n])[0]\n"
                "            h = h_new",
            },
            "the losses are taken after each update; they are those that the weights had before",
        ),
        Mistake(
            "one update an epoch",
            {
                "        h = h0\n": "        h, sum_W, sum_U = h0, 0 * W, 0 * U\n",
                "W = W - learning_rate * dW": "sum_W = sum_W + dW",
                "U = U - learning_rate * dU": "sum_U = sum_U + dU",
                "losses[epoch, n] = loss": "losses[epoch, n] = loss\n"
                "        W, U = W - learning_rate * sum_W, U - learning_rate * sum_U",
            },
            "the weights move once an epoch, by the sum of all gradients; they move after each chunk",
        ),
        Mistake(
            "gradients not reset",
            {
                "losses = np": "sum_W, sum_U = 0 * W, 0 * U\n    losses = np",
                "W = W - learning_rate * dW": "sum_W, sum_U = sum_W + dW, sum_U + dU\n"
                "            W = W - learning_rate * sum_W",
                "U - learning_rate * dU": "U - learning_rate * sum_U",
            },
            "the gradients of earlier chunks are added to the new one; each update takes the gradient of one chunk",
        ),
        Mistake(
            "weights anew each epoch",
            {
                "losses = np": "W0, U0 = W, U\n    losses = np",
                "        h = h0\n": "        h, W, U = h0, W0, U0\n",
            },
            "each epoch begins with the weights that were given; they go on as they are, only the state begins anew",
        ),
        Mistake("U never moves", {"            U = U - learning_rate * dU\n": ""}, "U is never moved"),
        Mistake(
            "uphill",
            {"W - learning": "W + learning", "U - learning": "U + learning"},
            "the weights move along the gradient, uphill; the loss falls against it",
        ),
        Mistake(
            "in place",
            {"W = W - learning": "W -= learning", "U = U - learning": "U -= learning"},
            MOVED_IN_PLACE,
        ),
        Mistake(
            "one mean an epoch",
            {"return W, U, h, losses": "return W, U, h, losses.mean(axis=1)"},
            "the losses are averaged over each epoch; one for each chunk was wanted, (epochs, N)",
        ),
    ),
)

EXERCISE = Exercise("04_truncated_bptt", (STREAMS, TBPTT, SLIDING, TRAIN), by_hand=2)
